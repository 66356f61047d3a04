"""Observations that hypothesis makes up: every ledger that steps and crashes can leave, under every mixture of
denials, obstacles and surroundings."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from leasehold.api.base import rfc3339
from leasehold.api.connection import EntryState, LedgerEntry, MCPConnection, UseSource
from leasehold.api.names import ABANDON_ANNOTATION, SecretAnnotation
from leasehold.api.profile import CredentialType, MCPServerProfile
from leasehold.api.reasons import Reason
from leasehold.api.store import MCPCredentialStore
from leasehold.core.facts import SecretProbe, SecretState
from leasehold.core.ledger import intents
from leasehold.core.observation import Observation
from leasehold.core.use import Silence, UseLook, Word
from objects import NOON, a_profile, a_revocation, a_store, an_entry, the_fact_of
from observations import CREATED, EMPTY, a_claim, a_current, a_secret, an_intent, an_observation

EACH = settings(max_examples=70, suppress_health_check=[HealthCheck.too_slow], deadline=None)
"""A machine under load is no reason to fail."""

PROFILES: tuple[MCPServerProfile | None, ...] = (
    a_profile(),
    a_profile(path="database/creds/other"),
    a_profile().model_copy(update={"spec": a_profile().spec.model_copy(update={"credential": None})}),
    None,
)
STORES: tuple[MCPCredentialStore | None, ...] = (
    a_store(),
    a_store(metadata={"finalizers": []}),
    a_store(metadata={"deletionTimestamp": rfc3339(NOON)}),
    a_store(allowedNamespaces={"matchLabels": {"mcp": "true"}}),
    None,
)
SPECS: tuple[Mapping[str, Any], ...] = (
    {"suspend": True},
    {"output": None},
    {"output": {"secretName": "support-bot-orders", "templates": {"x": "{% for a in b %}{% endfor %}"}}},
    {"leaseDurationSeconds": 3600},
)
RESTLESS: Mapping[str, Any] = {"idleSeconds": 12 * 3600}
RIVALS = (
    a_claim(namespace="support", uid="0-older", created=CREATED - timedelta(days=1)),
    a_claim(namespace="support", uid="9-younger", created=CREATED + timedelta(days=1)),
    a_claim([a_current()], namespace="support", uid="5-has-it", created=CREATED + timedelta(days=1)),
)
STRANGE_TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0999-01-01T00:00:00Z",
    "9999-01-01",
)
LEFT_OVER = (EntryState.RETIRING, EntryState.REVOKING, EntryState.IRREVOCABLE, EntryState.INTENT)


rarely = st.sampled_from((False, False, False, False, True))


def moments() -> st.SearchStrategy[datetime]:
    """Around noon, whole seconds, as the API server stores them."""
    return st.integers(-7200, 7200).map(lambda seconds: NOON + timedelta(seconds=seconds))


@st.composite
def entries(draw: st.DrawFn, generation: int, state: EntryState) -> LedgerEntry:
    """One entry in that state."""
    kind = draw(st.sampled_from(CredentialType))
    fields: dict[str, Any] = {"type": kind, "expiry_time": draw(moments())}
    if kind is not CredentialType.LEASE:
        fields["lease_id"] = None
    if kind is CredentialType.STATIC and state is not EntryState.INTENT:
        fields["expiry_time"] = None
    if kind in (CredentialType.STATIC, CredentialType.EXPIRING) and state is not EntryState.INTENT:
        fields["accessor"] = ""
    if state is EntryState.INTENT:
        return an_intent(generation, **fields, mint_deadline_time=draw(moments()))
    fields["issued_time"] = NOON - timedelta(seconds=draw(st.integers(7200, 10000)))
    if state is EntryState.CURRENT:
        if draw(st.booleans()):
            fields["mint_hash"] = "sha256:" + "0" * 64
        return a_current(generation, **fields)
    if state is EntryState.RETIRING:
        fields["end_time"] = draw(moments())
    return an_entry(generation, state, **{"reason": Reason.OVERLAP_OVER, **fields})


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[LedgerEntry, ...]:
    """Up to eight generations, of which at most one is current; only what was replaced retires."""
    count = draw(st.sampled_from((0, 1, 1, 2, 3, 5, 7, 8)))
    current = draw(st.none() | st.integers(1, count)) if count else None
    found = []
    for generation in range(1, count + 1):
        later = current is not None and generation > current
        left = [state for state in LEFT_OVER if not (later and state is EntryState.RETIRING)]
        state = EntryState.CURRENT if generation == current else draw(st.sampled_from(left))
        found.append(draw(entries(generation, state)))
    return tuple(found)


@st.composite
def use_records(draw: st.DrawFn) -> dict[str, Any]:
    """Used, or watched, about twelve hours ago; perhaps Idle, perhaps with nobody who watches any more."""
    long_ago = moments().map(lambda moment: rfc3339(moment - timedelta(hours=12)))
    record = {
        "source": draw(st.sampled_from(UseSource)).value,
        "lastUsedTime": draw(st.none() | long_ago),
        "observedSince": draw(st.none() | long_ago),
        "idleSince": draw(st.sampled_from((None, None, None, rfc3339(NOON - timedelta(hours=1))))),
    }
    return {name: value for name, value in record.items() if value is not None}


@st.composite
def looks(draw: st.DrawFn, now: datetime) -> UseLook | None:
    """What sources of evidence say now, or fail to."""
    if draw(st.booleans()):
        return None
    used = st.none() | moments().map(lambda moment: min(moment - timedelta(hours=12), now))
    words = tuple(
        Word(source, draw(used)) for source in draw(st.sets(st.sampled_from(UseSource), max_size=2))
    )
    fails = draw(rarely)
    silence = Silence(UseSource.PROMETHEUS, Reason.UNREACHABLE, "it is away", lasts=draw(st.booleans()))
    return UseLook(
        at=now,
        words=words,
        silences=(silence,) if fails else (),
        is_steady=bool(words) and not fails and draw(st.booleans()),
        is_gone=not words and draw(st.booleans()),
    )


@st.composite
def claims(draw: st.DrawFn) -> MCPConnection:
    """A connection with such a ledger, perhaps deleted, suspended, waiting, or stripped of its status."""
    lost = draw(rarely)
    ledger = () if lost else draw(ledgers())
    deleted = draw(rarely)
    status: dict[str, Any] = {"observedGeneration": draw(st.sampled_from((2, 3)))}
    if draw(rarely):
        retry = {"failures": 2, "retryTime": rfc3339(draw(moments())), "reason": "Unreachable"}
        status["backoff"] = retry
    spec = draw(st.sampled_from(SPECS)) if draw(rarely) else {}
    if draw(st.booleans()):
        status["use"], spec = draw(use_records()), {**spec, **RESTLESS}
    return a_claim(
        ledger,
        deleted=deleted,
        held=lost or deleted or bool(ledger),
        last_generation=0 if lost else max(draw(st.sampled_from((0, 9))), len(ledger)),
        annotations={ABANDON_ANNOTATION: "gone with the old cluster"} if draw(rarely) else {},
        spec=spec,
        status=status,
    )


@st.composite
def secrets_of(draw: st.DrawFn, connection: MCPConnection) -> SecretProbe | None:
    """What the name of the Secret may be found to be, with annotations true and false."""
    state = draw(st.sampled_from((None, "free", "foreign", "true", "true", "true", "forged")))
    if state is None:
        return None
    if state in ("free", "foreign"):
        return EMPTY if state == "free" else SecretProbe(SecretState.FOREIGN)
    owner = "somebody-else" if draw(rarely) else connection.metadata.uid
    if state == "forged":
        return a_secret(draw(forged_annotations()), owner=owner)
    entries_there = connection.status.ledger
    generation = draw(st.sampled_from([e.generation for e in intents(entries_there) or entries_there] or [1]))
    told = {
        SecretAnnotation.GENERATION: str(generation),
        SecretAnnotation.ACCESSOR: f"accessor-{generation}",
        SecretAnnotation.LEASE_ID: f"database/creds/orders-read/{generation}",
        SecretAnnotation.CREDENTIAL_EXPIRY_TIME: rfc3339(draw(moments())),
    }
    return a_secret(told, owner=owner)


def forged_annotations() -> st.SearchStrategy[dict[str, str]]:
    """Whatever somebody with the `edit` role may write."""
    names = [value for name, value in vars(SecretAnnotation).items() if name.isupper()]
    texts = st.text(max_size=40) | st.integers().map(str) | st.sampled_from(STRANGE_TIMES)
    return st.dictionaries(st.sampled_from(names), texts, max_size=len(names))


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """One connection under whatever surroundings: calm ones half of the time."""
    connection = draw(claims())
    now = NOON + timedelta(seconds=draw(st.integers(-600, 600)))
    secret = draw(secrets_of(connection))
    if draw(st.booleans()):
        return an_observation(connection, now=now, secret=secret, look=draw(looks(now)))
    return an_observation(
        connection,
        now=now,
        secret=secret,
        profile=draw(st.sampled_from(PROFILES)),
        store=draw(st.sampled_from(STORES)),
        namespace_labels=draw(st.sampled_from((None, {}, {"mcp": "true"}))),
        service_account_exists=draw(st.sampled_from((None, True, True, False))),
        rivals=draw(st.sampled_from(((), *((rival,) for rival in RIVALS)))),
        revocations=(the_fact_of(a_revocation()),) if draw(rarely) else (),
        look=draw(looks(now)),
    )
