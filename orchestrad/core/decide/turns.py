"""What the end of a turn means: said and proven, proven only, or neither."""

from collections.abc import Iterator

from orchestrad.core.decide import on
from orchestrad.core.decide.present import begun, current, leads_to
from orchestrad.core.events import (
    DeliveryEnded,
    DeliveryStarted,
    Event,
    Glimpsed,
    PostAnswered,
    RunEndOrdered,
    TaskBlocked,
    TaskCancelled,
    TaskOpened,
    TaskSubmitted,
    TaskTold,
    TurnEnded,
)
from orchestrad.core.ids import Now, worker_number
from orchestrad.core.observations import (
    Stopped,
)
from orchestrad.core.proof import missing
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.texts import of_edit, said_by
from orchestrad.core.world import (
    Agent,
    Allow,
    Answer,
    Beginner,
    Delivery,
    MoveKind,
    Route,
    Say,
    Task,
    Text,
    Word,
    World,
)


@on(Stopped)
def stopped(world: World, o: Stopped, now: Now) -> Iterator[Event]:
    """A Stop hook asks what is next. What is not decided here is left to `settle`, in the same commit."""
    yield Glimpsed(now=now, changes={"stops": {**world.glimpses.stops, o.connection: (o.agent, o.epoch, o.n)}})
    agent = current(world, o.agent, o.epoch)
    if agent is None or (agent.post and o.n <= agent.post.n):
        return  # an old run, or the same post again: the stored answer goes out
    yield from begun(agent, o.conversation, now)
    delivery = agent.delivery

    def ended(state: AgentState, reason: str, silent_stops: int = 0) -> TurnEnded:
        return TurnEnded(
            now=now, agent=o.agent, reason=reason, epoch=o.epoch, n=o.n, state=leads_to(agent, state), silent_stops=silent_stops
        )

    def answered(answer: Answer, *, reminds: bool = False, reason: str = "") -> PostAnswered:
        return PostAnswered(now=now, agent=o.agent, n=o.n, answer=answer, reminds=reminds, reason=reason)

    if o.background is None or o.background > 0:
        number = "an unknown number of" if o.background is None else o.background
        yield ended(AgentState.WAITING, f"its turn ended with {number} background tasks still running")
        yield answered(Allow("its background work runs on"))
        return
    # The script checked out what it was handed and was cut off before it was acknowledged: Claude has not seen a word of it.
    handed = delivery is not None and delivery.delivered_at is None and delivery.route is Route.ANSWER
    cut_off = agent.turn is None and handed and delivery is not None and o.workspace.nonce == delivery.nonce
    if agent.turn in (Beginner.PERSON, None) and not cut_off:
        yield ended(AgentState.ATTENDED, "a person's turn ended; it is left to that person for now")
        yield answered(Allow("a person is talking to it"))
        return

    task = world.tasks.get(agent.task) if agent.task else None
    if delivery and delivery.delivered_at is not None and delivery.started_at is None and _is_about(delivery, task, o):
        yield DeliveryStarted(now=now, agent=o.agent, nonce=delivery.nonce)
    if task is None or delivery is None or delivery.delivered_at is None:
        yield from _ended_without_task(world, agent, o, now)
        return
    yield from _judged(world, agent, task, o, now)


def _is_about(delivery: Delivery, task: Task | None, o: Stopped) -> bool:
    """Whether this Stop shows that the delivery was begun: it is of the same conversation and names the task's branch."""
    attempt = task.attempt if task and delivery.task == task.id else None
    return delivery.conversation in (None, o.conversation) and (attempt is None or o.workspace.branch == attempt.branch)


def _ended_without_task(world: World, agent: Agent, o: Stopped, now: Now) -> Iterator[Event]:
    delivery = agent.delivery
    if delivery is None and agent.task is None and worker_number(agent.name) is not None:
        yield from _ended_with_leftovers(agent, o, now)
        return
    ready = leads_to(agent, AgentState.READY)
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
    ready = leads_to(agent, AgentState.READY)
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
        if not o.workspace.changes:
            yield TurnEnded(now=now, agent=o.agent, reason="its turn ended", epoch=o.epoch, n=o.n, state=ready)
            yield _blocked(task, agent, word, now)
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
    if word and word.verb != "done":  # it can't go on, whatever it left: that is saved
        yield _blocked(task, agent, word, now)
    else:
        yield attempt_failed(world, task, f"after {agent.reminders} reminders: {gap}", now)
    if o.workspace.changes or o.workspace.operation or o.workspace.branch is None:
        # The entrypoint saves what is there and puts the workspace in order; no task begins on somebody's leftovers.
        yield RunEndOrdered(now=now, agent=o.agent, epoch=o.epoch, reason="its workspace is put in order")


def _blocked(task: Task, agent: Agent, word: Word, now: Now) -> Event:
    said = "asks" if word.verb == "ask" else "is blocked"
    return TaskBlocked(now=now, task=task.id, asks=word.verb == "ask", reason=f"{agent.name} {said}: {word.text}")


def _heard(agent: Agent, told: str) -> str:
    """What the task said when its worker heard of it last: a Stop after an answer shows that the answer arrived."""
    post = agent.post
    if post is not None and post.epoch == agent.epoch and isinstance(post.answer, Say) and post.answer.text.name == "edited":
        return post.answer.text.fields["told"]
    return told


def _ended_with_leftovers(agent: Agent, o: Stopped, now: Now) -> Iterator[Event]:
    """The turn of a worker whose task was taken from it ended; no task begins on what it left uncommitted."""
    ready = leads_to(agent, AgentState.READY)
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
