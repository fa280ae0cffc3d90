"""What a worker hears of when the item that it works on is edited, removed, moved or ticked."""

from datetime import UTC

import pytest

from orchestrad.core.actions import AnswerHook, BranchFound, ReadBranch, TypePrompt
from orchestrad.core.ids import Oid
from orchestrad.core.observations import EndAsked, Outcome
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.why.tasks import about_task
from orchestrad.core.world import Hand, Say, World
from tests.support.news import a_screen, a_stop, a_word, an_acknowledgement
from tests.support.worlds import LATER, a_world, after, oid, planned, the, worker

LIST, OTHER = "WORKER_1_TASK_LIST.md", "WORKER_2_TASK_LIST.md"
MINE = "Write the parser of dates"


def read(world: World, text: str, other: str = "", *, tip: Oid | None = None) -> World:
    lists = {LIST: text.encode(), OTHER: other.encode()}
    tip = tip or oid("ef"[world.hub.read == oid("e")])
    found = BranchFound(tip, lists, oid("d"), frozenset(), upstream_contained=True, offer=None)
    return after(world, Outcome(ReadBranch(), found))


def at_its_task(text: str = f"- [ ] {MINE}\n\n  Of all forms.\n- [ ] Next thing\n") -> World:
    """worker-1 was typed its first task and works on it."""
    world = read(a_world(worker("worker-1"), workers=2), text)
    world = after(world, a_screen("worker-1"))
    [typed] = planned(world, TypePrompt)
    world = after(world, Outcome(typed, None), an_acknowledgement(world, "worker-1", typed.nonce))
    assert the(world, "worker-1").state is AgentState.WORKING
    return world


def mine(world: World) -> str:
    name = the(world, "worker-1").task
    assert name is not None
    return str(name)


def answer(world: World) -> object:
    return the(world, "worker-1").post.answer


def test_an_edit_is_told_once_before_the_work_is_submitted() -> None:
    world = at_its_task()
    name = mine(world)
    world = read(world, "- [ ] Write the parser of dates and times\n\n  Of all forms.\n- [ ] Next thing\n")
    assert mine(world) == name
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    said = answer(world)
    assert isinstance(said, Say)
    assert (said.text.name, said.text.fields["title"]) == ("edited", "Write the parser of dates and times")
    assert (the(world, name).state, the(world, "worker-1").state) == (TaskState.ASSIGNED, AgentState.WORKING)
    world = after(world, a_word(world, "worker-1", 6), a_stop(world, "worker-1", 7))
    assert the(world, name).state is TaskState.SUBMITTED


def test_an_edited_body_is_told_and_a_silent_stop_after_it_is_asked_as_ever() -> None:
    world = read(at_its_task(), f"- [ ] {MINE}\n\n  Of ISO 8601 only.\n- [ ] Next thing\n")
    world = after(world, a_stop(world, "worker-1", 5))
    told = answer(world)
    assert isinstance(told, Say)
    assert told.text.fields["body"] == "Of ISO 8601 only."
    world = after(world, a_stop(world, "worker-1", 6))
    asked = answer(world)
    assert isinstance(asked, Say)
    assert asked.text.name == "question"


def test_every_edit_is_told_and_one_that_was_taken_back_is_not() -> None:
    first, second = "- [ ] Write the parser of times\n\n  Of all forms.\n", f"- [ ] {MINE} again\n\n  Of all forms.\n"
    world = at_its_task()
    name = mine(world)
    world = after(read(world, first), a_stop(world, "worker-1", 5))
    world = after(read(world, second), a_stop(world, "worker-1", 6))
    told = answer(world)
    assert isinstance(told, Say)
    assert told.text.fields["title"] == f"{MINE} again"
    world = read(read(world, first), second)
    world = after(world, a_word(world, "worker-1", 7), a_stop(world, "worker-1", 8))
    assert the(world, name).state is TaskState.SUBMITTED


@pytest.mark.parametrize(
    "text",
    [
        f"- [ ]  {MINE}\r\n\r\n  Of all forms.\r\n",
        f"* [ ] **{MINE}**.\n\n  Of all\n  forms.\n",
        f"1. [ ] {MINE}\n\n   Of all forms.\n",
    ],
)
def test_blanks_line_ends_and_markup_are_no_edit(text: str) -> None:
    world = at_its_task(f"- [ ] {MINE}\n\n  Of all forms.\n")
    name = mine(world)
    world = read(world, text)
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, name).state is TaskState.SUBMITTED


def test_an_edit_that_came_while_the_old_text_was_being_typed_is_told() -> None:
    world = read(a_world(worker("worker-1")), f"- [ ] {MINE}\n")
    world = after(world, a_screen("worker-1"))
    [typed] = planned(world, TypePrompt)
    world = read(world, f"- [ ] {MINE} too\n")
    world = after(world, Outcome(typed, None), an_acknowledgement(world, "worker-1", typed.nonce))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    said = answer(world)
    assert isinstance(said, Say)
    assert said.text.name == "edited"


def test_an_edit_before_the_task_was_given_out_is_no_news() -> None:
    world = read(a_world(worker("worker-1")), f"- [ ] {MINE}\n")
    world = read(world, f"- [ ] {MINE} too\n")
    world = after(world, a_screen("worker-1"))
    [typed] = planned(world, TypePrompt)
    assert typed.text.fields["title"] == f"{MINE} too"
    world = after(world, Outcome(typed, None), an_acknowledgement(world, "worker-1", typed.nonce))
    name = mine(world)
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, name).state is TaskState.SUBMITTED


def test_a_run_that_is_to_end_submits_nothing_that_was_edited_meanwhile() -> None:
    world = at_its_task()
    name = mine(world)
    world = read(world, "- [ ] Write the parser of dates and times\n")
    world = after(world, EndAsked(0, "a person asked"))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, name).state is TaskState.ASSIGNED


def test_when_its_item_is_removed_the_worker_is_handed_the_next_task() -> None:
    world = at_its_task()
    name = mine(world)
    world = read(world, "- [ ] Next thing\n")
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert (the(world, name).state, the(world, name).reason) == (TaskState.CANCELLED, f"its item was removed from {LIST}")
    assert isinstance(answer(world), Hand)
    [handed] = planned(world, AnswerHook)
    assert handed.block is not None
    assert handed.block.fields["title"] == "Next thing"
    assert the(world, name).attempt.branch != the(world, mine(world)).attempt.branch  # its work stays there


def test_no_task_begins_on_what_a_removed_one_left_uncommitted() -> None:
    world = read(at_its_task(), "- [ ] Next thing\n")
    world = after(world, a_stop(world, "worker-1", 5, changes=3))
    assert the(world, "worker-1").state is AgentState.STOPPING  # the next run begins with all of it saved
    assert the(world, "worker-1").task is None


def test_an_item_that_comes_back_before_its_worker_stops_was_only_moved() -> None:
    world = at_its_task()
    name = mine(world)
    world = read(world, "- [ ] Next thing\n")
    world = read(world, "- [ ] Next thing\n", f"- [ ] {MINE}\n\n  Of all forms.\n")
    assert (mine(world), the(world, name).list, the(world, name).listed) == (name, OTHER, True)
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, name).state is TaskState.SUBMITTED


def test_a_removed_task_of_a_worker_that_does_nothing_is_cancelled_at_once() -> None:
    world = read(a_world(worker("worker-1")), f"- [ ] {MINE}\n")
    name = mine(world)
    world = read(world, "")
    assert (the(world, name).state, the(world, "worker-1").task) == (TaskState.CANCELLED, None)


def test_of_two_equal_items_the_one_that_is_removed_is_not_the_one_in_work() -> None:
    world = at_its_task(f"- [ ] {MINE}\n- [ ] {MINE}\n- [ ] Other\n")
    name = mine(world)
    world = read(world, f"- [ ] Other\n- [ ] {MINE}\n")
    assert mine(world) == name
    states = {task.state for task in world.tasks.values() if task.text == MINE and task.id != name}
    assert states == {TaskState.CANCELLED}


def test_a_done_item_that_was_tidied_away_does_not_take_the_item_of_an_equal_one_in_work() -> None:
    world = read(a_world(worker("worker-2", AgentState.WORKING)), f"- [x] {MINE}\n")
    world = read(world, "")
    world = read(world, f"- [x] Old\n- [ ] {MINE}\n", tip=oid("1"))
    reopened = [task for task in world.tasks.values() if task.text == MINE and task.state is TaskState.OPEN]
    assert len(reopened) == 1
    world = read(after(world, now=LATER), f"- [ ] {MINE}\n", tip=oid("2"))
    assert [t.id for t in world.tasks.values() if t.text == MINE and t.state is TaskState.OPEN] == [reopened[0].id]


def test_why_tells_of_an_edit_and_a_removal_that_the_worker_has_not_heard_of() -> None:
    world = at_its_task()
    task = the(world, mine(world))
    assert "edited" not in about_task(world, task, LATER, UTC)
    edited = read(world, f"- [ ] {MINE} too\n")
    assert "its item was edited, which its worker is told when its turn ends" in about_task(
        edited, the(edited, task.id), LATER, UTC
    )
    removed = read(world, "- [ ] Next thing\n")
    said = about_task(removed, the(removed, task.id), LATER, UTC)
    assert f"its item was removed from {LIST}, so it is cancelled when its worker's turn ends" in said
