"""What was ended, and how long it took until it was proven dead: each generation of a credential, and each
breakglass switch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from leasehold.api.profile import CredentialType
from leasehold.api.revocation import MCPRevocation
from leasehold.core.audit import AuditData, AuditEnvelope, AuditRevocationData
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row, Table
from leasehold.core.evidence_times import seconds_between, told

LATE_SECONDS: Final = 300
"""From the first attempt to revoke a generation until it was proven dead: longer is an exception."""

ENDINGS: Final = ("revoke", "expire", "suspend", "delete", "abandon")
ENDING_COLUMNS: Final = (
    "namespace",
    "connection",
    "connectionUID",
    "generation",
    "credentialType",
    "begunTime",
    "endedTime",
    "secondsToVerified",
    "reason",
    "state",
    "failures",
    "lastFailure",
    "accessorHash",
)
ENDING_ABOUT: Final = (
    "One row for each generation of a credential whose end was begun or reached in the period, from audit records. "
    "Verified: looked up at its store and gone, or run out where nothing can be revoked. Abandoned: a person gave "
    "it up, with nothing proven. NotRevocable: a static one, which works until it is changed at its server. Open: "
    "no record says that it ended."
)
REVOCATION_COLUMNS: Final = (
    "name",
    "uid",
    "target",
    "reason",
    "incident",
    "requestedBy",
    "onLift",
    "createdTime",
    "startedTime",
    "revokedTime",
    "verifiedTime",
    "secondsToRevoked",
    "secondsToVerified",
    "matched",
    "revoked",
    "verified",
    "failed",
    "residual",
    "residualExposureUntil",
    "liftedTime",
    "liftedBy",
    "liftReason",
    "toldBy",
)
REVOCATION_ABOUT: Final = (
    "One row for each breakglass switch that stood in the period. Counts are of connections. Where the object is "
    "gone, audit records tell, and seconds count from when the operator took it up."
)


@dataclass
class Ending:
    """One generation on its way to its end."""

    data: AuditData
    begun: str | None = None
    ended: str | None = None
    abandoned: bool = False
    failures: int = 0
    last_failure: str | None = None
    times: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Verified, NotRevocable, Abandoned or Open."""
        if self.abandoned:
            return "Abandoned"
        if self.ended is not None and self.data.credential_type == CredentialType.STATIC:
            return "NotRevocable"
        return "Open" if self.ended is None else "Verified"

    @property
    def seconds(self) -> int | None:
        """From the first attempt to the proof."""
        return seconds_between(self.begun, self.ended)


def endings_of(sources: Sources) -> list[Ending]:
    """All of them in the period, by connection and generation."""
    found: dict[tuple[str, int], Ending] = {}
    for envelope, data in sources.steps:
        generation = data.connection.generation
        if data.action not in ENDINGS or generation is None:
            continue
        ending = found.setdefault((data.connection.uid, generation), Ending(data))
        ending.times.append(envelope.time)
        _take_in(ending, envelope, data)
    period = sources.scope.period
    lived = [each for each in found.values() if any(period.has(time) for time in each.times)]
    return sorted(lived, key=lambda each: (each.data.connection.uid, each.data.connection.generation or 0))


def _take_in(ending: Ending, envelope: AuditEnvelope, data: AuditData) -> None:
    if data.phase == "intent":
        ending.begun = ending.begun or envelope.time
    elif data.outcome == "Succeeded":
        ending.data = data
        ending.abandoned = data.action == "abandon"
        ending.ended = ending.ended or envelope.time
    else:
        ending.failures += 1
        ending.last_failure = f"{data.reason}: {data.message}" if data.message else data.reason


def endings(sources: Sources) -> Table:
    """The table of generations."""
    rows = [_ending_row(each) for each in endings_of(sources)]
    return Table("endings", "Endings", ENDING_ABOUT, ENDING_COLUMNS, rows)


def _ending_row(ending: Ending) -> Row:
    data = ending.data
    return {
        "namespace": data.connection.namespace,
        "connection": data.connection.name,
        "connectionUID": data.connection.uid,
        "generation": data.connection.generation,
        "credentialType": data.credential_type,
        "begunTime": ending.begun,
        "endedTime": ending.ended,
        "secondsToVerified": ending.seconds if ending.state == "Verified" else None,
        "reason": data.reason,
        "state": ending.state,
        "failures": ending.failures,
        "lastFailure": ending.last_failure,
        "accessorHash": data.accessor_hash,
    }


def revocations(sources: Sources) -> Table:
    """The table of breakglass switches."""
    rows = sorted(_revocation_rows(sources), key=lambda row: (str(row["createdTime"]), str(row["uid"])))
    return Table("revocations", "Revocations", REVOCATION_ABOUT, REVOCATION_COLUMNS, rows)


def _revocation_rows(sources: Sources) -> Iterator[Row]:
    period, known = sources.scope.period, set()
    for revocation in sources.revocations:
        known.add(revocation.metadata.uid)
        created = told(revocation.metadata.creation_timestamp) or ""
        lifted = told(revocation.status.lifted_time)
        if created < period.end and (lifted is None or lifted >= period.begin):
            yield _standing(revocation)
    gone: dict[str, list[tuple[AuditEnvelope, AuditRevocationData]]] = {}
    for envelope, data in sources.switches:
        if data.revocation.uid not in known:
            gone.setdefault(data.revocation.uid, []).append((envelope, data))
    for steps in gone.values():
        if steps[0][0].time < period.end and steps[-1][0].time >= period.begin:
            yield _remembered(steps)


def _standing(revocation: MCPRevocation) -> Row:
    spec, status = revocation.spec, revocation.status
    created = told(revocation.metadata.creation_timestamp)
    return {
        "name": revocation.metadata.name,
        "uid": revocation.metadata.uid,
        "target": str(spec.target),
        "reason": spec.reason,
        "incident": spec.incident,
        "requestedBy": spec.requested_by,
        "onLift": spec.on_lift.value,
        "createdTime": created,
        "startedTime": told(status.started_time),
        "revokedTime": told(status.revoked_time),
        "verifiedTime": told(status.verified_time),
        "secondsToRevoked": seconds_between(created, told(status.revoked_time)),
        "secondsToVerified": seconds_between(created, told(status.verified_time)),
        "matched": status.matched,
        "revoked": status.revoked,
        "verified": status.verified,
        "failed": status.failed,
        "residual": status.residual,
        "residualExposureUntil": told(status.residual_exposure_until),
        "liftedTime": told(status.lifted_time),
        "liftedBy": spec.lift.by if spec.lift else None,
        "liftReason": spec.lift.reason if spec.lift else None,
        "toldBy": "API",
    }


def _remembered(steps: list[tuple[AuditEnvelope, AuditRevocationData]]) -> Row:
    last = steps[-1][1].revocation
    begun = next(
        (each for each in steps if each[1].action == "breakglass" and each[1].phase == "intent"), None
    )
    done = next(
        (each for each in steps if each[1].action == "breakglass" and each[1].phase == "result"), None
    )
    lift = next((each for each in steps if each[1].action == "lift"), None)
    started, verified = (begun[0].time if begun else None), (done[0].time if done else None)
    return {
        "name": last.name,
        "uid": last.uid,
        "target": last.target,
        "reason": begun[1].message if begun else None,
        "incident": last.incident,
        "requestedBy": last.requested_by,
        "onLift": last.on_lift,
        "createdTime": None,
        "startedTime": started,
        "verifiedTime": verified,
        "secondsToVerified": seconds_between(started, verified),
        "matched": last.matched,
        "revoked": last.revoked,
        "verified": last.verified,
        "failed": last.failed,
        "residual": last.residual,
        "liftedTime": lift[0].time if lift else None,
        "liftedBy": lift[1].actor if lift else None,
        "liftReason": lift[1].message if lift else None,
        "toldBy": "Audit",
    }
