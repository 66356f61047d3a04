"""The corpus: objects with the verdict that the models and the API server must both give.

A case says only how it differs from its file's `base`: `set` and `unset` (paths with dots; a slash before a
last key that has dots itself), `repeat` (a text so many times), then perhaps an `update` or a `status`."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from leasehold.api.base import Resource
from leasehold.api.crd import KINDS

CORPUS = Path(__file__).parent / "corpus"
BY_KIND = {kind.KIND: kind for kind in KINDS}


@dataclass(frozen=True)
class Case:
    """One object, or one step from `before` to `after`; `field` is empty where it must be accepted."""

    title: str
    kind: type[Resource]
    before: dict[str, Any] | None
    after: dict[str, Any]
    is_status: bool
    defaults: Mapping[str, Any]
    field: str = ""
    says: str = ""

    @property
    def id(self) -> str:
        return f"{self.kind.KIND}-{self.title}".replace(" ", "_")


@cache
def corpus() -> tuple[Case, ...]:
    return tuple(case for path in sorted(CORPUS.glob("*.yaml")) for case in _cases(path))


def read_path(source: Mapping[str, Any], path: str) -> Any:
    """What is at a dotted path."""
    found: Any = source
    for key in _keys(path):
        found = found[key]
    return found


def with_value(source: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy that has this value at a dotted path."""
    copy = deepcopy(dict(source))
    *parents, last = _keys(path)
    target = copy
    for key in parents:
        target = target.setdefault(key, {})
    target[last] = value
    return copy


def _cases(path: Path) -> Iterator[Case]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for written in document["cases"]:
        known = {"title", "set", "unset", "repeat", "update", "update_unset", "status", "refused", "defaults"}
        assert not written.keys() - known, f"{path.name}: {written}"
        yield _case(BY_KIND[document["kind"]], document["base"], written)


def _case(kind: type[Resource], base: dict[str, Any], written: dict[str, Any]) -> Case:
    first = _changed(base, written.get("set", {}), written.get("unset", ()))
    for path, times in written.get("repeat", {}).items():
        first = with_value(first, path, read_path(first, path) * times)
    before, after = None, first
    if written.keys() & {"update", "update_unset"}:
        before = first
        after = _changed(first, written.get("update", {}), written.get("update_unset", ()))
    if "status" in written:
        before, after = first, {**first, "status": written["status"]}
    return Case(
        title=written["title"],
        kind=kind,
        before=before,
        after=after,
        is_status="status" in written,
        defaults=written.get("defaults", {}),
        **written.get("refused", {}),
    )


def _changed(source: dict[str, Any], values: Mapping[str, Any], absent: Any) -> dict[str, Any]:
    for path, value in values.items():
        source = with_value(source, path, value)
    copy = deepcopy(source)
    for path in absent:
        parent, _, last = path.rpartition(".")
        del read_path(copy, parent)[last]
    return copy


def _keys(path: str) -> list[str]:
    dotted, slash, last = path.partition("/")
    return dotted.split(".") + ([last] if slash else [])
