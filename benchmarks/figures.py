"""What a benchmark gives: figures per case, as one JSON object or as a table for people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One case: its measurements in milliseconds, and what else is worth knowing of it."""

    name: str
    times_ms: Sequence[float]
    goal: str = ""  # "p50 < 90 ms": what the figures are compared with by a person
    parts: dict[str, Sequence[float]] = field(default_factory=dict)  # name of a part → its times, when asked for
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "n": len(self.times_ms),
            "p50_ms": percentile(self.times_ms, 50),
            "p90_ms": percentile(self.times_ms, 90),
            "p99_ms": percentile(self.times_ms, 99),
            "max_ms": percentile(self.times_ms, 100),
            "goal": self.goal,
            **self.more,
        }
        if self.parts:
            told["parts"] = {
                name: {"p50_ms": percentile(times, 50), "p99_ms": percentile(times, 99)} for name, times in self.parts.items()
            }
        return told


def percentile(times: Sequence[float], part: float) -> float | None:
    """The smallest of the measurements that `part` percent of them don't exceed; None without measurements."""
    if not times:
        return None
    return round(sorted(times)[max(0, math.ceil(len(times) * part / 100) - 1)], 1)


def table(benchmark: str, load: float, cases: Sequence[Case]) -> str:
    """The same for people."""
    lines = [f"{benchmark} (the machine's load before: {load})", ""]
    lines.append(f"{'case':<16}{'n':>6}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}   goal")
    for case in cases:
        times = "".join(f"{_shown(percentile(case.times_ms, part)):>9}" for part in (50, 90, 99, 100))
        lines.append(f"{case.name:<16}{len(case.times_ms):>6}{times}   {case.goal}")
    for case in cases:
        if case.parts:
            lines += ["", f"{case.name}, where the time goes:"]
        for name, part in case.parts.items():
            lines.append(f"  {name:<52}{_shown(percentile(part, 50)):>9}{_shown(percentile(part, 99)):>9}")
    return "\n".join([*lines, "", "Times are in milliseconds; of the parts p50 and p99."])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
