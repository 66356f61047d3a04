"""`python -m dashboards`: write the dashboards, or say whether they are up to date."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.fleet import fleet_dashboard
from dashboards.operator_work import operator_dashboard

DIRECTORY = PurePosixPath("charts", "leasehold", "files", "dashboards")


def generated_files() -> Mapping[PurePosixPath, str]:
    """Each dashboard's text, by its path in the project. The same code makes the same bytes."""
    encode = JSONEncoder(sort_keys=True, indent=2).encode
    dashboards = {"fleet.json": fleet_dashboard(), "operator.json": operator_dashboard()}
    return {DIRECTORY / name: encode(dashboard) + "\n" for name, dashboard in dashboards.items()}


def stale_files(root: Path) -> list[str]:
    """The dashboards below `root` that are missing or differ, and what else lies beside them."""
    wanted = generated_files()
    stale = [
        str(path)
        for path, text in wanted.items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]
    strangers = {DIRECTORY / found.name for found in (root / DIRECTORY).glob("*")} - wanted.keys()
    return sorted([*stale, *map(str, strangers)])


def main() -> int:
    """The exit status: 1 if `--check` found something stale."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="the project's directory (default: here)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where files are stale")
    options = parser.parse_args()
    if not options.check:
        for path, text in generated_files().items():
            (options.output / path).parent.mkdir(parents=True, exist_ok=True)
            (options.output / path).write_text(text, encoding="utf-8")
        return 0
    stale = stale_files(options.output)
    for found in stale:
        sys.stderr.write(f"{found} is not what dashboards/ makes; run `make generate`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
