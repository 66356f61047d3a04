"""The demo shows the examples, not look-alikes: each manifest is a file of `examples/` with the few changes
that one machine and a short evening need."""

from pathlib import Path
from string import Template
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent

Manifest = dict[str, Any]


def demo_manifests(**places: str) -> list[Manifest]:
    """Store, profiles and connections, in the order of `changes.yaml`; `places` fill its ${…}."""
    text = Template((HERE / "changes.yaml").read_text()).substitute(places)
    return [_changed(EXAMPLES / entry["example"], entry.get("change", {})) for entry in yaml.safe_load(text)]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of these kinds, in order."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def _changed(example: Path, change: Manifest) -> Manifest:
    manifest: Manifest = _merged(yaml.safe_load(example.read_text()), change)
    return manifest


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
