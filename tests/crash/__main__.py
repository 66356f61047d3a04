"""`python -m crash`: every point of every scenario with every kind of credential, slow mints that are met by
everything, and servers that fail at every request. The last line of the output is the sum, as JSON."""

import json
import sys
import time
from collections.abc import Callable

from crash.harms import (
    KUBERNETES_HARMS,
    LASTING_KUBERNETES_HARMS,
    MORE_KUBERNETES_HARMS,
    MORE_VAULT_HARMS,
    VAULT_HARMS,
    kubernetes_troubles,
    lasting_kubernetes_troubles,
    vault_troubles,
)
from crash.scenarios import ALL, BREAKGLASS, DELETION, EXPIRY, SUSPENSION, Scenario
from crash.slow import ALL as ALL_MEETINGS
from crash.slow import meet
from crash.sweep import Report, sweep
from crash.troubles import endure
from crash.world import CrashWorld, crash_world

ENDS = (SUSPENSION, EXPIRY, DELETION, BREAKGLASS)
KINDS = ("Lease", "Token", "Expiring")


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


def _kind(scenario: Scenario, kind: str) -> str:
    """Nobody can end a JWT, so the ones that are to end have to run out soon."""
    return "Expiring soon" if kind == "Expiring" and scenario in ENDS else kind


def _kill_operators(world: CrashWorld) -> Report:
    return sweep(world, [(scenario, _kind(scenario, kind)) for kind in KINDS for scenario in ALL], _say)


def _meet_slow_mints(world: CrashWorld) -> Report:
    return meet(world, ("Slow", "Endless"), ALL_MEETINGS, _say)


def _harm_requests(world: CrashWorld) -> Report:
    return endure(
        world,
        [
            *vault_troubles([*VAULT_HARMS, *MORE_VAULT_HARMS]),
            *kubernetes_troubles([*KUBERNETES_HARMS, *MORE_KUBERNETES_HARMS]),
            *lasting_kubernetes_troubles(LASTING_KUBERNETES_HARMS),
        ],
        _say,
    ).report


PARTS: tuple[tuple[str, Callable[[CrashWorld], Report]], ...] = (
    ("operators are killed", _kill_operators),
    ("slow mints are met", _meet_slow_mints),
    ("servers fail", _harm_requests),
)


def main() -> int:
    """The exit status tells whether all promises held."""
    begun, total = time.monotonic(), Report()
    with crash_world() as world:
        for name, part in PARTS:
            _say(name)
            report = part(world)
            for line in (*report.problems, *report.errors):
                print(line, flush=True)
            for line in report.unreached:
                _say(f"not reached: {line}")
            total += report
    print(json.dumps({**total.as_json(), "seconds": round(time.monotonic() - begun)}))
    return 1 if total.problems or total.errors else 0


if __name__ == "__main__":
    sys.exit(main())
