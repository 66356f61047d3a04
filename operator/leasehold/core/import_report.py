"""What was found, credential by credential, who else has the same one, and how much of it is registered: a secret
that two agents share cannot be taken from one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from leasehold.core.import_found import Credential, FoundServer
from leasehold.core.import_registered import NOTHING_COMPARED, Registration, Standing, Standings

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
    standing: Standing

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
    shadow: int
    not_compared: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing static, nothing without an owner and no server that nobody registered was found."""
        return not self.static and not self.ownerless and not self.shadow

    def __str__(self) -> str:
        found = f"{_count(self.servers, 'server')} in {_count(self.sources, 'source')}"
        return (
            f"{found}: {self.static} with a static credential, {self.shared} with a secret that another one has, "
            f"too, {self.ownerless} without an owner, {self.shadow} to a server that nobody registered, "
            f"{self.not_compared} not compared with what is registered"
        )


def rows(servers: Sequence[FoundServer], owner: str, standings: Standings = NOTHING_COMPARED) -> list[Row]:
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
            standings.get(server, Standing()),
        )
        for server in servers
        for credential in server.credentials
    ]


def totals(found: Sequence[Row], sources: int) -> Totals:
    """Of all rows, counted by server."""
    servers = {row.server: row.standing.registration for row in found}
    return Totals(
        sources=sources,
        servers=len(servers),
        static=sum(server.is_static for server in servers),
        shared=len({row.server for row in found if row.same_secret.count}),
        ownerless=len({row.server for row in found if row.owner is None}),
        shadow=sum(each is Registration.SHADOW for each in servers.values()),
        not_compared=sum(each is Registration.NOT_COMPARED for each in servers.values()),
    )


def _others(server: FoundServer, all_of_them: Sequence[FoundServer]) -> Others:
    others = islice((each for each in all_of_them if each != server), MAX_NAMED)
    named = tuple(f"{each.user.agent}/{each.name} in {each.place.source}" for each in others)
    return Others(named, max(len(all_of_them) - 1, 0))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
