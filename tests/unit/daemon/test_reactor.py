"""The reactor: durable before visible, one order per key, no poison, and woken by its alarms."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from orchestrad.clock.fake import FakeClock
from orchestrad.core import plan as planning
from orchestrad.core import settle as settling
from orchestrad.core.actions import Action, BranchFound, ListRuns, ReadBranch, Reply, StartRun
from orchestrad.core.agenda import Agenda
from orchestrad.core.events import Event, RunBegan
from orchestrad.core.ids import ContainerId
from orchestrad.core.observations import EngineAway, RunsListed
from orchestrad.core.states import AgentState
from orchestrad.core.world import Entity, Glimpses, Removed, World
from orchestrad.daemon.reactor import Reactor
from orchestrad.errors import Refused, Unreachable
from orchestrad.store.fake import FakeStore
from orchestrad.store.port import CommitFailed
from tests.support.news import a_stop
from tests.support.virtual_time import run
from tests.support.worlds import a_hub, a_world, at_work, the, worker

FOR_EVER = 10**6
REST = a_hub(fetch_at=FOR_EVER * 1_000_000)  # nothing to do at the hub


async def never() -> object:
    await asyncio.sleep(FOR_EVER)
    return None


class SlowStore(FakeStore):
    """Takes its time over each commit."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.committing = False

    async def commit(self, changed: Sequence[Entity | Removed], events: Sequence[Event]) -> None:
        self.committing = True
        await asyncio.sleep(0.5)
        await super().commit(changed, events)
        self.committing = False
        self.commits += 1


class Outside:
    """Where orders go: notes when each began, and does what the test says."""

    def __init__(self, clock: FakeClock, do: Callable[[Action], Awaitable[object]] | None = None) -> None:
        self._clock = clock
        self._do = do
        self.orders: list[tuple[float, Action]] = []

    async def execute(self, action: Action) -> object:
        self.orders.append((self._clock.now().elapsed / 1_000_000, action))
        if self._do is not None:
            return await self._do(action)
        return await never()

    def times(self, kind: type) -> list[float]:
        return [at for at, action in self.orders if isinstance(action, kind)]


@contextlib.asynccontextmanager
async def running(reactor: Reactor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(reactor.run())
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def a_start(clock: FakeClock) -> RunsListed:
    return RunsListed(clock.now().elapsed, ())


def test_nothing_is_ordered_before_what_it_follows_from_is_committed() -> None:
    clock, store = FakeClock(), SlowStore()
    seen: list[tuple[bool, bool]] = []

    async def do(action: Action) -> object:
        if isinstance(action, StartRun):
            seen.append((store.committing, '"epoch":1' in store.rows["agent", "worker-1"]))
        return await never()

    async def main() -> None:
        reactor = Reactor(a_world(worker("worker-1", AgentState.STOPPED), REST, Glimpses()), clock=clock, store=store, execute=do)
        async with running(reactor):
            reactor.offer(a_start(clock))
            await asyncio.sleep(0.4)
            assert the(reactor.world, "worker-1").epoch == 0  # nobody sees what is not yet durable
            await asyncio.sleep(1)
        assert seen == [(False, True)]

    run(main(), clock)


def test_news_is_acknowledged_once_it_is_durable() -> None:
    clock, store = FakeClock(), SlowStore()

    async def main() -> None:
        world = a_world(worker("worker-1", AgentState.STOPPED), REST, Glimpses())
        reactor = Reactor(world, clock=clock, store=store, execute=Outside(clock).execute)
        async with running(reactor):
            await reactor.submit(a_start(clock))
            assert store.commits == 1

    run(main(), clock)


def test_a_failed_commit_ends_the_reactor_and_nothing_of_it_becomes_visible() -> None:
    clock, store = FakeClock(), FakeStore()
    outside = Outside(clock)

    async def main() -> None:
        world = a_world(worker("worker-1", AgentState.STOPPED), REST, Glimpses())
        reactor = Reactor(world, clock=clock, store=store, execute=outside.execute)
        store.fail_commits()
        waiting = asyncio.create_task(reactor.submit(a_start(clock)))
        await asyncio.sleep(0)
        with pytest.raises(CommitFailed):
            await reactor.run()
        with pytest.raises(Unreachable):
            await waiting
        with pytest.raises(Unreachable):
            await reactor.submit(a_start(clock))
        assert the(reactor.world, "worker-1").epoch == 0
        assert outside.orders == []

    run(main(), clock)


def test_whoever_still_waits_when_the_reactor_ends_is_told() -> None:
    clock = FakeClock()

    async def main() -> None:
        reactor = Reactor(a_world(REST), clock=clock, store=SlowStore(), execute=Outside(clock).execute)
        async with running(reactor):
            await asyncio.sleep(0.1)
            first = asyncio.create_task(reactor.submit(a_start(clock)))
            await asyncio.sleep(0.1)  # it is being committed
            second = asyncio.create_task(reactor.submit(a_start(clock)))
            await asyncio.sleep(0.1)
        for task in (first, second):
            with pytest.raises(Unreachable):
                await task

    run(main(), clock)


def test_two_orders_of_one_key_never_overlap() -> None:
    clock = FakeClock()
    at_once = 0

    async def do(action: Action) -> object:
        nonlocal at_once
        if not isinstance(action, ListRuns):
            return await never()
        at_once += 1
        assert at_once == 1
        await asyncio.sleep(5)
        at_once -= 1
        raise Unreachable("no answer")

    async def main() -> None:
        outside = Outside(clock, do)
        reactor = Reactor(a_world(REST, Glimpses()), clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            for number in range(100):
                reactor.offer(EngineAway(f"{number}"))
                await asyncio.sleep(0.1)
        assert len(outside.times(ListRuns)) == 2

    run(main(), clock)


def test_an_order_that_fails_is_given_again_after_doubling_waits() -> None:
    clock = FakeClock()

    async def do(action: Action) -> object:
        if isinstance(action, ListRuns):
            raise Unreachable("no answer")
        return await never()

    async def main() -> None:
        outside = Outside(clock, do)
        reactor = Reactor(a_world(REST, Glimpses()), clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            reactor.offer(EngineAway("at first"))
            await asyncio.sleep(120)
        times = outside.times(ListRuns)
        waits = [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]
        assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
        assert reactor.world.glimpses.troubles == {"runs": "no answer"}

    run(main(), clock)


def test_an_order_that_takes_too_long_is_given_up() -> None:
    clock = FakeClock()

    async def main() -> None:
        outside = Outside(clock)
        reactor = Reactor(a_world(REST, Glimpses()), clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            reactor.offer(EngineAway("at first"))
            await asyncio.sleep(31)
        assert len(outside.times(ListRuns)) == 2
        assert "longer than 30 s" in reactor.world.glimpses.engine_trouble

    run(main(), clock)


def test_news_that_cannot_be_decided_is_rejected_while_other_news_goes_on() -> None:
    clock = FakeClock()

    async def main() -> None:
        world = a_world(worker("worker-1", AgentState.STOPPED), REST, Glimpses())
        reactor = Reactor(world, clock=clock, store=FakeStore(), execute=Outside(clock).execute)
        async with running(reactor):
            reactor.offer(EngineAway("before"))
            reactor.offer("poison")
            await reactor.submit(a_start(clock))
        assert the(reactor.world, "worker-1").epoch == 1
        assert any("str was rejected" in fault for fault in reactor.world.glimpses.faults)

    run(main(), clock)


def test_whoever_waits_for_the_answer_to_rejected_news_is_sent_away() -> None:
    clock = FakeClock()

    async def main() -> None:
        world = a_world(at_work("worker-1", "t1"), REST)
        outside = Outside(clock)
        reactor = Reactor(world, clock=clock, store=FakeStore(), execute=outside.execute)
        poison = replace(a_stop(world, "worker-1", 5), workspace="poison")  # type: ignore[arg-type]  # what a bug might make
        async with running(reactor):
            await reactor.submit(poison)
            await asyncio.sleep(0)
        [reply] = [action for _, action in outside.orders if isinstance(action, Reply)]
        assert (reply.connection, reply.ok) == (poison.connection, False)

    run(main(), clock)


def test_an_error_that_no_encoding_can_write_is_told_all_the_same() -> None:
    clock = FakeClock()

    async def do(action: Action) -> object:
        raise Refused(f"no file a\udcff for {action.key}")

    async def main() -> None:
        reactor = Reactor(a_world(REST, Glimpses()), clock=clock, store=FakeStore(), execute=Outside(clock, do).execute)
        async with running(reactor):
            reactor.offer(EngineAway("at first"))
            await asyncio.sleep(0.1)
        assert reactor.world.glimpses.troubles == {"runs": "no file a for runs"}

    run(main(), clock)


def test_an_outcome_that_cannot_be_decided_is_not_ordered_again_at_once_and_for_ever() -> None:
    clock = FakeClock()

    async def do(action: Action) -> object:
        if isinstance(action, ReadBranch):
            return BranchFound(REST.tip, {"WORKER_1_TASK_LIST.md": None}, None, frozenset(), True, None)  # type: ignore[arg-type, dict-item]  # poison
        return await never()

    async def main() -> None:
        outside = Outside(clock, do)
        world = a_world(a_hub(read=None, fetch_at=REST.fetch_at))
        reactor = Reactor(world, clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            reactor.offer(EngineAway("at first"))
            await asyncio.sleep(3)
        assert len(outside.times(ReadBranch)) == 4

    run(main(), clock)


def broken_for_worker_1(world: World, agenda: Agenda) -> Iterable[Event]:
    if "worker-1" in world.agents:
        raise ZeroDivisionError("worker-1 is special")
    return ()


def test_a_rule_that_raises_for_one_agent_is_set_aside_for_it_alone_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    fine = settling.runs.settle

    def runs(world: World, agenda: Agenda) -> Iterable[Event]:
        broken_for_worker_1(world, agenda)
        return fine(world, agenda)

    monkeypatch.setattr(settling, "CONCERNS", tuple((n, runs if n == "runs" else c) for n, c in settling.CONCERNS))

    async def main() -> None:
        agents = [worker(f"worker-{number}", AgentState.STOPPED) for number in (1, 2)]
        reactor = Reactor(a_world(*agents, REST, Glimpses()), clock=clock, store=FakeStore(), execute=Outside(clock).execute)
        async with running(reactor):
            await reactor.submit(a_start(clock))
            assert [the(reactor.world, agent.name).epoch for agent in agents] == [0, 1]
            assert [fault for fault in reactor.world.glimpses.faults if fault.startswith("runs for worker-1 was set aside")]
            monkeypatch.undo()
            await asyncio.sleep(61)
            assert the(reactor.world, "worker-1").epoch == 1  # after a minute it is tried again

    run(main(), clock)


def test_a_planner_that_raises_for_one_agent_is_set_aside_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    fine = planning.runs.plan

    def runs(world: World, agenda: Agenda) -> Iterable[Action]:
        broken_for_worker_1(world, agenda)
        return fine(world, agenda)

    monkeypatch.setattr(planning, "PLANNERS", tuple((n, runs if n == "runs" else c) for n, c in planning.PLANNERS))

    async def main() -> None:
        agents = [worker(f"worker-{number}", AgentState.STOPPED) for number in (1, 2)]
        outside = Outside(clock)
        reactor = Reactor(a_world(*agents, REST, Glimpses()), clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            await reactor.submit(a_start(clock))
            await asyncio.sleep(1)
        assert [action.agent for _, action in outside.orders if isinstance(action, StartRun)] == ["worker-2"]

    run(main(), clock)


def test_a_rule_that_makes_an_impossible_event_is_set_aside_for_that_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()

    def contradicts(world: World, agenda: Agenda) -> Iterable[Event]:
        for agent in world.agents.values():
            if agent.name == "worker-1":
                yield RunBegan(now=agenda.now, agent=agent.name, epoch=99, conversation="", cleared=False, n=0)  # type: ignore[arg-type]  # a bug

    monkeypatch.setattr(settling, "CONCERNS", (("buggy", contradicts), *settling.CONCERNS))

    async def main() -> None:
        agents = [worker(f"worker-{number}", AgentState.STOPPED) for number in (1, 2)]
        reactor = Reactor(a_world(*agents, REST, Glimpses()), clock=clock, store=FakeStore(), execute=Outside(clock).execute)
        async with running(reactor):
            await reactor.submit(a_start(clock))
            assert [the(reactor.world, agent.name).epoch for agent in agents] == [1, 1]

    run(main(), clock)


def test_an_alarm_wakes_it_when_a_deadline_comes() -> None:
    clock = FakeClock()

    async def main() -> None:
        outside = Outside(clock)
        waits = worker("worker-1", AgentState.BACKING_OFF, start_at=clock.now().elapsed + 5_000_000)
        reactor = Reactor(a_world(waits, REST, Glimpses()), clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            reactor.offer(a_start(clock))
            await asyncio.sleep(20)
        assert outside.times(StartRun) == [pytest.approx(6.0, abs=0.001)]

    run(main(), clock)


def test_what_an_order_came_to_is_decided_and_followed_by_the_next() -> None:
    clock = FakeClock()

    async def do(action: Action) -> object:
        await asyncio.sleep(0.1)
        return ContainerId("container-1") if isinstance(action, StartRun) else await never()

    async def main() -> None:
        outside = Outside(clock, do)
        world = a_world(worker("worker-1", AgentState.STOPPED), REST, Glimpses())
        reactor = Reactor(world, clock=clock, store=FakeStore(), execute=outside.execute)
        async with running(reactor):
            reactor.offer(a_start(clock))
            await asyncio.sleep(1)
        assert [type(action).__name__ for _, action in outside.orders if getattr(action, "agent", "")] == [
            "StartRun",
            "OpenTerminal",
        ]

    run(main(), clock)
