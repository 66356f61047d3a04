"""The shipped pipelines let audit records through, all of them and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from vrl_python import VRLRuntime

from shipped import ROOT

COLLECTORS = ROOT / "examples" / "collectors"
RECORDS = (ROOT / "tests" / "core" / "audit-v1.jsonl").read_text().splitlines()
OTHERS = {
    "a log line on standard error": {"stream": "stderr", "message": RECORDS[0]},
    "what is no JSON": {"stream": "stdout", "message": "Traceback (most recent call last):"},
    "what is no object": {"stream": "stdout", "message": "[1, 2]"},
    "an event of somebody else": {"stream": "stdout", "message": '{"type":"com.example.audit.v1"}'},
    "a record without a type": {"stream": "stdout", "message": '{"id":"1"}'},
}
each_other = pytest.mark.parametrize("line", OTHERS.values(), ids=OTHERS)


def vector() -> Any:
    return yaml.safe_load((COLLECTORS / "vector.yaml").read_text())


def through_vector(line: dict[str, str]) -> dict[str, Any] | None:
    """What Vector's transform makes of a line, by the language's own runtime; None where it is dropped."""
    step = vector()["transforms"]["leasehold_audit"]
    assert step["drop_on_abort"]
    assert step["drop_on_error"]
    try:
        return dict(
            VRLRuntime().execute(step["source"], {"kubernetes": {}, "file": "0.log", **line}).processed_event
        )
    except RuntimeError as aborted:
        if "aborted" not in str(aborted):
            raise
        return None


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_vector_passes_a_record_on_as_it_was_written(record: str) -> None:
    assert through_vector({"stream": "stdout", "message": record}) == json.loads(record)


@each_other
def test_vector_drops_whatever_is_no_record(line: dict[str, str]) -> None:
    assert through_vector(line) is None


def test_vectors_steps_follow_each_other_from_the_pods_to_the_siem() -> None:
    config = vector()
    assert config["transforms"]["leasehold_audit"]["inputs"] == list(config["sources"])
    assert config["sinks"]["siem"]["inputs"] == list(config["transforms"])
    assert config["sinks"]["siem"]["buffer"]["when_full"] == "block", "an outage drops nothing"


def fluent_bit() -> Any:
    return yaml.safe_load((COLLECTORS / "fluent-bit.yaml").read_text())


def filters() -> Iterator[tuple[str, str]]:
    """Field and pattern of each grep, in order."""
    for step in fluent_bit()["pipeline"]["filters"]:
        if step["name"] == "grep":
            field, _, pattern = step["regex"].partition(" ")
            yield field, pattern


def through_fluent_bit(line: dict[str, str]) -> dict[str, Any] | None:
    """What its steps mean, carried out here: a pattern that does not match drops the line."""
    (stream, standard_output), (kind, ours) = filters()
    if not re.search(standard_output, line[stream]):
        return None
    try:
        record = json.loads(line["message"])
    except ValueError:
        return None
    if not isinstance(record, dict) or not re.search(ours, str(record.get(kind, ""))):
        return None
    return record


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_fluent_bits_patterns_match_a_record(record: str) -> None:
    assert through_fluent_bit({"stream": "stdout", "message": record}) == json.loads(record)


@each_other
def test_fluent_bits_patterns_match_nothing_else(line: dict[str, str]) -> None:
    assert through_fluent_bit(line) is None


def test_fluent_bits_steps_concern_the_same_lines_and_name_the_parser_that_is_there() -> None:
    config = fluent_bit()
    (source,), steps, (sink,) = (config["pipeline"][name] for name in ("inputs", "filters", "outputs"))
    assert {step["match"] for step in [*steps, sink]} == {source["tag"]}
    assert [step["parser"] for step in steps if step["name"] == "parser"] == [config["parsers"][0]["name"]]
    assert source["storage.type"] == "filesystem", "an outage drops nothing"
    assert sink["retry_limit"] == "no_limits"
