"""Whether news is of an agent's present run, and what any such news tells of it."""

from collections.abc import Iterator

from orchestrad.core.events import (
    Event,
    RunBegan,
)
from orchestrad.core.ids import ConversationId, Now
from orchestrad.core.states import AgentState
from orchestrad.core.world import (
    Agent,
    World,
)


def current(world: World, name: str, epoch: int) -> Agent | None:
    """The agent, if this news is of its present run."""
    agent = world.agents.get(name)  # type: ignore[call-overload]  # a name is checked by looking it up
    return agent if agent is not None and agent.run is not None and agent.epoch == epoch else None


def leads_to(agent: Agent, state: AgentState) -> AgentState:
    """The state that news of a turn leads to; a run that was told to end stays told, whatever its hooks still say."""
    return AgentState.STOPPING if agent.state is AgentState.STOPPING else state


def begun(agent: Agent, conversation: ConversationId, now: Now) -> Iterator[Event]:
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
