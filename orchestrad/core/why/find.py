"""Who or what a person means: an agent by name, a task by its id or text; else the nearest that there is."""

import difflib
from collections.abc import Callable

from orchestrad.core.states import TaskState
from orchestrad.core.world import Agent, Task, World
from orchestrad.errors import Gone

NEAR = 0.5  # below this a guess confuses more than it helps


class Nobody(Gone):
    """Nothing goes by that name; the text names the nearest that does."""


def agent_called(world: World, name: str) -> Agent:
    """The agent of this name. Raises Nobody."""
    found = world.agents.get(name.strip().lower())  # type: ignore[call-overload]  # a name is checked by looking it up
    if isinstance(found, Agent):
        return found
    raise Nobody(f"There is no agent {name!r}. {_nearest(name, list(world.agents))}")


def task_called(world: World, text: str) -> Task:
    """The task of this id or text, or the only one whose text contains it. Raises Nobody, also when several do."""
    found = _tasks(world, text)
    if len(found) == 1:
        return found[0]
    if found:
        raise Nobody(f"{len(found)} tasks go by {text!r}: {_ids(found)}. Name one of them by its id.")
    names = [str(task.id) for task in world.tasks.values()] + [task.text for task in world.tasks.values()]
    raise Nobody(f"There is no task {text!r}. {_nearest(text, names)}")


def anything_called(world: World, text: str) -> Agent | Task:
    """The agent or task that is meant. Raises Nobody."""
    try:
        return agent_called(world, text)
    except Nobody:
        pass
    if _tasks(world, text):
        return task_called(world, text)
    names = [*world.agents, *world.tasks, *(task.text for task in world.tasks.values())]
    raise Nobody(f"There is no agent or task {text!r}. {_nearest(text, [str(name) for name in names])}")


def _tasks(world: World, text: str) -> list[Task]:
    """By id, else by whole text, else by part of a text; what was withdrawn only when nothing else goes by that."""
    wanted = text.strip().casefold()
    if not wanted:
        return []
    tasks = list(world.tasks.values())
    matches: tuple[Callable[[Task], bool], ...] = (
        lambda t: t.id.casefold() == wanted,
        lambda t: t.text.casefold() == wanted,
        lambda t: wanted in t.text.casefold(),
    )
    for match in matches:
        if found := [t for t in tasks if match(t)]:
            return [t for t in found if t.state is not TaskState.CANCELLED] or found
    return []


def _nearest(name: str, names: list[str]) -> str:
    lowered = {each.casefold(): each for each in reversed(names)}  # ids come first, and win
    if close := difflib.get_close_matches(name.strip().casefold(), lowered, n=1, cutoff=NEAR):
        return f"Did you mean {lowered[close[0]]!r}?"
    return f"There are: {_few(names)}." if names else "There is none yet."


def _ids(tasks: list[Task]) -> str:
    return _few([str(task.id) for task in tasks])


def _few(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
