"""What the lists on the shared branch make of tasks: new, edited, moved, removed, ticked and unticked by others."""

from orchestrad.core.actions import BranchFound, ReadBranch
from orchestrad.core.decide import decide
from orchestrad.core.ids import Oid
from orchestrad.core.observations import Outcome
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import World
from tests.support.news import a_stop
from tests.support.worlds import LATER, TIP, a_hub, a_world, after, at_work, oid, task, the, worker

LIST = "WORKER_1_TASK_LIST.md"
NEW = oid("e")


def read(world: World, text: str, other: str | None = None, *, tip: Oid = NEW) -> World:
    """The world after the branch was read with this list of worker-1 (and of worker-2)."""
    lists = {LIST: text.encode()} | ({"WORKER_2_TASK_LIST.md": other.encode()} if other is not None else {})
    found = BranchFound(tip, lists, oid("d"), frozenset(), upstream_contained=True, offer=None)
    return after(world, Outcome(ReadBranch(), found))


def test_items_become_tasks_with_what_is_nested_under_them() -> None:
    world = read(a_world(), "- [ ] First {#a priority=2 after=b}\n  The body.\n- [ ] Second {#b}\n")
    first = the(world, "a")
    assert (first.text, first.body.strip(), first.priority, first.after, first.list) == ("First", "The body.", 2, ("b",), LIST)
    assert (first.state, the(world, "b").state) == (TaskState.OPEN, TaskState.OPEN)


def test_reading_the_same_lists_again_makes_no_task_event() -> None:
    world = read(a_world(), "- [ ] One\n- [ ] Two {#two}\n")
    found = BranchFound(NEW, {LIST: b"- [ ] One\n- [ ] Two {#two}\n"}, oid("d"), frozenset(), upstream_contained=True, offer=None)
    assert [type(event).__name__ for event in decide(world, Outcome(ReadBranch(), found), LATER)] == ["BranchRead"]


def test_an_item_that_is_ticked_when_first_seen_was_done_by_hand() -> None:
    world = read(a_world(worker("worker-1")), "- [x] Old {#old}\n")
    assert (the(world, "old").state, the(world, "old").merged) == (TaskState.DONE, None)


def test_an_edited_item_with_an_id_stays_the_same_task_in_the_same_hands() -> None:
    world = a_world(at_work("worker-1", "t1"), task("t1", TaskState.ASSIGNED, by="worker-1"))
    world = read(world, "- [ ] T1, but better {#t1}\n")
    assert (the(world, "t1").text, the(world, "worker-1").task) == ("T1, but better", "t1")


def test_a_removed_item_is_cancelled_when_its_worker_stops_and_the_worker_is_free() -> None:
    world = a_world(at_work("worker-1", "t1"), task("t1", TaskState.ASSIGNED, by="worker-1"))
    world = read(world, "nothing\n")
    assert (the(world, "t1").state, the(world, "t1").listed) == (TaskState.ASSIGNED, False)
    world = after(world, a_stop(world, "worker-1", 5))
    assert the(world, "t1").state is TaskState.CANCELLED
    assert (the(world, "worker-1").task, the(world, "worker-1").delivery) == (None, None)


def test_a_cancelled_item_that_comes_back_is_another_task() -> None:
    world = read(a_world(task("t1", TaskState.CANCELLED, listed=False)), "- [ ] T1 {#t1}\n")
    assert (the(world, "t1").state, the(world, "t1.1").state) == (TaskState.CANCELLED, TaskState.OPEN)


def test_a_moved_item_stays_with_its_worker() -> None:
    world = a_world(at_work("worker-1", "t1"), task("t1", TaskState.ASSIGNED, by="worker-1"))
    world = read(world, "", "- [ ] T1 {#t1}\n")
    assert (the(world, "t1").list, the(world, "worker-1").task) == ("WORKER_2_TASK_LIST.md", "t1")


def test_a_box_ticked_by_others_is_done_by_hand_and_frees_its_worker() -> None:
    world = a_world(at_work("worker-1", "t1"), task("t1", TaskState.ASSIGNED, by="worker-1"))
    world = read(world, "- [x] T1 {#t1}\n")
    assert (the(world, "t1").state, the(world, "worker-1").task) == (TaskState.DONE, None)


def test_submitted_work_whose_box_was_ticked_is_still_merged() -> None:
    world = read(a_world(task("t1", TaskState.SUBMITTED, by="worker-1", submission=1)), "- [x] T1 {#t1}\n")
    assert the(world, "t1").state is TaskState.SUBMITTED
    assert world.hub.move is not None
    assert world.hub.move.task == "t1"


def test_a_box_that_was_cleared_is_a_new_generation() -> None:
    world = read(a_world(task("t1", TaskState.DONE, checked=True, merged=TIP)), "- [ ] T1 {#t1}\n")
    assert (the(world, "t1").state, the(world, "t1").generation) == (TaskState.OPEN, 1)


def test_merged_work_that_is_not_ticked_yet_is_not_taken_for_cleared() -> None:
    world = read(a_world(task("t1", TaskState.DONE, checked=False, merged=TIP)), "- [ ] T1 {#t1}\n")
    assert the(world, "t1").state is TaskState.DONE


def test_editing_a_blocked_item_gives_it_out_again() -> None:
    world = read(a_world(worker("worker-1"), task("t1", TaskState.BLOCKED, failures=3)), "- [ ] T1 {#t1}\n  Use Postgres.\n")
    assert (the(world, "worker-1").task, the(world, "t1").failures) == ("t1", 0)


def test_a_list_beyond_the_fleet_is_told_and_not_worked_on() -> None:
    world = read(a_world(worker("worker-1"), workers=1), "", "- [ ] Lonely {#lonely}\n")
    assert the(world, "lonely").state is TaskState.OPEN
    assert any("WORKER_2" in problem for problem in world.hub.problems)
    assert [note for note in world.notes.values() if note.kind == "problem"]


def test_equal_texts_are_told_apart_by_occurrence() -> None:
    world = read(a_world(), "- [ ] Same\n- [ ] Same\n")
    assert len(world.tasks) == 2
    assert [t.occurrence for t in sorted(world.tasks.values(), key=lambda t: t.order)] in ([0, 1], [1, 2])


def test_the_managers_push_that_is_found_at_start_is_taken() -> None:
    found = BranchFound(TIP, {}, None, frozenset(), upstream_contained=True, offer=oid("f"))
    world = after(a_world(a_hub(read=None)), Outcome(ReadBranch(), found))
    assert world.hub.offers == (oid("f"),)


def test_tasks_are_given_out_in_order_and_own_lists_come_first() -> None:
    shared = task("s", list="TASK_LIST.md", order=0)
    late, urgent = task("late", order=1), task("urgent", order=2, priority=5)
    world = after(a_world(worker("worker-1"), worker("worker-2"), shared, late, urgent))
    assert [the(world, name).task for name in ("worker-1", "worker-2")] == ["urgent", "s"]


def test_a_task_waits_for_those_it_comes_after() -> None:
    world = after(a_world(worker("worker-1"), task("b", order=0, after=("a",)), task("a", order=1)))
    assert the(world, "worker-1").task == "a"
    world = after(a_world(worker("worker-1"), task("b", after=("a",)), task("a", TaskState.DONE, checked=True)))
    assert the(world, "worker-1").task == "b"


def test_only_a_worker_that_is_ready_gets_a_task() -> None:
    for state in set(AgentState) - {AgentState.READY, AgentState.STOPPED, AgentState.BACKING_OFF}:
        world = after(a_world(worker("worker-1", state, turn_at=LATER.elapsed), task("t1")))
        assert the(world, "t1").state is TaskState.OPEN, state
