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
from orchestrad.core.world import HubRow, Move, MoveKind, World


def plan(world: World, agenda: Agenda) -> Iterator[Action]:
    """What the hub is asked to do next."""
    hub = world.hub
    if hub.tip is None or hub.read != hub.tip:
        heads = {
            task.id: task.attempt.head
            for task in world.tasks.values()
            if task.state is TaskState.SUBMITTED and task.attempt and task.attempt.head and not task.no_change
        }
        yield ReadBranch(heads, hub.upstream, reason="the branch has moved")
    if hub.move is not None and hub.read is not None:
        yield _move(world, hub.move)
    if agenda.passed(hub.fetch_at):
        yield FetchUpstream(reason="it is time to look at upstream")
    elif _may_push(hub) and hub.tip is not None and agenda.passed(hub.push_at):
        yield PushUpstream(hub.tip, reason="the branch has what upstream has not")


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
