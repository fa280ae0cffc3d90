"""Who must act before an agent or a task goes on: a person, the Manager, or nobody."""

from typing import Literal

from orchestrad.core.readiness import waits_for
from orchestrad.core.states import NEEDS_A_PERSON, AgentState, TaskState
from orchestrad.core.tasklist import worker_of
from orchestrad.core.world import Agent, Task, World

Acts = Literal["", "person", "manager"]


def who_acts_for_agent(world: World, agent: Agent) -> Acts:
    """A person where no rule of the fleet would ever end what holds the agent up."""
    if agent.state in NEEDS_A_PERSON:
        return "person"
    if agent.state is AgentState.LIMITED:
        return "person" if agent.limited_until_wall is None and agent.limit_check is None else ""
    if agent.state is AgentState.STOPPED:
        return "person" if agent.wanted and agent.credential is None else ""
    if agent.state is AgentState.READY and agent.delivery is not None and agent.delivery.delivered_at is None:
        screen = world.glimpses.screens.get(agent.name)
        return "person" if screen is not None and screen.composer in ("dialog", "typed") else ""
    return ""


def who_acts_for_task(world: World, task: Task) -> Acts:
    """The Manager where there is one: it is told, and it writes the lists."""
    manager: Acts = "manager" if world.settings.manager else "person"
    if task.state is TaskState.BLOCKED or (task.state is TaskState.SUBMITTED and task.conflict):
        return manager
    if task.state is TaskState.OPEN:
        number = worker_of(task.list)
        if number is not None and number > world.settings.workers:
            return manager
        named = (
            {other.given_id for other in world.tasks.values() if other.state is not TaskState.CANCELLED} if task.after else set()
        )
        return manager if any(name not in named for name in waits_for(world, task)) else ""
    return ""
