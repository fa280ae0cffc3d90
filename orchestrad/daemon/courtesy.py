"""What nobody waits for gives way to agents that are just being handed their next task.

A submitted task is due to be merged in the very moment in which its agent is answered; a dozen git processes would
compete with the agent's checkout for the same few cores. They begin a moment later; what is ordered stays as it is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from orchestrad.clock.port import Clock
from orchestrad.core.actions import Action, FetchUpstream, MakeCommit, PushUpstream, ReadBranch
from orchestrad.core.world import Delivery, Route, World

GIVE_WAY: Final = (MakeCommit, ReadBranch, FetchUpstream, PushUpstream)
ANSWER_TAKES: Final = 500_000  # microseconds from an answer to its acknowledgement at most; a longer one has other troubles
CLI_TAKES: Final = 100_000  # from the acknowledgement to the next request: 30 to 40 ms on an idle machine
AT_MOST: Final = 0.5  # seconds that an order waits, however many agents are being handed tasks
LOOK_EVERY: Final = 0.02

Execute = Callable[[Action], Awaitable[object]]


class Courtesy:
    """Carries out what it is given, some of it a moment later."""

    def __init__(self, execute: Execute, *, world: Callable[[], World], clock: Clock) -> None:
        self._execute = execute
        self._world = world
        self._clock = clock

    async def execute(self, action: Action) -> object:
        """Carries out `action`; what is raised is the executor's."""
        if isinstance(action, GIVE_WAY):
            for _ in range(int(AT_MOST / LOOK_EVERY)):
                if not hands_over(self._world(), self._clock.now().elapsed):
                    break
                await asyncio.sleep(LOOK_EVERY)
        return await self._execute(action)


def hands_over(world: World, elapsed: int) -> bool:
    """Whether an agent was answered with its next task and has not asked its model yet, as far as can be told."""
    deliveries = (agent.delivery for agent in world.agents.values())
    return any(_is_new(delivery, elapsed) for delivery in deliveries if delivery is not None)


def _is_new(delivery: Delivery, elapsed: int) -> bool:
    if delivery.route is not Route.ANSWER or delivery.sent_at is None:
        return False
    if delivery.delivered_at is None:
        return elapsed < delivery.sent_at + ANSWER_TAKES
    return delivery.started_at is None and elapsed < delivery.delivered_at + CLI_TAKES
