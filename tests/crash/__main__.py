"""`python -m crash`: every point of every scenario with every kind of credential, and slow mints that are met by
everything. The last line of the output is the sum, as JSON."""

import json
import sys

from crash.scenarios import ALL, DELETION, EXPIRY, SUSPENSION
from crash.slow import ALL as ALL_MEETINGS
from crash.slow import meet
from crash.sweep import Report, sweep
from crash.world import crash_world

ENDS = (SUSPENSION, EXPIRY, DELETION)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """The exit status tells whether all promises held."""
    total = Report()
    with crash_world() as world:
        for kind in ("Lease", "Token", "Expiring"):
            plan = [
                (scenario, "Expiring soon" if kind == "Expiring" and scenario in ENDS else kind)
                for scenario in ALL
            ]
            total += sweep(world, plan, _say)
        total += meet(world, ("Slow", "Endless"), ALL_MEETINGS, _say)
    for problem in total.problems:
        print(problem)
    for line in (*total.unreached, *total.errors):
        _say(line)
    print(json.dumps(total.as_json()))
    return 1 if total.problems or total.errors else 0


if __name__ == "__main__":
    sys.exit(main())
