"""Which rules of access policies connections violated in the period: those that they violate now, by their status,
and those that are over, by audit records."""

from collections.abc import Iterator
from dataclasses import dataclass

from leasehold.api.reasons import Reason
from leasehold.core.audit import AuditAccessPolicyData, AuditConnection, AuditPolicy
from leasehold.core.evidence_sources import Sources
from leasehold.core.evidence_table import Row
from leasehold.core.evidence_times import told

NO_END = "no record says that it is satisfied, and the status does not have it"
GONE = "its connection is gone"


def present_violations(sources: Sources) -> Iterator[Row]:
    """What stands in the status of connections."""
    for connection in sources.connections:
        created = told(connection.metadata.creation_timestamp)
        if created is not None and created >= sources.scope.period.end:
            continue
        for violation in connection.status.policy_violations:
            yield {
                "namespace": connection.metadata.namespace,
                "connection": connection.metadata.name,
                "connectionUID": connection.metadata.uid,
                "sinceTime": told(violation.since_time),
                "deadlineTime": told(violation.deadline_time),
                "policy": violation.policy,
                "policyGeneration": violation.generation,
                "rule": violation.rule,
                "effect": violation.effect.value,
                "words": violation.message,
            }


@dataclass
class _Violation:
    """A rule that was violated, from one record to another."""

    connection: AuditConnection
    rule: AuditPolicy
    words: str
    until: str | None = None
    ended: str | None = None

    @property
    def begin(self) -> str:
        return self.rule.since

    def row(self) -> Row:
        words = "; ".join(each for each in (self.words, self.ended) if each)
        return {
            "namespace": self.connection.namespace,
            "connection": self.connection.name,
            "connectionUID": self.connection.uid,
            "sinceTime": self.rule.since,
            "untilTime": self.until,
            "deadlineTime": self.rule.deadline,
            "policy": self.rule.name,
            "policyGeneration": self.rule.generation,
            "rule": self.rule.rule,
            "effect": self.rule.effect,
            "words": words,
        }


def past_violations(sources: Sources) -> Iterator[Row]:
    """What audit records tell and no status has any more, where it reaches into the period."""
    period = sources.scope.period
    for violation in _on_record(sources):
        if violation.begin < period.end and (violation.until is None or violation.until >= period.begin):
            yield violation.row()


def _on_record(sources: Sources) -> Iterator[_Violation]:
    standing: dict[tuple[str, str, str], _Violation] = {}
    for envelope, data in sources.results("policy"):
        rule = data.violation
        if rule is None:
            continue
        key = (data.connection.uid, rule.name, rule.rule)
        before = standing.pop(key, None)
        if data.reason == Reason.POLICY_VIOLATED:
            standing[key] = _Violation(data.connection, rule, data.message or "")
            ended = "from then on by another state of the policy"
        else:
            before = before or _Violation(data.connection, rule, "")
            ended = data.message or ""
        if before is not None:
            before.until, before.ended = envelope.time, ended
            yield before
    yield from _left_open(sources, standing)


def _left_open(sources: Sources, standing: dict[tuple[str, str, str], _Violation]) -> Iterator[_Violation]:
    present = {
        (connection.metadata.uid, each.policy, each.rule)
        for connection in sources.connections
        for each in connection.status.policy_violations
    }
    existing = {connection.metadata.uid for connection in sources.connections}
    last = {data.connection.uid: envelope.time for envelope, data in sources.steps}
    for key, violation in standing.items():
        if key in present:
            continue
        if key[0] in existing:
            violation.ended = NO_END
        else:
            violation.until, violation.ended = last[key[0]], GONE
        yield violation


def removed_policies(sources: Sources) -> Iterator[Row]:
    """Policies that somebody deleted in the period."""
    for line in sources.kept.lines:
        envelope = line.envelope
        if envelope is None or not isinstance(envelope.data, AuditAccessPolicyData):
            continue
        if sources.scope.period.has(envelope.time):
            policy = envelope.data.policy
            yield {
                "sinceTime": envelope.time,
                "policy": policy.name,
                "policyGeneration": policy.generation,
                "effect": policy.effect,
                "words": envelope.data.message,
            }
