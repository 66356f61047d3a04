"""Every audit line of every operator that a test runs is read against the schema that is published for it."""

import json
from collections.abc import Sequence
from typing import Any, Final

import jsonschema

from shipped import ROOT

SCHEMA: Final = ROOT / "docs" / "reference" / "audit.schema.json"
VALIDATOR: Final = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


class Misfit(AssertionError):
    """A consumer that believes the schema would not have understood a record."""


def must_fit(records: Sequence[Any]) -> None:
    """:raises Misfit: a record is not as the schema says"""
    wrong = [
        f"{record.get('id', '?')} ({record.get('type', '?')}): {error.json_path} {error.message[:200]}"
        for record in records
        for error in VALIDATOR.iter_errors(record)
    ]
    if wrong:
        raise Misfit("\n".join(wrong))
