"""`python -m benchmarks`: the benchmarks by name; `python -m benchmarks NAME [--json] [--quick] [--explain]` runs one.

They are no tests: they say how fast something is on this machine at this moment, and the load that it had.
"""

import argparse
import asyncio
import difflib
import json
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from benchmarks import handover
from benchmarks.figures import Case, table
from benchmarks.machine import NotReady

Benchmark = Callable[[argparse.Namespace], Coroutine[None, None, Sequence[Case]]]

BENCHMARKS: Final[dict[str, tuple[Benchmark, str]]] = {
    "handover": (handover.measure, "from the end of the model's reply to its next request, on the next task's branch"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark named; gives the exit status: 0, 1 when it could not be run, 2 for misuse."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", help="a benchmark; without it they are listed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="end within 50 s, with fewer measurements")
    parser.add_argument("--explain", action="store_true", help="tell where the time goes; this takes a little time itself")
    parser.add_argument("--case", action="append", help="run this case only; may be given more than once")
    options = parser.parse_args(arguments)
    if options.name is None:
        print("\n".join(f"{name:<12}{what}" for name, (_, what) in BENCHMARKS.items()))
        return 0
    if options.name not in BENCHMARKS:
        near = difflib.get_close_matches(options.name, BENCHMARKS, n=1, cutoff=0.4)
        meant = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(BENCHMARKS)}."
        print(f"there is no benchmark {options.name!r}. {meant}", file=sys.stderr)
        return 2
    load = round(os.getloadavg()[0], 2)
    measure, _ = BENCHMARKS[options.name]
    try:
        cases = asyncio.run(measure(options))
    except NotReady as why:
        print(why, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"benchmark": options.name, "load_1m": load, "cases": {case.name: case.as_json() for case in cases}}))
    else:
        print(table(options.name, load, cases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
