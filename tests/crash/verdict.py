"""The truth at the servers, held against the ledgers, once everything is settled."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt
import psycopg

from controlplane.vaultapi import VaultRefused
from controlplane.waiting import WaitTimedOut, wait_until
from crash.lives import Attempt
from crash.proxy import Exchange
from crash.scenarios import End, unsettled
from crash.world import LEASED_ROLES, CrashWorld
from e2e.claims import works
from leasehold.api.base import ConditionStatus
from leasehold.api.connection import MCPConnection

LEAKED = "leaked"
DOUBLE_MINTS = "double_mints"
DEAD_SECRETS = "dead_secrets"
STUCK_FINALIZERS = "stuck_finalizers"
UNSETTLED = "unsettled"
SILENT = "silent"
"""Trouble of which no condition told, or not what a person needs."""
UNHEALED = "unhealed"
COUNTED = (LEAKED, DOUBLE_MINTS, DEAD_SECRETS, STUCK_FINALIZERS, UNSETTLED, SILENT, UNHEALED)


@dataclass(frozen=True)
class Problem:
    """Something that is not as promised."""

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


@dataclass(frozen=True)
class Truth:
    """What is alive at the servers."""

    leases: frozenset[str]
    tokens: dict[str, str]
    """The namespace of every living login token, or child of one, by accessor."""
    logins: frozenset[str]
    """PostgreSQL's own roles that Vault has made."""


def wait_until_settled(world: CrashWorld, attempts: Sequence[Attempt], seconds: float) -> list[Problem]:
    """Until every connection is as it has to be; what is not by then."""

    def left() -> list[Problem]:
        stored = world.connections()
        judged = ((each, stored.get(each.subject.namespace)) for each in attempts)
        return [
            Problem(STUCK_FINALIZERS if each.scenario.end is End.GONE else UNSETTLED, str(each), what)
            for each, found in judged
            if (what := unsettled(each.scenario.end, found))
        ] + list(_unreported(world, attempts))

    try:
        wait_until(lambda: not left(), seconds, "everything is settled", pause=0.5)
    except WaitTimedOut:
        return left()
    return []


def _unreported(world: CrashWorld, attempts: Sequence[Attempt]) -> Iterator[Problem]:
    """A revocation says what came of it, whoever died over it."""
    revoked = [each for each in attempts if each.scenario.end is End.REVOKED]
    stored = world.revocations() if revoked else {}
    for attempt in revoked:
        status = stored[attempt.subject.namespace].status
        complete = next((each for each in status.conditions if each.type == "Complete"), None)
        if complete is None or complete.status is not ConditionStatus.TRUE or status.matched != 1:
            told = f"{complete.reason}: {complete.message}" if complete else "nothing is said"
            yield Problem(UNSETTLED, str(attempt), f"the revocation should be Complete: {told}")


def judge(world: CrashWorld, attempts: Sequence[Attempt]) -> list[Problem]:
    """Everything that does not hold although all connections are settled."""
    stored, truth = world.connections(), look(world)
    problems = list(_beyond_ledgers(world, attempts, stored, truth))
    for attempt in attempts:
        found = stored.get(attempt.subject.namespace)
        problems += _secret_problems(world, attempt, found)
        problems += _mint_problems(world, attempt)
    return problems


def look(world: CrashWorld) -> Truth:
    """Ask Vault and PostgreSQL."""
    deployment, leases = world.deployment, set[str]()
    for role in LEASED_ROLES:
        prefix = f"database/creds/{role}/"
        leases |= {prefix + each for each in deployment.leases(prefix)}
    with psycopg.connect(world.plane.postgres.dsn("orders")) as database:
        found = database.execute(r"select rolname from pg_roles where rolname like 'v-%'").fetchall()
    return Truth(frozenset(leases), _tokens(world), frozenset(str(row[0]) for row in found))


def idle_logins(world: CrashWorld, attempts: Sequence[Attempt], truth: Truth) -> set[str]:
    """Logins of which the operator lost the answer, or died before it could write them down, as far as that
    happened: nothing was minted under them, nobody has them, and they run out."""
    idle: set[str] = set()
    for attempt in attempts:
        space = attempt.subject.namespace
        known = world.book.recorded[space] | world.book.minted_under
        unknown = [each for each, where in truth.tokens.items() if where == space and each not in known]
        idle |= set(unknown[: attempt.lost_logins])
    return idle


def _tokens(world: CrashWorld) -> dict[str, str]:
    vault, tokens = world.deployment.vault, {}
    for accessor in vault.list("auth/token/accessors"):
        try:
            facts = vault.write("auth/token/lookup-accessor", accessor=accessor)["data"]
        except VaultRefused:  # it has ended meanwhile
            continue
        namespace = str((facts.get("meta") or {}).get("namespace", ""))
        if namespace.startswith("crash-"):
            tokens[accessor] = namespace
    return tokens


def _beyond_ledgers(
    world: CrashWorld, attempts: Sequence[Attempt], stored: dict[str, MCPConnection], truth: Truth
) -> Iterator[Problem]:
    entries = [entry for each in stored.values() for entry in each.status.ledger]
    named = {entry.accessor for entry in entries} | {entry.token_accessor for entry in entries}
    leased = {entry.lease_id for entry in entries if entry.lease_id}
    who = {each.subject.namespace: str(each) for each in attempts}
    minted = {
        _lease_of(exchange): space for space in world.book.mints for exchange in world.book.mints[space]
    }
    for lease in truth.leases - leased:
        space = minted.get(lease, "")
        yield Problem(LEAKED, who.get(space, f"namespace {space or 'unknown'}"), f"lease {lease} is alive")
    for lease in leased - truth.leases:
        yield Problem(DEAD_SECRETS, who.get(minted.get(lease, ""), "?"), f"lease {lease} is dead")
    idle = idle_logins(world, attempts, truth)
    for accessor, space in truth.tokens.items():
        if space in who and accessor not in named | idle:
            yield Problem(LEAKED, who[space], "a token in no ledger is alive")
    if len(truth.logins) > len(truth.leases):
        extra = f"{len(truth.logins)} logins in PostgreSQL, {len(truth.leases)} leases at Vault"
        yield Problem(LEAKED, "PostgreSQL", extra)


def _lease_of(exchange: Exchange) -> str:
    return str(json.loads(exchange.answer).get("lease_id", "")) if exchange.status == 200 else ""


def _secret_problems(world: CrashWorld, attempt: Attempt, found: MCPConnection | None) -> Iterator[Problem]:
    data = world.secret(attempt.subject)
    if attempt.scenario.end is not End.WORKS:
        if data is not None:
            yield Problem(LEAKED, str(attempt), "the Secret is still there")
    elif data is None:
        yield Problem(DEAD_SECRETS, str(attempt), "there is no Secret")
    elif not _works(world, data):
        yield Problem(DEAD_SECRETS, str(attempt), "the Secret does not work")


def _works(world: CrashWorld, data: dict[str, str]) -> bool:
    if "username" in data:
        return works(world.plane, data)
    if data["token"].count(".") == 2 and not data["token"].startswith("hvs."):
        claims = jwt.decode(data["token"], options={"verify_signature": False})
        return datetime.fromtimestamp(claims["exp"], UTC) > datetime.now(UTC)
    try:
        world.deployment.vault.write("auth/token/lookup", token=data["token"])
    except VaultRefused:
        return False
    return True


def _mint_problems(world: CrashWorld, attempt: Attempt) -> Iterator[Problem]:
    """Each generation is minted once; and only a mint that nobody can find in the Secret is made up for."""
    space = attempt.subject.namespace
    mints, generations = len(world.book.mints[space]), world.book.generations[space]
    refused = sum(each.status != 200 for each in world.book.mints[space])
    if mints > generations:
        yield Problem(DOUBLE_MINTS, str(attempt), f"{mints} mints for {generations} generations")
    needed = int(attempt.scenario.prepared) + int(attempt.scenario.end is End.WORKS)
    if attempt.subject.kind != "Expiring soon" and mints - refused > needed + attempt.lost_mints:
        what = f"{mints - refused} credentials were minted where {needed + attempt.lost_mints} were needed"
        yield Problem(DOUBLE_MINTS, str(attempt), what)
