"""What a row of docs/signals.md is made of: what stood before, the news, and what follows, each said in words and in code.

A consequence has its words and its check side by side, so that the page says what was checked and nothing else. The rows are
in `tests.support.signal_rows`, what hooks post in `tests.support.hook_payloads`; `script/signals-page` prints the page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from orchestrad.core.actions import (
    Action,
    AnswerHook,
    ListRuns,
    LookAtScreen,
    OpenTerminal,
    ReadLimit,
    RemoveRun,
    Reply,
    StartRun,
    StopRun,
    TypePrompt,
)
from orchestrad.core.agenda import Agenda
from orchestrad.core.events import Event, Glimpsed
from orchestrad.core.ids import AgentName, Micros, Now
from orchestrad.core.plan import plan
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Agent, Beginner, Delivery, DeliveryKind, Route, World
from tests.support.news import a_screen
from tests.support.worlds import (
    EARLIER,
    LATER,
    a_run,
    a_world,
    after,
    at,
    at_work,
    delivery,
    happened,
    seconds,
    task,
    worker,
)

A = TypeVar("A")
S = AgentState
WHO = AgentName("worker-1")
T1 = task("t1", TaskState.ASSIGNED, by=WHO, order=0)
T2 = task("t2", order=1)


# ---- before


@dataclass(frozen=True)
class Before:
    """What stood before the news, in the words of the page and as a world; its agent is worker-1, its task t1."""

    words: str
    world: World

    @property
    def state(self) -> AgentState:
        """The state that the news finds the agent in."""
        return self.world.agents[WHO].state


def before(words: str, agent: Agent, *others: Any, **settings: Any) -> Before:
    """This worker, its task if it has one, and an open one behind it."""
    return Before(words, a_world(agent, *((T1,) if agent.task else ()), *(others or (T2,)), **{"manager": False, **settings}))


def given(route: Route | None = None, *, sent: Now | None = EARLIER, **fields: Any) -> Delivery:
    """The delivery of t1, sent this way and not acknowledged."""
    return delivery(task=T1.id, attempt=1, route=route, sent_at=sent.elapsed if sent else None, sends=1, **fields)


def held() -> Delivery:
    """The delivery of t1, begun in the present conversation."""
    arrived = at_work(WHO, "t1").delivery
    assert arrived is not None
    return arrived


# ---- after


@dataclass(frozen=True)
class Followed:
    """All that a consequence may ask of: the world before, the facts, the world after, the orders, and when."""

    before: World
    events: Sequence[Event]
    world: World
    orders: Sequence[Action]
    now: Now

    @property
    def agent(self) -> Agent:
        """worker-1 as it is now."""
        return self.world.agents[WHO]

    def ordered(self, kind: type[A]) -> list[A]:
        """The orders of this kind."""
        return [order for order in self.orders if isinstance(order, kind)]

    def later(self, length: Micros) -> World:
        """The world when nothing more was heard for so long."""
        return after(self.world, now=moved(self.now, length))


def moved(now: Now, length: Micros) -> Now:
    """The instant so much later."""
    return Now(Micros(now.wall + length), Micros(now.elapsed + length))


@dataclass(frozen=True)
class Consequence:
    """What is answered, done or remembered: the words of the page, and whether they are true."""

    words: str
    holds: Callable[[Followed], bool]


@dataclass(frozen=True)
class Signal:
    """A row: this news, found in this state of things, leads there and has these consequences."""

    signal: str
    before: Before
    news: tuple[object, ...]
    agent: AgentState
    task: TaskState | None
    then: tuple[Consequence, ...]
    now: Now = LATER

    def followed(self) -> Followed:
        """What the core makes of it."""
        world, events = happened(self.before.world, *self.news, now=self.now)
        return Followed(self.before.world, events, world, list(plan(world, Agenda(self.now))), self.now)


def _answers(f: Followed) -> list[AnswerHook]:
    return f.ordered(AnswerHook)


def _one(f: Followed) -> AnswerHook:
    [answer] = _answers(f)
    return answer


def _delivery(world: World) -> Delivery:
    delivery = world.agents[WHO].delivery
    assert delivery is not None, "the row speaks of a delivery and has none"
    return delivery


def _says(name: str) -> Callable[[Followed], bool]:
    def check(f: Followed) -> bool:
        block = _one(f).block
        return block is not None and block.name == name and _one(f).checkout is None

    return check


def _empty(f: Followed) -> bool:
    answer = _one(f)
    return (answer.status, answer.block, answer.checkout) == (200, None, None)


def _facts(f: Followed) -> list[Event]:
    return [event for event in f.events if not isinstance(event, Glimpsed)]


def _is_given(f: Followed, kind: DeliveryKind, *, anew: bool) -> bool:
    now, then = f.agent.delivery, f.before.agents[WHO].delivery
    fresh = now is not None and (then is None or now.nonce != then.nonce)
    return now is not None and (now.kind, now.delivered_at, fresh) == (kind, None, anew)


def _typed(f: Followed, wait: float) -> bool:
    """Whether it would be typed so many seconds later, with an idle screen."""
    now = moved(f.now, seconds(wait))
    world = after(f.world, a_screen(WHO, asked_at=now.elapsed), now=now)
    return any(isinstance(order, TypePrompt) for order in plan(world, Agenda(now)))


# ---- answers to hooks

ALLOWED = Consequence("the stop is allowed", _empty)
PASSES = Consequence("the prompt passes", _empty)
PASSES_WITH_BRANCH = Consequence(
    "the script checks the task's branch out, then the prompt passes",
    lambda f: _one(f).block is None and _one(f).checkout is not None and _one(f).nonce is not None,
)
REFUSED = Consequence("the prompt is refused", _says("plain"))
QUESTION = Consequence("asked once whether it is done", _says("question"))
REMINDER = Consequence("told what is missing and what to do", _says("reminder"))
TOLD_OF_EDIT = Consequence("told what the task says now", _says("edited"))
UNANSWERED = Consequence("nobody is answered there", lambda f: not f.ordered(AnswerHook) and not f.world.glimpses.stops)
OVER = Consequence("the script is told that its run is over (410)", lambda f: _one(f).status == 410)


def _next_task(f: Followed) -> bool:
    answer = _one(f)
    block = answer.block
    if f.agent.task != "t2" or block is None or answer.checkout is None:
        return False
    return block.name == "task" and block.fields["title"] == "T2" and answer.checkout[0] == f"{WHO}/t2"


NEXT_TASK = Consequence("the answer carries the next task, and its branch to check out", _next_task)


SAME_TASK = Consequence(
    "the stored answer goes out again, with the task",
    lambda f: _one(f).block is not None and _one(f).checkout is not None and _one(f).nonce == _delivery(f.before).nonce,
)
ACCEPTED = Consequence("the caller is told yes", lambda f: [order.ok for order in f.ordered(Reply)] == [True])
DECLINED = Consequence("the caller is told no", lambda f: [order.ok for order in f.ordered(Reply)] == [False])


# ---- what is remembered

NOTHING = Consequence("nothing changes", lambda f: not _facts(f))
NOT_A_TURN = Consequence("the turn under way goes on", lambda f: f.agent.turn is f.before.agents[WHO].turn is Beginner.DAEMON)
PERSONS = Consequence("the turn is a person's", lambda f: f.agent.turn is Beginner.PERSON)
TASKS = Consequence("the turn is the task's", lambda f: f.agent.turn in (Beginner.DAEMON, Beginner.CLI))
WORD = Consequence("its word counts when the turn ends", lambda f: f.agent.word is not None)
DELIVERED = Consequence("delivered", lambda f: f.agent.delivery is not None and f.agent.delivery.delivered_at == f.now.elapsed)
STARTED = Consequence("started", lambda f: f.agent.delivery is not None and f.agent.delivery.started_at == f.now.elapsed)
NOT_STARTED = Consequence("not started", lambda f: f.agent.delivery is not None and f.agent.delivery.started_at is None)
LEFT = Consequence("a person left it: the end of the run is no crash", lambda f: f.agent.run is not None and f.agent.run.left)
CRASHED = Consequence("counted as a crash", lambda f: f.agent.deaths == f.before.agents[WHO].deaths + 1)
NO_CRASH = Consequence("not counted as a crash", lambda f: f.agent.deaths == f.before.agents[WHO].deaths)
OFFERED = Consequence("first in the merge queue", lambda f: bool(f.world.hub.offers or f.world.hub.move))


# ---- what is done next

SAME = Consequence("the same delivery stays due", lambda f: _is_given(f, _delivery(f.world).kind, anew=False))
WHOLE = Consequence("given the whole task anew", lambda f: _is_given(f, DeliveryKind.TASK, anew=True))
CONTINUE = Consequence('told to "continue"', lambda f: _is_given(f, DeliveryKind.CONTINUE, anew=True))
TYPED_NOW = Consequence("typed as soon as the screen allows", lambda f: _typed(f, 0))
TYPED_SOON = Consequence("typed if not acknowledged within 5 s", lambda f: not _typed(f, 4) and _typed(f, 6))
NOT_TYPED = Consequence("nothing is typed meanwhile", lambda f: not _typed(f, 60))
READ_LIMIT = Consequence("the transcript is asked when the limit ends", lambda f: bool(f.ordered(ReadLimit)))
ENDS = Consequence("its run is ended", lambda f: bool(f.ordered(StopRun)))
RESUMES = Consequence("started again with its conversation", lambda f: f.agent.run is not None and f.agent.run.resumes)
STARTS = Consequence("started", lambda f: bool(f.ordered(StartRun)))
CLEARS_AWAY = Consequence("what is left of the run is removed first", lambda f: bool(f.ordered(RemoveRun)))
LISTS = Consequence("the engine is asked what runs", lambda f: bool(f.ordered(ListRuns)))
LOOKED_AT = Consequence("its screen is looked at", lambda f: bool(f.ordered(LookAtScreen)))
REOPENS = Consequence("its terminal is opened again", lambda f: bool(f.ordered(OpenTerminal)))
FOR_A_PERSON = Consequence("stays so until a person acts", lambda f: f.later(seconds(86400)).agents[WHO].state is f.agent.state)


def then_state(words: str, length: float, state: AgentState) -> Consequence:
    """So much later, and not a second before, it is in another state."""
    return Consequence(
        words,
        lambda f: (
            f.later(seconds(length - 1)).agents[WHO].state is f.agent.state and f.later(seconds(length)).agents[WHO].state is state
        ),
    )


def _continues(f: Followed) -> bool:
    now = f.later(seconds(5)).agents[WHO].delivery
    early = f.later(seconds(4)).agents[WHO].delivery
    return now is not None and now.kind is DeliveryKind.CONTINUE and early == f.agent.delivery


CONTINUES_SOON = Consequence('told to "continue" after 5 s', _continues)


# ---- worlds that many rows begin with

STARTING = before("its run starts with a task", worker(WHO, S.STARTING, task=T1.id, delivery=given(Route.ARGV)))
IDLE = before("nothing to do", worker(WHO), task("t2", TaskState.BLOCKED))
DUE = before("a task was typed", worker(WHO, task=T1.id, delivery=given(Route.TYPED)))
HANDED = before("a task is in the answer to its Stop", worker(WHO, task=T1.id, delivery=given(Route.ANSWER, sent=LATER)))
ARRIVED = before(
    "a task was delivered, not begun",
    replace(at_work(WHO, "t1"), delivery=given(Route.ANSWER, delivered_at=EARLIER.elapsed, conversation="conversation-1")),
)
AT_WORK = before("in the turn of its task", at_work(WHO, "t1"))
WAITING = before(
    "background work of its task runs on",
    replace(at_work(WHO, "t1"), state=S.WAITING, since_at=LATER.elapsed, since_wall=LATER.wall),
)
IN_PERSONS_TURN = before(
    "in a person's turn", worker(WHO, S.ATTENDED, task=T1.id, delivery=held(), turn=Beginner.PERSON, turn_at=LATER.elapsed)
)
LEFT_TO_PERSON = before(
    "after a person's turn", worker(WHO, S.ATTENDED, task=T1.id, delivery=held(), turn=None, turn_at=LATER.elapsed)
)
PERSONS_BACKGROUND = before(
    "background work of a person's turn runs on", worker(WHO, S.WAITING, task=T1.id, delivery=held(), turn=Beginner.PERSON)
)
SPENT = before(
    "its credential is spent until 14:30",
    worker(WHO, S.LIMITED, task=T1.id, delivery=held(), limited_until_wall=at("14:30").wall, reason="a limit"),
)
SPENT_FOR_PERSON = before(
    "its credential was spent in a person's turn",
    worker(WHO, S.LIMITED, task=T1.id, delivery=held(), turn=Beginner.PERSON, limited_until_wall=at("14:30").wall),
)
ENDING = before(
    "its run was told to end", replace(at_work(WHO, "t1"), state=S.STOPPING, run=a_run(told_to_end=True), reason="it is to end")
)
