"""What was found, credential by credential, and who else has the same one: a secret that two agents share cannot be
taken from one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from leasehold.core.import_found import Credential, FoundServer

MAX_NAMED = 5


@dataclass(frozen=True)
class Others:
    """Who else: the first few by name, and how many they are; a fleet may share one server."""

    named: tuple[str, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        more = self.count - len(self.named)
        return ", ".join([*self.named, *([f"and {more} more"] if more else [])])


@dataclass(frozen=True)
class Row:
    """One credential of one server of one agent."""

    server: FoundServer
    credential: Credential
    same_secret: Others
    same_server: Others
    owner: str | None

    @property
    def where(self) -> str:
        """File or object, and a JSON pointer into it."""
        return f"{self.credential.source}#{self.credential.pointer}"

    @property
    def target(self) -> str:
        """What is reached, or started."""
        return self.server.identity


@dataclass(frozen=True)
class Totals:
    """How much of it a person has to look at."""

    sources: int
    servers: int
    static: int
    shared: int
    ownerless: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing static and nothing without an owner was found."""
        return not self.static and not self.ownerless

    def __str__(self) -> str:
        found = f"{_count(self.servers, 'server')} in {_count(self.sources, 'source')}"
        return (
            f"{found}: {self.static} with a static credential, {self.shared} with a secret that another one has, "
            f"too, {self.ownerless} without an owner"
        )


def rows(servers: Sequence[FoundServer], owner: str) -> list[Row]:
    """All credentials, in the order in which they were found."""
    by_secret: dict[str, list[FoundServer]] = {}
    by_server: dict[str, list[FoundServer]] = {}
    for server in servers:
        by_server.setdefault(server.identity, []).append(server)
        for fingerprint in dict.fromkeys(each.fingerprint for each in server.credentials if each.fingerprint):
            by_secret.setdefault(fingerprint, []).append(server)
    return [
        Row(
            server,
            credential,
            _others(server, by_secret.get(credential.fingerprint or "", ())),
            _others(server, by_server[server.identity]),
            owner or None,
        )
        for server in servers
        for credential in server.credentials
    ]


def totals(found: Sequence[Row], sources: int) -> Totals:
    """Of all rows, counted by server."""
    servers = dict.fromkeys(row.server for row in found)
    return Totals(
        sources=sources,
        servers=len(servers),
        static=sum(server.is_static for server in servers),
        shared=len({row.server for row in found if row.same_secret.count}),
        ownerless=len({row.server for row in found if row.owner is None}),
    )


def _others(server: FoundServer, all_of_them: Sequence[FoundServer]) -> Others:
    others = islice((each for each in all_of_them if each != server), MAX_NAMED)
    named = tuple(f"{each.user.agent}/{each.name} in {each.place.source}" for each in others)
    return Others(named, max(len(all_of_them) - 1, 0))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
