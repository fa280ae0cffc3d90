"""Folds of the shared branch and upstream."""

from dataclasses import replace

from orchestrad.core.apply import Changed, Contradiction, folds
from orchestrad.core.events import (
    BranchMoved,
    BranchRead,
    CommitMade,
    CommitNotMade,
    ConflictFound,
    MoveDropped,
    MoveOrdered,
    Offer,
    UpstreamFetched,
    UpstreamPushed,
    UpstreamTrouble,
)
from orchestrad.core.world import HubRow, Move, MoveKind, World


def _move_of(hub: HubRow) -> Move:
    if hub.move is None:
        raise Contradiction("no move of the shared branch is under way")
    return hub.move


def _without_source(hub: HubRow, move: Move) -> HubRow:
    """The hub once the source of this move is in the branch, or is given up."""
    if move.kind is MoveKind.MANAGER:
        return replace(hub, move=None, offers=tuple(oid for oid in hub.offers if oid != move.source))
    if move.kind is MoveKind.UPSTREAM:
        return replace(hub, move=None, upstream_taken=move.source, upstream_conflict=())
    return replace(hub, move=None)


@folds(BranchRead)
def _read(world: World, e: BranchRead) -> Changed:
    hub = replace(world.hub, tip=e.tip, read=e.tip, problems=e.problems)
    if hub.direction != e.direction:
        hub = replace(hub, direction=e.direction, direction_told=False)
    if e.upstream_contained:
        hub = replace(hub, upstream_taken=hub.upstream, upstream_conflict=())
    return [hub]


@folds(Offer)
def _offered(world: World, e: Offer) -> Changed:
    return [replace(world.hub, offers=(*world.hub.offers, e.oid), offer_refused=None, offer_conflict=())]


@folds(MoveOrdered)
def _ordered(world: World, e: MoveOrdered) -> Changed:
    if world.hub.move is not None:
        raise Contradiction("two moves of the shared branch at once")
    return [replace(world.hub, move=replace(e.move, ordered_at=e.now.elapsed))]


@folds(CommitMade)
def _made(world: World, e: CommitMade) -> Changed:
    return [replace(world.hub, move=replace(_move_of(world.hub), oid=e.oid))]


@folds(CommitNotMade)
def _not_made(world: World, e: CommitNotMade) -> Changed:
    return [replace(world.hub, move=replace(_move_of(world.hub), failures=e.failures))]


@folds(BranchMoved)
def _moved(world: World, e: BranchMoved) -> Changed:
    move = _move_of(world.hub)
    hub = _without_source(world.hub, move)
    hub = replace(hub, tip=e.tip, moved_at=e.now.elapsed, upstream_has=e.tip if e.tip == hub.upstream else hub.upstream_has)
    # What the Manager brought may have settled a conflict without merging that very branch: tried once more. What upstream
    # brought only where no Manager is told of each conflict anew: others may push there all day.
    if move.kind is not (MoveKind.MANAGER if world.settings.manager else MoveKind.UPSTREAM):
        return [hub]
    return [hub, *(replace(task, conflict=()) for task in world.tasks.values() if task.conflict)]


@folds(MoveDropped)
def _dropped(world: World, e: MoveDropped) -> Changed:
    hub = world.hub
    return [_without_source(hub, _move_of(hub)) if e.took_source else replace(hub, move=None, read=None)]


@folds(ConflictFound)
def _conflict(world: World, e: ConflictFound) -> Changed:
    hub = replace(world.hub, move=None)
    if e.upstream:
        return [replace(hub, upstream_conflict=e.paths)]
    if e.task is None:
        move = _move_of(world.hub)
        return [replace(_without_source(hub, move), offer_refused=move.source, offer_conflict=e.paths)]
    return [hub, replace(world.tasks[e.task], conflict=e.paths, reason=e.reason)]


@folds(UpstreamFetched)
def _fetched(world: World, e: UpstreamFetched) -> Changed:
    hub = world.hub
    fresh = hub.upstream != e.tip
    return [
        replace(
            hub,
            upstream=e.tip,
            upstream_has=e.tip if e.tip == hub.tip else None if fresh else hub.upstream_has,
            upstream_conflict=() if fresh else hub.upstream_conflict,
            upstream_trouble="" if hub.push_at <= e.now.elapsed else hub.upstream_trouble,
            upstream_failures=0 if hub.push_at <= e.now.elapsed else hub.upstream_failures,
            fetch_at=e.fetch_at,
        )
    ]


@folds(UpstreamPushed)
def _pushed(world: World, e: UpstreamPushed) -> Changed:
    return [
        replace(
            world.hub,
            upstream=e.tip,
            upstream_taken=e.tip,
            upstream_has=e.tip,
            upstream_trouble="",
            upstream_refused=False,
            upstream_failures=0,
            push_at=0,
        )
    ]


@folds(UpstreamTrouble)
def _trouble(world: World, e: UpstreamTrouble) -> Changed:
    hub = replace(
        world.hub,
        upstream_trouble=e.text,
        upstream_refused=e.refused,
        upstream_failures=e.failures,
        fetch_at=e.fetch_at,
        push_at=e.push_at,
    )
    return [hub]
