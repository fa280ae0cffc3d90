"""Where the time of a hand-over goes, by the times at which the daemon noted its steps (its log at level debug).

The log tells wall times, the stand-in monotonic ones; the difference of the two clocks is taken once. A step of less than
a millisecond is not to be believed.
"""

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

STEPS: Final = {
    "hook.arrived": "the CLI ends the turn; script: status, push, post",
    "hook.read": "daemon: what the hub has of it",
    "hook.answered": "daemon: decided, committed, answered",
    "acknowledgement.arrived": "script: check out, acknowledge",
    "acknowledgement.answered": "daemon: committed, answered",
    "request": "script ends; the CLI asks the model",
}


def parts_of(waits: Sequence[tuple[str, float, float]], log: Path) -> dict[str, Sequence[float]]:
    """The parts of these waits (agent, begin and end, CLOCK_MONOTONIC in seconds) in milliseconds, by what happens in them.

    A wait in which other steps lie than a hand-over has (a post that was sent again, say) is left out.
    """
    offset = time.time() - time.monotonic()
    steps = sorted(_steps(log, offset))
    found: dict[str, list[float]] = defaultdict(list)
    for agent, begin, end in waits:
        within = [(at, name) for at, name, whose in steps if whose == agent and begin < at < end]
        if [name for _, name in within] != list(STEPS)[:-1]:
            continue
        for (before, _), (at, name) in pairwise([(begin, ""), *within, (end, "request")]):
            found[STEPS[name]].append((at - before) * 1000)
    return dict(found)


def _steps(log: Path, offset: float) -> list[tuple[float, str, str]]:
    lines = (json.loads(line) for line in log.read_text().splitlines())
    return [
        (datetime.fromisoformat(line["timestamp"]).timestamp() - offset, line["event"], line["agent"])
        for line in lines
        if line["event"] in STEPS and line.get("hook", "Stop") == "Stop"
    ]
