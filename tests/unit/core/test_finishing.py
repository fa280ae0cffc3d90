"""When a fleet with --until-done has finished: neither while something is to come, nor never."""

import pytest

from orchestrad.core.actions import BranchFound, FetchUpstream, PushUpstream, ReadBranch
from orchestrad.core.observations import DaemonStarted, Outcome
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Beginner, World
from tests.support.news import a_stop
from tests.support.worlds import EARLIER, LATER, TIP, a_hub, a_world, after, at, manager, oid, planned, task, worker

DONE = task("t1", TaskState.DONE, checked=True)
LIST = b"- [x] T1 {#t1}\n"


def read(direction: str = "d") -> Outcome:
    found = BranchFound(TIP, {"WORKER_1_TASK_LIST.md": LIST}, oid(direction), frozenset(), upstream_contained=False, offer=None)
    return Outcome(ReadBranch(), found)


def finished(world: World) -> int | None:
    return world.fleet.finished


def test_it_has_finished_when_all_is_merged_and_the_manager_has_nothing_to_do() -> None:
    world = a_world(DONE, manager(), until_done=True, low_water=0)
    world = after(world, now=LATER)  # the direction is told
    assert finished(world) is None
    idle = a_world(DONE, until_done=True, manager=False)
    assert finished(after(idle, now=LATER)) == 0


def test_a_daemon_that_starts_again_looks_at_upstream_before_it_says_that_all_is_done() -> None:
    world = after(a_world(DONE, until_done=True, manager=False), DaemonStarted())
    world = after(world, read(), now=at("14:03"))
    assert finished(world) is None
    assert planned(world, FetchUpstream, now=at("14:03"))
    world = after(world, Outcome(FetchUpstream(), TIP), now=at("14:03"))
    assert finished(world) == 0


def test_a_daemon_that_starts_again_pushes_what_upstream_has_not() -> None:
    world = after(a_world(DONE, a_hub(upstream=oid("e"), upstream_taken=oid("e")), until_done=True, manager=False), DaemonStarted())
    world = after(world, read(), Outcome(FetchUpstream(), oid("e")), now=at("14:03"))
    assert finished(world) is None
    assert planned(world, PushUpstream, now=at("14:03"))


def test_a_direction_that_was_read_just_now_is_told_first() -> None:
    world = a_world(DONE, manager(since=EARLIER), a_hub(read=None), until_done=True, low_water=0)
    assert finished(after(world, read("e"))) is None


def test_nobody_is_cut_off_who_talks_to_an_agent() -> None:
    talking = worker("worker-1", AgentState.ATTENDED, turn=Beginner.PERSON, turn_at=LATER.elapsed)
    world = a_world(DONE, talking, until_done=True, manager=False)
    assert finished(after(world)) is None
    assert finished(after(world, now=at("14:20"))) is None  # that turn takes long
    world = after(world, a_stop(world, "worker-1", 5), now=at("14:20"))
    assert finished(after(world, now=at("14:29"))) is None
    assert finished(after(world, now=at("14:30"))) == 0


@pytest.mark.parametrize("waiting", [[], [task("t3", after=("t2",))]])
def test_a_conflict_that_nobody_settles_does_not_keep_a_fleet_without_a_manager_for_ever(waiting: list[object]) -> None:
    held = task("t2", TaskState.SUBMITTED, by="worker-1", submission=1, conflict=("a.py",))
    world = a_world(DONE, held, *waiting, until_done=True, manager=False)  # type: ignore[arg-type]  # tasks
    assert finished(after(world)) == 1


def test_a_conflict_is_waited_for_while_there_is_a_manager() -> None:
    held = task("t2", TaskState.SUBMITTED, by="worker-1", submission=1, conflict=("a.py",))
    assert finished(after(a_world(DONE, held, manager(), until_done=True), now=at("20:00"))) is None
