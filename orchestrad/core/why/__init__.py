"""Why an agent or a task is where it is: its state, since when, the recorded reason, and what would change it.

One sentence, read off the world as it stands; asked for by `orchestrad why` and shown in status. Text that agents wrote is
brought onto one line, and nothing that could steer a terminal is let through.
"""

from datetime import UTC, tzinfo

from orchestrad.core.ids import Now
from orchestrad.core.why.agents import about_agent
from orchestrad.core.why.find import Nobody, agent_called, anything_called, task_called
from orchestrad.core.why.tasks import about_task
from orchestrad.core.why.words import plain
from orchestrad.core.world import Agent, Task, World

__all__ = ["Nobody", "plain", "tell", "why", "why_agent", "why_task"]


def why(world: World, text: str, now: Now, zone: tzinfo = UTC) -> str:
    """Of an agent by its name, or of a task by its id or text. Raises Nobody, which names the nearest."""
    return tell(world, anything_called(world, text), now, zone)


def why_agent(world: World, name: str, now: Now, zone: tzinfo = UTC) -> str:
    """Of the agent of this name. Raises Nobody."""
    return tell(world, agent_called(world, name), now, zone)


def why_task(world: World, id_or_text: str, now: Now, zone: tzinfo = UTC) -> str:
    """Of the task of this id or text. Raises Nobody."""
    return tell(world, task_called(world, id_or_text), now, zone)


def tell(world: World, entity: Agent | Task, now: Now, zone: tzinfo = UTC) -> str:
    """Of an agent or task of this world."""
    return plain(about_agent(world, entity, now, zone) if isinstance(entity, Agent) else about_task(world, entity, now, zone))
