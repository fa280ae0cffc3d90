"""Folds of tasks and attempts."""

from dataclasses import replace

from orchestrad.core.apply import Changed, Contradiction, folds
from orchestrad.core.apply.moves import move_task, task_of
from orchestrad.core.events import (
    TaskAdded,
    TaskAssigned,
    TaskBlocked,
    TaskCancelled,
    TaskDone,
    TaskEdited,
    TaskOpened,
    TaskSubmitted,
    TaskTold,
)
from orchestrad.core.states import TaskState
from orchestrad.core.world import Task, World


def _freed(world: World, task: Task) -> Changed:
    """Whoever had the task has it no more; a delivery of it that is under way is void."""
    return [
        replace(agent, task=None, delivery=None if agent.delivery and agent.delivery.task == task.id else agent.delivery)
        for agent in world.agents.values()
        if agent.task == task.id
    ]


@folds(TaskAdded)
def _added(world: World, e: TaskAdded) -> Changed:
    return [replace(e.item, since_at=e.now.elapsed, since_wall=e.now.wall)]


@folds(TaskEdited)
def _edited(world: World, e: TaskEdited) -> Changed:
    item = e.item
    return [
        replace(
            task_of(world, e),
            list=item.list,
            text=item.text,
            body=item.body,
            given_id=item.given_id,
            occurrence=item.occurrence,
            order=item.order,
            after=item.after,
            priority=item.priority,
            role=item.role,
            checked=item.checked,
            listed=item.listed,
        )
    ]


@folds(TaskTold)
def _told(world: World, e: TaskTold) -> Changed:
    task = task_of(world, e)
    return [replace(task, attempt=task.attempt and replace(task.attempt, told=e.told))]


@folds(TaskAssigned)
def _assigned(world: World, e: TaskAssigned) -> Changed:
    agent = world.agents[e.attempt.agent]
    if agent.task is not None:
        raise Contradiction(f"{agent.name} has task {agent.task} already; {e.task} can't be assigned to it")
    task = move_task(task_of(world, e), TaskState.ASSIGNED, e, attempt=e.attempt, attempts=e.attempt.number, conflict=())
    return [task, replace(agent, task=e.task, word=None, silent_stops=0, reminders=0)]


@folds(TaskSubmitted)
def _submitted(world: World, e: TaskSubmitted) -> Changed:
    task = task_of(world, e)
    attempt = task.attempt and replace(task.attempt, head=e.head)
    task = move_task(
        task,
        TaskState.SUBMITTED,
        e,
        attempt=attempt,
        submission=e.submission,
        no_change=e.no_change,
        note=e.note,
    )
    return [replace(world.fleet, submissions=e.submission), task, *_freed(world, task)]


@folds(TaskBlocked)
def _blocked(world: World, e: TaskBlocked) -> Changed:
    task = task_of(world, e)
    return [move_task(task, TaskState.BLOCKED, e, asks=e.asks), *_freed(world, task)]


@folds(TaskOpened)
def _opened(world: World, e: TaskOpened) -> Changed:
    task = task_of(world, e)
    opened = move_task(
        task,
        TaskState.OPEN,
        e,
        failures=e.failures,
        failure=e.reason if e.failures else "",
        not_before=e.not_before,
        generation=e.generation,
        attempt=None,
        conflict=(),
        checked=False,
    )
    return [opened, *_freed(world, task)]


@folds(TaskDone)
def _done(world: World, e: TaskDone) -> Changed:
    task = task_of(world, e)
    return [move_task(task, TaskState.DONE, e, merged=e.merged, checked=e.checked, conflict=()), *_freed(world, task)]


@folds(TaskCancelled)
def _cancelled(world: World, e: TaskCancelled) -> Changed:
    task = task_of(world, e)
    return [move_task(task, TaskState.CANCELLED, e), *_freed(world, task)]
