"""The manifests of docs/breakglass.md, on their own or typed into a command."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

PAGE = (Path(__file__).parents[1] / "docs" / "breakglass.md").read_text()
FENCED = re.compile(r"^ *```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
TYPED = re.compile(r"<<'YAML'\n(.*?)^YAML$", re.DOTALL | re.MULTILINE)


def manifests() -> list[dict[str, Any]]:
    """Every object on the page."""
    texts = [dedent(text) for text in FENCED.findall(PAGE)] + TYPED.findall(PAGE)
    return [each for text in texts for each in yaml.safe_load_all(text)]
