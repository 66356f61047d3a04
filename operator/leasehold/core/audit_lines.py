"""Audit records as somebody kept them: files of lines, perhaps cut, doubled, in another order, or edited. What is
left of each process's chain is put in order again, and everything that is missing or was changed is named."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from pydantic import ValidationError

from leasehold.core.audit import TYPE_PREFIX, AuditEnvelope
from leasehold.core.audit_chain import PreviousEnd, record_hash
from leasehold.core.evidence_finding import Finding, FindingKind
from leasehold.core.hidden_text import visible
from leasehold.core.wire_json import UnfitJson, parse

OURS: Final = f"{TYPE_PREFIX}."


@dataclass(frozen=True)
class Line:
    """One record, where it stands, and what links it to others. `envelope` is None where this version does not
    understand it."""

    place: str
    source: str
    sequence: int
    time: str
    hash: str
    previous_hash: str | None
    chain: Mapping[str, Any] | None
    envelope: AuditEnvelope | None


@dataclass(frozen=True)
class Chain:
    """What there is of one process's records, by sequence."""

    source: str
    lines: tuple[Line, ...]

    @property
    def first(self) -> Line:
        """Its first record."""
        return self.lines[0]

    @property
    def last(self) -> Line:
        """Its last record."""
        return self.lines[-1]

    @property
    def is_linked(self) -> bool:
        """Whether whoever wrote it linked its records."""
        return any(each.previous_hash or each.chain for each in self.lines)


@dataclass(frozen=True)
class Kept:
    """What was kept of all processes. `foreign` counts lines that are JSON and no records of ours."""

    chains: tuple[Chain, ...] = ()
    findings: tuple[Finding, ...] = ()
    foreign: int = 0

    @property
    def lines(self) -> list[Line]:
        """All records by time."""
        every = (line for chain in self.chains for line in chain.lines)
        return sorted(every, key=lambda each: (each.time, each.source, each.sequence))


@dataclass
class _Reading:
    by_source: dict[str, list[tuple[int, list[Line]]]] = field(default_factory=lambda: defaultdict(list))
    findings: list[Finding] = field(default_factory=list)
    foreign: int = 0


def read_kept(files: Mapping[str, bytes]) -> Kept:
    """The records of some files, by the files' names, in whatever order these are."""
    reading = _Reading()
    for name, data in files.items():
        of_file: dict[str, list[Line]] = defaultdict(list)
        for number, text in enumerate(data.split(b"\n"), 1):
            if not text.strip():
                continue
            place = f"{name}:{number}"
            try:
                record = parse(text)
                if not isinstance(record, dict) or not str(record.get("type")).startswith(OURS):
                    reading.foreign += 1
                    continue
                line = _line(place, record)
            except (UnfitJson, TypeError, KeyError, ValueError) as error:
                why = str(error) if isinstance(error, UnfitJson) else "it lacks what every record has"
                reading.findings.append(
                    Finding(FindingKind.UNREADABLE_LINE, f"{place} cannot be read: {why}")
                )
                continue
            of_file[line.source].append(line)
        for source, lines in of_file.items():
            reading.by_source[source].append((min(each.sequence for each in lines), lines))
    chains = []
    for source, parts in sorted(reading.by_source.items()):
        read = [line for _, lines in sorted(parts, key=lambda part: part[0]) for line in lines]
        once = _once(read, reading.findings)
        if [each.sequence for each in once] != sorted(each.sequence for each in once):
            late = next(each for before, each in pairwise(once) if each.sequence < before.sequence)
            words = f"{late.place} has record {late.sequence} of {_shown(source)} after a later one"
            reading.findings.append(Finding(FindingKind.OUT_OF_ORDER, words))
        chains.append(Chain(source, tuple(sorted(once, key=lambda each: each.sequence))))
    return Kept(tuple(chains), tuple(reading.findings), reading.foreign)


def _line(place: str, record: Mapping[str, Any]) -> Line:
    data, source, time = record["data"], record["source"], record["time"]
    sequence = data["sequence"]
    if not (isinstance(source, str) and isinstance(time, str) and type(sequence) is int):
        raise TypeError(place)
    previous, chain = data.get("previousHash"), data.get("chain")
    try:
        envelope = AuditEnvelope.model_validate(record, extra="ignore")
    except ValidationError:
        envelope = None
    return Line(
        place=place,
        source=source,
        sequence=sequence,
        time=time,
        hash=record_hash(record),
        previous_hash=previous if isinstance(previous, str) else None,
        chain=chain if isinstance(chain, dict) else None,
        envelope=envelope,
    )


def _once(lines: Iterable[Line], findings: list[Finding]) -> list[Line]:
    """A record that is in two files is there once; two records of one number contradict each other."""
    seen: dict[int, Line] = {}
    for line in lines:
        if line.sequence not in seen:
            seen[line.sequence] = line
        elif seen[line.sequence].hash != line.hash:
            places = f"{seen[line.sequence].place} and {line.place}"
            words = f"{places} are two records {line.sequence} of {_shown(line.source)}"
            findings.append(Finding(FindingKind.CONTRADICTION, words))
    return list(seen.values())


@dataclass(frozen=True)
class Examined:
    """What is wrong with the chains, and what they cannot tell."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def examine(kept: Kept, since: str) -> Examined:
    """Whether records are missing, changed or unlinked. What lies before `since`, an RFC 3339 time, may be missing:
    nobody was asked for it."""
    by_source = {chain.source: chain for chain in kept.chains}
    findings, notes = list(kept.findings), list[str]()
    for chain in kept.chains:
        told, noted = _begin(chain, by_source, since)
        findings += [*told, *_links(chain)]
        notes += noted
    unknown = sum(line.envelope is None for chain in kept.chains for line in chain.lines)
    if unknown:
        notes.append(f"{unknown} records are of a kind that this version does not know; no table has them")
    if kept.foreign:
        notes.append(f"{kept.foreign} lines are JSON and no audit records; they were left out")
    return Examined(tuple(findings), tuple(notes))


def _links(chain: Chain) -> Iterable[Finding]:
    name = _shown(chain.source)
    for before, line in pairwise(chain.lines):
        if line.sequence != before.sequence + 1:
            missing = _range(before.sequence + 1, line.sequence - 1)
            yield Finding(
                FindingKind.GAP, f"of {name} {missing} missing, between {before.place} and {line.place}"
            )
        elif line.previous_hash is None:
            if chain.is_linked:
                yield Finding(
                    FindingKind.UNLINKED, f"{line.place} does not have the hash of the record before it"
                )
        elif line.previous_hash != before.hash:
            words = (
                f"{before.place} or {line.place} was changed: the hash of {name} {before.sequence} differs"
            )
            yield Finding(FindingKind.CHANGED, words)


def _begin(chain: Chain, others: Mapping[str, Chain], since: str) -> tuple[Sequence[Finding], Sequence[str]]:
    name, first = _shown(chain.source), chain.first
    if first.sequence > 1:
        words = f"of {name} {_range(1, first.sequence - 1)} missing, before {first.place}"
        return (
            ([Finding(FindingKind.GAP, words)], [])
            if first.time > since
            else ([], [f"{words}; they are older"])
        )
    if not chain.is_linked:
        return [], [f"{name} has no links: only its numbers tell whether records are missing"]
    if first.chain is None:
        return [Finding(FindingKind.UNLINKED, f"{first.place} does not say which chain was before it")], []
    if first.chain.get("previousEnd") != PreviousEnd.KNOWN:
        told = visible(str(first.chain.get("previousEnd")))
        return [], [f"{name} knew of no chain before it ({told}): whether one is missing cannot be told"]
    return _before(chain, others.get(str(first.chain.get("source"))), since)


def _before(chain: Chain, before: Chain | None, since: str) -> tuple[Sequence[Finding], Sequence[str]]:
    said = chain.first.chain or {}
    named, number = _shown(str(said.get("source"))), said.get("sequence")
    words = f"{_shown(chain.source)} followed record {number} of {named}"
    if before is None:
        told = f"{words}, of which nothing is here"
        return (
            ([Finding(FindingKind.CHAIN_MISSING, told)], [])
            if chain.first.time > since
            else ([], [f"{told}; it is older"])
        )
    end = next((line for line in before.lines if line.sequence == number), None)
    if end is None:
        return [
            Finding(FindingKind.END_MISSING, f"{words}, which here ends with record {before.last.sequence}")
        ], []
    if end.hash != said.get("hash"):
        return [Finding(FindingKind.CHANGED, f"{words}, and its hash differs: {end.place} was changed")], []
    return [], []


def _range(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _shown(source: str) -> str:
    return visible(source)
