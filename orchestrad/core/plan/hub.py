"""The shared branch and upstream: read, merge, move, fetch, push."""

from collections.abc import Iterator

from orchestrad.core.actions import (
    Action,
    FetchUpstream,
    MakeCommit,
    MoveBranch,
    PushUpstream,
    ReadBranch,
    TickItem,
)
from orchestrad.core.agenda import Agenda
from orchestrad.core.states import TaskState
from orchestrad.core.world import SECOND, Delivery, HubRow, Move, MoveKind, Route, World

# A submitted task is due to be merged in the very moment in which its agent is answered; a dozen git processes would
# compete with the agent's checkout for the same few cores, and nobody waits for them: a hand-over took 125 ms at best, now 65.
GIVES_WAY_FOR = SECOND // 2  # at most, however many agents are being handed tasks
ANSWER_TAKES = SECOND // 2  # from an answer to its acknowledgement at most; a longer one has other troubles
CLI_TAKES = SECOND // 10  # from the acknowledgement to the next request: 30 to 40 ms on an idle machine


def plan(world: World, agenda: Agenda) -> Iterator[Action]:
    """What the hub is asked to do next."""
    hub = world.hub
    if hub.tip is None or (hub.read != hub.tip and not gives_way(world, agenda, hub.moved_at)):
        heads = {
            task.id: task.attempt.head
            for task in world.tasks.values()
            if task.state is TaskState.SUBMITTED and task.attempt and task.attempt.head and not task.no_change
        }
        yield ReadBranch(heads, hub.upstream, reason="the branch has moved")
    move = hub.move
    if move is not None and hub.read is not None and (move.oid or not gives_way(world, agenda, move.ordered_at)):
        yield _move(world, move)
    if agenda.passed(hub.fetch_at):
        if not gives_way(world, agenda, hub.fetch_at):
            yield FetchUpstream(reason="it is time to look at upstream")
    elif _may_push(hub) and hub.tip is not None and agenda.passed(hub.push_at) and not gives_way(world, agenda, hub.moved_at):
        yield PushUpstream(hub.tip, reason="the branch has what upstream has not")


def gives_way(world: World, agenda: Agenda, since: int) -> bool:
    """Whether what is due `since` then lets an agent go first that is just being handed its next task."""
    if agenda.passed(since + GIVES_WAY_FOR):
        return False
    deliveries = (agent.delivery for agent in world.agents.values())
    return any(_is_new(delivery, agenda) for delivery in deliveries if delivery is not None)


def _is_new(delivery: Delivery, agenda: Agenda) -> bool:
    """Whether this was answered and its agent has not asked its model yet, as far as can be told."""
    if delivery.route is not Route.ANSWER or delivery.sent_at is None:
        return False
    if delivery.delivered_at is None:
        return not agenda.passed(delivery.sent_at + ANSWER_TAKES)
    return delivery.started_at is None and not agenda.passed(delivery.delivered_at + CLI_TAKES)


def _may_push(hub: HubRow) -> bool:
    taken = hub.upstream is not None and hub.upstream == hub.upstream_taken
    return taken and not hub.upstream_conflict and hub.upstream_has != hub.tip


def _move(world: World, move: Move) -> Action:
    reason = f"{move.kind.value} {move.task or ''}".strip()
    if move.oid is not None:
        return MoveBranch(move.oid, move.onto, reason=reason)
    ticks = tuple(
        TickItem(task.id, task.list, task.given_id, task.text, task.occurrence)
        for task in (world.tasks[name] for name in move.ticks)
    )
    shared = move.kind in (MoveKind.MANAGER, MoveKind.UPSTREAM)
    return MakeCommit(
        onto=move.onto,
        source=move.source,
        ticks=ticks,
        message=move.message,
        at_wall=move.at_wall,
        lists_from_source=shared,
        fast_forward=shared,
        reason=reason,
    )
