"""Where exposures of agents, audit records and the API do not tell the same of an agent's connections."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.evidence_case import ENDED, a_former, a_quarter, an_exposure, living
from leasehold.api.base import rfc3339
from leasehold.core.evidence_exposures import API, AUDIT, exposure_comparison
from leasehold.core.evidence_sources import Sources
from objects import NOON

KNOWN = a_former()
EARLIER = rfc3339(ENDED - timedelta(minutes=5))


def differences(sources: Sources, check: str) -> list[tuple[str, str]]:
    """What differs, after the summary, which has to say so."""
    summary, *found = [row for row in exposure_comparison(sources) if row["check"] == check]
    assert summary["holds"] == ("No" if found else "Yes")
    assert {row["holds"] for row in found} <= {"No"}
    return [(str(row["subject"]), str(row["words"])) for row in found]


FORMER: list[tuple[str, list[dict[str, Any]], list[tuple[str, str]]]] = [
    ("both know it", [KNOWN], []),
    ("its end was not seen", [a_former(lastGeneration=None)], []),
    ("records alone know it", [], [("support/gone-bot", "no exposure keeps it")]),
    (
        "an exposure alone knows it",
        [KNOWN, a_former("other", "other")],
        [("support/other", "no audit record tells of it")],
    ),
    (
        "an exposure alone knows it, and nobody saw its end",
        [KNOWN, a_former("other", "other", lastGeneration=None)],
        [("support/other", "no audit record tells of it")],
    ),
    ("it never had a credential", [KNOWN, a_former("other", "other", lastGeneration=0)], []),
    (
        "it ended before the first record",
        [KNOWN, a_former("other", "other", endedTime=rfc3339(NOON))],
        [],
    ),
    (
        "records go on after its end",
        [a_former(endedTime=EARLIER)],
        [("support/gone-bot", "it has audit records after its end")],
    ),
    (
        "records have more of it",
        [a_former(lastGeneration=0)],
        [("support/gone-bot", "more credentials are on record")],
    ),
]


@pytest.mark.parametrize(("former", "expected"), [case[1:] for case in FORMER], ids=[c[0] for c in FORMER])
def test_what_exposures_keep_next_to_the_audit_records(
    tmp_path: Path, former: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    sources = a_quarter(tmp_path / "a", exposures=(an_exposure(*former),))
    found = differences(sources, AUDIT)
    assert len(found) == len(expected)
    assert all(
        subject == wanted and words.startswith(begin)
        for (subject, words), (wanted, begin) in zip(found, expected, strict=True)
    )


def test_a_connection_that_its_agents_exposure_does_not_have_is_a_difference(tmp_path: Path) -> None:
    sources = a_quarter(tmp_path / "a", exposures=())
    (found,) = differences(sources, API)
    assert found == (
        "support/support-bot connection support-bot-orders",
        "the exposure of its agent does not have it",
    )


def test_a_connection_that_only_an_exposure_has_is_a_difference(tmp_path: Path) -> None:
    ((_, words),) = differences(a_quarter(tmp_path / "a", connections=()), API)
    assert words == "the API server does not list it"


def test_a_connection_that_exists_and_is_said_to_have_ended_is_a_difference(tmp_path: Path) -> None:
    both = an_exposure(KNOWN, a_former("support-bot-orders", living().metadata.uid))
    sources = a_quarter(tmp_path / "a", exposures=(both,))
    words = [each for _, each in differences(sources, API)]
    assert words == ["the exposure of its agent has it among those that ended, and it exists"]


def test_a_connection_that_is_being_deleted_may_be_told_in_either_way(tmp_path: Path) -> None:
    leaving = living()
    metadata = leaving.metadata.model_copy(update={"deletion_timestamp": NOON})
    leaving = leaving.model_copy(update={"metadata": metadata})
    former = a_former("support-bot-orders", leaving.metadata.uid)
    for exposure in (an_exposure(KNOWN), an_exposure(KNOWN, former, connections=[], connectionCount=0)):
        sources = a_quarter(tmp_path / exposure.spec.agent, connections=(leaving,), exposures=(exposure,))
        assert differences(sources, API) == []
