"""What holds for every world that news can lead to: random walks through all kinds of news, late and out of order."""

import os
from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrad.core.actions import (
    Action,
    BranchFound,
    FetchUpstream,
    ListRuns,
    LookAtScreen,
    MakeCommit,
    MoveBranch,
    PushUpstream,
    ReadBranch,
    ReadLimit,
    StartRun,
)
from orchestrad.core.agenda import Agenda
from orchestrad.core.apply import apply
from orchestrad.core.decide import decide
from orchestrad.core.events import Event, Glimpsed
from orchestrad.core.ids import AgentName, ContainerId, ConversationId, CredentialLabel, Epoch, Micros, Now, TaskId
from orchestrad.core.observations import (
    Acknowledged,
    ConfigRead,
    Conflicting,
    DaemonStarted,
    EndAsked,
    EngineAway,
    Failed,
    Left,
    Made,
    NothingNew,
    Offered,
    Outcome,
    Prompted,
    PushAsked,
    ResumeAsked,
    RetryAsked,
    RunDead,
    RunListed,
    RunsListed,
    Said,
    ScreensSeen,
    SessionEnded,
    SessionsListed,
    SessionStarted,
    Stopped,
    TerminalDead,
    ToolUsed,
    TurnFailed,
    Workspace,
)
from orchestrad.core.plan import plan
from orchestrad.core.settle import settle
from orchestrad.core.world import Credential, Entity, Fleet, Glimpses, HubRow, ScreenSeen, Settings, Word, World, put
from orchestrad.store.records import NAMES, dump, load_entity, load_event
from tests.support.worlds import DAY, oid

EXAMPLES = int(os.environ.get("ORCHESTRAD_TEST_EXAMPLES", "15"))
START = Now(Micros(int(DAY.timestamp()) * 1_000_000), Micros(1_000_000))
CONFIG = Settings(workers=2, breaker=3, attended_timeout=5_000_000, waiting_timeout=5_000_000, max_reminders=1, max_retries=1)
POOL = (Credential(CredentialLabel("pool-1"), "token", "0"),)

names = st.sampled_from([AgentName("manager"), AgentName("worker-1"), AgentName("worker-2"), AgentName("worker-9")])
epochs = st.integers(0, 4).map(Epoch)
numbers = st.integers(1, 12)
connections = st.integers(0, 30).map(lambda n: f"c{n}")
conversations = st.sampled_from(["a", "b"]).map(ConversationId)
oids = st.sampled_from("abcdef").map(oid)
texts = st.sampled_from(["", "why not", "\x1b[31m red \u2028 ☃"])
failures = st.builds(Failed, st.sampled_from(["unreachable", "refused", "gone", "late", "bug"]), texts)
items = st.sampled_from(
    ["- [ ] One {#one}", "- [ ] Two {#two after=one}", "- [x] Three {#three}", "- [ ] Same", "- [ ] One changed {#one}"]
)
lists = st.lists(items, max_size=4).map(lambda lines: ("\n".join(lines) + "\n").encode())


def nonces(world: World) -> st.SearchStrategy[str]:
    """Those that are under way, and others."""
    return st.sampled_from(["0" * 12, *(str(agent.delivery.nonce) for agent in world.agents.values() if agent.delivery)])


def mostly(world: World, agent: AgentName) -> st.SearchStrategy[Epoch]:
    """Its present epoch, or another."""
    present = world.agents[agent].epoch if agent in world.agents else Epoch(0)
    return st.one_of(st.just(present), st.just(present), epochs)


def from_agents(world: World) -> st.SearchStrategy[object]:
    """News of an agent's hooks."""
    branches = [task.attempt.branch for task in world.tasks.values() if task.attempt] or ["main"]
    workspaces = st.builds(
        Workspace,
        branch=st.sampled_from([*branches, *branches, "main", None]),
        head=st.one_of(oids, st.none()),
        changes=st.sampled_from([0, 0, 0, 3]),
        operation=st.sampled_from(["", "", "rebase"]),
        hub_head=oids,
        commits=st.integers(0, 2),
        nonce=nonces(world),
    ).map(lambda w: replace(w, hub_head=w.head) if w.commits else w)

    def of(agent: AgentName) -> st.SearchStrategy[object]:
        who = {"agent": st.just(agent), "epoch": mostly(world, agent), "connection": connections}
        counted = {**who, "n": numbers}
        nonce = nonces(world)
        return st.one_of(
            st.builds(
                Stopped, **counted, conversation=conversations, background=st.sampled_from([0, 0, 1, None]), workspace=workspaces
            ),
            st.builds(Prompted, **counted, conversation=conversations, nonce=st.one_of(nonce, st.none()), by_cli=st.booleans()),
            st.builds(
                TurnFailed,
                **counted,
                error=st.sampled_from(["rate_limit", "overloaded_error", "billing_error"]),
                text=texts,
                transcript=texts,
            ),
            st.builds(
                SessionStarted,
                **counted,
                conversation=conversations,
                source=st.sampled_from(["startup", "resume", "clear", "compact"]),
            ),
            st.builds(SessionEnded, **counted, reason=st.sampled_from(["prompt_input_exit", "other"])),
            st.builds(Acknowledged, **who, nonce=nonce, ok=st.booleans(), detail=texts),
            st.builds(Said, **counted, word=st.builds(Word, st.sampled_from(["done", "blocked", "ask"]), texts, st.booleans())),
            st.builds(ToolUsed, agent=who["agent"], epoch=who["epoch"], conversation=conversations),
            st.builds(PushAsked, **who, refusal=texts),
        )

    return names.flatmap(of)


def runs(world: World) -> st.SearchStrategy[RunListed]:
    """Runs as an engine shows them, present, past or nobody's."""
    return names.flatmap(
        lambda agent: mostly(world, agent).flatmap(
            lambda epoch: st.builds(
                RunListed,
                agent=st.just(agent),
                epoch=st.just(epoch),
                container=st.just(ContainerId(f"{agent}.{epoch}")),
                alive=st.booleans(),
                exit_code=st.sampled_from([None, 0, 137]),
                out_of_memory=st.booleans(),
            )
        )
    )


screens = st.builds(
    ScreenSeen,
    asked_at=st.integers(0, 10**9),
    status=st.sampled_from(["idle", "idle", "busy", ""]),
    composer=st.sampled_from(["empty", "empty", "typed", "dialog"]),
    text=st.sampled_from(["", "orchestrad 123: go"]),
    key_age=st.sampled_from([None, 0, 10**8]),
    status_age=st.sampled_from([0, 10**8]),
)


def looks(world: World, now: Now) -> st.SearchStrategy[object]:
    """What engines, terminals, the config and people tell."""
    asked = st.integers(0, now.elapsed)
    return st.one_of(
        st.builds(RunsListed, asked, st.lists(runs(world), max_size=3).map(tuple)),
        st.builds(RunDead, runs(world)),
        st.builds(EngineAway, texts),
        st.builds(SessionsListed, asked, st.dictionaries(names, st.booleans(), max_size=3)),
        st.builds(TerminalDead, names, asked),
        st.builds(ScreensSeen, st.dictionaries(names, screens, max_size=2)),
        st.builds(Left, connections),
        st.builds(Offered, oids),
        st.just(DaemonStarted()),
        st.builds(EndAsked, st.sampled_from([0, 30_000_000]), texts),
        st.builds(ResumeAsked, names),
        st.builds(RetryAsked, st.sampled_from([TaskId("one"), TaskId("two"), TaskId("nobody")])),
        st.builds(
            lambda n, manager: ConfigRead(replace(CONFIG, workers=n, manager=manager), POOL), st.integers(0, 2), st.booleans()
        ),
    )


def result_of(action: Action, now: Now) -> st.SearchStrategy[object]:
    """What an order of this kind may come to."""
    found = st.builds(
        BranchFound,
        tip=oids,
        lists=st.fixed_dictionaries({"WORKER_1_TASK_LIST.md": lists}, optional={"TASK_LIST.md": lists}),
        direction=st.one_of(oids, st.none()),
        contained=st.sampled_from([frozenset(), frozenset({TaskId("one")})]),
        upstream_contained=st.booleans(),
        offer=st.one_of(oids, st.none()),
    )
    results: dict[type, st.SearchStrategy[object]] = {
        StartRun: st.just(ContainerId(f"{getattr(action, 'agent', '')}.{getattr(action, 'epoch', '')}")),
        ListRuns: st.just(RunsListed(now.elapsed, ())),
        LookAtScreen: screens,
        ReadLimit: st.one_of(st.none(), st.integers(0, 2 * 10**15)),
        ReadBranch: found,
        MakeCommit: st.one_of(st.builds(Made, oids), st.just(NothingNew()), st.just(Conflicting(("a.py",)))),
        MoveBranch: st.booleans(),
        FetchUpstream: oids,
        PushUpstream: st.booleans(),
    }
    usual = results.get(type(action), st.none())
    return st.one_of(usual, usual, usual, failures)


class Walk:
    """One way through the worlds."""

    def __init__(self) -> None:
        self.now = START
        self.connections = 0
        self.first = World(Fleet("f1ee7", "walk", CONFIG), hub=HubRow())  # type: ignore[arg-type]  # an id
        self.world = self.first
        self.events: list[Event] = []
        self.orders: list[Action] = []  # given at some time; what they come to may be heard much later
        self.hear([DaemonStarted(), ConfigRead(CONFIG, POOL), RunsListed(0, ())])

    def hear(self, news: list[object]) -> None:
        """One batch, as the reactor does it."""
        for observation in news:
            for event in decide(self.world, observation, self.now):
                self._add(event)
        for event in settle(self.world, Agenda(self.now)):
            self._add(event)
        self.check()

    def _add(self, event: Event) -> None:
        self.world = apply(self.world, event)
        if not isinstance(event, Glimpsed):
            self.events.append(event)

    def check(self) -> None:
        """Sentences that hold of every world."""
        assert list(settle(self.world, Agenda(self.now))) == []  # it has come to rest
        orders = plan(self.world, Agenda(self.now))
        assert orders == plan(self.world, Agenda(self.now))
        keys = [order.key for order in orders]
        assert len(keys) == len(set(keys)), "two orders about one thing"
        self.orders = [*orders, *self.orders][:40]
        for task in self.world.tasks.values():
            hands = [agent.name for agent in self.world.agents.values() if agent.task == task.id]
            assert hands == ([task.attempt.agent] if task.state.value == "assigned" and task.attempt else [])

    def step(self, draw: Callable[[st.SearchStrategy[object]], object]) -> None:
        """Some time passes, something is heard."""
        passed = draw(st.sampled_from([0, 1000, 500_000, 6_000_000, 100_000_000]))
        jump = draw(st.sampled_from([0, 0, 0, -3_600_000_000, 3_600_000_000]))
        assert isinstance(passed, int)
        assert isinstance(jump, int)
        self.now = Now(Micros(self.now.wall + passed + jump), Micros(self.now.elapsed + passed))
        news: list[object] = []
        for _ in range(2):
            kinds = [from_agents(self.world), looks(self.world, self.now)]
            if self.orders:
                outcome = st.sampled_from(self.orders).flatmap(lambda a: st.builds(Outcome, st.just(a), result_of(a, self.now)))
                kinds += [outcome, outcome, outcome]
            heard = draw(st.one_of(kinds))
            if hasattr(heard, "connection") and not isinstance(heard, Left):
                self.connections += 1  # each request has one of its own
                heard = replace(heard, connection=f"c{self.connections}")  # type: ignore[type-var]  # a dataclass
            news.append(heard)
        self.hear(news)


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_news_of_any_kind_in_any_order_leads_to_a_world_at_rest(data: st.DataObject) -> None:
    walk = Walk()
    for _ in range(data.draw(st.integers(1, 40))):
        walk.step(data.draw)
    same = walk.first
    for event in walk.events:  # history tells how the rows came about
        body = dump(event)
        again = load_event(type(event).__name__, body)
        assert again == event
        same = apply(same, again)
    assert replace(same, glimpses=Glimpses()) == replace(walk.world, glimpses=Glimpses())
    world = walk.world
    rows: list[Entity] = [
        world.fleet,
        world.hub,
        *world.agents.values(),
        *world.tasks.values(),
        *world.credentials.values(),
        *world.notes.values(),
    ]
    loaded = [load_entity(NAMES[type(row)], dump(row)) for row in rows]
    assert loaded == rows
    assert put(World(world.fleet), list(loaded)) == replace(world, glimpses=Glimpses())
