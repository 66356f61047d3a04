"""What is known of the programs that start MCP servers: enough to find the package among their arguments, and the
few words that may be shown wherever they stand."""

import re
import shlex
from typing import Final

from leasehold.core.import_values import is_plain_path
from leasehold.core.text import words

HEADER_OPTIONS: Final = frozenset({"--header", "--headers", "-H"})
VARIABLE_OPTIONS: Final = frozenset({"-e", "--env"})
FILE_OPTIONS: Final = frozenset({"--env-file", "--envFile"})
PACKAGE_OPTIONS: Final = frozenset({"--from", "--package", "-m", "--with", "--spec"})
WRAPPERS: Final = frozenset({"cmd", "env", "exec", "export", "nohup", "sudo", "wsl"})
SEPARATORS: Final = frozenset({"&&", "||", ";", "|"})
CONTAINERS: Final = frozenset({"docker", "nerdctl", "podman"})
SHELLS: Final = frozenset({"bash", "dash", "sh", "zsh"})
LAUNCHERS: Final = CONTAINERS | words(
    """npx bunx pnpx uvx pipx uv npm pnpm yarn bun node deno python python3 py tsx
    ts-node java go dotnet cargo"""
)
WITH_VALUE: Final = words(
    """-v --volume --name --network --net -p --publish --mount -u --user -w --workdir --entrypoint
    --platform --add-host -l --label --directory --project --python --index-url --registry --tag
    --memory -m --cpus --host --port -c"""
)
SUBCOMMANDS: Final = words("run exec dlx tool x start serve stdio http sse mcp server container compose")
HARMLESS: Final = SUBCOMMANDS | words(
    """true false yes no on off none auto all debug info warn warning error sse-only http-only sse-first
    http-first streamable-http streamableHttp streamable_http default oauth -- && || ; |"""
)
NUMBER: Final = re.compile(r"^[0-9]{1,5}(?:[.:][0-9]{1,5})?\Z")
OPTION: Final = re.compile(r"^(?:--[A-Za-z][A-Za-z0-9._-]{0,47}|-[A-Za-z]{1,3})\Z")
ASSIGNMENT: Final = re.compile(r"^([A-Za-z_][A-Za-z0-9_.-]{0,63})=(.*)\Z", re.DOTALL)
VARIABLE: Final = re.compile(r"^[A-Z][A-Z0-9_]{1,63}\Z")
PACKAGE: Final = re.compile(
    r"^(?:[a-z]+:)?@?[A-Za-z0-9][A-Za-z0-9._/:~-]{0,199}(?:\[[a-z0-9_,-]+\])?"
    r"(?:(?:@|==|>=)[A-Za-z0-9^~*][A-Za-z0-9.:_+-]{0,80})?\Z"
)
PROGRAM: Final = re.compile(r"^[\w.@+~:/\\${}()-]{1,256}\Z")
BRIDGES: Final = frozenset({"mcp-remote", "mcp-proxy", "supergateway", "mcp-remote-client"})
"""Programs that speak stdio to the agent and HTTP to the server that is meant."""


def is_one_program(text: str) -> bool:
    """Whether it is a path, and no command line. Only in `Program Files` a blank is believed to be part of one."""
    without = text.replace("Program Files (x86)", "").replace("Program Files", "")
    return is_plain_path(text) and " " not in without


def split_words(line: str) -> list[str]:
    """The words of a command line; none where its quotation marks do not fit."""
    try:
        return shlex.split(line)
    except ValueError:
        return []


def bare_name(package: str) -> str:
    """`mcp-remote` of `mcp-remote@latest`, `npx` of `C:\\bin\\npx.cmd`."""
    last = re.split(r"[/\\]", package)[-1] if not package.startswith("@") else package.split("/")[-1]
    return re.split(r"@|==|>=|\[|:", last)[0].removesuffix(".cmd").removesuffix(".exe").lower()
