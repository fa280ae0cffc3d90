"""The daemon's life: from the config to the last run, for a person at a terminal, a script, or systemd."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog

from orchestrad.config.load import load
from orchestrad.config.model import Config
from orchestrad.config.places import Places
from orchestrad.config.problems import ConfigErrors
from orchestrad.config.repository import check_repository
from orchestrad.core.observations import EndAsked
from orchestrad.core.world import SECOND
from orchestrad.daemon import logs
from orchestrad.daemon.startup import locked, make_state
from orchestrad.daemon.wiring import Fleet, Show, wire
from orchestrad.errors import OrchestradError
from orchestrad.store.port import CommitFailed

log = structlog.get_logger("orchestrad.service")

GRACE = 30 * SECOND  # how long turns may take to end after Ctrl-C
GIT_CHATTER = ("remote:", "From ", "* [")
DONE, TROUBLE, BAD_CONFIG = 0, 1, 2


def run(
    config_directory: Path,
    *,
    until_done: bool = False,
    log_format: logs.Format = "console",
    log_level: str = "info",
    show: Show | None = None,
) -> int:
    """Runs the fleet of this config directory; gives the exit status.

    0: ended as asked, or with `until_done` every task is merged; 1: some are blocked, or it could not go on; 2: bad config.
    With `show` that is what the terminal shows, instead of log lines.
    """
    with ExitStack() as stack:
        try:
            config = load(config_directory, os.environ)
            problems = asyncio.run(check_repository(config, os.environ, file=config_directory / "orchestrator.json"))
            if problems:
                raise ConfigErrors(problems)
            make_state(config.state_directory)
            stack.enter_context(locked(config.state_directory))
        except ConfigErrors as errors:
            print(errors, file=sys.stderr)  # noqa: T201  # before there is a log
            return BAD_CONFIG
        except OrchestradError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return BAD_CONFIG
        redactor = logs.Redactor()
        stack.callback(
            logs.configure(
                directory=Places(config.state_directory).logs,
                console=sys.stderr if show is None else None,
                form=log_format,
                level=log_level,
                redactor=redactor,
            )
        )
        return asyncio.run(_serve(config, config_directory, redactor, until_done=until_done, show=show))


async def _serve(config: Config, directory: Path, redactor: logs.Redactor, *, until_done: bool, show: Show | None) -> int:
    """Serves until the fleet has ended; a store that failed is loaded anew, with growing waits."""
    wait = 0.5
    progress = _progress(aloud=show is not None)
    while True:
        try:
            async with wire(config, directory, redactor, until_done=until_done, progress=progress) as fleet:
                return await _watched(fleet, show)
        except CommitFailed as error:
            log.error("store.failed", why=str(error), again_in=wait)
            await asyncio.sleep(wait)
            wait = min(30.0, wait * 2)
        except OrchestradError as error:
            log.error("daemon.stopped", why=str(error))
            if show is not None:
                print(error, file=sys.stderr)  # noqa: T201  # no log line is shown there
            return TROUBLE


def _progress(*, aloud: bool) -> Callable[[str], None]:
    def show(line: str) -> None:
        if line.startswith(GIT_CHATTER) or ("%" in line and "100%" not in line):
            return
        if aloud:
            print(line, file=sys.stderr, flush=True)  # noqa: T201  # before the status is drawn
        log.info("daemon.prepares", step=line)

    return show


async def _watched(fleet: Fleet, show: Show | None) -> int:
    """Runs the fleet with signals taken: Ctrl-C ends it, TERM leaves its agents at work."""
    loop = asyncio.get_running_loop()
    leave = asyncio.Event()

    def end() -> None:
        busy = fleet.busy()
        if busy:
            some = f"{len(busy)} turn{'s' if len(busy) > 1 else ''}"
            print(f"\nwaiting for {some} to end ({', '.join(busy)}); Ctrl-C again stops them now", file=sys.stderr)  # noqa: T201
        fleet.reactor.offer(EndAsked(GRACE, "Ctrl-C"))

    loop.add_signal_handler(signal.SIGINT, end)
    for leaving in (signal.SIGTERM, signal.SIGHUP):  # an upgrade, or a closed terminal: no agent loses its turn
        loop.add_signal_handler(leaving, leave.set)
    try:
        return await fleet.run(leave, show)
    finally:
        for taken in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(taken)
