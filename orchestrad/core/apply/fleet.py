"""Folds of the fleet, its credentials, the Manager's notes, and glimpses."""

from dataclasses import replace

from orchestrad.core.apply import Changed, folds
from orchestrad.core.events import (
    ConfigTaken,
    FleetBegan,
    FleetEnded,
    FleetEnding,
    FleetFinished,
    Glimpsed,
    NoteAdded,
    NoteDropped,
)
from orchestrad.core.states import FleetState
from orchestrad.core.world import Note, Removed, World


@folds(ConfigTaken)
def _config_taken(world: World, e: ConfigTaken) -> Changed:
    present = {credential.label for credential in e.credentials}
    gone = [replace(c, present=False) for c in world.credentials.values() if c.present and c.label not in present]
    return [replace(world.fleet, settings=e.settings), *e.credentials, *gone]


@folds(FleetBegan)
def _began(world: World, e: FleetBegan) -> Changed:
    fleet = replace(world.fleet, state=FleetState.RUNNING, reason=e.reason, deadline_at=None, finished=None)
    hub = replace(world.hub, read=None, upstream_has=None, fetch_at=0, push_at=0)  # both branches are looked at anew
    return [fleet, hub]


@folds(FleetEnding)
def _ending(world: World, e: FleetEnding) -> Changed:
    return [replace(world.fleet, state=FleetState.ENDING, reason=e.reason, deadline_at=e.deadline_at)]


@folds(FleetEnded)
def _ended(world: World, e: FleetEnded) -> Changed:
    return [replace(world.fleet, state=FleetState.ENDED, reason=e.reason)]


@folds(FleetFinished)
def _finished(world: World, e: FleetFinished) -> Changed:
    return [replace(world.fleet, finished=e.status, state=FleetState.ENDING, reason=e.reason, deadline_at=e.now.elapsed)]


@folds(NoteAdded)
def _note_added(world: World, e: NoteAdded) -> Changed:
    return [replace(world.fleet, notes=world.fleet.notes + 1), e.note]


@folds(NoteDropped)
def _note_dropped(world: World, e: NoteDropped) -> Changed:
    return [Removed(Note, e.note)]


@folds(Glimpsed)
def _glimpsed(world: World, e: Glimpsed) -> Changed:
    return [e.onto(world.glimpses)]
