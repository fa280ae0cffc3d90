"""How long to wait before trying again: doubling, with a cap, and spread so that not all wake at once."""

from orchestrad.core.ids import derive
from orchestrad.core.world import SECOND, Settings


def restart_wait(settings: Settings, deaths: int, *spread: object) -> int:
    """Microseconds from the death of a run to the next start; `deaths` counts from 1 and the first wait is `restart_first`.

    From the second death on: half of the doubled length, plus up to the other half, drawn by hash from `spread`.
    """
    if deaths <= 1:
        return settings.restart_first
    length = min(settings.restart_max, SECOND * settings.restart_factor ** min(deaths - 2, 32))
    share = int(derive(*spread, digits=8), 16) / 0xFFFFFFFF
    return int(length / 2 + length / 2 * share)


def api_wait(failures: int) -> int:
    """Microseconds to wait after the API has failed so often in a row: 5 s, 10 s … 5 min."""
    return int(min(300, 5 * 2 ** min(failures - 1, 10))) * SECOND


def upstream_wait(failures: int) -> int:
    """Microseconds to wait after upstream was away so often in a row: 2 s, 4 s … 5 min."""
    return int(min(300, 2 ** min(failures, 10))) * SECOND
