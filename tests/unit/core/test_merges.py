"""The merge queue: one move at a time, its commit stored before any ref moves; upstream; what others moved."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrad.core.actions import Action, BranchFound, FetchUpstream, MakeCommit, MoveBranch, PushUpstream, ReadBranch
from orchestrad.core.decide import decide
from orchestrad.core.ids import Micros, Now, Oid
from orchestrad.core.observations import Conflicting, DaemonStarted, Failed, Made, NothingNew, Offered, Outcome
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import MoveKind, Route, Task, World
from tests.support.worlds import LATER, TIP, a_hub, a_world, after, at, delivery, oid, planned, task, the, worker

SUBMITTED, DONE = TaskState.SUBMITTED, TaskState.DONE
LIST = "WORKER_1_TASK_LIST.md"


def submitted(name: str = "t1", number: int = 1, head: str = "b", **fields: Any) -> Task:
    made = task(name, SUBMITTED, by="worker-1", submission=number, **fields)
    assert made.attempt is not None
    return replace(made, attempt=replace(made.attempt, head=oid(head)))


def found(tip: Oid = TIP, text: str = "- [ ] T1 {#t1}\n", **fields: Any) -> BranchFound:
    given: dict[str, Any] = {"direction": oid("d"), "contained": frozenset(), "upstream_contained": True, "offer": None}
    return BranchFound(tip, {LIST: text.encode()}, **{**given, **fields})


def came(world: World, kind: type[Action], result: object, **when: Any) -> World:
    """What the planned order of this kind came to."""
    [action] = planned(world, kind, **when)
    return after(world, Outcome(action, result), **when)


def test_submitted_work_is_merged_and_ticked_in_one_commit_which_is_stored_first() -> None:
    world = after(a_world(submitted()))
    [make] = planned(world, MakeCommit)
    assert (make.onto, make.source, [tick.task for tick in make.ticks]) == (TIP, oid("b"), ["t1"])
    assert "Task: t1\nAttempt: 1 by worker-1" in make.message
    assert not planned(world, MoveBranch)
    world = came(world, MakeCommit, Made(oid("c")))
    assert world.hub.move is not None
    assert world.hub.move.oid == oid("c")
    [move] = planned(world, MoveBranch)
    assert (move.expected, move.new) == (TIP, oid("c"))
    world = came(world, MoveBranch, result=True)
    assert (the(world, "t1").state, the(world, "t1").merged, the(world, "t1").checked) == (DONE, oid("c"), True)
    assert (world.hub.tip, world.hub.move) == (oid("c"), None)


def test_the_queue_is_in_the_order_of_submission_and_one_at_a_time() -> None:
    world = after(a_world(submitted("t2", 2, "c"), submitted("t1", 1, "b"), submitted("t3", 3, "d")))
    assert [make.source for make in planned(world, MakeCommit)] == [oid("b")]


def test_what_stands_on_unmerged_work_waits_for_it() -> None:
    above = submitted("t2", 1, "c")
    assert above.attempt is not None
    above = replace(above, attempt=replace(above.attempt, above=submitted().id))
    world = after(a_world(above, submitted("t1", 2, conflict=("a.py",))))
    assert not planned(world, MakeCommit)


def test_the_managers_push_goes_first() -> None:
    world = after(a_world(submitted(), a_hub(offers=(oid("e"),))))
    [make] = planned(world, MakeCommit)
    assert (make.source, make.lists_from_source, make.fast_forward) == (oid("e"), True, True)


def test_the_same_push_told_twice_is_taken_once() -> None:
    world = after(a_world(), Offered(oid("e")))
    assert decide(world, Offered(oid("e")), LATER) == []


def test_a_conflict_holds_that_task_alone_and_reaches_the_manager_with_branch_and_paths() -> None:
    world = came(after(a_world(submitted(), submitted("t2", 2, "c"))), MakeCommit, Conflicting(("a.py", "b.py")))
    assert the(world, "t1").conflict == ("a.py", "b.py")
    assert [make.source for make in planned(world, MakeCommit)] == [oid("c")]
    [note] = [note for note in world.notes.values() if note.kind == "conflict"]
    assert "worker-1/t1" in note.text
    assert "a.py, b.py" in note.text


def test_a_manager_that_merged_the_work_itself_settles_the_conflict() -> None:
    world = a_world(submitted(conflict=("a.py",)), a_hub(tip=oid("e")))
    world = came(world, ReadBranch, found(oid("e"), contained=frozenset({submitted().id})))
    assert (the(world, "t1").state, the(world, "t1").checked) == (DONE, False)
    [make] = planned(world, MakeCommit)
    assert (make.source, [tick.task for tick in make.ticks]) == (None, ["t1"])  # a commit that only ticks follows
    assert not [note for note in world.notes.values() if note.kind == "conflict"]


def test_a_conflict_is_tried_again_when_the_manager_has_brought_something() -> None:
    world = after(a_world(submitted(conflict=("a.py",)), a_hub(offers=(oid("e"),))))
    world = came(came(world, MakeCommit, Made(oid("f"))), MoveBranch, True)
    world = came(world, ReadBranch, found(oid("f")))
    assert [make.source for make in planned(world, MakeCommit)] == [oid("b")]
    world = came(world, MakeCommit, Conflicting(("b.py",)))
    assert [note.about for note in world.notes.values() if note.kind == "conflict"]  # told again: that was not enough
    assert not planned(world, MakeCommit)


def test_a_push_of_the_manager_that_conflicts_is_told_to_it() -> None:
    world = came(after(a_world(a_hub(offers=(oid("e"),)))), MakeCommit, Conflicting(("a.py",)))
    assert world.hub.offers == ()
    assert [note.text for note in world.notes.values() if note.kind == "conflict" and "your push was not taken" in note.text]


def test_a_branch_that_moved_meanwhile_is_merged_onto_anew() -> None:
    world = came(after(a_world(submitted())), MakeCommit, Made(oid("c")))
    world = came(world, MoveBranch, result=False)
    assert world.hub.move is None
    world = came(world, ReadBranch, found(oid("f")))
    assert [make.onto for make in planned(world, MakeCommit)] == [oid("f")]


def test_a_move_that_was_cut_off_after_the_ref_moved_is_found_done() -> None:
    world = came(after(a_world(submitted())), MakeCommit, Made(oid("c")))
    world = after(world, DaemonStarted())
    world = came(world, ReadBranch, found(oid("c"), "- [x] T1 {#t1}\n"))
    assert (the(world, "t1").state, the(world, "t1").merged) == (DONE, oid("c"))
    assert not planned(world, MakeCommit, MoveBranch)


def test_a_move_that_was_cut_off_before_the_ref_moved_goes_on() -> None:
    world = came(after(a_world(submitted())), MakeCommit, Made(oid("c")))
    world = after(world, DaemonStarted())
    assert not planned(world, MoveBranch)  # where the branch stands is not known yet
    world = came(world, ReadBranch, found())
    assert [move.new for move in planned(world, MoveBranch)] == [oid("c")]


@pytest.mark.parametrize("result", [Made(oid("f")), NothingNew(), Conflicting(("a.py",))])
def test_the_outcome_of_an_order_of_another_move_changes_nothing(result: object) -> None:
    world = after(a_world(submitted()))
    [make] = planned(world, MakeCommit)
    world = came(world, MakeCommit, Made(oid("c")))
    assert decide(world, Outcome(make, result), LATER) == []


def test_work_whose_commits_are_gone_does_not_hold_up_the_queue() -> None:
    world = came(after(a_world(submitted(), submitted("t2", 2, "c"))), MakeCommit, Failed("gone", "no such object"))
    assert the(world, "t1").state is TaskState.BLOCKED
    world = came(world, ReadBranch, found(text="- [ ] T1 {#t1}\n- [ ] T2 {#t2}\n"))
    assert [make.source for make in planned(world, MakeCommit)] == [oid("c")]


def test_an_away_hub_is_asked_again() -> None:
    world = came(after(a_world(submitted())), MakeCommit, Failed("unreachable", "git did not answer"))
    assert planned(world, MakeCommit)


def test_a_box_that_turns_out_to_be_ticked_is_not_ticked_for_ever() -> None:
    world = after(a_world(task("t1", DONE, merged=oid("b"))))
    assert world.hub.move is not None
    assert world.hub.move.kind is MoveKind.TICK
    world = came(world, MakeCommit, NothingNew())
    assert the(world, "t1").checked
    assert not planned(after(world), MakeCommit)


def test_work_that_was_withdrawn_while_it_was_merged_stays_withdrawn() -> None:
    world = came(after(a_world(submitted())), MakeCommit, Made(oid("c")))
    world = a_world(replace(the(world, "t1"), state=TaskState.CANCELLED), world.hub)
    world = came(world, MoveBranch, result=True)
    assert the(world, "t1").state is TaskState.CANCELLED


# ---- upstream


def test_upstream_is_fetched_each_minute() -> None:
    world = came(a_world(), FetchUpstream, TIP)
    assert not planned(world, FetchUpstream, now=at("14:02:59"))
    assert planned(world, FetchUpstream, now=at("14:03"))


def test_what_upstream_has_new_is_merged_and_then_ours_is_pushed() -> None:
    world = came(a_world(), FetchUpstream, oid("e"))
    [make] = planned(world, MakeCommit)
    assert make.source == oid("e")
    assert not planned(world, PushUpstream)
    world = came(world, MakeCommit, Made(oid("f")))
    world = came(world, MoveBranch, result=True)
    [push] = planned(world, PushUpstream)
    assert push.oid == oid("f")
    world = after(world, Outcome(push, True))
    assert not planned(world, PushUpstream)


def test_a_conflict_with_upstream_goes_to_the_manager_while_pushes_wait_and_work_goes_on() -> None:
    world = came(after(a_world(submitted())), FetchUpstream, oid("e"))
    world = came(came(world, MakeCommit, Made(oid("c"))), MoveBranch, result=True)
    world = came(world, ReadBranch, found(oid("c"), "- [x] T1 {#t1}\n", upstream_contained=False))
    world = came(world, MakeCommit, Conflicting(("a.py",)))
    assert world.hub.upstream_conflict == ("a.py",)
    assert not planned(world, PushUpstream)
    assert [note for note in world.notes.values() if note.kind == "upstream"]
    world = after(world, Offered(oid("f")))
    world = came(came(world, MakeCommit, Made(oid("f"))), MoveBranch, result=True)
    world = came(world, ReadBranch, found(oid("f"), "- [x] T1 {#t1}\n"))
    assert world.hub.upstream_conflict == ()
    assert planned(world, PushUpstream)


def test_an_upstream_that_is_away_is_asked_after_growing_waits_while_merges_go_on() -> None:
    world = came(after(a_world(submitted())), FetchUpstream, Failed("unreachable", "no route"))
    assert world.hub.upstream_trouble == "no route"
    assert planned(world, MakeCommit)
    assert not planned(world, FetchUpstream, now=at("14:02:01"))
    world = came(world, FetchUpstream, Failed("unreachable", "no route"), now=at("14:02:02"))
    assert not planned(world, FetchUpstream, now=at("14:02:05"))
    world = came(world, FetchUpstream, TIP, now=at("14:02:06"))
    assert world.hub.upstream_trouble == ""


def test_an_upstream_that_moved_before_the_push_is_fetched_first() -> None:
    world = a_world(a_hub(tip=oid("c"), read=oid("c"), upstream_has=TIP, fetch_at=at("15:00").elapsed))
    world = came(world, PushUpstream, result=False)
    assert planned(world, FetchUpstream)
    assert not planned(world, PushUpstream)


def test_a_refused_push_is_shown_and_tried_again() -> None:
    world = a_world(a_hub(tip=oid("c"), read=oid("c"), upstream_has=TIP, fetch_at=at("15:00").elapsed))
    world = came(world, PushUpstream, Failed("refused", "the branch is protected"))
    assert world.hub.upstream_trouble == "the branch is protected"
    assert not planned(world, PushUpstream)
    assert planned(world, PushUpstream, now=at("14:02:02"))


def test_nothing_is_read_or_merged_where_nothing_moved() -> None:
    world = after(a_world(worker("worker-1"), a_hub(fetch_at=at("15:00").elapsed)))
    assert not planned(world, ReadBranch, MakeCommit, MoveBranch, FetchUpstream, PushUpstream)


def test_without_a_manager_a_conflict_is_tried_again_when_upstream_has_moved() -> None:
    hub = a_hub(upstream=oid("e"))
    for has_manager in (True, False):
        world = after(a_world(submitted(conflict=("a.py",)), hub, manager=has_manager))
        world = came(came(world, MakeCommit, Made(oid("f"))), MoveBranch, True)
        assert the(world, "t1").conflict == (("a.py",) if has_manager else ())


def test_a_merge_that_git_cannot_make_gives_way_after_some_tries_to_what_is_behind_it() -> None:
    world = after(a_world(submitted("t1", 1), submitted("t2", 2)))
    for _ in range(5):
        assert world.hub.move is not None
        assert world.hub.move.task == "t1"
        world = came(world, MakeCommit, Failed("late", "it took too long"))
    assert the(world, "t1").state is TaskState.BLOCKED
    assert "it took too long" in the(world, "t1").reason
    world = came(world, ReadBranch, found(text="- [ ] T1 {#t1}\n- [ ] T2 {#t2}\n"))
    assert world.hub.move is not None
    assert world.hub.move.task == "t2"


def handed_over_while_merging(**times: Any) -> World:
    """worker-1's work waits for its merge since 14:02, while worker-2 is being handed its next task."""
    given = delivery(**{"route": Route.ANSWER, "sent_at": LATER.elapsed, "delivered_at": None, "started_at": None, **times})
    return after(a_world(submitted(), worker("worker-2", AgentState.READY, delivery=given)))


def begins_after(world: World) -> int:
    """How many milliseconds after 14:02 the merge is begun when nothing else happens."""
    for milliseconds in range(0, 2000, 50):
        if planned(world, MakeCommit, now=Now(LATER.wall, Micros(LATER.elapsed + milliseconds * 1000))):
            return milliseconds
    raise AssertionError("it is never begun")


def test_a_merge_gives_way_to_an_agent_that_is_being_handed_its_next_task_but_not_long() -> None:
    assert begins_after(handed_over_while_merging()) == 500
    assert begins_after(handed_over_while_merging(delivered_at=LATER.elapsed)) == 100
    assert begins_after(handed_over_while_merging(delivered_at=LATER.elapsed, started_at=LATER.elapsed)) == 0
    assert begins_after(handed_over_while_merging(route=Route.TYPED)) == 0
    assert begins_after(after(a_world(submitted()))) == 0
