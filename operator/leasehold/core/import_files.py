"""Where clients keep their configuration, and where in it the servers stand. A file is known by its path; what is
found in it is known by its shape, for people copy whole files, too."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from leasehold.core.import_entry import is_entry, read_entry
from leasehold.core.import_found import CredentialKind, FoundServer, Place, Unread, User
from leasehold.core.import_sightings import Environment, Variable
from leasehold.core.import_syntax import Parsed, Syntax, UnfitText, decoded, parsed
from leasehold.core.import_values import Fingerprint


@dataclass(frozen=True)
class Client:
    """A program that reads such files; `strict` ones take plain JSON only."""

    name: str
    agent: str
    strict: bool = False


CLAUDE_DESKTOP: Final = Client("Claude Desktop", "claude-desktop", strict=True)
CLAUDE_CODE: Final = Client("Claude Code", "claude-code", strict=True)
CODEX: Final = Client("Codex", "codex")
CONTINUE: Final = Client("Continue", "continue")
CURSOR: Final = Client("Cursor", "cursor")
VSCODE: Final = Client("VS Code", "vscode")
ZED: Final = Client("Zed", "zed")
ANY: Final = Client("MCP client", "mcp-client")

CLIENTS: Final[tuple[tuple[str, Client], ...]] = (
    ("claude_desktop_config.json", CLAUDE_DESKTOP),
    (".claude.json", CLAUDE_CODE),
    (".mcp.json", CLAUDE_CODE),
    (".cursor/mcp.json", CURSOR),
    (".vscode/mcp.json", VSCODE),
    (".vscode/settings.json", VSCODE),
    ("User/mcp.json", VSCODE),
    ("User/settings.json", VSCODE),
    ("*.code-workspace", VSCODE),
    ("windsurf/mcp_config.json", Client("Windsurf", "windsurf")),
    ("zed/settings.json", ZED),
    (".zed/settings.json", ZED),
    ("cline_mcp_settings.json", Client("Cline", "cline")),
    ("mcp_settings.json", Client("Roo Code", "roo-code")),
    (".roo/mcp.json", Client("Roo Code", "roo-code")),
    (".continue/config.yaml", CONTINUE),
    (".continue/config.json", CONTINUE),
    (".continue/mcpServers/*.yaml", CONTINUE),
    (".continue/mcpServers/*.yml", CONTINUE),
    (".continue/mcpServers/*.json", CONTINUE),
    (".gemini/settings.json", Client("Gemini CLI", "gemini-cli")),
    (".codex/config.toml", CODEX),
    ("mcp_config.json", ANY),
    ("mcp.json", ANY),
)
"""By the end of a path; the first that fits."""

LOOKED_FOR: Final = "mcpServers, servers, mcp.servers, context_servers and mcp_servers"

_CONTAINERS: Final[tuple[tuple[tuple[str, ...], Client | None], ...]] = (
    (("mcpServers",), None),
    (("amp.mcpServers",), None),
    (("servers",), VSCODE),
    (("mcp", "servers"), VSCODE),
    (("settings", "mcp", "servers"), VSCODE),
    (("context_servers",), ZED),
    (("mcp_servers",), CODEX),
    (("experimental", "modelContextProtocolServers"), CONTINUE),
)


@dataclass(frozen=True)
class Import:
    """What was found, and what could not be read."""

    servers: tuple[FoundServer, ...] = ()
    unread: tuple[Unread, ...] = ()
    sources: int = 0
    """How many files and objects were read."""

    def __add__(self, other: "Import") -> "Import":
        return Import(self.servers + other.servers, self.unread + other.unread, self.sources + other.sources)


def client_of(path: str) -> Client | None:
    """The client that keeps its configuration under this path; None for other files."""
    parts = path.replace("\\", "/").split("/")
    for pattern, client in CLIENTS:
        wanted = pattern.split("/")
        if len(parts) >= len(wanted) and all(map(fnmatchcase, parts[-len(wanted) :], wanted)):
            return client
    return None


def is_kept_for_servers(path: str) -> bool:
    """Whether a file of this name is there for its servers only; `settings.json` has other purposes, too."""
    return "mcp" in path.replace("\\", "/").rpartition("/")[2].lower() or "/mcpServers/" in path


def read_file(
    source: str,
    data: bytes,
    fingerprint: Fingerprint,
    *,
    agent: str | None = None,
    path: str | None = None,
    expected: bool = True,
) -> Import:
    """The servers of one file; `path` is the whole one, where `source` is not. A file without any is unread where
    some were expected."""
    try:
        text = decoded(data)
        found = parsed(text, syntax_of(source, text))
    except UnfitText as error:
        return Import(unread=(Unread(source, error.message, error.line),))
    client = client_of(path or source) or ANY
    read = read_document(found.value, Place(source), client, fingerprint, agent=agent)
    if read is None:
        nothing = Unread(source, f"no MCP servers are in it; looked for {LOOKED_FOR}")
        return Import(unread=(nothing,) if expected else (), sources=1)
    return Import(read.servers, (*read.unread, *_beyond(source, found, client)), sources=1)


def syntax_of(name: str, text: str) -> Syntax:
    """By the name's ending, else by how it begins."""
    ending = name.rpartition(".")[2].lower()
    if ending in ("yaml", "yml"):
        return Syntax.YAML
    if ending == "toml" or (ending not in ("json", "code-workspace") and "[mcp_servers" in text):
        return Syntax.TOML
    begins_json = text.lstrip()[:1] in ("{", "[", "/")
    return Syntax.JSON if ending in ("json", "code-workspace") or begins_json else Syntax.YAML


def read_document(
    document: Any,
    place: Place,
    client: Client,
    fingerprint: Fingerprint,
    *,
    agent: str | None = None,
    workload: User | None = None,
    outer: Environment | None = None,
) -> Import | None:
    """The servers of a document; None where it has no place for any."""
    containers = list(_containers(document, place))
    if not containers:
        return None
    read = Import()
    for container, where, shape in containers:
        known = client if client is not ANY or shape is None else shape
        user = workload or User(agent or known.agent, known.name)
        read += _read_container(
            container, where, user, fingerprint, {**_inputs(document, place), **(outer or {})}
        )
    return read


def _containers(document: Any, place: Place) -> Iterator[tuple[Any, Place, Client | None]]:
    if not isinstance(document, dict):
        return
    for keys, shape in _CONTAINERS:
        value: Any = document
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and (keys != ("servers",) or _holds_entries(value)):
            yield value, place.under(*keys), shape
    projects = document.get("projects")
    for path, project in projects.items() if isinstance(projects, dict) else ():
        if isinstance(project, dict) and project.get("mcpServers") is not None:
            yield project["mcpServers"], place.under("projects", path, "mcpServers"), CLAUDE_CODE


def _holds_entries(value: Any) -> bool:
    return isinstance(value, dict) and (not value or any(map(is_entry, value.values())))


def _read_container(
    container: Any, place: Place, user: User, fingerprint: Fingerprint, outer: Environment
) -> Import:
    if isinstance(container, dict):
        entries = [(str(name), entry, place.under(name)) for name, entry in container.items()]
    elif isinstance(container, list):
        entries = [
            (
                str(entry.get("name") or number) if isinstance(entry, dict) else str(number),
                entry,
                place.under(number),
            )
            for number, entry in enumerate(container)
        ]
    else:
        return Import(unread=(_unfit(place, "write an object with one member for each server"),))
    servers, unread = [], []
    for name, entry, where in entries:
        server = read_entry(name, entry, user, where, fingerprint, outer) if isinstance(entry, dict) else None
        if server is None:
            unread.append(
                _unfit(where, "write an object that has a command, or a url that begins with https://")
            )
        else:
            servers.append(server)
    return Import(tuple(servers), tuple(unread))


def _inputs(document: Mapping[str, Any], place: Place) -> dict[str, Variable]:
    """The inputs of VS Code that come with a value; the others are asked of a person."""
    found: dict[str, Variable] = {}
    for within, where in ((document, place), (document.get("mcp"), place.under("mcp"))):
        inputs = within.get("inputs") if isinstance(within, dict) else None
        for number, each in enumerate(inputs if isinstance(inputs, list) else ()):
            if not isinstance(each, dict):
                continue
            name, text = each.get("id"), each.get("default")
            if isinstance(name, str) and isinstance(text, str) and text.strip():
                default = where.under("inputs", number, "default")
                found[f"input:{name}"] = Variable(default, text, CredentialKind.STATIC_FIELD)
    return found


def _beyond(source: str, found: Parsed, client: Client) -> tuple[Unread, ...]:
    if found.beyond_json is None or not client.strict:
        return ()
    problem = (
        f"a comment, or a comma before a closing bracket: {client.name} takes plain JSON only, and ignores the "
        "file; its servers are listed nevertheless"
    )
    return (Unread(source, problem, found.beyond_json),)


def _unfit(place: Place, right: str) -> Unread:
    return Unread(place.source, f"{place.pointer} is no server: {right}")
