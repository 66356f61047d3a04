"""What was found, next to what is registered. A server that nobody registered is a finding, so it is called one
only where all profiles are known and none of them can be its own: what could not be read, or is not shown, proves
nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import TypeAdapter, ValidationError

from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile
from leasehold.api.urls import ServerURL
from leasehold.core.import_arguments import ReadCommand, read_command
from leasehold.core.import_found import FoundServer, Place, Target
from leasehold.core.import_sightings import Sightings
from leasehold.core.import_urls import read_url
from leasehold.core.import_values import REDACTED

_URL: Final = TypeAdapter[str](ServerURL)
_SHARED_ACCOUNT: Final = "default"
"""Whoever names no service account runs as this one: it tells nobody apart."""


class Registration(StrEnum):
    """How much of a use is registered."""

    REGISTERED = "Registered"
    SERVER_REGISTERED = "ServerRegistered"
    SHADOW = "Shadow"
    NOT_COMPARED = "NotCompared"


@dataclass(frozen=True)
class Standing:
    """What one use was found to be; `profiles` are those with its server, by name and in order."""

    registration: Registration = Registration.NOT_COMPARED
    profiles: tuple[MCPServerProfile, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What its server's profiles are called."""
        return tuple(each.metadata.name for each in self.profiles)


Standings = Mapping[FoundServer, Standing]

NOTHING_COMPARED: Final[Standings] = MappingProxyType({})


@dataclass(frozen=True)
class Registered:
    """The profiles and connections that could be read, and whether these are all. By default nothing is known."""

    profiles: Sequence[MCPServerProfile] = ()
    connections: Sequence[MCPConnection] = ()
    are_all_profiles: bool = False
    are_all_connections: bool = False
    namespace: str = ""
    """Where connections of what was found in files belong."""


class Comparison:
    """Compares uses, one by one, with all that is registered."""

    def __init__(self, registered: Registered) -> None:
        self._registered = registered
        self._profiles: dict[Target, list[MCPServerProfile]] = {}
        self._shown: set[Target] = set()
        self._programs: set[str] = set()
        for profile in sorted(registered.profiles, key=lambda each: each.metadata.name):
            self._add(profile)
        self._agents = {
            (each.metadata.namespace, each.spec.agent.name, each.spec.profile)
            for each in registered.connections
        }
        self._accounts = {
            (each.metadata.namespace, each.spec.agent.service_account_name, each.spec.profile)
            for each in registered.connections
        }

    def standing(self, server: FoundServer) -> Standing:
        """How much of this use is registered."""
        profiles = tuple(self._profiles.get(server.target, ()))
        if not profiles:
            return Standing(Registration.SHADOW if self._is_nowhere(server) else Registration.NOT_COMPARED)
        if any(self._uses(server, each) for each in profiles):
            return Standing(Registration.REGISTERED, profiles)
        known = self._registered.are_all_connections
        return Standing(Registration.SERVER_REGISTERED if known else Registration.NOT_COMPARED, profiles)

    def _add(self, profile: MCPServerProfile) -> None:
        reading = _read(profile)
        for target in dict.fromkeys(_targets(profile, reading)):
            self._profiles.setdefault(target, []).append(profile)
        if profile.spec.url is not None:
            self._shown.add(read_url(profile.spec.url).text)
        else:
            self._shown.add(tuple(reading.shown))
            self._programs.add(reading.program)

    def _is_nowhere(self, server: FoundServer) -> bool:
        """Whether no profile can have this server. One started by another command line may be the same."""
        return (
            self._registered.are_all_profiles
            and (server.url is None or _is_canonical(server.url))
            and server.target not in self._shown
            and (server.url is not None or server.program not in self._programs)
        )

    def _uses(self, server: FoundServer, profile: MCPServerProfile) -> bool:
        """Whether a connection of this agent is to the profile: of its name, or of its own service account."""
        user, name = server.user, profile.metadata.name
        namespace = user.namespace or self._registered.namespace
        if any((namespace, agent, name) in self._agents for agent in (user.agent, user.agent_name)):
            return True
        account = user.service_account
        return account not in ("", _SHARED_ACCOUNT) and (namespace, account, name) in self._accounts


def _read(profile: MCPServerProfile) -> ReadCommand:
    """A profile's command as it would be shown, had it been found; of a remote server nothing."""
    command = profile.spec.command
    if not command:
        return ReadCommand()
    return read_command(command[0], command[1:], Sightings(lambda secret: ""), Place(""))


def _targets(profile: MCPServerProfile, reading: ReadCommand) -> Iterator[Target]:
    """What a use has to reach, or to start, to be one of this profile's server."""
    if profile.spec.url is not None:
        yield profile.spec.url
        return
    yield profile.spec.command
    if not any(REDACTED in word for word in reading.shown):
        yield tuple(reading.shown)
    if reading.is_bridge and reading.remote is not None:
        yield reading.remote


def _is_canonical(url: str) -> bool:
    """Whether a profile could have this URL: not with a variable in it, nor where its host is not shown."""
    try:
        _URL.validate_python(url)
    except ValidationError:
        return False
    return True
