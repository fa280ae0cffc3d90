"""What an agent's hooks and its `orch` mean: the beginning and end of turns, deliveries acknowledged, the word said."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from orchestrad.core.actions import AnswerHook, ClearComposer, LookAtScreen, ReadLimit, Reply, TypePrompt
from orchestrad.core.backoff import api_wait
from orchestrad.core.decide import Events, on, on_outcome
from orchestrad.core.events import (
    Delivered,
    DeliveryEnded,
    DeliveryOrdered,
    DeliverySent,
    DeliveryStarted,
    Event,
    Glimpsed,
    LimitRead,
    PersonLeft,
    PostAnswered,
    PostTaken,
    PromptTaken,
    RunBegan,
    RunEndOrdered,
    TaskBlocked,
    TaskCancelled,
    TaskOpened,
    TaskSubmitted,
    TaskTold,
    TurnBroken,
    TurnEnded,
    TurnInterrupted,
    WordGiven,
)
from orchestrad.core.ids import ConversationId, Now, worker_number
from orchestrad.core.observations import (
    Acknowledged,
    Failed,
    Left,
    Prompted,
    Said,
    ScreensSeen,
    SessionEnded,
    SessionStarted,
    Stopped,
    ToolUsed,
)
from orchestrad.core.observations import TurnFailed as TurnFailedHook
from orchestrad.core.proof import missing
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.texts import of_edit, said_by
from orchestrad.core.world import (
    SECOND,
    Agent,
    Allow,
    Answer,
    Beginner,
    Delivery,
    DeliveryKind,
    Hand,
    MoveKind,
    Refuse,
    Route,
    Say,
    ScreenSeen,
    Task,
    Text,
    World,
)

T = TypeVar("T")
LIMITS = frozenset({"rate_limit", "usage_limit_reached"})
REFUSALS = frozenset({"authentication_failed", "billing_error"})
FIRST_GUESS = 60 * SECOND  # API keys give no reset time: tried again after this, see facts on StopFailure
LONGEST_LIMIT = 8 * 24 * 3600 * SECOND  # the longest is weekly; what an agent's file claims beyond that is no reset
INTERRUPTED_AFTER = 10 * SECOND  # an idle session file that old, with no Stop heard: the turn was ended by Escape


def _current(world: World, name: str, epoch: int) -> Agent | None:
    """The agent, if this news is of its present run."""
    agent = world.agents.get(name)  # type: ignore[call-overload]  # a name is checked by looking it up
    return agent if agent is not None and agent.run is not None and agent.epoch == epoch else None


def _leads_to(agent: Agent, state: AgentState) -> AgentState:
    """The state that news of a turn leads to; a run that was told to end stays told, whatever its hooks still say."""
    return AgentState.STOPPING if agent.state is AgentState.STOPPING else state


def _begun(agent: Agent, conversation: ConversationId, now: Now) -> Iterator[Event]:
    """Any hook of a conversation shows that it has begun, should its SessionStart be lost or late."""
    if agent.run is not None and agent.run.begun_at is None:
        yield RunBegan(
            now=now,
            agent=agent.name,
            epoch=agent.epoch,
            conversation=conversation,
            cleared=False,
            n=agent.other_post,
            reason="its conversation was heard of",
        )


# ---- Stop


@on(Stopped)
def stopped(world: World, o: Stopped, now: Now) -> Iterator[Event]:
    """A Stop hook asks what is next. What is not decided here is left to `settle`, in the same commit."""
    yield Glimpsed(now=now, changes={"stops": {**world.glimpses.stops, o.connection: (o.agent, o.epoch, o.n)}})
    agent = _current(world, o.agent, o.epoch)
    if agent is None or (agent.post and o.n <= agent.post.n):
        return  # an old run, or the same post again: the stored answer goes out
    yield from _begun(agent, o.conversation, now)
    delivery = agent.delivery
    may_go_on = agent.state is not AgentState.STOPPING
    waits = delivery is not None and delivery.delivered_at is None and delivery.route is Route.ANSWER
    if delivery and waits and may_go_on and o.workspace.nonce == delivery.nonce:
        # The script checked it out and was cut off before it could say so.
        yield Delivered(now=now, agent=agent.name, nonce=delivery.nonce, conversation=o.conversation)
        agent = replace(agent, turn=Beginner.DAEMON, delivery=replace(delivery, delivered_at=now.elapsed))
        delivery = agent.delivery

    def ended(state: AgentState, reason: str, silent_stops: int = 0) -> TurnEnded:
        return TurnEnded(
            now=now, agent=o.agent, reason=reason, epoch=o.epoch, n=o.n, state=_leads_to(agent, state), silent_stops=silent_stops
        )

    def answered(answer: Answer, *, reminds: bool = False, reason: str = "") -> PostAnswered:
        return PostAnswered(now=now, agent=o.agent, n=o.n, answer=answer, reminds=reminds, reason=reason)

    if o.background is None or o.background > 0:
        number = "an unknown number of" if o.background is None else o.background
        yield ended(AgentState.WAITING, f"its turn ended with {number} background tasks still running")
        yield answered(Allow("its background work runs on"))
        return
    if agent.turn in (Beginner.PERSON, None):
        yield ended(AgentState.ATTENDED, "a person's turn ended; it is left to that person for now")
        yield answered(Allow("a person is talking to it"))
        return

    if delivery and delivery.delivered_at is not None and delivery.started_at is None:
        yield DeliveryStarted(now=now, agent=o.agent, nonce=delivery.nonce)
    task = world.tasks.get(agent.task) if agent.task else None
    if task is None or delivery is None or delivery.delivered_at is None:
        yield from _ended_without_task(world, agent, o, now)
        return
    yield from _judged(world, agent, task, o, now)


def _ended_without_task(world: World, agent: Agent, o: Stopped, now: Now) -> Iterator[Event]:
    delivery = agent.delivery
    if delivery is None and agent.task is None and worker_number(agent.name) is not None:
        yield from _ended_with_leftovers(agent, o, now)
        return
    ready = _leads_to(agent, AgentState.READY)
    yield TurnEnded(now=now, agent=o.agent, reason="its turn ended", epoch=o.epoch, n=o.n, state=ready)
    if delivery is None or delivery.delivered_at is None or agent.task is not None:
        return
    problem = ""
    if o.workspace.changes and agent.reminders < 1:
        problem = f"{o.workspace.changes} paths are not committed. Commit and push what belongs to the project, remove the rest."
    stand = unsettled(world, delivery)
    if stand and not problem and agent.reminders < world.settings.max_reminders:
        branches = ", ".join(task.attempt.branch for task in stand if task.attempt)
        problem = f"You were told of conflicts that still stand: {branches}. Merge them as you were told, commit, `git push`."
    if problem and ready is AgentState.READY:
        yield PostAnswered(
            now=now, agent=o.agent, n=o.n, answer=Say(Text("reminder", {"problem": problem})), reminds=True, reason=problem
        )
        return
    for task in stand:
        branch = task.attempt.branch if task.attempt else "its branch"
        reason = (
            f"the Manager did not settle its conflict in {', '.join(task.conflict)}; merge {branch} by hand, "
            f"or `orchestrad task retry {task.id}` has it done anew"
        )
        yield TaskBlocked(now=now, task=task.id, reason=reason)
    yield DeliveryEnded(now=now, agent=o.agent, nonce=delivery.nonce, reason="told, and its turn ended")


def unsettled(world: World, delivery: Delivery) -> list[Task]:
    """Tasks of whose conflicts this digest told, that stand as they did, with nothing on its way to settle them."""
    hub = world.hub
    if hub.offers or hub.read != hub.tip or (hub.move is not None and hub.move.kind is MoveKind.MANAGER):
        return []
    told = [world.notes[note].about for note in delivery.notes if note in world.notes and world.notes[note].kind == "conflict"]
    return [
        task
        for task in world.tasks.values()
        if task.state is TaskState.SUBMITTED and task.conflict and any(about.startswith(f"{task.id} ") for about in told)
    ]


def _judged(world: World, agent: Agent, task: Task, o: Stopped, now: Now) -> Iterator[Event]:
    """A turn on a task ended: said and proven, proven only, or neither."""
    if task.attempt is None:
        return
    word = agent.word
    ready = _leads_to(agent, AgentState.READY)
    if not task.listed:
        yield from _ended_with_leftovers(agent, o, now)
        yield TaskCancelled(now=now, task=task.id, reason=f"its item was removed from {task.list}")
        return
    heard = _heard(agent, task.attempt.told)
    if heard != task.attempt.told:
        yield TaskTold(now=now, task=task.id, told=heard, reason=f"{agent.name} went on after it was told of the edit")
    if heard and heard != said_by(task):  # what it said and did was about another text
        yield TurnEnded(now=now, agent=o.agent, reason="its turn ended", epoch=o.epoch, n=o.n, state=ready)
        if ready is AgentState.READY:
            reason = "its task was edited meanwhile: told"
            yield PostAnswered(now=now, agent=o.agent, n=o.n, answer=Say(of_edit(task)), reason=reason)
        return
    gap = missing(task.attempt, o.workspace, no_change=bool(word and word.no_change))
    if word and word.verb != "done":
        asked = "asks" if word.verb == "ask" else "is blocked"
        if not o.workspace.changes:
            yield TurnEnded(now=now, agent=o.agent, reason="its turn ended", epoch=o.epoch, n=o.n, state=ready)
            reason = f"{agent.name} {asked}: {word.text}"
            yield TaskBlocked(now=now, task=task.id, asks=word.verb == "ask", reason=reason)
            return
        gap = f'{gap} Then run `orch {word.verb} "…"` once more: what you said is not recorded yet.'
    silent = agent.silent_stops + 1 if not gap and word is None else 0
    yield TurnEnded(now=now, agent=o.agent, reason="its turn ended", epoch=o.epoch, n=o.n, state=ready, silent_stops=silent)
    if not gap and (word or silent >= 2):
        yield TaskSubmitted(
            now=now,
            task=task.id,
            reason=f"{agent.name} said done, and git proves it" if word else f"{agent.name} stopped twice with all committed",
            head=o.workspace.head or task.attempt.base,
            submission=world.fleet.submissions + 1,
            no_change=word.text if word and word.no_change and not o.workspace.commits else "",  # what is committed is merged
            note=word.text if word else "",
        )
        return
    if ready is AgentState.STOPPING:
        return  # nothing more is said to a run that is to end; the attempt goes on in the next one
    if not gap:
        text = Text("question", {"title": task.text})
        reason = "all is committed, but it did not say done: asked once"
        yield PostAnswered(now=now, agent=o.agent, n=o.n, answer=Say(text), reason=reason)
        return
    if agent.reminders < world.settings.max_reminders:
        text = Text("reminder", {"problem": gap})
        yield PostAnswered(now=now, agent=o.agent, n=o.n, answer=Say(text), reminds=True, reason=gap)
        return
    yield attempt_failed(world, task, f"after {agent.reminders} reminders: {gap}", now)
    if o.workspace.changes or o.workspace.operation or o.workspace.branch is None:
        # The entrypoint saves what is there and puts the workspace in order; no task begins on somebody's leftovers.
        yield RunEndOrdered(now=now, agent=o.agent, epoch=o.epoch, reason="its workspace is put in order")


def _heard(agent: Agent, told: str) -> str:
    """What the task said when its worker heard of it last: a Stop after an answer shows that the answer arrived."""
    post = agent.post
    if post is not None and post.epoch == agent.epoch and isinstance(post.answer, Say) and post.answer.text.name == "edited":
        return post.answer.text.fields["told"]
    return told


def _ended_with_leftovers(agent: Agent, o: Stopped, now: Now) -> Iterator[Event]:
    """The turn of a worker whose task was taken from it ended; no task begins on what it left uncommitted."""
    ready = _leads_to(agent, AgentState.READY)
    yield TurnEnded(now=now, agent=o.agent, reason="its turn ended", epoch=o.epoch, n=o.n, state=ready)
    if ready is AgentState.READY and (o.workspace.changes or o.workspace.operation):
        yield RunEndOrdered(now=now, agent=o.agent, epoch=o.epoch, reason="its task is gone; what it left is saved")


def attempt_failed(world: World, task: Task, why: str, now: Now) -> Event:
    """The attempt has failed: the task is open again after a while, or blocked when it had its retries."""
    failures = task.failures + 1
    if failures > world.settings.max_retries:
        return TaskBlocked(now=now, task=task.id, reason=f"{failures} attempts failed, the last {why}")
    return TaskOpened(
        now=now,
        task=task.id,
        reason=f"attempt {failures} failed {why}",
        failures=failures,
        not_before=now.elapsed + world.settings.retry_delay,
        generation=task.generation,
    )


# ---- prompts and conversations


@on(Prompted)
def prompted(world: World, o: Prompted, now: Now) -> Iterator[Event]:
    """A prompt was submitted: ours is acknowledged once, a person's passes."""
    yield Glimpsed(now=now, changes={"prompts": {**world.glimpses.prompts, o.connection: (o.agent, o.epoch, o.n)}})
    agent = _current(world, o.agent, o.epoch)
    if agent is None or o.n <= agent.prompt_post:
        return
    yield from _begun(agent, o.conversation, now)
    idle = agent.state not in (AgentState.WORKING, AgentState.STOPPING)
    answer: Answer = Allow()
    beginner, state = None, None
    if o.nonce is not None:
        delivery = agent.delivery
        if agent.state is AgentState.STOPPING:
            answer = Refuse("orchestrad is ending this run; the prompt is sent again in the next one")
        elif delivery is None or delivery.nonce != o.nonce or delivery.delivered_at is not None:
            answer = Refuse("orchestrad sent this before; it counts once")
        else:
            yield Delivered(now=now, agent=o.agent, nonce=delivery.nonce, conversation=o.conversation, reason="its prompt arrived")
            if delivery.kind is DeliveryKind.TASK:
                answer = Hand(delivery.nonce)
    elif o.by_cli:
        goes_on = agent.state is AgentState.WAITING and agent.turn is Beginner.PERSON
        beginner = (Beginner.PERSON if goes_on else Beginner.CLI) if idle else None
        state = (AgentState.ATTENDED if goes_on else AgentState.WORKING) if idle else None
    elif idle:
        beginner, state = Beginner.PERSON, AgentState.ATTENDED
    yield PromptTaken(
        now=now,
        agent=o.agent,
        n=o.n,
        answer=answer,
        beginner=beginner,
        state=state,
        reason=_whose_prompt(o),
    )


def _whose_prompt(o: Prompted) -> str:
    if o.nonce is not None:
        return "its prompt arrived"
    return "the CLI went on by itself" if o.by_cli else "a person typed a prompt"


@on(SessionStarted)
def session_started(world: World, o: SessionStarted, now: Now) -> Iterator[Event]:
    """A conversation is there."""
    agent = _current(world, o.agent, o.epoch)
    if agent is not None and o.n > agent.other_post:
        yield RunBegan(
            now=now,
            agent=o.agent,
            epoch=o.epoch,
            conversation=o.conversation,
            cleared=o.source == "clear" and agent.state is not AgentState.STOPPING,
            n=o.n,
            reason="its conversation goes on" if o.source == "resume" else "its conversation has begun",
        )
    yield _reply(world, o.connection, now)


@on(SessionEnded)
def session_ended(world: World, o: SessionEnded, now: Now) -> Iterator[Event]:
    """A conversation was closed; by a person's /exit it is no crash when the run ends."""
    agent = _current(world, o.agent, o.epoch)
    if agent is not None and o.n > agent.other_post:
        if o.reason == "prompt_input_exit":
            yield PersonLeft(now=now, agent=o.agent, n=o.n, reason="a person left it with /exit")
        else:
            yield PostTaken(now=now, agent=o.agent, n=o.n)
    yield _reply(world, o.connection, now)


@on(TurnFailedHook)
def turn_failed(world: World, o: TurnFailedHook, now: Now) -> Iterator[Event]:
    """An API error ended the turn: a limit, a refused credential, or trouble that passes."""
    agent = _current(world, o.agent, o.epoch)
    if agent is not None and o.n > agent.other_post:
        failures = agent.api_failures + 1
        limited = o.error in LIMITS | REFUSALS
        after = AgentState.ATTENDED if agent.turn is Beginner.PERSON else AgentState.READY
        yield TurnBroken(
            now=now,
            agent=o.agent,
            n=o.n,
            state=_leads_to(agent, AgentState.LIMITED if limited else after),
            failures=failures,
            again_at=now.elapsed + api_wait(failures),
            until_wall=now.wall + FIRST_GUESS if o.error in LIMITS else None,
            transcript=o.transcript if o.error in LIMITS else None,
            reason=_failure_reason(agent, o),
        )
    yield _reply(world, o.connection, now)


def _failure_reason(agent: Agent, o: TurnFailedHook) -> str:
    said = f" ({o.text})" if o.text else ""
    if o.error in LIMITS:
        return f"its credential {agent.credential} has reached a limit{said}"
    if o.error in REFUSALS:
        mend = f"mend the file, then `orchestrad resume {agent.name}`"
        return f"its credential {agent.credential} was refused: {o.error}{said}; {mend}"
    return f"the API failed: {o.error}{said}; it goes on by itself"


@on_outcome(ReadLimit)
def limit_read(world: World, action: ReadLimit, result: object, now: Now) -> Events:
    """When the limit is over, as the transcript says; without a word a guess stands."""
    agent = world.agents.get(action.agent)
    if agent is None or agent.limit_check != action.transcript:
        return
    if isinstance(result, int) and result < now.wall + LONGEST_LIMIT:
        yield LimitRead(now=now, agent=agent.name, until_wall=result, reason=agent.reason)
    else:
        yield LimitRead(
            now=now, agent=agent.name, until_wall=agent.limited_until_wall or now.wall + FIRST_GUESS, reason=agent.reason
        )


# ---- deliveries and the word


@on(Acknowledged)
def acknowledged(world: World, o: Acknowledged, now: Now) -> Iterator[Event]:
    """The script checked out what it was handed: now, and not before, it is delivered."""
    agent = _current(world, o.agent, o.epoch)
    delivery = agent.delivery if agent else None
    if agent is None or delivery is None or delivery.nonce != o.nonce or agent.state is AgentState.STOPPING:
        yield _reply(world, o.connection, now, ok=False, text="superseded")
        return
    if not o.ok:
        yield _reply(world, o.connection, now, ok=False, text="noted")
        return
    if delivery.delivered_at is None:
        yield Delivered(now=now, agent=agent.name, nonce=delivery.nonce, conversation=agent.conversation, reason="checked out")
    yield _reply(world, o.connection, now)


@on(Said)
def said(world: World, o: Said, now: Now) -> Iterator[Event]:
    """The agent said done, blocked, or asked; it counts when its turn ends."""
    agent = _current(world, o.agent, o.epoch)
    if agent is None:
        yield _reply(world, o.connection, now, ok=False, text="This run is over; nothing was recorded.")
        return
    task = world.tasks.get(agent.task) if agent.task else None
    if task is None:
        yield _reply(world, o.connection, now, ok=False, text="You have no task, so there is nothing to say of one.")
        return
    if o.n > agent.other_post:
        yield WordGiven(now=now, agent=agent.name, n=o.n, word=o.word, reason=f"{o.word.verb}: {o.word.text}")
    follows = {
        "done": f"Recorded: done with {task.text!r}. End your turn now; the next task follows if all is committed.",
        "blocked": "Recorded: blocked. Commit what you have and end your turn now; the Manager is told.",
        "ask": "Recorded: your question goes to the Manager. Commit what you have and end your turn now.",
    }
    yield _reply(world, o.connection, now, text=follows[o.word.verb])


@on(ToolUsed)
def tool_used(world: World, o: ToolUsed, now: Now) -> Iterator[Event]:
    """The first tool call after a delivery: the agent acts on it."""
    agent = _current(world, o.agent, o.epoch)
    if agent and agent.delivery and agent.delivery.delivered_at is not None and agent.delivery.started_at is None:
        yield DeliveryStarted(now=now, agent=agent.name, nonce=agent.delivery.nonce)


@on_outcome(TypePrompt)
def prompt_typed(world: World, action: TypePrompt, result: object, now: Now) -> Iterator[Event]:
    """A typed prompt is a hope; the hook that follows is the fact. Either way the screen has to be looked at anew."""
    yield _forget_screen(world, action.agent, now)
    if not isinstance(result, Failed):
        yield DeliverySent(now=now, agent=action.agent, nonce=action.nonce, route=Route.TYPED, told=action.told)


@on_outcome(ClearComposer)
def composer_cleared(world: World, action: ClearComposer, result: object, now: Now) -> Iterator[Event]:
    """What stands in the composer now is not known until it is looked at."""
    yield _forget_screen(world, action.agent, now)


def _forget_screen(world: World, agent: str, now: Now) -> Event:
    screens = {name: seen for name, seen in world.glimpses.screens.items() if name != agent}
    return Glimpsed(now=now, changes={"screens": screens})


@on(ScreensSeen)
def screens_seen(world: World, o: ScreensSeen, now: Now) -> Iterator[Event]:
    """What screens and session files show; an idle one in the middle of a turn means that Escape was pressed."""
    yield Glimpsed(now=now, changes={"screens": {**world.glimpses.screens, **o.screens}})
    for name, seen in sorted(o.screens.items()):
        agent = world.agents.get(name)
        if agent is None or agent.run is None or seen.status != "idle" or seen.status_age < INTERRUPTED_AFTER:
            continue
        quiet_since = seen.asked_at - INTERRUPTED_AFTER
        if agent.state is AgentState.WORKING and agent.turn_at < quiet_since and not _stop_waits(world, agent):
            yield from _interrupted(agent, now)


def _interrupted(agent: Agent, now: Now) -> Iterator[Event]:
    """Escape, and the agent is that person's; or a prompt that was let through here and withdrawn there before it began."""
    delivery = agent.delivery
    arrived = delivery is not None and delivery.delivered_at is not None and agent.turn is Beginner.DAEMON
    if delivery is None or not arrived or delivery.started_at is not None or delivery.route is Route.ANSWER:
        yield TurnInterrupted(now=now, agent=agent.name, reason="its turn ended without a Stop: somebody pressed Escape")
        return
    reason = "its prompt was withdrawn before anything began"
    yield TurnInterrupted(now=now, agent=agent.name, state=AgentState.READY, reason=reason)
    fresh = replace(delivery, delivered_at=None, conversation=None, sent_at=now.elapsed)
    yield DeliveryOrdered(now=now, agent=agent.name, delivery=fresh, reason=reason)


def _stop_waits(world: World, agent: Agent) -> bool:
    return any(name == agent.name for name, _, _ in world.glimpses.stops.values())


@on(Left)
def left(world: World, o: Left, now: Now) -> Iterator[Event]:
    """A connection is gone: nobody can be answered there."""
    yield _closed(world, o.connection, now)


@on_outcome(AnswerHook)
def hook_answered(world: World, action: AnswerHook, result: object, now: Now) -> Iterator[Event]:
    """Whether the answer arrived is told by what follows; the connection is used up."""
    yield _closed(world, action.connection, now)


@on_outcome(Reply)
def replied(world: World, action: Reply, result: object, now: Now) -> Iterator[Event]:
    """As for hooks."""
    yield _closed(world, action.connection, now)


@on_outcome(LookAtScreen)
def looked(world: World, action: LookAtScreen, result: object, now: Now) -> Events:
    """One screen, asked for."""
    if isinstance(result, ScreenSeen):
        yield from screens_seen(world, ScreensSeen({action.agent: result}), now)


def _closed(world: World, connection: str, now: Now) -> Event:
    def without(open_: Mapping[str, T]) -> dict[str, T]:
        return {name: value for name, value in open_.items() if name != connection}

    g = world.glimpses
    return Glimpsed(now=now, changes={"stops": without(g.stops), "prompts": without(g.prompts), "replies": without(g.replies)})


def _reply(world: World, connection: str, now: Now, *, ok: bool = True, text: str = "") -> Event:
    return Glimpsed(now=now, changes={"replies": {**world.glimpses.replies, connection: (ok, text)}})
