"""The models and the API server accept and refuse the same objects, for the same reason."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from corpus_cases import Case, corpus, read_path
from crd_server import CrdServer
from leasehold.api.crd import KINDS, schema_of
from leasehold.api.rules import VALIDATIONS
from leasehold.api.transitions import forbidden_changes

CASES = corpus()


def rules_below(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """(field, message) of every rule in a schema."""
    for each in schema.get(VALIDATIONS, ()):
        yield path + each.get("fieldPath", ""), each["message"]
    for name, part in schema.get("properties", {}).items():
        yield from rules_below(part, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from rules_below(schema["items"], f"{path}[]")


RULES = {(kind.KIND, *found) for kind in KINDS for found in rules_below(schema_of(kind), "")}

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


@each_case
def test_the_models_give_the_verdict(case: Case) -> None:
    causes = causes_of_models(case)

    assert bool(causes) == bool(case.field), causes
    if case.field:
        assert any(is_about(case, place) and case.says in said for place, said in causes), causes


@each_case
def test_the_server_gives_the_verdict(case: Case, crd_server: CrdServer) -> None:
    if case.before is None:
        judgement = crd_server.judge(case.kind, case.after)
    else:
        judgement = crd_server.judge_step(case.kind, case.before, case.after, status=case.is_status)

    assert judgement.accepted == (not case.field), judgement.causes
    if case.field:
        assert any(place == case.field and case.says in said for place, said in judgement.causes), (
            judgement.causes
        )


@pytest.mark.parametrize("case", [case for case in CASES if case.defaults], ids=lambda case: case.id)
def test_models_and_server_fill_in_the_same_defaults(case: Case, crd_server: CrdServer) -> None:
    read = case.kind.model_validate(case.after).to_wire()
    stored = crd_server.judge(case.kind, case.after).stored

    for path, value in case.defaults.items():
        assert read_path(stored, path) == value
        assert read_path(read, path) == value


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.is_status and not case.field], ids=lambda case: case.id
)
def test_what_the_models_write_as_status_is_stored_as_it_is(case: Case, crd_server: CrdServer) -> None:
    assert case.before is not None
    written = case.kind.model_validate(case.after).to_wire()

    stored = crd_server.judge_step(
        case.kind, case.before, {**case.after, "status": written["status"]}, status=True
    ).stored

    assert stored["status"] == written["status"]


@pytest.mark.parametrize(("kind", "place", "message"), sorted(RULES, key=str))
def test_every_rule_has_a_case_that_breaks_it(kind: str, place: str, message: str) -> None:
    assert any(
        kind == case.kind.KIND and re.sub(r"\[\d+\]", "[]", case.field) == place and case.says in message
        for case in CASES
    )


@pytest.mark.parametrize("message", sorted({message for _, _, message in RULES}))
def test_every_message_says_what_to_write_instead(message: str) -> None:
    advice = message.removeprefix("immutable: ").rpartition("; ")[2]

    assert advice.split()[0] in {"create", "give", "keep", "leave", "register", "set", "start", "write"}


def causes_of_models(case: Case) -> list[tuple[str, str]]:
    """(field, message) for each thing that the models refuse."""
    try:
        after = case.kind.model_validate(case.after)
    except ValidationError as refused:
        return [(".".join(map(str, each["loc"])), each["msg"]) for each in refused.errors()]
    if case.before is None or case.is_status:
        return []
    changes = forbidden_changes(case.kind.model_validate(case.before), after)
    return [(place, said) for place, _, said in (change.partition(": ") for change in changes)]


def is_about(case: Case, place: str) -> bool:
    """Pydantic names the model that has a rule, or the key of a map; the server names the field."""
    field = re.sub(r"\[(\d+)\]", r".\1", case.field)
    return bool(place) and (
        field == place or f"{field}.".startswith(f"{place}.") or place.startswith(f"{field}.")
    )
