"""A small event loop for the scripted agent: activities are generators that wait for time or for jobs.

asyncio alone takes longer to import than the whole agent may take to start. Blocking work (commands, HTTP) runs on a
thread of its own as a `Job`; everything else happens on one thread, so nothing needs a lock.
"""

import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress

OUTPUT_LIMIT = 30_000  # characters; the CLI's Bash tool cuts there too


class Job:
    """Blocking work on a thread of its own; the loop hears of its end."""

    def __init__(self) -> None:
        self.over = False
        self._loop: Loop | None = None

    def begin(self, loop: "Loop") -> None:
        self._loop = loop
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self.work()
        finally:
            self.over = True
            if self._loop is not None:
                self._loop.wake()

    def work(self) -> None:
        """What blocks; results are left on the job."""

    def cancel(self) -> None:
        """Nobody waits for this any more; a job that cannot be stopped runs out on its own."""


class Command(Job):
    """A child process in a session of its own. It is over when it has ended, whoever still holds its output open."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.argv, self.timeout, self.stdin, self.environment = argv, timeout, stdin, environment
        self.exit_code: int | None = None
        self.timed_out = self.cancelled = False
        self.stdout = self.stderr = ""
        self._process: subprocess.Popen[bytes] | None = None

    def work(self) -> None:
        # Files, not pipes: a background push that a git hook leaves behind would keep a pipe open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    self.argv, stdin=subprocess.PIPE, stdout=out, stderr=err, env=self.environment, start_new_session=True
                )
            except OSError as reason:
                self.exit_code, self.stderr = 127, f"cannot run {self.argv[0]}: {reason}"
                return
            self._process = process
            if self.cancelled:
                self._kill()
            try:
                process.communicate(self.stdin.encode(errors="surrogateescape"), timeout=self.timeout)
            except subprocess.TimeoutExpired:
                self.timed_out = True
                self._kill()
                process.wait()
            self.exit_code = process.returncode
            for file, name in ((out, "stdout"), (err, "stderr")):
                file.seek(0)
                setattr(self, name, file.read(4 * OUTPUT_LIMIT).decode(errors="replace")[:OUTPUT_LIMIT])

    def cancel(self) -> None:
        self.cancelled = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and not self.over:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


Wait = float | Sequence[Job]  # seconds, or the jobs that must all be over
Activity = Generator[Wait, None, None]


class Running:
    """An activity that has begun."""

    def __init__(self, loop: "Loop", activity: Activity) -> None:
        self._loop, self._activity = loop, activity
        self._jobs: Sequence[Job] = ()
        self.due = time.monotonic()
        self.over = self._is_stepping = False

    def is_ready(self, now: float) -> bool:
        return all(job.over for job in self._jobs) if self._jobs else now >= self.due

    def step(self) -> None:
        self._jobs, self._is_stepping = (), True
        try:
            wait = next(self._activity)
        except StopIteration:
            self.over = True
        finally:
            self._is_stepping = False
        if self.over:
            return
        if isinstance(wait, float | int):
            self.due = time.monotonic() + wait
        elif wait:
            self._jobs, self.due = wait, float("inf")
            for job in wait:
                job.begin(self._loop)

    def close(self) -> None:
        """Ends it where it stands, and the jobs it waits for."""
        self.over = True
        for job in self._jobs:
            job.cancel()
        if not self._is_stepping:  # it may be what asked for this
            self._activity.close()


class Loop:
    """Runs activities, and hands on what arrives at one file descriptor."""

    def __init__(self) -> None:
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._running: list[Running] = []

    def wake(self) -> None:
        with suppress(BlockingIOError):  # full: it wakes anyway
            os.write(self._wake_write, b"\0")

    def spawn(self, activity: Activity) -> Running:
        running = Running(self, activity)
        self._running.append(running)
        return running

    def close_all(self) -> None:
        for running in self._running:
            if not running.over:
                running.close()
        self._running.clear()

    def turn(self, source: int | None, read: Callable[[], None], idle_after: float | None = None) -> bool:
        """One round: waits for news at most `idle_after` seconds, then steps what is ready. False: the time ran out."""
        now = time.monotonic()
        due = min((r.due for r in self._running), default=float("inf"))
        wait = None if due == float("inf") else max(0.0, due - now)
        if any(r.is_ready(now) for r in self._running):
            wait = 0.0
        if idle_after is not None and (wait is None or idle_after < wait):
            wait = idle_after
        ready, _, _ = select.select([self._wake_read, *([] if source is None else [source])], [], [], wait)
        if self._wake_read in ready:
            with suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        if source in ready:
            read()
        now = time.monotonic()
        for running in list(self._running):
            if not running.over and running.is_ready(now):
                running.step()
        self._running = [running for running in self._running if not running.over]
        return bool(ready)
