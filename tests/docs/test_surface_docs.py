"""The page about drift says of every kind of finding what the code says."""

import json
import re
from pathlib import Path

from leasehold.core.drift import CLASS_OF, DriftClass
from leasehold.core.surface import Identity
from leasehold.core.surface_saved import to_saved
from mcp_surfaces import a_surface

PAGE = (Path(__file__).parents[2] / "docs" / "surface.md").read_text()


def section(heading: str) -> str:
    """What stands below a heading, up to the next one."""
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def cells(heading: str) -> list[list[str]]:
    rows = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_every_kind_is_documented_once_with_its_class_and_the_worst_come_first() -> None:
    documented = [(kind, drift_class) for kind, drift_class, *_ in cells("Kinds of findings")]
    assert documented == [(str(kind), str(drift_class)) for kind, drift_class in CLASS_OF.items()]


def test_every_class_is_documented() -> None:
    assert [name for name, *_ in cells("Classes")] == [
        str(each) for each in DriftClass if each is not DriftClass.NONE
    ]


def test_every_field_of_the_saved_file_is_documented() -> None:
    document = json.loads(to_saved(a_surface(), Identity("https://a.example", None)))
    fields = {
        f"{outer}.{inner}" if inner else outer
        for outer, value in document.items()
        for inner in (value if isinstance(value, dict) else [""])
    }
    assert {name for row in cells("The saved file") for name in re.findall(r"`([^`]+)`", row[0])} == fields
