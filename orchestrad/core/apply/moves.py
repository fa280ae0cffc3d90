"""Moves of agents and tasks from state to state, checked against the tables."""

from dataclasses import replace
from typing import Any

from orchestrad.core.events import AgentEvent, Event, TaskEvent
from orchestrad.core.states import AGENT_MOVES, TASK_MOVES, AgentState, TaskState
from orchestrad.core.world import Agent, Task, World


class ImpossibleMove(Exception):
    """A move that no table allows. This is a bug in orchestrad; please report it with the text."""


def agent_of(world: World, event: AgentEvent) -> Agent:
    """The agent that the event is about."""
    return world.agents[event.agent]


def task_of(world: World, event: TaskEvent) -> Task:
    """The task that the event is about."""
    return world.tasks[event.task]


def move_agent(agent: Agent, state: AgentState, event: Event, **changes: Any) -> Agent:
    """The agent in another state (or the same), with these changes. Raises ImpossibleMove."""
    if state is agent.state:
        return replace(agent, **changes)
    if state not in AGENT_MOVES[agent.state]:
        raise ImpossibleMove(f"{agent.name} can't go from {agent.state.value} to {state.value} ({type(event).__name__})")
    return replace(agent, state=state, since_at=event.now.elapsed, since_wall=event.now.wall, reason=event.reason, **changes)


def move_task(task: Task, state: TaskState, event: Event, **changes: Any) -> Task:
    """The task in another state (or the same), with these changes. Raises ImpossibleMove."""
    if state is task.state:
        return replace(task, **changes)
    if state not in TASK_MOVES[task.state]:
        raise ImpossibleMove(f"task {task.id} can't go from {task.state.value} to {state.value} ({type(event).__name__})")
    return replace(task, state=state, since_at=event.now.elapsed, since_wall=event.now.wall, reason=event.reason, **changes)
