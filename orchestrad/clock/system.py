"""The machine's clocks. The monotonic one begins anew with each boot, so it is carried on by an offset."""

import time
from pathlib import Path

from orchestrad.core.ids import Micros, Now

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """`elapsed` is the monotonic clock plus an offset; it stands still while the machine sleeps."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def now(self) -> Now:
        """See Clock."""
        return Now(Micros(time.time_ns() // 1000), Micros(time.monotonic_ns() // 1000 + self._offset))


def boot_id() -> str:
    """What tells this boot of the machine from others; "" when the system does not say (then each start counts as a boot)."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def offset_for(*, kept: str | None, latest_elapsed: int) -> tuple[int, str]:
    """The offset with which `elapsed` goes on from `latest_elapsed`, and what to keep for the next start in this boot.

    `kept` is what the last start kept, "BOOT OFFSET"; within the same boot its offset goes on.
    """
    boot = boot_id()
    known, _, offset = (kept or "").partition(" ")
    if boot and known == boot:
        return int(offset), f"{boot} {offset}"
    fresh = latest_elapsed - time.monotonic_ns() // 1000 + 1
    return fresh, f"{boot} {fresh}"
