"""Whoever types what the runbook says, at night, gets something that works."""

import json
import re
from typing import Any

import pytest

from corpus_cases import BY_KIND
from leasehold.api.crd import COLUMNS
from leasehold.api.reasons import Reason
from leasehold.api.revocation import Lift, MCPRevocation, RevocationTarget
from runbook import PAGE, manifests

PATCHES = re.compile(r" -p '(\{.*?\})'$", re.MULTILINE)


def table(*header: str) -> list[list[str]]:
    """The rows of the table with this header, as cells."""
    begin = PAGE.index(f"| {' | '.join(header)} |")
    lines = PAGE[begin:].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("body", manifests(), ids=lambda body: body["metadata"]["name"])
def test_every_manifest_is_valid(body: dict[str, Any]) -> None:
    BY_KIND[body["kind"]].model_validate(body)


def test_there_is_a_manifest_for_every_way_to_name_a_target() -> None:
    named = {
        field
        for body in manifests()
        if body["kind"] == MCPRevocation.KIND
        for field in body["spec"]["target"]
    }
    assert named == {each.alias or name for name, each in RevocationTarget.model_fields.items()}


def test_every_patch_that_lifts_is_a_valid_lift() -> None:
    lifts = [
        patch["spec"]["lift"] for patch in map(json.loads, PATCHES.findall(PAGE)) if "lift" in patch["spec"]
    ]
    assert len(lifts) >= 3
    for lift in lifts:
        Lift.model_validate(lift)


def test_every_column_is_explained() -> None:
    explained = {name for row in table("column", "meaning") for name in re.findall(r"`([A-Z-]+)`", row[0])}
    assert explained == {column.name.upper() for column in COLUMNS[MCPRevocation]} - {"AGE"}


def test_every_reason_of_completion_is_one() -> None:
    rows = table("`Complete`", "reason", "what holds", "what to do")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert named <= {reason.value for reason in Reason}
    assert {Reason.VERIFIED, Reason.RESIDUAL_EXPOSURE, Reason.NOTHING_MATCHED, Reason.REVOKING} <= named
