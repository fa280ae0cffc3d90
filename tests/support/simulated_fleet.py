"""Agents, engine and terminals in memory, for the real reactor: they stop, say done, die, post again and lose answers.

What goes wrong is drawn from one generator; after `faults_end` nothing goes wrong any more.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from orchestrad.clock.fake import FakeClock
from orchestrad.core.actions import (
    Action,
    AnswerHook,
    FetchUpstream,
    FinishDaemon,
    ListRuns,
    LookAtScreen,
    MakeCommit,
    MoveBranch,
    PushUpstream,
    ReadBranch,
    RemoveRun,
    Reply,
    StartRun,
    StopRun,
    TypePrompt,
)
from orchestrad.core.ids import MANAGER, AgentName, ContainerId, ConversationId, Epoch, Oid
from orchestrad.core.observations import (
    Acknowledged,
    Left,
    Offered,
    Prompted,
    RunDead,
    RunListed,
    RunsListed,
    Said,
    SessionStarted,
    Stopped,
    ToolUsed,
    TurnFailed,
    Workspace,
)
from orchestrad.core.tasklist import list_name
from orchestrad.core.world import ScreenSeen, Word
from orchestrad.daemon.reactor import Reactor
from orchestrad.errors import Unreachable
from tests.support.simulated_hub import SimulatedHub

CLEAR = "/clear"


class Broken(AssertionError):
    """A promise that the fleet did not keep."""


class Interrupted(Exception):
    """A person pressed Escape."""


@dataclass
class Home:
    """What stays of an agent between its runs."""

    name: AgentName
    posts: int = 0
    nonce: str = ""
    branch: str | None = None
    changes: int = 0
    conversations: dict[str, list[str]] = field(default_factory=dict)  # which nonces each has seen


@dataclass
class Container:
    """A run, alive or dead."""

    id: ContainerId
    agent: AgentName
    epoch: Epoch
    program: "asyncio.Task[None] | None" = None
    alive: bool = True
    idle: bool = False
    idle_since: int = 0
    typed: "asyncio.Queue[str | None]" = field(default_factory=asyncio.Queue)


class Outside:
    """Everything that the daemon is not."""

    def __init__(self, random: Random, clock: FakeClock, *, workers: int, tasks: int, trouble: float) -> None:
        self.random = random
        self.clock = clock
        self.trouble = trouble  # 0: nothing goes wrong
        self.hub = SimulatedHub(
            {
                list_name(w): "".join(f"- [ ] Task {w}-{t} {{#t{w}-{t}}}\n" for t in range(tasks)).encode()
                for w in range(1, workers + 1)
            }
        )
        self.homes: dict[AgentName, Home] = {}
        self.containers: dict[ContainerId, Container] = {}
        self.reactor: Reactor | None = None
        self.connections: dict[str, asyncio.Future[Any]] = {}
        self.counts: Counter[str] = Counter()
        self.programs: set[asyncio.Task[None]] = set()
        self.orders: set[asyncio.Task[object]] = set()
        self.texts: dict[str, str] = {}  # which prompt a nonce stands for
        self.added = 0

    # ---- chance

    def chance(self, often: float) -> bool:
        """Whether something goes wrong now."""
        return self.random.random() < often * self.trouble

    async def while_(self, longest: float) -> None:
        """Takes some time."""
        await asyncio.sleep(self.random.uniform(0.001, longest))

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Something that goes on by itself."""
        task = asyncio.create_task(work, name=name)
        self.programs.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.programs.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.broken = task.exception()

    broken: BaseException | None = None

    def tell(self, observation: object) -> None:
        """News for whichever daemon is there, sometimes late and so out of order; none is there: it is lost."""
        if self.reactor is not None:
            late = self.random.uniform(0, 2) if self.chance(0.1) else 0
            asyncio.get_running_loop().call_later(late, self.reactor.offer, observation)

    # ---- orders

    async def execute(self, action: Action) -> object:
        """Carries out one order as adapters do: it takes time, it may fail, and it may land although it failed."""
        self.counts[type(action).__name__] += 1
        work = asyncio.create_task(self._carried_out(action), name=f"order {action.key}")
        self.orders.add(work)
        work.add_done_callback(self._carried)
        return await asyncio.shield(work)  # an order outlives the daemon that gave it

    def _carried(self, work: "asyncio.Task[object]") -> None:
        self.orders.discard(work)
        if not work.cancelled():
            work.exception()  # nobody may be left to hear of it

    async def _carried_out(self, action: Action) -> object:
        await self.while_(0.3)
        if self.chance(0.03):
            await self.while_(20)  # slow
        if not isinstance(action, AnswerHook | Reply) and self.chance(0.05):
            raise Unreachable("no answer")
        result = await self._done(action)
        await self.while_(0.1)
        if self.chance(0.03):
            raise Unreachable("it was done, but the answer was lost")
        return result

    async def _done(self, action: Action) -> object:
        match action:
            case AnswerHook() | Reply():
                waiting = self.connections.get(action.connection)
                if isinstance(action, AnswerHook) and action.nonce is not None and action.block is not None:
                    self.texts[action.nonce] = action.block.name
                if waiting is not None and not waiting.done() and not self.chance(0.05):
                    waiting.set_result(action)
            case StartRun():
                return self._start(action)
            case StopRun():
                await self.while_(2)
                self.kill(action.container, told=False)
            case RemoveRun():
                self.kill(action.container, told=False)
                self.containers.pop(action.container, None)
            case ListRuns():
                asked_at = self.clock.now().elapsed
                runs = tuple(self._listed(c) for c in self.containers.values())
                await self.while_(0.5)
                return RunsListed(asked_at, runs)
            case LookAtScreen():
                return self._screen(action.agent)
            case TypePrompt():
                container = self._alive(action.agent)
                if container is not None and not self.chance(0.1):
                    self.texts[action.nonce] = action.text.name
                    for _ in range(2 if self.chance(0.05) else 1):
                        container.typed.put_nowait(action.nonce)
                    self.counts["typed into a busy agent"] += not container.idle
            case ReadBranch():
                return self.hub.read(action)
            case MakeCommit():
                return self.hub.make(action)
            case MoveBranch():
                return self.hub.move(action)
            case FetchUpstream():
                return self.hub.fetch(action)
            case PushUpstream():
                return self.hub.push(action)
            case FinishDaemon():
                await asyncio.sleep(10**6)
        return None

    def _alive(self, agent: AgentName) -> Container | None:
        return next((c for c in self.containers.values() if c.agent == agent and c.alive), None)

    def _listed(self, c: Container) -> RunListed:
        return RunListed(c.agent, c.epoch, c.id, c.alive, None if c.alive else 137, out_of_memory=False)

    def _start(self, action: StartRun) -> ContainerId:
        if any(c.agent == action.agent for c in self.containers.values()):
            self.counts["refused starts"] += 1
            raise Unreachable("the name is taken")
        container = Container(ContainerId(f"{action.agent}.{action.epoch}"), action.agent, action.epoch)
        self.containers[container.id] = container
        home = self.homes.setdefault(action.agent, Home(action.agent))
        agent = SimulatedAgent(self, home, container, action)
        container.program = self.spawn(agent.live(), container.id)
        return container.id

    def _screen(self, agent: AgentName) -> ScreenSeen:
        now = self.clock.now().elapsed
        container = self._alive(agent)
        if container is None:
            raise Unreachable("no such session")
        status = "idle" if container.idle else "busy"
        return ScreenSeen(now, status, "empty", status_age=now - container.idle_since)

    # ---- trouble

    def kill(self, id_: ContainerId, *, told: bool = True) -> None:
        """The run ends at once; the engine tells of it unless that is lost."""
        container = self.containers.get(id_)
        if container is None or not container.alive:
            return
        container.alive = False
        if container.program is not None:
            container.program.cancel()
        if told:
            self.tell(RunDead(self._listed(container)))

    def daemon_gone(self) -> None:
        """Every connection breaks."""
        self.reactor = None
        for waiting in self.connections.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())
        self.connections.clear()


class SimulatedAgent:
    """One run of a CLI with its hook scripts."""

    def __init__(self, outside: Outside, home: Home, container: Container, start: StartRun) -> None:
        self.o = outside
        self.home = home
        self.container = container
        self.start = start
        self.conversation = start.conversation
        self.who: dict[str, Any] = {"agent": home.name, "epoch": container.epoch}
        self.started = asyncio.Event()

    async def live(self) -> None:
        """From boot to death."""
        home = self.home
        home.changes = 0  # the entrypoint saved them
        if self.start.branch is not None and self.start.branch != home.branch:
            self._check_out(self.start.branch, self.start.base)
        home.nonce = self.start.nonce or home.nonce
        await self.o.while_(3)
        if self.o.chance(0.05):
            self.o.kill(self.container.id)
            return
        if self.start.resumes and self.conversation not in home.conversations:
            self.o.counts["resumed nothing"] += 1
            self.o.kill(self.container.id)
            return
        if not self.o.chance(0.05):  # else it gave up
            await self._post(SessionStarted, conversation=self.conversation, source="resume" if self.start.resumes else "startup")
        if self.start.text is not None and self.start.nonce is not None:
            self.o.texts[self.start.nonce] = self.start.text.name
            self.container.typed.put_nowait(self.start.nonce)
        while True:
            self.container.idle, self.container.idle_since = True, self.o.clock.now().elapsed
            nonce = await self.container.typed.get()
            self.container.idle, self.container.idle_since = False, self.o.clock.now().elapsed
            if nonce == CLEAR:
                self.conversation = ConversationId(f"cleared {self.conversation}")
                await self._post(SessionStarted, conversation=self.conversation, source="clear")
                continue
            with contextlib.suppress(Interrupted):
                await self._prompt(nonce)

    async def _post(self, kind: Any, connection: str = "", **fields: Any) -> Any:
        """Posts until it is answered, with the same id each time."""
        self.home.posts += 1
        n = self.home.posts
        counted = {} if kind is Acknowledged else {"n": n}
        for again in range(10_000):
            name = f"{self.home.name}.{self.container.epoch}.{n}.{again}"
            waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            await self.o.while_(0.05)
            if kind is Stopped and self.o.chance(0.02):
                raise Interrupted  # a person's Escape kills the script that waits
            if self.o.reactor is not None and not self.o.chance(0.05):
                self.o.connections[name] = waiting
                self.o.tell(kind(**self.who, **counted, connection=name, **fields))
                if self.o.chance(0.03):
                    self.o.tell(kind(**self.who, **counted, connection=name + "b", **fields))  # the same, twice
                try:
                    async with asyncio.timeout(20):
                        return await waiting
                except (TimeoutError, ConnectionResetError):
                    self.o.connections.pop(name, None)
                    self.o.tell(Left(name))
            await asyncio.sleep(0.5)
        raise Broken(f"{self.home.name} was never answered")

    def _check_out(self, branch: str, base: Oid | None) -> None:
        self.home.branch = branch
        self.o.hub.heads.setdefault(branch, base or self.o.hub.tip)

    async def _taken(self, answer: AnswerHook, *, prompt: bool = False) -> bool:
        """What the script does with an answer: check out, acknowledge; whether it is printed for the CLI."""
        if answer.status != 200:
            return False
        if answer.nonce is not None:
            ok = not self.o.chance(0.05)
            if ok:
                if answer.checkout is not None:
                    self._check_out(*answer.checkout)
                    self.home.changes = 0
                self.home.nonce = answer.nonce
            reply = await self._post(Acknowledged, nonce=answer.nonce, ok=ok, detail="")
            if not ok or not reply.ok:
                return False
            if not prompt:
                self._accepted(answer.nonce)
        return answer.block is not None

    def _accepted(self, nonce: str) -> None:
        seen = self.home.conversations.setdefault(self.conversation, [])
        if nonce in seen:
            raise Broken(f"{self.home.name} was made to begin {nonce} twice")
        if self.o.texts[nonce] == "continue" and not seen:
            raise Broken(f"{self.home.name} was told to go on in a conversation that holds nothing")
        seen.append(nonce)

    async def _prompt(self, nonce: str | None) -> None:
        answer = await self._post(Prompted, conversation=self.conversation, nonce=nonce, by_cli=False)
        blocked = answer.block is not None or (answer.status != 200 and nonce is not None)
        if blocked:
            self.o.counts["refused prompts"] += 1
            return
        await self._taken(answer, prompt=True)
        self.home.conversations.setdefault(self.conversation, [])
        if nonce is not None:
            self._accepted(nonce)
        await self._turns(by_person=nonce is None)

    async def _turns(self, *, by_person: bool) -> None:
        """From a prompt to the end of the last turn that follows from it."""
        while True:
            if not by_person:
                await self._work()
            await self.o.while_(2)
            if self.o.chance(0.03):
                await self._post(TurnFailed, error="overloaded_error", text="", transcript="/t")
                return
            if self.o.chance(0.02):
                return  # somebody pressed Escape
            background = 1 if self.o.chance(0.05) else 0
            answer = await self._post(Stopped, conversation=self.conversation, background=background, workspace=self._workspace())
            if background:
                await self.o.while_(5)
                again = await self._post(Prompted, conversation=self.conversation, nonce=None, by_cli=True)
                if again.status != 200 or again.block is not None:
                    return
                continue
            if not await self._taken(answer):
                return
            by_person = False

    def _workspace(self) -> Workspace:
        home, hub = self.home, self.o.hub
        world = self.o.reactor.world if self.o.reactor is not None else None
        head = hub.heads.get(home.branch) if home.branch else hub.tip
        agent = world.agents.get(home.name) if world else None
        task = world.tasks.get(agent.task) if world and agent and agent.task else None
        base = task.attempt.base if task and task.attempt else hub.tip
        commits = hub.work_since(head, base) if head else 0
        return Workspace(home.branch, head, home.changes, "", head, commits, home.nonce)

    async def _work(self) -> None:
        await self.o.while_(6)
        self.o.tell(ToolUsed(**self.who, conversation=self.conversation))
        await self.o.while_(6)
        if self.home.name == MANAGER:
            await self._manage()
            return
        if self.o.chance(0.1):
            self.home.changes = 1
        if self.home.branch in (None, "main"):
            return
        if not self.o.chance(0.15):
            head = self.o.hub.heads[str(self.home.branch)]
            made = self.o.hub.commit(head, task=self.home.branch.partition("/")[2].partition(".")[0], message="work")
            self.o.hub.heads[self.home.branch] = made.oid
            self.home.changes = 0
            if self.o.chance(0.1):
                self.o.hub.conflicts.add(made.oid)
        if not self.o.chance(0.2):
            verb = "ask" if self.o.chance(0.1) else "done"
            await self._post(Said, word=Word(verb, "so it is"))  # type: ignore[arg-type]  # one of the two

    async def _manage(self) -> None:
        hub = self.o.hub
        heads = [head for head in sorted(hub.conflicts) if not hub.has(head, hub.tip)]
        lists = dict(hub.commits[hub.tip].lists)
        if self.o.trouble and self.o.added < 3 and self.o.random.random() < 0.5:
            self.o.added += 1
            lists[list_name(1)] += f"- [ ] Added {self.o.added} {{#added-{self.o.added}}}\n".encode()
        elif not heads:
            return
        made = hub.commit(hub.tip, *heads, lists=lists, message="the Manager's work")
        hub.offer = made.oid
        if not self.o.chance(0.1):
            self.o.tell(Offered(made.oid))


async def people(outside: Outside, until: float) -> None:
    """Kills runs and talks to agents now and then, until then."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        await asyncio.sleep(outside.random.expovariate(1 / 15))
        alive = [c for c in outside.containers.values() if c.alive]
        if not alive or not outside.trouble:
            continue
        container = outside.random.choice(alive)
        if outside.random.random() < 0.1:
            outside.clock.jump(microseconds=outside.random.choice([-3600, 3600]) * 1_000_000)
        if outside.random.random() < 0.6:
            outside.kill(container.id, told=not outside.chance(0.3))
        elif container.idle:
            container.typed.put_nowait(None if outside.random.random() < 0.7 else CLEAR)


async def end_all(outside: Outside) -> None:
    """Ends every program."""
    going = [*outside.programs, *outside.orders]
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)
