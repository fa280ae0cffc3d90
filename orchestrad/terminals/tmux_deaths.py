"""Deaths in tmux, heard and not polled, from two sides.

The pane's `pane-died` hook is `wait-for -S`, and one `tmux wait-for` waits for it: no shell runs, no file lies about, tmux
never blocks, and a death while nobody listens is kept for the next one who does.
That is not enough: on the end of a pty tmux has libutempter run a helper, with SIGCHLD reset meanwhile; a program that dies in
that moment is never reaped and its hook never runs (tmux 3.3a of Debian: one death in five). So on Linux the programs'
pidfds are watched too. They can go when no supported tmux is built with utempter.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Final, NamedTuple

from orchestrad.terminals.port import TerminalMissing, TerminalsUnreachable
from orchestrad.terminals.tmux_command import NoServer, TmuxCommand
from orchestrad.terminals.tmux_marks import Marks, Pane

PAUSE: Final = timedelta(milliseconds=200)  # before a server that is ending or too busy is asked again
CATCHES_UP: Final = timedelta(milliseconds=20)  # a program is dead before tmux knows it

# A child that ends lets tmux reap all that have, also those whose signal it lost.
NUDGE: Final = ("run-shell", "-b", "true")


class Program(NamedTuple):
    """One program in a terminal; another one in the same terminal has another process id."""

    name: str
    pid: str


class Deaths:
    """Listens to one fleet's terminals; remembers only between two looks what has changed."""

    def __init__(self, tmux: TmuxCommand, marks: Marks) -> None:
        self._tmux = tmux
        self._marks = marks
        self._news = asyncio.Event()  # something was opened, has ended, or the listener is to end
        self._closed = asyncio.Event()

    def look_again(self) -> None:
        """There is a program that isn't watched yet, or a server again."""
        self._news.set()

    def close(self) -> None:
        self._closed.set()
        self._news.set()

    async def names(self) -> AsyncIterator[str]:
        """Names of terminals whose program has ended or that vanished; those found dead at the first look too."""
        living: set[Program] = set()
        told: set[Program] = set()
        pidfds: dict[Program, int] = {}
        ended: set[Program] = set()  # by word of the kernel
        hook: asyncio.Task[None] | None = None

        def has_ended(program: Program) -> None:
            forget(pidfds, program)
            ended.add(program)
            self._news.set()

        try:
            with contextlib.suppress(NoServer, TerminalsUnreachable):
                # Lets the waiting command of a daemon that was killed go; nobody else would.
                await self._tmux.run(("wait-for", "-S", self._marks.died))
            while not self._closed.is_set():
                self._news.clear()
                try:
                    panes = await self._look()
                except TerminalsUnreachable:
                    await self._pause()
                    continue
                dead = {Program(pane.name, pane.program) for pane in panes if pane.dead}
                seen = {Program(pane.name, pane.program) for pane in panes if not pane.dead}
                news = (dead | living) - seen - told
                living, told, ended = seen, dead, ended & seen
                for program in pidfds.keys() - living:
                    forget(pidfds, program)
                for program in living - pidfds.keys() - ended:
                    watch(pidfds, program, has_ended)
                for name in sorted({program.name for program in news}):
                    yield name
                if ended:
                    await asyncio.sleep(CATCHES_UP.total_seconds())
                    with contextlib.suppress(NoServer, TerminalMissing, TerminalsUnreachable):
                        await self._tmux.run(NUDGE)
                    continue
                if panes and (hook is None or hook.done()):
                    hook = asyncio.create_task(self._hook(), name="listen to pane-died")
                await self._news.wait()
        finally:
            for program in list(pidfds):
                forget(pidfds, program)
            if hook:
                hook.cancel()
                await asyncio.wait([hook])

    async def _look(self) -> tuple[Pane, ...]:
        try:
            return self._marks.panes(await self._tmux.look(self._marks.list_panes()))
        except NoServer:
            return ()

    async def _hook(self) -> None:
        try:
            await self._tmux.wait_for(self._marks.died)
        except NoServer:
            pass
        except TerminalsUnreachable:
            await self._pause()
        self._news.set()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), PAUSE.total_seconds())


def watch(pidfds: dict[Program, int], program: Program, then: Callable[[Program], None]) -> None:
    """Calls `then` when the program has ended, at once when it is gone already; does nothing where there are no pidfds."""
    if sys.platform != "linux":
        return
    try:
        pidfd = os.pidfd_open(int(program.pid))
    except ProcessLookupError:
        then(program)
    except OSError:  # an old kernel, or no descriptors left: the hook and the list remain
        return
    else:
        pidfds[program] = pidfd
        asyncio.get_running_loop().add_reader(pidfd, then, program)


def forget(pidfds: dict[Program, int], program: Program) -> None:
    pidfd = pidfds.pop(program, None)
    if pidfd is not None:
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
