"""How a person is shown what differs: approved on the left, live on the right, and nothing that is the same."""

import io
import shutil
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leasehold.api.base import rfc3339
from leasehold.api.connection import MCPConnection
from leasehold.api.profile import MCPServerProfile, SurfaceSource
from leasehold.cli.review_subjects import Difference
from leasehold.core.drift import DriftClass, collapse, worst
from leasehold.core.drift_report import MEANS
from leasehold.core.hidden_text import visible
from leasehold.core.side_by_side import LONGEST_VALUE, NOTHING, Changed, SideBySide, side_by_side

NARROWEST: Final = 80
ITEMS_SHOWN: Final = 50
ROWS_SHOWN: Final = 60
LONGEST_LINE: Final = 1000

_ONE: Final = {"tools": "tool", "prompts": "prompt", "resourceTemplates": "resource template"}


def compared(difference: Difference, *, full: bool = False) -> SideBySide | None:
    """What differs; None where nothing was ever captured."""
    if difference.live is None:
        return None
    return side_by_side(difference.approved or NOTHING, difference.live, None if full else LONGEST_VALUE)


def class_of(found: SideBySide | None) -> DriftClass:
    """How bad it is; what was never captured is for review, for nobody knows."""
    return DriftClass.REVIEW if found is None else worst(found.findings)


def needs_a_person(difference: Difference, found: SideBySide | None) -> bool:
    """Whether there is something to look at, or nothing to compare with."""
    return found is None or difference.approved is None or class_of(found).rank > DriftClass.BENIGN.rank


def shown(
    difference: Difference, found: SideBySide | None, connections: Sequence[MCPConnection], *, full: bool
) -> str:
    """The whole difference as text, for a terminal as wide as this one."""
    lines = [*_head(difference, connections), ""]
    if found is None:
        why = "it could not be read" if difference.trouble else "it was never captured"
        return "\n".join([*lines, f"Nothing is known of what the server exposes: {why}.", ""])
    lines += [_summary(found), ""]
    items = found.changed if full else found.changed[:ITEMS_SHOWN]
    for changed in items:
        lines += [_title(changed), _table(changed, full=full)]
    if len(found.changed) > len(items):
        lines += [f"{len(found.changed) - len(items)} more that differ are not shown; --full shows them", ""]
    kept = [_counted(section, count) for section, count in found.unchanged.items() if count]
    if kept:
        lines += [f"the same as approved: {', '.join(kept)}", ""]
    return "\n".join(lines)


def _head(difference: Difference, connections: Sequence[MCPConnection]) -> Iterator[str]:
    for connection in connections:
        spec, approval = connection.spec, connection.status.approval
        said = f", approved by {approval.reviewer} at {rfc3339(approval.time)}" if approval else ""
        yield _line(f"connection  {connection.key}, agent {spec.agent.name}, owner {spec.owner.user}{said}")
    profile, surface = difference.profile, difference.surface
    if profile is None:
        yield _line(f"profile     {difference.trouble or 'it does not exist'}")
        return
    where = profile.spec.url or " ".join(profile.spec.command)
    yield _line(f"profile     {profile.metadata.name}: {where}")
    if surface is not None:
        yield f"approved    {_approved(difference, profile)}"
        word = "supplied, not probed" if surface.source is SurfaceSource.SUPPLIED else "probed"
        yield f"live        {surface.digest}, since {rfc3339(surface.captured_time)}, {word}"


def _approved(difference: Difference, profile: MCPServerProfile) -> str:
    digest = difference.approved_digest
    if digest is None:
        return "nothing, so all that is exposed is shown"
    git = ", as the profile's approvedSurface says" if digest == profile.spec.approved_surface else ""
    unrecorded = ", in no snapshot, so all that is exposed is shown" if difference.approved is None else ""
    return digest + git + unrecorded


def _summary(found: SideBySide) -> str:
    drift_class = class_of(found)
    told = ", ".join(
        f"{each.kind} {each.item}".rstrip() + (f" ({each.count})" if each.count > 1 else "")
        for each in collapse(found.findings)
    )
    return _line(f"{drift_class}: {MEANS[drift_class]}{f' {told}' if told else ''}")


def _title(changed: Changed) -> str:
    what = f"{_ONE[changed.section]} {changed.item}" if changed.section in _ONE else "the server itself"
    kinds = ", ".join(f"{kind}" for kind in changed.kinds) or "as sent, not as it counts"
    facets = f" (its {', '.join(changed.facets)})" if changed.facets else ""
    return _line(f"{changed.drift_class:<9} {what}{facets}: {kinds}")


def _table(changed: Changed, *, full: bool) -> str:
    rows = changed.rows if full else changed.rows[:ROWS_SHOWN]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    for title, ratio in (("  ", 3), ("approved", 5), ("live", 5)):
        table.add_column(Text(title), ratio=ratio, overflow="fold")
    for row in rows:
        table.add_row(Text(f"  {row.path}"), Text(row.before or ""), Text(row.after or ""))
    width = max(shutil.get_terminal_size((120, 24)).columns, NARROWEST)
    sink = io.StringIO()
    Console(file=sink, width=width, color_system=None, highlight=False, legacy_windows=False).print(table)
    text = "".join(f"{line.rstrip()}\n" for line in sink.getvalue().splitlines())
    more = len(changed.rows) - len(rows)
    return text + (f"  {more} more places are not shown; --full shows them\n" if more else "")


def _counted(section: str, count: int) -> str:
    return f"{count} {_ONE[section]}{'s' if count > 1 else ''}"


def _line(text: str) -> str:
    return visible(text, LONGEST_LINE)
