"""Audit records as operators write them: several processes, one file, and whatever happened to connections."""

import io
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leasehold.api.policy import MCPAccessPolicy
from leasehold.api.reasons import Reason
from leasehold.api.revocation import MCPRevocation
from leasehold.core.audit import AuditAction, AuditOutcome, AuditPhase
from leasehold.core.audit_record import audit_record, policy_removal_record, revocation_record
from leasehold.telemetry.audit import AuditLog
from leasehold.telemetry.audit_chain import ChainedAudit
from objects import NOON, a_connection, a_profile

GONE = "00000000-0000-4000-8000-00000000dead"


class Process:
    """One run of an operator that writes to a file; its clock goes on by ten seconds with each record."""

    def __init__(self, path: Path, instance: str, begin: datetime = NOON) -> None:
        self._sink = ChainedAudit(AuditLog(list[str]().append, path, io.StringIO()), path)
        self._instance = instance
        self._sequence = 0
        self.now = begin

    def tells(
        self,
        action: AuditAction,
        reason: Reason,
        phase: AuditPhase = AuditPhase.RESULT,
        outcome: AuditOutcome = AuditOutcome.SUCCEEDED,
        generation: int | None = 1,
        connection: Mapping[str, Any] | None = None,
        after_seconds: int = 10,
        **record: Any,
    ) -> None:
        """Write one record about a connection; `connection` is what its builder takes."""
        self._tick(after_seconds)
        accessor = None if generation is None else f"accessor-{generation}"
        self._sink.write(
            audit_record(
                instance=self._instance,
                sequence=self._sequence,
                time=self.now,
                action=action,
                phase=phase,
                outcome=outcome,
                reason=reason,
                connection=a_connection(**(connection or {})),
                profile=a_profile(),
                generation=generation,
                accessor=accessor,
                **record,
            )
        )

    def mints(self, generation: int = 1, **told: Any) -> None:
        """Intent and result of a mint."""
        intent: dict[str, Any] = {"phase": AuditPhase.INTENT, "outcome": AuditOutcome.STARTED}
        self.tells(AuditAction.MINT, Reason.FIRST_MINT, generation=generation, **intent, **told)
        self.tells(AuditAction.MINT, Reason.FIRST_MINT, generation=generation, **told)

    def ends(self, generation: int = 1, seconds: int = 10, **told: Any) -> None:
        """Intent and result of a revocation, so many seconds apart."""
        intent: dict[str, Any] = {"phase": AuditPhase.INTENT, "outcome": AuditOutcome.STARTED}
        self.tells(AuditAction.REVOKE, Reason.DELETED, generation=generation, **intent, **told)
        self.tells(AuditAction.DELETE, Reason.DELETED, generation=generation, after_seconds=seconds, **told)

    def switches(self, revocation: MCPRevocation, action: AuditAction, phase: AuditPhase, actor: str) -> None:
        """Write one record about a breakglass switch."""
        self._tick(10)
        self._sink.write(
            revocation_record(
                instance=self._instance,
                sequence=self._sequence,
                time=self.now,
                action=action,
                phase=phase,
                outcome=AuditOutcome.SUCCEEDED if phase is AuditPhase.RESULT else AuditOutcome.STARTED,
                reason=Reason.ENFORCED,
                revocation=revocation,
                actor=actor,
                message="a token was seen in a public log",
            )
        )

    def removes(self, policy: MCPAccessPolicy) -> None:
        """Write that an access policy was deleted."""
        self._tick(10)
        told: dict[str, Any] = {"instance": self._instance, "sequence": self._sequence, "time": self.now}
        self._sink.write(policy_removal_record(policy=policy, **told))

    def _tick(self, seconds: int) -> None:
        self._sequence += 1
        self.now += timedelta(seconds=seconds)


def three_processes(path: Path) -> bytes:
    """Three restarts over one file, four records each."""
    begin = NOON
    for instance in ("first", "second", "third"):
        process = Process(path, instance, begin)
        process.mints()
        process.ends()
        begin = process.now
    return path.read_bytes()


def records(data: bytes) -> list[dict[str, Any]]:
    """As they were written."""
    return [json.loads(line) for line in data.splitlines()]
