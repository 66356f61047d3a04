"""What the watches told, by kind and name, with the indexes that a decision needs.

Events at or below the version that is held are dropped: what we wrote ourselves comes back as an echo."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from leasehold.api.base import Resource
from leasehold.api.connection import MCPConnection
from leasehold.api.exposure import FormerConnection, MCPAgentExposure
from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.profile import MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.review import MCPConnectionReview
from leasehold.api.store import MCPCredentialStore
from leasehold.core.combinations import Member
from leasehold.core.exposure import departed, listed
from leasehold.core.faults import TryLater
from leasehold.core.former import Predecessor
from leasehold.core.policy import about_the_agent

LATE_EVENTS = 10_000
"""How many deletions are remembered against events that come late: far more than can be on their way at once."""

R = TypeVar("R", bound=Resource)


def version_of(resource_version: str) -> int:
    """Resource versions of one resource type compare as numbers (Kubernetes 1.35 and later guarantee it)."""
    return int(resource_version) if resource_version.isdigit() else 0


class Shelf(Generic[R]):
    """All objects of one kind."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self._objects: dict[str, R] = {}
        self._deleted: dict[str, int] = {}
        self.unreadable: dict[str, str] = {}

    def get(self, key: str) -> R | None:
        """The object as last seen."""
        return self._objects.get(key)

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._objects.values()))

    def __len__(self) -> int:
        return len(self._objects)

    def keys(self) -> set[str]:
        """`namespace/name` (or `name`) of all that is there."""
        return set(self._objects)

    def is_news(self, key: str, version: int) -> bool:
        """Whether a version is newer than what is held, and than what was deleted."""
        held = self._objects.get(key)
        if held is not None and version_of(held.metadata.resource_version) >= version:
            return False
        return version > self._deleted.get(key, -1)

    def put(self, resource: R) -> bool:
        """Take in a newer version; False where it is not newer than what is held."""
        if not self.is_news(resource.key, version_of(resource.metadata.resource_version)):
            return False
        self._objects[resource.key] = resource
        self._deleted.pop(resource.key, None)
        self.unreadable.pop(resource.key, None)
        return True

    def could_not_read(self, keys: Iterable[str]) -> None:
        """These, of all that a list had, cannot be read; what is not among them can be, or is gone."""
        told = self.unreadable
        self.unreadable = {
            key: told.get(key, "it is not valid as this version knows its kind") for key in keys
        }

    def remove(self, key: str, version: int) -> R | None:
        """Forget a deleted object, unless a newer one has its name."""
        self.unreadable.pop(key, None)
        held = self._objects.get(key)
        if held is None or version_of(held.metadata.resource_version) > version:
            return None
        self._deleted.pop(key, None)
        self._deleted[key] = version
        if len(self._deleted) > LATE_EVENTS:
            del self._deleted[next(iter(self._deleted))]
        return self._objects.pop(key)


def reviewed_key(review: MCPConnectionReview) -> str:
    """The connection that a review is about, as namespace/name."""
    return f"{review.metadata.namespace}/{review.spec.connection}"


Agent = tuple[str, str]
"""A namespace, and the name of an agent in it."""


def agent_of(connection: MCPConnection) -> Agent:
    """Whose connection it is."""
    return connection.metadata.namespace, connection.spec.agent.name


class Inventory:
    """Connections, profiles and stores, with who depends on whom."""

    def __init__(self) -> None:
        self.connections = Shelf(MCPConnection)
        self.profiles = Shelf(MCPServerProfile)
        self.stores = Shelf(MCPCredentialStore)
        self.reviews = Shelf(MCPConnectionReview)
        self.policies = Shelf(MCPAccessPolicy)
        self.exposures = Shelf(MCPAgentExposure)
        self.agent_changed: Callable[[Agent], None] = lambda _: None
        """Told of each agent with a connection, or a server of one, that may not be as it was."""
        self._left: defaultdict[Agent, dict[str, FormerConnection]] = defaultdict(dict)
        self._by_profile: defaultdict[str, set[str]] = defaultdict(set)
        self._by_agent: defaultdict[Agent, set[str]] = defaultdict(set)
        self._by_secret: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._reviews_of: defaultdict[str, set[str]] = defaultdict(set)
        self._mints: Counter[str] = Counter()

    def shelf(self, kind: type[R]) -> Shelf[R]:
        """The shelf of that kind."""
        shelves: dict[type[Resource], Any] = {
            MCPConnection: self.connections,
            MCPServerProfile: self.profiles,
            MCPCredentialStore: self.stores,
            MCPConnectionReview: self.reviews,
            MCPAccessPolicy: self.policies,
            MCPAgentExposure: self.exposures,
        }
        shelf: Shelf[R] = shelves[kind]
        return shelf

    def take(self, kind: type[R], body: Mapping[str, Any]) -> R | None:
        """Parse and keep what a watch told; None where it is old or cannot be read (which is remembered).

        Most events are echoes of our own writes, and parsing is what an event costs: so the version is compared
        first."""
        shelf = self.shelf(kind)
        metadata = body.get("metadata", {})
        key = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
        if not shelf.is_news(key, version_of(str(metadata.get("resourceVersion", "")))):
            return None
        try:
            resource = kind.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            shelf.unreadable[key] = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
            return None
        return resource if self.put(resource) else None

    def put(self, resource: Resource) -> bool:
        """Keep an object as the API server answered it; False where it is not newer."""
        if not self.shelf(type(resource)).put(resource):
            return False
        if isinstance(resource, MCPConnection):
            self._by_profile[resource.spec.profile].add(resource.key)
            self._by_agent[agent_of(resource)].add(resource.key)
            if resource.spec.output is not None:
                self._by_secret[resource.metadata.namespace, resource.spec.output.secret_name].add(
                    resource.key
                )
        if isinstance(resource, MCPConnectionReview):
            self._reviews_of[reviewed_key(resource)].add(resource.key)
        self._tell_agents(resource)
        return True

    def remove(self, kind: type[Resource], key: str, version: int) -> Resource | None:
        """Forget a deleted object; what it was, or None where there is nothing to forget."""
        gone = self.shelf(kind).remove(key, version)
        if isinstance(gone, MCPConnection):
            self._by_profile[gone.spec.profile].discard(key)
            self._by_agent[agent_of(gone)].discard(key)
            if gone.spec.output is not None:
                self._by_secret[gone.metadata.namespace, gone.spec.output.secret_name].discard(key)
        if isinstance(gone, MCPConnectionReview):
            self._reviews_of[reviewed_key(gone)].discard(key)
        if gone is not None:
            self._tell_agents(gone)
        return gone

    def _tell_agents(self, changed: Resource) -> None:
        if isinstance(changed, MCPConnection):
            self.agent_changed(agent_of(changed))
        elif isinstance(changed, MCPServerProfile):
            for connection in self.users_of_profile(changed.key):
                self.agent_changed(agent_of(connection))

    def reviews_of(self, connection: MCPConnection) -> list[MCPConnectionReview]:
        """What was said about a connection of this name, judged or not."""
        found = (self.reviews.get(key) for key in self._reviews_of.get(connection.key, ()))
        return [review for review in found if review is not None]

    def store_by_uid(self, uid: str) -> MCPCredentialStore | None:
        """The store that a ledger entry names; None where it is gone."""
        return next((store for store in self.stores if store.metadata.uid == uid), None)

    def rivals(self, connection: MCPConnection) -> tuple[MCPConnection, ...]:
        """Other connections of the namespace that name the same Secret."""
        if connection.spec.output is None:
            return ()
        keys = self._by_secret[connection.metadata.namespace, connection.spec.output.secret_name]
        return tuple(self._connections(sorted(keys - {connection.key})))

    def peers(self, connection: MCPConnection) -> tuple[Member, ...]:
        """Other connections of the same agent; empty where no policy is about all of them together."""
        if not any(about_the_agent(policy) for policy in self.policies):
            return ()
        others = self._by_agent[agent_of(connection)] - {connection.key}
        return tuple(
            Member(other, self.profiles.get(other.spec.profile))
            for other in self._connections(sorted(others))
        )

    def members(self, agent: Agent) -> tuple[Member, ...]:
        """All connections of an agent, with their profiles."""
        return tuple(
            Member(each, self.profiles.get(each.spec.profile))
            for each in self._connections(sorted(self._by_agent.get(agent, ())))
        )

    def left(self, former: FormerConnection, agent: Agent) -> None:
        """A connection has ended: remembered until its agent's exposure says so."""
        self._left[agent].setdefault(former.uid, former)

    def leaving(self, agent: Agent) -> tuple[FormerConnection, ...]:
        """Those of an agent that have ended, and whose end is on no record yet."""
        return tuple(self._left.get(agent, {}).values())

    def forget_left(self, agent: Agent, recorded: Iterable[FormerConnection] | None = None) -> None:
        """These are on record; None: nobody can write anything about the agent any more."""
        left = self._left.get(agent, {})
        for former in tuple(left.values()) if recorded is None else recorded:
            left.pop(former.uid, None)
        if not left:
            self._left.pop(agent, None)

    def predecessors(self, connection: MCPConnection, now: datetime) -> tuple[Predecessor, ...]:
        """Other connections of the same agent to the same server: those that are there, and those that were. None
        once it has minted, for then they do not matter to it any more."""
        if connection.status.last_generation:
            return ()
        agent, profile = agent_of(connection), connection.spec.profile
        everybody = list(self._connections(sorted(self._by_agent[agent])))
        there = {each.metadata.uid for each in everybody} | {connection.metadata.uid}
        others = [
            listed(each, now)
            for each in everybody
            if each.spec.profile == profile and each.metadata.uid != connection.metadata.uid
        ]
        exposure = self.exposures.get("/".join(agent))
        former = list(self.leaving(agent))
        if exposure is not None:
            former += exposure.spec.former
            there |= {each.uid for each in former}
            former += [
                departed(each, None, now) for each in exposure.spec.connections if each.uid not in there
            ]
        return (*others, *(each for each in former if each.profile == profile))

    def unreadable_exposure(self, connection: MCPConnection) -> str | None:
        """The exposure of its agent, where this version cannot read it: nobody knows what was before."""
        key = "/".join(agent_of(connection))
        return key if key in self.exposures.unreadable else None

    def users_of_profile(self, name: str) -> list[MCPConnection]:
        """The connections of a profile."""
        return list(self._connections(sorted(self._by_profile[name])))

    def users_of_store(self, store: MCPCredentialStore) -> list[MCPConnection]:
        """The connections that mint from a store, or whose ledger still names it."""
        profiles = {
            profile.metadata.name
            for profile in self.profiles
            if profile.spec.credential and profile.spec.credential.store_name == store.metadata.name
        }
        return [
            connection
            for connection in self.connections
            if connection.spec.profile in profiles or self._names(connection, store)
        ]

    @contextmanager
    def minting_from(self, store: MCPCredentialStore) -> Iterator[None]:
        """Around a mint: from its plan until its intent is in a ledger, nothing else tells that it needs the store.

        :raises TryLater: the store is being deleted, or gone
        """
        held = self.store_by_uid(store.metadata.uid)
        if held is None or held.metadata.deletion_timestamp is not None:
            name = store.metadata.name
            raise TryLater(Reason.STORE_UNAVAILABLE, f"MCPCredentialStore {name} is being deleted")
        self._mints[store.metadata.uid] += 1
        try:
            yield
        finally:
            self._mints[store.metadata.uid] -= 1

    def is_minted_from(self, store: MCPCredentialStore) -> bool:
        """Whether a mint is under way."""
        return self._mints[store.metadata.uid] > 0

    def ledgers_naming(self, store: MCPCredentialStore) -> list[MCPConnection]:
        """The connections whose ledger names a store: while there are any, it cannot go."""
        return [connection for connection in self.connections if self._names(connection, store)]

    def _names(self, connection: MCPConnection, store: MCPCredentialStore) -> bool:
        return any(entry.store_uid == store.metadata.uid for entry in connection.status.ledger)

    def _connections(self, keys: Iterable[str]) -> Iterator[MCPConnection]:
        for key in keys:
            connection = self.connections.get(key)
            if connection is not None:
                yield connection
