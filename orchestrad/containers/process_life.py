"""Processes of others: a signal that can't hit the wrong one, and a wait for the end of one."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from orchestrad.containers.runner import Process

HAS_PIDFD: Final = hasattr(os, "pidfd_open")  # Linux
LOOK_EVERY: Final = timedelta(milliseconds=50)  # where there are no pidfds


def send(process: Process, number: signal.Signals) -> bool:
    """Sends a signal; False when the process is gone."""
    try:
        if not HAS_PIDFD:
            if process.is_alive():
                os.kill(process.pid, number)
                return True
            return False
        with _pidfd(process) as handle:
            if handle is not None:
                signal.pidfd_send_signal(handle, number)
            return handle is not None
    except ProcessLookupError:
        return False


async def ended(process: Process) -> None:
    """Returns when the process has ended, on Linux at once."""
    if not HAS_PIDFD:
        while process.is_alive():  # noqa: ASYNC110 - the kernel has no event for it there
            await asyncio.sleep(LOOK_EVERY.total_seconds())
        return
    with _pidfd(process) as handle:
        if handle is None:
            return
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        # A reader is called again and again while its file is readable; the future takes only one result.
        loop.add_reader(handle, lambda: None if end.done() else end.set_result(None))
        try:
            await end
        finally:
            loop.remove_reader(handle)


async def ends_within(process: Process, limit: timedelta) -> bool:
    """Waits for the end of a process, at most `limit`."""
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await ended(process)
    except TimeoutError:
        return False
    return True


@contextlib.contextmanager
def _pidfd(process: Process) -> Iterator[int | None]:
    """A handle on exactly this process; None when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # Asked after the handle is held: it can't pass to another process any more.
        yield handle if process.is_alive() else None
    finally:
        os.close(handle)
