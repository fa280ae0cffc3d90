"""Instants and lengths as people read them: "14:02", "in 3 min"."""

from datetime import UTC, datetime, tzinfo

from orchestrad.core.ids import Now
from orchestrad.core.world import SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def length(micros: int) -> str:
    """A length in its largest unit, from an hour on in its two largest: "12 s", "3 min", "2 h 5 min", "3 d 4 h"."""
    micros = max(0, micros)
    if micros < MINUTE:
        return f"{micros // SECOND} s"
    if micros < HOUR:
        return f"{micros // MINUTE} min"
    large, small, names = (HOUR, MINUTE, ("h", "min")) if micros < DAY else (DAY, HOUR, ("d", "h"))
    rest = micros % large // small
    return f"{micros // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")


def clock(wall: int, now: Now, zone: tzinfo) -> str:
    """The time of day, with its date when that is not today's: "14:02", "3 Jan 14:02"."""
    then, today = _local(wall, zone), _local(now.wall, zone)
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then.day} {then:%b %H:%M}"


def since(at_wall: int, at: int, now: Now, zone: tzinfo) -> str:
    """How long something has been so; `at` is on the elapsed clock: "since 14:02 (3 min)"."""
    return f"since {clock(at_wall, now, zone)} ({length(now.elapsed - at)})"


def until(at: int, now: Now, zone: tzinfo) -> str:
    """When a deadline on the elapsed clock comes: "at 14:20 (in 3 min)", or "in a moment"."""
    return _until(at - now.elapsed, now, zone)


def until_wall(at_wall: int, now: Now, zone: tzinfo) -> str:
    """When a deadline on the wall clock comes; see `until`."""
    return _until(at_wall - now.wall, now, zone)


def wall_of(at: int, now: Now) -> int:
    """The wall clock's time of an instant on the elapsed clock, as the wall clock goes now."""
    return now.wall - (now.elapsed - at)


def _until(left: int, now: Now, zone: tzinfo) -> str:
    if left < SECOND:
        return "in a moment"
    return f"at {clock(now.wall + left, now, zone)} (in {length(left)})"


def _local(wall: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(wall / SECOND, UTC).astimezone(zone)
