"""What the shared branch holds: tasks that are new, edited, gone, ticked or unticked by others."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from orchestrad.core.actions import BranchFound, ReadBranch
from orchestrad.core.decide import Events, on_outcome
from orchestrad.core.decide.landing import done, landed
from orchestrad.core.events import (
    BranchRead,
    Event,
    MoveDropped,
    Offer,
    TaskAdded,
    TaskCancelled,
    TaskDone,
    TaskEdited,
    TaskOpened,
)
from orchestrad.core.identity import ItemKey, identify, list_order, match
from orchestrad.core.ids import Now, TaskId, derive
from orchestrad.core.listcheck import check_lists
from orchestrad.core.states import TaskState
from orchestrad.core.tasklist import ListItem, TaskList, parse_list
from orchestrad.core.world import Task, World

NO_DIRECTION = (
    "There is no PROJECT_DIRECTION.md: the lists are worked through as they stand. To have the Manager write lists, tell in that "
    "file, at the top of the repository, where the project should go and how one sees that it is there; commit it to the branch."
)


@on_outcome(ReadBranch)
def branch_found(world: World, action: ReadBranch, result: object, now: Now) -> Events:
    """The branch as it stands; a move that was cut off before its outcome was stored is settled first."""
    if not isinstance(result, BranchFound):
        return
    move = world.hub.move
    if move is not None and result.tip != world.hub.tip and move.oid == result.tip:
        yield from landed(world, move, result.tip, now, "found done")
        return  # read again: the world is another now
    if move is not None and result.tip != move.onto:
        yield MoveDropped(now=now, took_source=False, reason="the branch was elsewhere")
    if result.offer is not None and world.hub.read is None and result.offer not in world.hub.offers:
        yield Offer(now=now, oid=result.offer, reason="found at start")
    lists = {name: parse_list(data, name) for name, data in result.lists.items()}
    problems: tuple[str, ...] = () if result.direction is not None else (NO_DIRECTION,)
    problems += tuple(
        f"{p.list_name}:{p.line}: {p.text}" if p.line else f"{p.list_name}: {p.text}"
        for p in (
            *(p for found in lists.values() for p in found.problems),
            *check_lists(lists, worker_count=world.settings.workers),
        )
    )
    yield BranchRead(
        now=now,
        tip=result.tip,
        direction=result.direction,
        problems=problems,
        upstream_contained=result.upstream_contained and action.upstream is not None and action.upstream == world.hub.upstream,
    )
    for task in world.tasks.values():
        if task.id in result.contained and task.state is TaskState.SUBMITTED and (move is None or move.task != task.id):
            yield done(task, result.tip, now, checked=False, why="its work was found in the branch")
    yield from _compared(world, lists, now)


def _compared(world: World, lists: Mapping[str, TaskList], now: Now) -> Iterator[Event]:
    known = sorted(world.tasks.values(), key=lambda t: (list_order(t.list), t.order, t.id))
    items = identify(lists)
    keys = [key for key, _ in items]
    there = [task for task in known if task.state is not TaskState.CANCELLED and (task.listed or task.state is not TaskState.DONE)]
    found = match([_key(task) for task in there], keys)
    for old, new in found.pairs:
        yield from _seen_again(there[old], *items[new], new, now)
    for old in found.removed:
        yield from _removed(there[old], now)
    # What was done and tidied away long ago may come back as it was; nothing that still has an item is mistaken for it.
    gone = [task for task in known if task.state is TaskState.DONE and not task.listed]
    back = match([_key(task) for task in gone], [keys[new] for new in found.added], reworded=False)
    for old, nth in back.pairs:
        yield from _seen_again(gone[old], *items[found.added[nth]], found.added[nth], now)
    for new in (found.added[nth] for nth in back.added):
        key, item = items[new]
        task = _task(world, key, item, new)
        yield TaskAdded(now=now, task=task.id, item=task, reason=f"a new item of {key.list_name}")
        if item.checked:
            yield TaskDone(now=now, task=task.id, merged=None, checked=True, reason="its box was ticked when it was first seen")


def _key(task: Task) -> ItemKey:
    held = task.state in (TaskState.ASSIGNED, TaskState.SUBMITTED)
    place = task.list if task.listed else ""  # an item that is gone has no place that a new one could have taken
    return ItemKey(place, task.given_id, task.text, task.occurrence, task.body, task.checked, held)


def _removed(task: Task, now: Now) -> Iterator[Event]:
    """Its item is gone. Who works on it goes on until the next hook (`settle.tasks`): it may only be on its way to another list."""
    if task.listed:
        yield TaskEdited(now=now, task=task.id, item=replace(task, listed=False), reason="its item was removed")
    if task.state not in (TaskState.DONE, TaskState.ASSIGNED):
        yield TaskCancelled(now=now, task=task.id, reason=f"its item was removed from {task.list}")


def _task(world: World, key: ItemKey, item: ListItem, order: int) -> Task:
    name = key.id if key.id is not None else derive(key.list_name, item.text, item.occurrence, digits=8)
    generation = 0
    unique = TaskId(name)
    while unique in world.tasks:  # an item of the same name was cancelled: this is another task
        generation += 1
        unique = TaskId(f"{name}.{generation}")
    return _from_item(Task(unique, key.list_name, item.text), key, item, order)


def _from_item(task: Task, key: ItemKey, item: ListItem, order: int) -> Task:
    return replace(
        task,
        list=key.list_name,
        text=item.text,
        body=item.body,
        given_id=key.id,
        occurrence=key.occurrence,
        order=order,
        after=item.after,
        priority=item.priority,
        role=item.role,
        listed=True,
    )


def _seen_again(task: Task, key: ItemKey, item: ListItem, order: int, now: Now) -> Iterator[Event]:
    edited = replace(_from_item(task, key, item, order), checked=item.checked)
    reworded = (task.text, task.body) != (edited.text, edited.body)
    if edited != task:
        reason = "its text was edited" if reworded else "its item was moved or ticked"
        yield TaskEdited(now=now, task=task.id, item=edited, reason=reason)
    if item.checked and task.state not in (TaskState.DONE, TaskState.SUBMITTED):
        yield TaskDone(now=now, task=task.id, merged=None, checked=True, reason="its box was ticked by hand")
    elif not item.checked and task.checked and task.state is TaskState.DONE:
        yield TaskOpened(
            now=now, task=task.id, failures=0, not_before=0, generation=task.generation + 1, reason="its box was cleared: once more"
        )
    elif reworded and task.state is TaskState.BLOCKED:
        yield TaskOpened(now=now, task=task.id, failures=0, not_before=0, generation=task.generation, reason="its text was edited")
