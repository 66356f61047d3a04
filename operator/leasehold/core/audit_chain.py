"""A line that was taken out of the audit records, or changed, has to show. So each record has the hash of the one
before it, as links of a chain; a process begins a new chain, and says how the one before it ended, as far as it
can know: by the last record in its audit file, or else by what the leader before it has left in the election's
Lease."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import rfc8785
from pydantic import Field

from leasehold.core.audit_part import Hashed, Part
from leasehold.core.canonical_json import digest_of
from leasehold.core.wire_json import parse

TAIL_BYTES: Final = 1024 * 1024
"""How much of a file's end is looked through for its last record."""


class PreviousEnd(StrEnum):
    """What a process knows of the chain before its own."""

    KNOWN = "Known"
    NO_FILE = "NoFile"
    """No audit file is set, so nothing can be known."""
    NO_RECORD = "NoRecord"
    """The file is not there, or no record is at its end."""
    UNREADABLE = "Unreadable"


class AuditChain(Part):
    """A record of the chain before this one: the last one in the audit file, or else the last one of which the
    leader before has left word in the election's Lease. `previousEnd` is Known, or else says of the file: NoFile
    (none is set), NoRecord (it is not there yet, or has no record at its end), or Unreadable; the rest only where
    Known."""

    previous_end: PreviousEnd
    source: str | None = None
    sequence: Annotated[int, Field(ge=0)] | None = None
    hash: Hashed | None = None


def record_hash(record: Mapping[str, Any]) -> str:
    """SHA-256 of all that the record says, in the one form that RFC 8785 gives it.

    :raises ValueError: it is no JSON, or has a number that a double cannot hold
    """
    return digest_of(rfc8785.dumps(dict(record)))


def opening(record: Mapping[str, Any], before: AuditChain) -> dict[str, Any]:
    """The record as the first one of a chain."""
    return _with(record, chain=before.model_dump(mode="json", by_alias=True, exclude_none=True))


def following(record: Mapping[str, Any], previous_hash: str) -> dict[str, Any]:
    """The record as a further one of a chain."""
    return _with(record, previousHash=previous_hash)


def end_text(record: Mapping[str, Any], digest: str) -> str:
    """What to leave behind, so that the next process can name this record."""
    return json.dumps({"source": record["source"], "sequence": record["data"]["sequence"], "hash": digest})


def end_from(text: str) -> AuditChain | None:
    """What a process has left behind; None where that is nothing, or no such text."""
    try:
        left = json.loads(text)
        return AuditChain.model_validate({**left, "previousEnd": PreviousEnd.KNOWN})
    except (TypeError, ValueError):
        return None


def _with(record: Mapping[str, Any], **link: Any) -> dict[str, Any]:
    return {**record, "data": {**record["data"], **link}}


def end_of(tail: bytes) -> AuditChain:
    """The chain that the last record in the last bytes of a file belongs to; half a line is no record."""
    for line in reversed(tail.splitlines()):
        try:
            record: Any = parse(line)
            return AuditChain.model_validate(
                {
                    "previousEnd": PreviousEnd.KNOWN,
                    "source": record["source"],
                    "sequence": record["data"]["sequence"],
                    "hash": record_hash(record),
                }
            )
        except (TypeError, KeyError, ValueError):
            continue
    return AuditChain(previous_end=PreviousEnd.NO_RECORD)
