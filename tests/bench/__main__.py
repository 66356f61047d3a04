"""`python -m bench run` and `python -m bench scale`: progress on stderr; at the end one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys

from bench.engines import ENGINES
from bench.run import run_bench
from bench.scale import run_scale
from controlplane import open_plane
from controlplane.cache import say


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", choices=["run", "scale"])
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--engine", choices=ENGINES, default="otp")
    given = parser.parse_args()
    if given.connections < 1:
        parser.error("at least one connection is needed")
    with open_plane() as plane:
        measure = run_bench if given.what == "run" else run_scale
        report = measure(plane, given.engine, given.connections, say)
    print(json.dumps(report.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
