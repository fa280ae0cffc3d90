"""Which worker gets which task."""

from collections.abc import Iterator

from orchestrad.core.agenda import Agenda
from orchestrad.core.events import Event, TaskAssigned, TaskCancelled, TaskOpened
from orchestrad.core.ids import Oid, TaskId, derive, worker_number
from orchestrad.core.readiness import candidates
from orchestrad.core.states import IN_TURN, AgentState, FleetState, TaskState
from orchestrad.core.tasklist import SHARED_LIST
from orchestrad.core.world import Agent, Attempt, Task, World

_WITHDRAWN = frozenset({TaskState.OPEN, TaskState.ASSIGNED, TaskState.SUBMITTED, TaskState.BLOCKED})


def settle(world: World, agenda: Agenda) -> Iterator[Event]:
    """Cancels what no list has any more; assigns the first task that may begin to each worker that is ready and has none."""
    gone = [t.id for t in world.tasks.values() if not t.listed and t.state in _WITHDRAWN and not _in_turn(world, t)]
    for name in gone:
        yield TaskCancelled(now=agenda.now, task=name, reason=f"its item was removed from {world.tasks[name].list}")
    if world.fleet.state is not FleetState.RUNNING or world.hub.tip is None or world.hub.read is None:
        return
    for agent in world.agents.values():
        if agent.task is not None and agent.task not in gone and agent.run is None and not agent.wanted:
            task = world.tasks[agent.task]
            yield TaskOpened(
                now=agenda.now,
                task=task.id,
                failures=task.failures,
                not_before=0,
                generation=task.generation,
                reason=f"{agent.name} has left the fleet",
            )
    taken: set[str] = set(gone)
    for agent in sorted(world.agents.values(), key=lambda agent: worker_number(agent.name) or 0):
        number = worker_number(agent.name)
        if number is None or not agent.wanted or agent.task is not None or agent.state is not AgentState.READY:
            continue
        for task in candidates(world, agenda, number):
            if task.id in taken:
                continue
            taken.add(task.id)
            yield _assigned(world, agenda, agent, task, world.hub.tip)
            break


def _in_turn(world: World, task: Task) -> bool:
    """Whether its worker is at work on it: cutting that off gains nothing, and its item may come back meanwhile."""
    holder = world.agents.get(task.attempt.agent) if task.state is TaskState.ASSIGNED and task.attempt else None
    return holder is not None and holder.task == task.id and holder.state in IN_TURN


def _assigned(world: World, agenda: Agenda, agent: Agent, task: Task, tip: Oid) -> Event:
    number = task.attempts + 1
    base, above = base_of(world, agent, tip)
    attempt = Attempt(
        number=number,
        agent=agent.name,
        branch=branch_of(agent.name, task.id, number),
        base=base,
        above=above,
        assigned_at=agenda.now.elapsed,
    )
    whose = "the shared list" if task.list == SHARED_LIST else "its list"
    return TaskAssigned(now=agenda.now, task=task.id, attempt=attempt, reason=f"the first open task of {whose}")


def branch_of(agent: str, task: TaskId, number: int) -> str:
    """The branch of an attempt, no other one's; its name holds only what every file system and git allow."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in task)[:60].strip("-")
    if safe != task:
        safe = f"{safe or 'task'}.{derive(task, digits=6)}"  # a dot can't come from the id: "a.2" and "a-2" are two tasks
    return f"{agent}/{safe}" if number == 1 else f"{agent}/{safe}.{number}"


def base_of(world: World, agent: Agent, tip: Oid) -> tuple[Oid, TaskId | None]:
    """Where the next branch of this worker begins: on its newest submitted work, or on the shared branch.

    Work that is held by a conflict is left aside, and all that stands on it: what begins now need not wait for it.
    """
    stack = [
        t
        for t in world.tasks.values()
        if t.state is TaskState.SUBMITTED and t.attempt and t.attempt.agent == agent.name and t.attempt.head and not t.no_change
    ]
    held: set[TaskId] = set()
    newest: Task | None = None
    for task in sorted(stack, key=lambda t: t.submission):
        if task.conflict or (task.attempt and task.attempt.above in held):
            held.add(task.id)
        else:
            newest = task
    if newest is not None and newest.attempt is not None and newest.attempt.head is not None:
        return newest.attempt.head, newest.id
    return tip, None
