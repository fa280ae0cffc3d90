"""`orchestrad --config DIR`: runs the daemon in the foreground, with a live status where a terminal looks on."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrad.daemon.wiring import Show


def run(config_directory: Path, *, until_done: bool, log_format: str, log_level: str) -> int:
    """Runs until the fleet has ended; gives the exit status."""
    from orchestrad.daemon import service  # noqa: PLC0415  (all of it, and what it needs)

    return service.run(
        config_directory,
        until_done=until_done,
        log_format="json" if log_format == "json" else "console",
        log_level=log_level,
        show=live_status() if log_format == "auto" else None,
    )


def live_status() -> "Show | None":
    """The live status, if a person looks on at a terminal that can be redrawn."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI"):
        return None
    from orchestrad.cli.live import LiveStatus  # noqa: PLC0415  (rich)

    return LiveStatus().show
