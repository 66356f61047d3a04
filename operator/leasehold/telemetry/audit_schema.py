"""Writes the published schema of audit records: `python -m leasehold.telemetry.audit_schema`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from leasehold.core.audit import audit_schema

SCHEMA: Final = Path("docs", "reference", "audit.schema.json")


def schema_text() -> str:
    """The file as it is committed."""
    return json.dumps(audit_schema(), indent=2) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 1 if `--check` found the file stale."""
    parser = argparse.ArgumentParser(prog="python -m leasehold.telemetry.audit_schema", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="the project's directory (default: here)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file is stale")
    options = parser.parse_args(arguments)
    file, text = options.output / SCHEMA, schema_text()
    if not options.check:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return 0
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{SCHEMA} is not what the code makes; run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
