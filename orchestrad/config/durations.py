"""Lengths of time as people write them: seconds, or "5m", "1h30m"."""

import re
from datetime import timedelta
from typing import Final

LONGEST: Final = timedelta(days=366)  # a longer one is a slip of the keyboard, and far from what timedelta can hold
PATTERN: Final = r"^(?=.)(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s)?$|^\d+(\.\d+)?$"

_PARTS: Final = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_duration(value: object) -> timedelta | None:
    """The length that `value` names: a number of seconds, or a text; None if it is neither, negative or over a year."""
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds <= LONGEST.total_seconds():
        return None
    return timedelta(seconds=seconds)


def format_duration(length: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `length`; "0s" for none."""
    seconds = length.total_seconds()
    parts = []
    for unit, size in _SECONDS.items():
        whole = seconds // size if unit != "s" else seconds
        if whole:
            parts.append(f"{whole:g}{unit}" if whole < 1e6 else f"{whole:.0f}{unit}")
            seconds -= whole * size
    return "".join(parts) or "0s"


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or not re.match(PATTERN, value.strip(), re.ASCII):
        return None
    text = value.strip()
    if text[-1].isdigit():
        return float(text)
    return sum(float(count) * _SECONDS[unit] for count, unit in _PARTS.findall(text))
