"""What an import finds: MCP servers as somebody's configuration names them, and how each is logged in to. Nothing
here holds a secret; a fingerprint is all that is left of one."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leasehold.api.profile import Transport

MAX_WORDS: Final = 64
MAX_WORD: Final = 1024

Target = str | tuple[str, ...]
"""What makes a server the one that it is: its URL, or the command that starts it."""


class CredentialKind(StrEnum):
    """What an agent shows to a server, by where it comes from."""

    STATIC_HEADER = "StaticHeader"
    STATIC_ENVIRONMENT = "StaticEnvironment"
    STATIC_ARGUMENT = "StaticArgument"
    STATIC_FIELD = "StaticField"
    URL_USERINFO = "URLUserinfo"
    URL_QUERY = "URLQuery"
    URL_PATH = "URLPath"
    ENVIRONMENT_REFERENCE = "EnvironmentReference"
    SECRET_REFERENCE = "SecretReference"  # noqa: S105
    FILE_REFERENCE = "FileReference"
    PROMPT = "Prompt"
    PROGRAM = "Program"
    OAUTH = "OAuth"
    PLACEHOLDER = "Placeholder"
    UNSTATED = "Unstated"
    NONE = "None"

    @property
    def is_static(self) -> bool:
        """Whether the secret itself stands in what was read."""
        return self in _STATIC

    @property
    def revocable(self) -> "Revocable":
        """Whether it can be replaced where it comes from, without a new roll-out of what was read."""
        return _REVOCABLE[self]


class Revocable(StrEnum):
    """What it takes to replace a credential."""

    YES = "Yes"
    RESTART = "Restart"
    NO = "No"
    UNKNOWN = "Unknown"
    NOTHING = "Nothing"


_STATIC: Final = frozenset(
    {
        CredentialKind.STATIC_HEADER,
        CredentialKind.STATIC_ENVIRONMENT,
        CredentialKind.STATIC_ARGUMENT,
        CredentialKind.STATIC_FIELD,
        CredentialKind.URL_USERINFO,
        CredentialKind.URL_QUERY,
        CredentialKind.URL_PATH,
    }
)

_REVOCABLE: Final = dict.fromkeys(_STATIC, Revocable.NO) | {
    CredentialKind.ENVIRONMENT_REFERENCE: Revocable.RESTART,
    CredentialKind.SECRET_REFERENCE: Revocable.RESTART,
    CredentialKind.FILE_REFERENCE: Revocable.RESTART,
    CredentialKind.PROMPT: Revocable.RESTART,
    CredentialKind.PROGRAM: Revocable.YES,
    CredentialKind.OAUTH: Revocable.YES,
    CredentialKind.PLACEHOLDER: Revocable.NOTHING,
    CredentialKind.UNSTATED: Revocable.UNKNOWN,
    CredentialKind.NONE: Revocable.NOTHING,
}


@dataclass(frozen=True)
class Credential:
    """One credential of one server; `name` is that of its header, variable, option or Secret."""

    kind: CredentialKind
    name: str
    source: str
    pointer: str
    fingerprint: str | None = None


@dataclass(frozen=True)
class Place:
    """Where something stands: a file or an object, and a JSON pointer into it."""

    source: str
    pointer: str = ""

    def under(self, *keys: object) -> "Place":
        """A place within this one (RFC 6901)."""
        escaped = (str(key).replace("~", "~0").replace("/", "~1") for key in keys)
        return Place(self.source, "".join([self.pointer, *(f"/{key}" for key in escaped)]))


@dataclass(frozen=True)
class User:
    """Whose configuration it is. Namespace and service account are known for workloads only."""

    agent: str
    client: str
    namespace: str = ""
    service_account: str = ""

    @property
    def agent_name(self) -> str:
        """What the agent is called in a connection."""
        return dns_label(self.agent)


@dataclass(frozen=True)
class FoundServer:
    """One server as one agent is told to use it. `url` and `command` are made safe to show."""

    user: User
    name: str
    transport: Transport
    url: str | None
    command: tuple[str, ...]
    credentials: tuple[Credential, ...]
    place: Place
    program: str = ""
    """What is started, without version and arguments; of a remote server nothing."""
    enabled: bool = True

    @property
    def identity(self) -> str:
        """What makes it the same server as another one."""
        return self.url if self.url is not None else " ".join(self.command)

    @property
    def target(self) -> Target:
        """What a profile says of it: the URL, or the command as far as a profile may be long."""
        if self.url is not None:
            return self.url
        return tuple(word[:MAX_WORD] for word in self.command[:MAX_WORDS])

    @property
    def is_static(self) -> bool:
        """Whether one of its credentials stands in what was read."""
        return any(each.kind.is_static for each in self.credentials)


@dataclass(frozen=True)
class Unread:
    """What could not be read, why, and what would be right; quotes nothing of it."""

    source: str
    problem: str
    line: int | None = None

    def __str__(self) -> str:
        at = "" if self.line is None else f":{self.line}"
        return f"{self.source}{at}: {self.problem}"


def dns_label(text: str) -> str:
    """Lowercase letters, digits and hyphens, as names of objects are made."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].rstrip("-") or "server"
