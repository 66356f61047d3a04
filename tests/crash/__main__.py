"""`python -m crash`: every point of every scenario with every kind of credential, slow mints that are met by
everything, and servers that fail at every request. The last line of the output is the sum, as JSON."""

import json
import sys

from crash.harms import (
    KUBERNETES_HARMS,
    MORE_KUBERNETES_HARMS,
    MORE_VAULT_HARMS,
    VAULT_HARMS,
    kubernetes_troubles,
    vault_troubles,
)
from crash.scenarios import ALL, DELETION, EXPIRY, SUSPENSION
from crash.slow import ALL as ALL_MEETINGS
from crash.slow import meet
from crash.sweep import Report, sweep
from crash.troubles import endure
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
        troubles = [
            *vault_troubles([*VAULT_HARMS, *MORE_VAULT_HARMS]),
            *kubernetes_troubles([*KUBERNETES_HARMS, *MORE_KUBERNETES_HARMS]),
        ]
        unhealed = endure(world, troubles).problems
    for problem in (*total.problems, *unhealed):
        print(problem)
    for line in (*total.unreached, *total.errors):
        _say(line)
    print(json.dumps({**total.as_json(), "troubles": len(troubles), "troubles_not_overcome": len(unhealed)}))
    return 1 if total.problems or total.errors or unhealed else 0


if __name__ == "__main__":
    sys.exit(main())
