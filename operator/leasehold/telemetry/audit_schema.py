"""Prints the published schema of audit records: `python -m leasehold.telemetry.audit_schema`."""

import json
import sys

from leasehold.core.audit import audit_schema


def schema_text() -> str:
    """The file as it is committed."""
    return json.dumps(audit_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
