"""The fleet in numbers: how many connections of each profile and team are in which state, and which moment comes
first. They are kept up to date with each change, so that a scrape costs nothing that grows with the fleet but the
text itself, and they are there for fleets of any size, so dashboards and alerts stand on them."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from leasehold.telemetry.exposition import GaugeFamily
from leasehold.telemetry.fleet_facts import (
    COUNTED,
    FAMILIES,
    FIRST,
    LARGEST_LEDGER,
    LEASES_ENDING,
    REVIEWS_OWED,
    Facts,
    Group,
)

WITHIN_DAYS: Final = (1, 7, 30)

Sample = tuple[GaugeFamily, str, int]

K = TypeVar("K", int, str)


class Aggregates:
    """The numbers of all groups. Not locked: whoever calls holds the lock."""

    def __init__(self) -> None:
        self._counts: dict[GaugeFamily, Counter[str]] = {family: Counter() for family in COUNTED}
        self._sizes: dict[Group, Counter[int]] = {}
        self._firsts = {family: _Moments() for family in FIRST}
        self._lease_ends = _Moments()
        self._owed = {urgency: _Moments() for urgency in ("due", "soon", "overdue")}

    def add(self, facts: Facts) -> None:
        """One more connection."""
        for family, counted in facts.counts.items():
            self._counts[family].update(counted)
        self._sizes.setdefault(facts.group, Counter())[facts.ledger_size] += 1
        for moments, moment in self._moments_of(facts):
            moments.add(facts.group, moment)

    def remove(self, facts: Facts) -> None:
        """The connection is not as it was when these were added."""
        for family, counted in facts.counts.items():
            _take(self._counts[family], counted)
        sizes = self._sizes[facts.group]
        _take(sizes, {facts.ledger_size: 1})
        if not sizes:
            del self._sizes[facts.group]
        for moments, moment in self._moments_of(facts):
            moments.remove(facts.group, moment)

    def samples(self, now: float) -> list[Sample]:
        """All numbers at this moment, in seconds since the epoch; families stand together."""
        found: list[Sample] = []
        for family, counts in self._counts.items():
            found += [(family, labels, count) for labels, count in counts.items()]
        found += [(LARGEST_LEDGER, group, max(sizes)) for group, sizes in self._sizes.items()]
        for family, moments in self._firsts.items():
            found += [(family, group, first) for group, first in moments.firsts()]
        return [*found, *self._ending(now), *self._reviews(now)]

    def _moments_of(self, facts: Facts) -> Iterator[tuple["_Moments", int]]:
        for family, first in facts.firsts.items():
            yield self._firsts[family], first
        for moments, moment in (
            (self._lease_ends, facts.lease_end),
            (self._owed["due"], facts.review_due),
            (self._owed["soon"], facts.review_soon),
            (self._owed["overdue"], facts.review_overdue),
        ):
            if moment is not None:
                yield moments, moment

    def _ending(self, now: float) -> Iterator[Sample]:
        for group in self._lease_ends.groups():
            over = self._lease_ends.until(group, now)
            for days in WITHIN_DAYS:
                ending = self._lease_ends.until(group, now + days * 86400) - over
                yield LEASES_ENDING, f'{group},days="{days}"', ending

    def _reviews(self, now: float) -> Iterator[Sample]:
        for group in self._owed["overdue"].groups():
            due, soon, overdue = (moments.until(group, now) for moments in self._owed.values())
            for urgency, count in (("due", due - soon), ("soon", soon - overdue), ("overdue", overdue)):
                yield REVIEWS_OWED, f'{group},urgency="{urgency}"', count


def text_of(samples: Iterable[Sample]) -> str:
    """The exposition text of all families."""
    lines: dict[GaugeFamily, list[str]] = {family: [] for family in FAMILIES}
    for family, labels, count in samples:
        lines[family].append(family.sample(labels, count))
    return "".join(family.text(held) for family, held in lines.items())


class _Moments:
    """Moments of each group, in order."""

    def __init__(self) -> None:
        self._sorted: dict[Group, list[int]] = {}

    def add(self, group: Group, moment: int) -> None:
        insort(self._sorted.setdefault(group, []), moment)

    def remove(self, group: Group, moment: int) -> None:
        held = self._sorted[group]
        del held[bisect_right(held, moment) - 1]
        if not held:
            del self._sorted[group]

    def until(self, group: Group, moment: float) -> int:
        """How many are not later than this one."""
        return bisect_right(self._sorted.get(group, []), moment)

    def firsts(self) -> Iterator[tuple[Group, int]]:
        return ((group, held[0]) for group, held in self._sorted.items())

    def groups(self) -> Iterable[Group]:
        return self._sorted.keys()


def _take(held: Counter[K], counted: Mapping[K, int]) -> None:
    held.subtract(counted)
    for key in counted:
        if not held[key]:
            del held[key]
