"""What became of merges, of the Manager's pushes, and of upstream."""

from collections.abc import Iterator

from orchestrad.core.actions import FetchUpstream, MakeCommit, MoveBranch, PushUpstream
from orchestrad.core.backoff import upstream_wait
from orchestrad.core.decide import Events, on, on_outcome
from orchestrad.core.decide.landing import done, landed
from orchestrad.core.events import (
    CommitMade,
    CommitNotMade,
    ConflictFound,
    Event,
    Glimpsed,
    MoveDropped,
    Offer,
    TaskBlocked,
    UpstreamFetched,
    UpstreamPushed,
    UpstreamTrouble,
)
from orchestrad.core.ids import Now, Oid
from orchestrad.core.observations import Conflicting, Failed, Made, NothingNew, Offered, PushAsked
from orchestrad.core.states import TaskState
from orchestrad.core.world import SECOND, MoveKind, World

FETCH_EVERY = 60 * SECOND
TRIES = 5  # at making a commit, some seconds apart; then what is behind it in the queue has its turn


@on(PushAsked)
def push_asked(world: World, o: PushAsked, now: Now) -> Iterator[Event]:
    """A push at the moment of its ref updates: an old run changes nothing."""
    agent = world.agents.get(o.agent)
    refusal = o.refusal
    if agent is None or agent.run is None or agent.epoch != o.epoch:
        refusal = f"run {o.epoch} of {o.agent} is over; nothing of it counts any more"
    yield Glimpsed(now=now, changes={"replies": {**world.glimpses.replies, o.connection: (not refusal, refusal)}})


@on(Offered)
def offered(world: World, o: Offered, now: Now) -> Iterator[Event]:
    """The Manager pushed; the merge queue takes it first."""
    if o.oid not in world.hub.offers:
        yield Offer(now=now, oid=o.oid, reason="the Manager pushed")


@on_outcome(MakeCommit)
def commit_made(world: World, action: MakeCommit, result: object, now: Now) -> Events:
    """The commit is there, there was nothing to do, or both sides changed the same lines."""
    move = world.hub.move
    if move is None or move.oid is not None or (move.source, move.onto) != (action.source, action.onto):
        return
    match result:
        case Made(oid):
            yield CommitMade(now=now, oid=oid, reason=action.reason)
        case NothingNew():
            yield MoveDropped(now=now, took_source=True, reason="it is in the branch already")
            for name in dict.fromkeys((*move.ticks, *([move.task] if move.task else ()))):
                task = world.tasks[name]
                if task.state is TaskState.SUBMITTED:
                    yield done(task, None, now, checked=True, why="there was nothing to merge")
                elif task.state is TaskState.DONE and not task.checked:  # else it would be ticked for ever
                    yield done(task, task.merged, now, checked=True, why="its box is ticked or gone")
        case Conflicting(paths):
            kind = move.kind
            yield ConflictFound(
                now=now,
                task=move.task,
                upstream=kind is MoveKind.UPSTREAM,
                paths=paths,
                reason=f"it conflicts with {world.settings.branch} in {', '.join(paths[:5])}",
            )
        case Failed(kind="gone"):
            yield MoveDropped(now=now, took_source=move.kind is MoveKind.MANAGER, reason="its commits are not in the hub")
            if move.task is not None and world.tasks[move.task].state is TaskState.SUBMITTED:  # nothing would ever bring them
                yield TaskBlocked(now=now, task=move.task, reason="its commits are not in the hub any more")
        case Failed(text=text):
            yield CommitNotMade(now=now, failures=move.failures + 1, reason=text)
            if move.failures + 1 >= TRIES and move.kind in (MoveKind.TASK, MoveKind.MANAGER):
                yield MoveDropped(
                    now=now, took_source=move.kind is MoveKind.MANAGER, reason=f"given up after {TRIES} tries: {text}"
                )
                if move.task is not None and world.tasks[move.task].state is TaskState.SUBMITTED:
                    yield TaskBlocked(now=now, task=move.task, reason=f"it can't be merged: {text}")


@on_outcome(MoveBranch)
def branch_moved(world: World, action: MoveBranch, result: object, now: Now) -> Events:
    """The branch has moved, or it was elsewhere: then from the start."""
    move = world.hub.move
    if move is None or move.oid != action.new:
        return
    if result is True:
        yield from landed(world, move, action.new, now, f"moved for {move.kind.value} {move.task or ''}".strip())
    elif result is False:
        yield MoveDropped(now=now, took_source=False, reason="the branch had moved meanwhile")


@on_outcome(FetchUpstream)
def upstream_fetched(world: World, action: FetchUpstream, result: object, now: Now) -> Events:
    """Upstream's branch, or that it is away."""
    if isinstance(result, Failed):
        yield _trouble(world, result, now)
    elif isinstance(result, str):
        yield UpstreamFetched(now=now, tip=Oid(result), fetch_at=now.elapsed + FETCH_EVERY)


@on_outcome(PushUpstream)
def upstream_pushed(world: World, action: PushUpstream, result: object, now: Now) -> Events:
    """Upstream has it, has moved (fetch, merge, again), is away, or refuses."""
    if isinstance(result, Failed):
        yield _trouble(world, result, now, push=True)
    elif result is True:
        yield UpstreamPushed(now=now, tip=action.oid, reason="pushed")
    elif result is False:
        hub = world.hub
        yield UpstreamTrouble(now=now, text="", failures=hub.upstream_failures, fetch_at=now.elapsed, push_at=now.elapsed + SECOND)


def _trouble(world: World, failed: Failed, now: Now, *, push: bool = False) -> Event:
    failures = world.hub.upstream_failures + 1
    again = now.elapsed + upstream_wait(failures)
    return UpstreamTrouble(
        now=now,
        text=failed.text,
        refused=failed.kind == "refused",
        failures=failures,
        fetch_at=world.hub.fetch_at if push else again,
        push_at=again if push else world.hub.push_at,
        reason=failed.text,
    )
