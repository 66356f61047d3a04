"""What is known of the programs that start MCP servers: enough to find the package among their arguments, and the
few words that may be shown wherever they stand."""

import re
from typing import Final

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
