"""Deaths of processes, noticed by a handle on each runner; the files say how it ended."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from orchestrad.containers.port import Died, Doubt, EngineUnreachable, RunSeen, RunState
from orchestrad.containers.process_life import ended
from orchestrad.containers.runner import Process
from orchestrad.core.ids import ContainerId

BEGINNING_LOOKED_FOR_EVERY: Final = timedelta(milliseconds=50)  # a run begins outside the daemon, by its terminal
OUT_OF_REACH_LOOKED_FOR_EVERY: Final = timedelta(seconds=1)


class ProcessWatch:
    """One listener. `stir()` makes it look again, `close()` ends it."""

    def __init__(
        self, look: Callable[[], Awaitable[tuple[RunSeen, ...]]], runner_of: Callable[[ContainerId], Process | None]
    ) -> None:
        self._look = look
        self._runner_of = runner_of
        self._stirred = asyncio.Event()
        self._closed = False
        self._living: dict[ContainerId, RunSeen] = {}  # as of the last look
        self._watches: dict[ContainerId, asyncio.Task[None]] = {}

    def stir(self) -> None:
        self._stirred.set()

    def close(self) -> None:
        self._closed = True
        self.stir()

    async def news(self) -> AsyncGenerator[Died | Doubt, None]:
        """A Doubt whenever the files can be read (again), then each death once."""
        known_dead: set[ContainerId] = set()
        doubt: str | None = "watching the fleet's processes began"
        try:
            while not self._closed:
                self._stirred.clear()
                try:
                    runs = {run.id: run for run in await self._look()}
                except EngineUnreachable as problem:
                    doubt = str(problem)
                    await self._pause(OUT_OF_REACH_LOOKED_FOR_EVERY)
                    continue
                dead = self._removed(runs) | {run.id: run for run in runs.values() if run.state is RunState.EXITED}
                if doubt is not None:
                    known_dead = set(dead)
                    news, doubt = Doubt(doubt), None
                    yield news
                for run in dead.values():
                    self._forget(run.id)
                    if run.id not in known_dead:
                        known_dead.add(run.id)
                        yield Died(run)
                known_dead &= runs.keys()
                self._living = {run.id: run for run in runs.values() if run.state is not RunState.EXITED}
                self._watch(run.id for run in self._living.values() if run.state is RunState.RUNNING)
                beginning = any(run.state is RunState.CREATED for run in self._living.values())
                await self._pause(BEGINNING_LOOKED_FOR_EVERY if beginning else None)
        finally:
            for watch in self._watches.values():
                watch.cancel()
            await asyncio.gather(*self._watches.values(), return_exceptions=True)

    def _removed(self, runs: dict[ContainerId, RunSeen]) -> dict[ContainerId, RunSeen]:
        """Those that were alive and whose files are gone: they were killed, how they ended is not known."""
        return {run.id: replace(run, state=RunState.EXITED) for run in self._living.values() if run.id not in runs}

    def _watch(self, running: Iterable[ContainerId]) -> None:
        for run in running:
            if run not in self._watches:
                self._watches[run] = asyncio.create_task(self._until_ended(run), name=f"watch {run}")

    async def _until_ended(self, run: ContainerId) -> None:
        if process := self._runner_of(run):
            await ended(process)
        self.stir()

    def _forget(self, run: ContainerId) -> None:
        if watch := self._watches.pop(run, None):
            watch.cancel()

    async def _pause(self, limit: timedelta | None) -> None:
        """Until stirred, at most `limit`."""
        try:
            async with asyncio.timeout(limit.total_seconds() if limit else None):
                await self._stirred.wait()
        except TimeoutError:
            return
