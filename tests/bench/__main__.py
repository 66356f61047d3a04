"""`python -m bench run`, `scale` and `breakglass`: progress on stderr; at the end one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, Final

from bench.breakglass import run_breakglass
from bench.engines import ENGINES, EngineName
from bench.run import run_bench
from bench.scale import run_scale
from bench.stage import Say
from controlplane import Plane, open_plane
from controlplane.cache import say

MEASURES: Final[dict[str, Callable[[Plane, EngineName, int, Say], Any]]] = {
    "run": run_bench,
    "scale": run_scale,
    "breakglass": run_breakglass,
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", choices=list(MEASURES))
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--engine", choices=ENGINES, default="otp")
    given = parser.parse_args()
    if given.connections < 1:
        parser.error("at least one connection is needed")
    with open_plane() as plane:
        report = MEASURES[given.what](plane, given.engine, given.connections, say)
    print(json.dumps(report.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
