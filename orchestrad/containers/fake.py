"""An engine in memory, under the same contract as the real ones, with knobs for trouble.

The knobs are plain methods and attributes; what they do shows through the port only.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from orchestrad.containers.port import CannotStart, Died, Doubt, EngineUnreachable, Listener, NameTaken, RunSeen, RunSpec, RunState
from orchestrad.core.ids import AgentName, ContainerId
from orchestrad.errors import Gone, OrchestradError

OBEYED_TERM: Final = 143
KILLED: Final = 137


@dataclass(slots=True)
class _Run:
    spec: RunSpec
    seen: RunSeen
    over: asyncio.Event = field(default_factory=asyncio.Event)


class FakeContainers:
    """Runs that are entries of a dictionary; with `begins_in_terminal` CREATED until `begin`, as under engine `process`."""

    def __init__(self, *, begins_in_terminal: bool = False) -> None:
        self._begins_in_terminal = begins_in_terminal
        self._runs: dict[ContainerId, _Run] = {}
        self._listeners: set[asyncio.Queue[Died | Doubt | None]] = set()
        self._silence: str | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._late: list[Callable[[], object]] = []
        self._orders = 0
        self.refusals: dict[AgentName, str] = {}  # starts of these agents are refused for this reason
        self.absent: set[Path] = set()  # mounts of these are refused
        self.deaf: set[AgentName] = set()  # these ignore TERM
        self.suspended: dict[ContainerId, int] = {}  # these do nothing until woken, and then end with this status
        self.woken: list[ContainerId] = []
        self.specs: list[RunSpec] = []  # of all runs that were started, in order

    # Knobs

    def begin(self, run: ContainerId) -> None:
        """The run's terminal has opened."""
        if run in self._runs and self._runs[run].seen.state is RunState.CREATED:
            self._change(run, state=RunState.RUNNING)

    def die(self, agent: AgentName, exit_code: int = KILLED, *, out_of_memory: bool = False, told: bool = True) -> None:
        """Ends the agent's run from outside; not `told`: only a list shows it."""
        alive = [id_ for id_, run in self._runs.items() if run.spec.agent == agent and run.seen.state is not RunState.EXITED]
        for run in alive:
            self._end(run, exit_code, out_of_memory=out_of_memory, told=told)

    def unreachable(self, reason: str = "the engine does not answer") -> None:
        """From now on nothing can be asked and nothing is told; runs go on."""
        self._silence = reason

    def reachable(self) -> None:
        """The engine answers again; listeners are told that they may have missed something."""
        reason, self._silence = self._silence, None
        if reason is not None:
            self._tell(Doubt(reason))

    def hang(self) -> None:
        """From now on calls wait; orders land when `flow` is called, also those whose caller has gone away meanwhile."""
        self._flowing.clear()

    def flow(self) -> None:
        """Lets waiting calls go on, those without a caller first."""
        late, self._late = self._late, []
        for order in late:
            with suppress(OrchestradError):
                order()
        self._flowing.set()

    # The port

    async def prepare(self, progress: Callable[[str], None]) -> Listener:
        await self._answer()
        progress("fake containers are ready")
        return Listener(bind_host="127.0.0.1", agent_host="127.0.0.1")

    async def start(self, spec: RunSpec) -> ContainerId:
        await self._answer(lambda: self._start(spec))
        return self._start(spec)

    def _start(self, spec: RunSpec) -> ContainerId:
        for holder in self._runs.values():
            if holder.spec.agent == spec.agent:
                raise NameTaken(f"cannot start {spec.agent}: {holder.seen.id} holds its name; remove that one first")
        missing = [mount.source for mount in spec.mounts if mount.source in self.absent]
        if reason := self.refusals.get(spec.agent) or (f"{missing[0]} is not there" if missing else None):
            raise CannotStart(f"cannot start {spec.agent}: {reason}. Mend that")
        self._orders += 1
        run = ContainerId(f"fake-{self._orders}-{spec.agent}-{spec.epoch}")
        state = RunState.CREATED if self._begins_in_terminal else RunState.RUNNING
        self._runs[run] = _Run(spec, RunSeen(spec.agent, spec.epoch, run, state))
        self.specs.append(spec)
        return run

    async def stop(self, run: ContainerId, *, grace: timedelta) -> None:
        await self._answer(lambda: self._end(run, OBEYED_TERM))
        if run not in self._runs:
            return
        if self._runs[run].spec.agent in self.deaf:
            await self._within(self._runs[run], grace)
            self._end(run, KILLED)
        else:
            self._end(run, OBEYED_TERM)

    async def remove(self, run: ContainerId) -> None:
        await self._answer(lambda: self._remove(run))
        self._remove(run)

    def _remove(self, run: ContainerId) -> None:
        self._end(run, KILLED)
        self._runs.pop(run, None)

    async def wake(self, run: ContainerId) -> None:
        await self._answer()
        if run not in self._runs or self._runs[run].seen.state is not RunState.RUNNING:
            raise Gone(f"{run} can't be woken: it does not run")
        self.woken.append(run)
        if run in self.suspended:
            self._end(run, self.suspended.pop(run))

    async def list(self) -> tuple[RunSeen, ...]:
        await self._answer()
        return tuple(run.seen for run in self._runs.values())

    async def events(self) -> AsyncIterator[Died | Doubt]:
        with self._listening() as queue:
            if self._silence is None:
                queue.put_nowait(Doubt("listening to the fake engine began"))
            while (item := await queue.get()) is not None:
                yield item

    def terminal(self, run: ContainerId) -> tuple[str, ...]:
        return ("fake-terminal", run)

    async def aclose(self) -> None:
        for queue in self._listeners:
            queue.put_nowait(None)

    async def _answer(self, order: Callable[[], object] | None = None) -> None:
        try:
            await self._flowing.wait()
        except asyncio.CancelledError:
            if order is not None:
                self._late.append(order)
            raise
        if self._silence is not None:
            raise EngineUnreachable(f"the fake engine can't be asked: {self._silence}. Try again later")

    async def _within(self, run: _Run, grace: timedelta) -> None:
        try:
            async with asyncio.timeout(grace.total_seconds()):
                await run.over.wait()
        except TimeoutError:
            return

    def _end(self, run: ContainerId, exit_code: int, *, out_of_memory: bool = False, told: bool = True) -> None:
        if run not in self._runs or self._runs[run].seen.state is RunState.EXITED:
            return
        begun = self._runs[run].seen.state is RunState.RUNNING
        self._change(run, state=RunState.EXITED, exit_code=exit_code if begun else None, out_of_memory=out_of_memory)
        self._runs[run].over.set()
        if told and self._silence is None:
            self._tell(Died(self._runs[run].seen))

    def _change(self, run: ContainerId, *, state: RunState, exit_code: int | None = None, out_of_memory: bool = False) -> None:
        entry = self._runs[run]
        entry.seen = replace(entry.seen, state=state, exit_code=exit_code, out_of_memory=out_of_memory)

    def _tell(self, item: Died | Doubt) -> None:
        for queue in self._listeners:
            queue.put_nowait(item)

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Queue[Died | Doubt | None]]:
        queue: asyncio.Queue[Died | Doubt | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
