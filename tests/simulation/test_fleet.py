"""A small fleet in virtual time: the real reactor and core, agents that misbehave, a daemon that is killed."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from orchestrad.clock.fake import FakeClock
from orchestrad.core.apply import apply
from orchestrad.core.events import DeliveryOrdered, Event, PromptTaken, RunEnded, RunOrdered, TaskDone, TurnEnded, WordGiven
from orchestrad.core.ids import CredentialLabel
from orchestrad.core.observations import ConfigRead, DaemonStarted, ResumeAsked, RetryAsked
from orchestrad.core.states import HOLDS_RUN, AgentState, TaskState
from orchestrad.core.world import Credential, Entity, Fleet, Glimpses, HubRow, Settings, World, put
from orchestrad.daemon.reactor import Reactor
from orchestrad.store.fake import FakeStore
from orchestrad.store.port import CommitFailed
from orchestrad.store.records import load_entity, load_event
from tests.support.simulated_fleet import Broken, Outside, end_all, people
from tests.support.virtual_time import run

S = 1_000_000
FAULTS_END = 300.0  # seconds
BOUND = 3600.0  # by then all is done
SETTINGS = Settings(
    workers=2, attended_timeout=20 * S, waiting_timeout=60 * S, restart_max=10 * S, breaker=10_000, retry_delay=S, max_retries=3
)


class Simulation:
    """One seed."""

    def __init__(self, seed: int, *, trouble: float = 1.0, settings: Settings = SETTINGS, tasks: int = 4) -> None:
        self.random = Random(seed)
        self.clock = FakeClock()
        self.store = FakeStore()
        self.settings = settings
        self.outside = Outside(self.random, self.clock, workers=settings.workers, tasks=tasks, trouble=trouble)
        self.events: list[Event] = []
        self.world = self.first = World(Fleet("f" * 12, "sim", settings), hub=HubRow())  # type: ignore[arg-type]  # an id
        self.kills = 0
        self.posts: set[object] = set()

    # ---- what must always be so

    def watch(self, world: World, events: list[Event]) -> None:
        """Sentences that hold after every batch."""
        self.world = world
        self.events += events
        for task in world.tasks.values():
            hands = [agent.name for agent in world.agents.values() if agent.task == task.id]
            expected = [task.attempt.agent] if task.state is TaskState.ASSIGNED and task.attempt else []
            if hands != expected:
                raise Broken(f"{task.id} is {task.state} and in the hands of {hands}")
        for agent in world.agents.values():
            if (agent.run is not None) != (agent.state in HOLDS_RUN):
                raise Broken(f"{agent.name} is {agent.state} with run {agent.run}")
            alive = [c for c in self.outside.containers.values() if c.alive and c.agent == agent.name]
            if len(alive) > 1:
                raise Broken(f"{agent.name} has two runs alive")
        for event in events:
            self.watch_event(event)
        if world.glimpses.faults:
            raise Broken(f"a rule raised: {world.glimpses.faults}")

    def watch_event(self, event: Event) -> None:
        """Late and repeated news makes no events, and unknown is not absent."""
        if isinstance(event, RunEnded):
            living = [c for c in self.outside.containers.values() if c.alive and (c.agent, c.epoch) == (event.agent, event.epoch)]
            if living:
                raise Broken(f"{event.agent} was taken for dead while it lived: {event.reason}")
        if isinstance(event, TurnEnded | PromptTaken | WordGiven):
            post = type(event).__name__, event.agent, self.world.agents[event.agent].epoch, event.n
            if post in self.posts:
                raise Broken(f"{post} counted twice")
            self.posts.add(post)

    def check_the_store(self) -> None:
        """What is committed is the world, and history tells how it came about."""
        rows = put(self.first, [load(row) for row in self.store.rows.items()])
        if replace(rows, glimpses=Glimpses()) != replace(self.world, glimpses=Glimpses()):
            raise Broken("the rows are not the world")
        replayed = self.first
        for row in self.store.events:
            replayed = apply(replayed, load_event(row.kind, row.body))
        if replace(replayed, glimpses=Glimpses()) != replace(rows, glimpses=Glimpses()):
            raise Broken("history tells another world than the rows")

    def check_the_merges(self) -> None:
        """Work that is done is in the branch, merged once, its box ticked."""
        hub = self.outside.hub
        for task in self.world.tasks.values():
            if task.state is TaskState.DONE and task.merged is not None and hub.merges_of(task.id) > 1:
                raise Broken(f"{task.id} was merged {hub.merges_of(task.id)} times")
        done = [event.task for event in self.events if isinstance(event, TaskDone) and event.merged is not None]
        ticked = set()
        for name in done:
            was_checked = self.world.tasks[name].checked
            if name in ticked and not was_checked:
                raise Broken(f"{name} was merged twice")
            ticked.add(name)

    # ---- the daemon

    async def daemons(self) -> None:
        """Runs daemons, one after the other; each is killed while there is trouble, or its store fails."""
        while True:
            world = put(self.first, [load(row) for row in self.store.rows.items()])
            reactor = Reactor(world, clock=self.clock, store=self.store, execute=self.outside.execute)
            reactor.listeners.append(self.watch)
            reactor.offer(DaemonStarted())
            reactor.offer(ConfigRead(self.settings, (Credential(CredentialLabel("pool-1"), "token", "0"),)))
            self.outside.reactor = reactor
            running = asyncio.create_task(reactor.run(), name="reactor")
            try:
                await asyncio.wait([running], timeout=self.random.uniform(5, 120) if self.outside.trouble else None)
                if self.outside.chance(0.3):
                    self.store.fail_commits()
                    await asyncio.wait([running], timeout=60)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            if not running.cancelled() and not isinstance(running.exception(), CommitFailed):
                running.result()
            self.kills += 1
            self.store.fail_commits(0)
            self.outside.daemon_gone()
            await asyncio.sleep(self.random.uniform(0, 5))

    def finished(self) -> bool:
        """Whether all tasks are done, ticked and with upstream."""
        tasks = list(self.world.tasks.values())
        done = all(t.state is TaskState.CANCELLED or (t.state is TaskState.DONE and t.checked) for t in tasks)
        hub = self.world.hub
        return bool(tasks) and done and not hub.offers and hub.move is None and hub.read == hub.tip == self.outside.hub.upstream

    def unstick(self) -> None:
        """What only a person does."""
        reactor = self.outside.reactor
        if reactor is None:
            return
        for task in self.world.tasks.values():
            if task.state is TaskState.BLOCKED:
                reactor.offer(RetryAsked(task.id))
        for agent in self.world.agents.values():
            if agent.state in (AgentState.FAILED, AgentState.LIMITED):
                reactor.offer(ResumeAsked(agent.name))

    async def main(self) -> None:
        """Trouble, then none: all is done within the bound, and then nothing happens any more."""
        loop = asyncio.get_running_loop()
        folk = asyncio.create_task(people(self.outside, FAULTS_END if self.outside.trouble else 0))
        self.daemon = asyncio.create_task(self.daemons())
        try:
            await self.passes(FAULTS_END if self.outside.trouble else 1)
            self.outside.trouble = 0
            while loop.time() < BOUND and not self.finished():
                await self.passes(5)
                self.unstick()
            if not self.finished():
                tasks = {t.id: (t.state.value, t.reason) for t in self.world.tasks.values() if t.state is not TaskState.DONE}
                agents = {a.name: (a.state.value, a.task, a.reason, a.delivery) for a in self.world.agents.values()}
                raise Broken(f"not done in time: {tasks}, {agents}, {self.world.hub}")
            self.check_the_store()
            self.check_the_merges()
            await self.passes(120)
            rest = len(self.events)
            orders = self.outside.counts.copy()
            await self.passes(1200)
            idle = [e for e in self.events[rest:] if isinstance(e, DeliveryOrdered | RunOrdered)]
            typed = self.outside.counts["TypePrompt"] - orders["TypePrompt"]
            if idle or typed:
                raise Broken(f"an idle fleet was made to work: {idle[:3]}, {typed} prompts typed")
        finally:
            for task in (folk, self.daemon):
                task.cancel()
            await asyncio.gather(folk, self.daemon, return_exceptions=True)
            await end_all(self.outside)

    async def passes(self, seconds: float) -> None:
        """Time passes, unless something breaks."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            await asyncio.wait([self.daemon], timeout=5)
            if self.outside.broken is not None:
                raise self.outside.broken
            if self.daemon.done():
                self.daemon.result()


def load(row: tuple[tuple[str, str], str]) -> Entity:
    """The entity of a row of the store."""
    (kind, _), body = row
    return load_entity(kind, body)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_goes_wrong_all_work_is_merged_once(seed: int) -> None:
    simulation = Simulation(seed)
    run(simulation.main(), simulation.clock)
    assert simulation.kills > 1


@pytest.mark.parametrize("seed", range(100, 104))
def test_where_nothing_goes_wrong_nothing_is_wasted(seed: int) -> None:
    simulation = Simulation(seed, trouble=0)
    run(simulation.main(), simulation.clock)
    counts = simulation.outside.counts
    agents = len(simulation.world.agents)
    assert counts["StartRun"] == agents
    assert counts["refused starts"] == counts["refused prompts"] == counts["typed into a busy agent"] == 0
    assert all(agent.deaths == 0 and agent.epoch == 1 for agent in simulation.world.agents.values())
    first_tasks_and_digests = counts["TypePrompt"]
    ordered = sum(isinstance(event, DeliveryOrdered) for event in simulation.events)
    assert first_tasks_and_digests < ordered
    assert not [
        event for event in simulation.events if isinstance(event, DeliveryOrdered) and event.delivery.kind.value == "continue"
    ]
