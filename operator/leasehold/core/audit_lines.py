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
    """What was read so far; of each source, one part for each file."""

    parts: dict[str, list[list[Line]]] = field(default_factory=lambda: defaultdict(list))
    findings: list[Finding] = field(default_factory=list)
    foreign: int = 0

    def take_in(self, name: str, data: bytes) -> None:
        """Read one file."""
        of_file: dict[str, list[Line]] = defaultdict(list)
        for number, text in enumerate(data.split(b"\n"), 1):
            if text.strip() and (line := self._read(f"{name}:{number}", text)) is not None:
                of_file[line.source].append(line)
        for source, lines in of_file.items():
            self.parts[source].append(lines)

    def _read(self, place: str, text: bytes) -> Line | None:
        try:
            record = parse(text)
            if isinstance(record, dict) and str(record.get("type")).startswith(OURS):
                return _line(place, record)
        except (TypeError, KeyError, ValueError) as error:
            why = str(error) if isinstance(error, UnfitJson) else "it lacks what every record has"
            self.findings.append(Finding(FindingKind.UNREADABLE_LINE, f"{place} cannot be read: {why}"))
            return None
        self.foreign += 1
        return None

    def chain(self, source: str) -> Chain:
        """The records of a source, in order; files come in any order, lines within a file do not."""
        parts = sorted(self.parts[source], key=lambda lines: min(each.sequence for each in lines))
        once = self._once(line for lines in parts for line in lines)
        late = next((each for before, each in pairwise(once) if each.sequence < before.sequence), None)
        if late is not None:
            words = f"{late.place} has record {late.sequence} of {_shown(source)} after a later one"
            self.findings.append(Finding(FindingKind.OUT_OF_ORDER, words))
        return Chain(source, tuple(sorted(once, key=lambda each: each.sequence)))

    def _once(self, lines: Iterable[Line]) -> list[Line]:
        """A record that is in two files is there once; two records of one number contradict each other."""
        seen: dict[int, Line] = {}
        for line in lines:
            first = seen.setdefault(line.sequence, line)
            if first.hash != line.hash:
                words = (
                    f"{first.place} and {line.place} are two records {line.sequence} of {_shown(line.source)}"
                )
                self.findings.append(Finding(FindingKind.CONTRADICTION, words))
        return list(seen.values())


def read_kept(files: Mapping[str, bytes]) -> Kept:
    """The records of some files, by the files' names, in whatever order these are."""
    reading = _Reading()
    for name, data in files.items():
        reading.take_in(name, data)
    chains = tuple(reading.chain(source) for source in sorted(reading.parts))
    return Kept(chains, tuple(reading.findings), reading.foreign)


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


@dataclass(frozen=True)
class Examined:
    """What is wrong with the chains, and what they cannot tell."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


Told = tuple[Sequence[Finding], Sequence[str]]
"""Findings, and what cannot be told."""


def examine(kept: Kept, since: str) -> Examined:
    """Whether records are missing, changed or unlinked. What lies before `since`, an RFC 3339 time, may be missing:
    nobody was asked for it."""
    by_source = {chain.source: chain for chain in kept.chains}
    linked_since = min((chain.first.time for chain in kept.chains if chain.is_linked), default=None)
    findings, notes = list(kept.findings), list[str]()
    for chain in kept.chains:
        told, noted = _begin(chain, by_source, since, linked_since)
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
            words = f"of {name} {missing} missing, between {before.place} and {line.place}"
            yield Finding(FindingKind.GAP, words)
        elif line.previous_hash is None and chain.is_linked:
            words = f"{line.place} does not have the hash of the record before it"
            yield Finding(FindingKind.UNLINKED, words)
        elif line.previous_hash not in (None, before.hash):
            words = (
                f"{before.place} or {line.place} was changed: the hash of {name} {before.sequence} differs"
            )
            yield Finding(FindingKind.CHANGED, words)


def _without_links(chain: Chain, linked_since: str | None) -> Told:
    """Whoever ran before there were links had none; afterwards somebody has taken them off."""
    name = _shown(chain.source)
    if linked_since is not None and chain.first.time > linked_since:
        words = f"{name} has no links, and began after processes that had them"
        return [Finding(FindingKind.UNLINKED, words)], []
    return [], [f"{name} has no links: only its numbers tell whether records are missing"]


def _begin(chain: Chain, others: Mapping[str, Chain], since: str, linked_since: str | None) -> Told:
    name, first = _shown(chain.source), chain.first
    if first.sequence > 1:
        words = f"of {name} {_range(1, first.sequence - 1)} missing, before {first.place}"
        return _unless_older(FindingKind.GAP, words, first, since)
    if not chain.is_linked:
        return _without_links(chain, linked_since)
    if first.chain is None:
        words = f"{first.place} does not say which chain was before it"
        return [Finding(FindingKind.UNLINKED, words)], []
    if first.chain.get("previousEnd") != PreviousEnd.KNOWN:
        told = visible(str(first.chain.get("previousEnd")))
        return [], [f"{name} knew of no chain before it ({told}): whether one is missing cannot be told"]
    before = others.get(str(first.chain.get("source")))
    number = visible(str(first.chain.get("sequence")))
    words = f"{name} followed record {number} of {_shown(str(first.chain.get('source')))}"
    if before is None:
        return _unless_older(FindingKind.CHAIN_MISSING, f"{words}, of which nothing is here", first, since)
    end = next((line for line in before.lines if line.sequence == first.chain.get("sequence")), None)
    if end is None:
        words = f"{words}, which here ends with record {before.last.sequence}"
        return [Finding(FindingKind.END_MISSING, words)], []
    if end.hash != first.chain.get("hash"):
        words = f"{words}, and its hash differs: {end.place} was changed"
        return [Finding(FindingKind.CHANGED, words)], []
    return [], []


def _unless_older(kind: FindingKind, words: str, first: Line, since: str) -> Told:
    """What is missing before the first record of a chain is a finding where some of it may be of the period."""
    return ([Finding(kind, words)], []) if first.time > since else ([], [f"{words}; that is older"])


def _range(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _shown(source: str) -> str:
    return visible(source)
