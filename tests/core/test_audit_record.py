"""Audit records are CloudEvents that the published schema describes, and no secret is in them."""

import itertools
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from leasehold.api.reasons import Reason
from leasehold.core.audit import AuditAction, AuditOutcome, AuditPhase
from leasehold.core.audit_record import audit_record
from leasehold.telemetry.audit_schema import SCHEMA, main
from objects import NOON, a_connection, a_profile

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / SCHEMA
VERSION_1 = Path(__file__).with_name("audit-v1.jsonl").read_text().splitlines()
"""Lines that some SIEM has: never edited."""


def a_record(**changed: Any) -> dict[str, Any]:
    return audit_record(
        **{
            "instance": "leasehold-0-x7k2p",
            "sequence": 7,
            "time": NOON,
            "action": AuditAction.MINT,
            "phase": AuditPhase.RESULT,
            "outcome": AuditOutcome.SUCCEEDED,
            "reason": Reason.FIRST_MINT,
            "connection": a_connection(),
            "profile": a_profile(),
            "generation": 4,
            "accessor": "8609694a-cdbc",
            "lease_id": "database/creds/orders-read/1",
            "message": "minted",
            **changed,
        }
    )


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    published = json.loads(PUBLISHED.read_text())
    Draft202012Validator.check_schema(published)
    return Draft202012Validator(published)


def test_the_published_schema_is_the_one_that_the_code_generates() -> None:
    assert main(["--check", "--output", str(ROOT)]) == 0, "run: make generate"


def test_a_schema_that_is_stale_or_missing_is_found_and_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check, copy = ["--check", "--output", str(tmp_path)], tmp_path / SCHEMA
    assert main(check) == 1
    assert main(["--output", str(tmp_path)]) == 0
    assert copy.read_text() == PUBLISHED.read_text()
    assert main(check) == 0
    copy.write_text(copy.read_text().replace("mint", "bake", 1))
    assert main(check) == 1
    assert capsys.readouterr().err.count("run `make generate`") == 2


@pytest.mark.parametrize(
    ("action", "phase"), list(itertools.product(AuditAction, AuditPhase)), ids=lambda part: str(part)
)
def test_the_record_of_every_action_and_phase_is_valid(
    schema: Draft202012Validator, action: AuditAction, phase: AuditPhase
) -> None:
    record = json.loads(json.dumps(a_record(action=action, phase=phase)))
    assert [error.message for error in schema.iter_errors(record)] == []
    assert record["type"] == f"dev.leasehold.audit.v1.{action}.{phase}"


@pytest.mark.parametrize("reason", Reason)
def test_the_record_of_every_reason_is_valid(schema: Draft202012Validator, reason: Reason) -> None:
    assert schema.is_valid(a_record(reason=reason))


def test_a_record_of_little_is_valid(schema: Draft202012Validator) -> None:
    alone = a_connection(spec={"owner": {"user": "a", "team": "t"}, "purpose": {"summary": "p"}})
    little = a_record(
        connection=alone, profile=None, generation=None, accessor=None, lease_id=None, message=""
    )
    assert schema.is_valid(little)
    assert "null" not in json.dumps(little)


@pytest.mark.parametrize("broken", [{"type": "mint"}, {"subject": "x"}, {"extra": 1}, {"time": "yesterday"}])
def test_the_schema_refuses_what_is_no_record(schema: Draft202012Validator, broken: dict[str, Any]) -> None:
    assert not schema.is_valid({**a_record(), **broken})


@pytest.mark.parametrize("line", VERSION_1, ids=range(len(VERSION_1)))
def test_a_line_that_was_written_under_version_1_fits_the_schema_of_version_1_for_ever(
    schema: Draft202012Validator, line: str
) -> None:
    assert [error.message for error in schema.iter_errors(json.loads(line))] == []


def test_the_schema_and_the_type_of_a_record_name_the_same_version(schema: Draft202012Validator) -> None:
    assert schema.schema["$id"] == "urn:leasehold:audit:v1"
    assert a_record()["type"].startswith("dev.leasehold.audit.v1.")


def test_a_record_says_who_what_why_and_until_what_end() -> None:
    record = a_record()
    assert record == {
        "specversion": "1.0",
        "id": "20261120T120000Z-7",
        "source": "/leasehold/leasehold-0-x7k2p",
        "type": "dev.leasehold.audit.v1.mint.result",
        "subject": "support/support-bot-orders",
        "time": "2026-11-20T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "sequence": 7,
            "actor": "leasehold",
            "action": "mint",
            "phase": "result",
            "outcome": "Succeeded",
            "reason": "FirstMint",
            "message": "minted",
            "agent": {"name": "support-bot", "serviceAccountName": "support-bot"},
            "connection": {
                "namespace": "support",
                "name": "support-bot-orders",
                "uid": "7d5e1c1e-0000-4000-8000-000000000001",
                "generation": 4,
            },
            "owner": {"user": "alice@example.com", "deputy": "bob@example.com", "team": "support-platform"},
            "purpose": "triage incoming tickets",
            "ticket": "SUP-812",
            "profile": "orders-read",
            "serverURL": "https://orders-mcp.tools.svc/mcp",
            "credentialType": "Lease",
            "accessorHash": "sha256:" + sha256(b"8609694a-cdbc").hexdigest(),
            "leaseIDHash": "sha256:" + sha256(b"database/creds/orders-read/1").hexdigest(),
        },
    }


def test_accessor_lease_and_pasted_tokens_are_not_in_a_record() -> None:
    profile = a_profile()
    keyed = profile.spec.model_copy(update={"url": "https://u:pw@tools.example/mcp?key=K-1234"})
    said = json.dumps(
        a_record(
            message="refused hvs.CAESIJf0abcdefghijklmnop",
            connection=a_connection(spec={"purpose": {"summary": "uses hvs.CAESIJf0abcdefghijklmnop"}}),
            profile=profile.model_copy(update={"spec": keyed}),
        )
    )
    for secret in ("8609694a-cdbc", "database/creds/orders-read/1", "hvs.CAES", "pw@", "K-1234"):
        assert secret not in said
