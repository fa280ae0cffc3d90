"""Why a task is where it is, one rule for each state."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Final

from orchestrad.core import moments
from orchestrad.core.identity import list_order
from orchestrad.core.ids import AgentName, Now, worker
from orchestrad.core.readiness import waits_for
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.tasklist import SHARED_LIST, worker_of
from orchestrad.core.texts import said_by
from orchestrad.core.why.agents import SPOKEN
from orchestrad.core.why.words import counted, listed, plain, sentence, title, why_the_fleet_rests
from orchestrad.core.world import Agent, Attempt, Task, World

T = TaskState


def about_task(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    """Its state, since when, the reason, and what would change it."""
    head = f"{title(task)} of {task.list} is {task.state.value}, {moments.since(task.since_wall, task.since_at, now, zone)}"
    reason = "" if task.conflict or task.reason == "merged" else plain(task.reason)  # what follows says it better
    return sentence(head, reason, _RULES[task.state](world, task, now, zone))


def retry(task: Task) -> str:
    """The command that gives the task out again."""
    return f"`orchestrad task retry {task.id}`"


def _open(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    number = worker_of(task.list)
    if number is not None and number > world.settings.workers:
        there = f"there is no worker-{number} (workerCount is {world.settings.workers})"
        return f"{there}: move it to another list or to {SHARED_LIST}, or raise `workerCount`"
    if waits := waits_for(world, task):
        return f"it waits for {listed([_waited(world, name) for name in waits])}"
    if rests := why_the_fleet_rests(world):
        return rests
    if task.not_before > now.elapsed:
        return f"it is tried again {moments.until(task.not_before, now, zone)}"
    if number is None:
        return f"the first worker that is free takes it{_before(world, task)}"
    return f"{_busy(world, worker(number))}{_before(world, task)}"


def _waited(world: World, name: str) -> str:
    named = next((t for t in world.tasks.values() if t.given_id == name and t.state is not T.CANCELLED), None)
    if named is None:
        return f"{name}, which no list has (correct its `after`)"
    if named.state is T.BLOCKED:
        return f"{name}, which is blocked ({plain(named.reason)}; {retry(named)})"
    holder = f" to {named.attempt.agent}" if named.state is T.ASSIGNED and named.attempt else ""
    return f"{name} ({named.state.value}{holder})"


def _busy(world: World, name: AgentName) -> str:
    agent = world.agents.get(name)
    if agent is None:
        return f"{name} takes it as soon as it is there"
    if agent.task is not None and agent.task in world.tasks:
        return f"{name} has {title(world.tasks[agent.task])} first{_not_at_work(agent)}"
    if agent.state is AgentState.READY:
        return f"{name} gets it in a moment"
    return f"{name} gets it once it is ready{_not_at_work(agent)}"


def _not_at_work(agent: Agent) -> str:
    if agent.state is AgentState.WORKING:
        return ""
    return f" (it is {SPOKEN[agent.state]}, see `orchestrad why {agent.name}`)"


def _before(world: World, task: Task) -> str:
    """How many open tasks are given out before this one."""

    def place(one: Task) -> tuple[object, ...]:
        return -one.priority, one.order, one.id

    before = [t for t in world.tasks.values() if t.state is T.OPEN and t.list == task.list and place(t) < place(task)]
    return f", after {counted(len(before), 'other task')} of its list" if before else ""


def _assigned(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    attempt = task.attempt
    if attempt is None:
        return ""
    agent = world.agents.get(attempt.agent)
    number = f" (attempt {attempt.number})" if attempt.number > 1 else ""
    has = f"{attempt.agent} has it{number} on branch {attempt.branch}{_progress(attempt, now)}"
    if not task.listed:
        removed = f"its item was removed from {task.list}, so it is cancelled when its worker's turn ends"
        return f"{has}; {removed}, unless the item comes back"
    edited = "its item was edited, which its worker is told when its turn ends; " if attempt.told not in ("", said_by(task)) else ""
    return f"{has}{_not_at_work(agent) if agent else ''}; {edited}it is submitted when its worker says done and git proves it"


def _progress(attempt: Attempt, now: Now) -> str:
    steps = (("begun", attempt.started_at), ("delivered", attempt.delivered_at), ("sent", attempt.sent_at))
    done = next(((word, at) for word, at in steps if at is not None), None)
    if done is None:
        return ", not sent yet"
    word, at = done
    short = {"begun": "", "delivered": " and not begun", "sent": " and not acknowledged"}[word]
    return f", {word} {moments.length(now.elapsed - at)} ago{short}"


def _submitted(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    hub, branch = world.hub, world.settings.branch
    if task.conflict:
        return f"it conflicts with {branch} in {listed(list(task.conflict))}; {_who_settles(world, task)}"
    if hub.move is not None and hub.move.task == task.id:
        return "it is being merged now"
    below = task.attempt and task.attempt.above and world.tasks.get(task.attempt.above)
    if below and below.state is T.SUBMITTED:
        held = f", which conflicts in {listed(list(below.conflict))}" if below.conflict else ""
        return f"it stands on {title(below)}{held}, and is merged after that"
    before = [t for t in world.tasks.values() if t.state is T.SUBMITTED and not t.conflict and t.submission < task.submission]
    queue = f"{counted(len(before), 'task')} before it" if before else "it is next"
    first = ", after the Manager's push" if hub.offers else ""
    return f"in the merge queue {queue}{first}"


def _who_settles(world: World, task: Task) -> str:
    branch = task.attempt.branch if task.attempt else ""
    if not world.settings.manager:
        return f"there is no Manager: merge {branch} into {world.settings.branch} yourself and push it upstream"
    notes = [note for note in world.notes.values() if note.kind == "conflict" and note.about.split(" ")[0] == task.id]
    told = "was told" if any(note.nonce for note in notes) else "is told next"
    return f"the Manager {told} and settles it by merging {branch}"


def _done(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    merged = f"merged as {task.merged[:10]}" if task.merged else ""
    tick = "its box is ticked with the next commit" if task.listed and not task.checked else ""
    return "; ".join(filter(None, (merged, tick, "clear its box and it is done once more" if not tick else "")))


def _blocked(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    held = sorted((t for t in world.tasks.values() if _waits_on(world, t, task)), key=lambda t: (list_order(t.list), t.order))
    waiting = f"{listed([str(t.id) for t in held])} {'waits' if len(held) == 1 else 'wait'} for it; " if held else ""
    return f"{waiting}editing its item, or {retry(task)}, gives it out again"


def _waits_on(world: World, task: Task, blocked: Task) -> bool:
    return task.state is T.OPEN and blocked.given_id is not None and blocked.given_id in waits_for(world, task)


def _cancelled(world: World, task: Task, now: Now, zone: tzinfo) -> str:
    kept = f"its work stays on {task.attempt.branch}; " if task.attempt else ""
    return f"{kept}an item of the same text would be a new task"


_RULES: Final[dict[TaskState, Callable[[World, Task, Now, tzinfo], str]]] = {
    T.OPEN: _open,
    T.ASSIGNED: _assigned,
    T.SUBMITTED: _submitted,
    T.DONE: _done,
    T.BLOCKED: _blocked,
    T.CANCELLED: _cancelled,
}
