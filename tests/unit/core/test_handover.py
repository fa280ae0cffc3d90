"""From a Stop to the next task: what the answer is, what is proven, what counts once."""

from typing import Any

import pytest

from orchestrad.core.actions import AnswerHook, Reply
from orchestrad.core.decide import decide
from orchestrad.core.events import DeliveryOrdered, DeliverySent, PostAnswered, TaskSubmitted
from orchestrad.core.observations import EndAsked
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Allow, Hand, Route, Say
from tests.support.news import HEAD, a_prompt, a_stop, a_word, an_acknowledgement
from tests.support.worlds import LATER, a_world, after, at, at_work, delivery, happened, planned, task, the, worker

ASSIGNED, OPEN, BLOCKED, SUBMITTED = TaskState.ASSIGNED, TaskState.OPEN, TaskState.BLOCKED, TaskState.SUBMITTED
T1 = task("t1", ASSIGNED, by="worker-1")


def test_a_worker_that_says_done_gets_its_next_task_in_the_same_answer() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    world = after(world, a_word(world, "worker-1", 4, text="all green"), a_stop(world, "worker-1", 5))
    assert the(world, "t1").state is SUBMITTED
    assert (the(world, "t1").attempt.head, the(world, "t1").note) == (HEAD, "all green")
    assert the(world, "t2").state is ASSIGNED
    [answer] = planned(world, AnswerHook)
    assert answer.connection == "worker-1.1.5"
    assert answer.checkout == (the(world, "t2").attempt.branch, HEAD)
    assert answer.nonce == the(world, "worker-1").delivery.nonce
    assert answer.block is not None
    assert (answer.block.name, answer.block.fields["title"]) == ("task", "T2")


def test_the_next_branch_begins_on_this_workers_unmerged_work() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, "t2").attempt.base == HEAD
    assert the(world, "t2").attempt.above == "t1"


def test_the_next_branch_leaves_work_aside_that_a_conflict_holds() -> None:
    held = task("t0", SUBMITTED, by="worker-1", submission=1, conflict=("a.py",))
    world = after(a_world(worker("worker-1"), held, task("t2")))
    assert (the(world, "t2").attempt.base, the(world, "t2").attempt.above) == (world.hub.tip, None)


def test_a_handed_task_is_delivered_when_the_script_acknowledges_it() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    handed = the(world, "worker-1").delivery
    assert (handed.route, handed.sent_at, handed.delivered_at) == (Route.ANSWER, at("14:02").elapsed, None)
    world = after(world, an_acknowledgement(world, "worker-1", handed.nonce), now=at("14:02:01"))
    assert the(world, "worker-1").state is AgentState.WORKING
    assert the(world, "worker-1").delivery.delivered_at == the(world, "t2").attempt.delivered_at == at("14:02:01").elapsed
    assert [reply.ok for reply in planned(world, Reply) if reply.connection.endswith(handed.nonce)] == [True]


def test_an_acknowledgement_of_an_older_delivery_is_refused() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(nonce="new", task="t1")), T1)
    world = after(world, an_acknowledgement(world, "worker-1", "old"))
    assert [reply.ok for reply in planned(world, Reply)] == [False]
    assert the(world, "worker-1").delivery.delivered_at is None


def test_a_checkout_that_failed_delivers_nothing() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(task="t1", sent_at=1)), T1)
    world = after(world, an_acknowledgement(world, "worker-1", "nonce-1", ok=False))
    assert the(world, "worker-1").delivery.delivered_at is None


def test_the_same_stop_again_gets_the_same_answer_and_makes_no_event() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5, connection="first"))
    world, events = happened(world, a_stop(world, "worker-1", 5, connection="second"))
    assert [type(event).__name__ for event in events] == ["Glimpsed"]
    first, second = planned(world, AnswerHook)
    assert (first.connection, second.connection) == ("first", "second")
    assert (first.nonce, first.block, first.checkout) == (second.nonce, second.block, second.checkout)


def test_a_stop_that_comes_after_a_later_one_ends_that_turn_and_changes_nothing() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_stop(world, "worker-1", 7, changes=1, connection="later"))
    world, events = happened(world, a_stop(world, "worker-1", 5, connection="late"))
    assert [type(event).__name__ for event in events] == ["Glimpsed"]
    [late] = [answer for answer in planned(world, AnswerHook) if answer.connection == "late"]
    assert (late.block, late.nonce) == (None, None)


def test_a_stop_of_an_old_run_is_told_that_it_is_over() -> None:
    world = a_world(at_work("worker-1", "t1", epoch=3), T1)
    late = a_stop(world, "worker-1", 9, epoch=2)
    assert [type(event).__name__ for event in decide(world, late, LATER)] == ["Glimpsed"]
    world = after(world, late)
    assert [answer.status for answer in planned(world, AnswerHook)] == [410]


def test_a_stop_of_nobody_is_told_that_it_is_over() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    stop = a_stop(world, "worker-1", 9)
    without = a_world()
    world = after(without, stop)
    assert [answer.status for answer in planned(world, AnswerHook)] == [410]


def test_proven_but_not_said_is_asked_once_and_a_second_silent_stop_counts() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_stop(world, "worker-1", 5))
    assert the(world, "worker-1").post.answer == Say(the(world, "worker-1").post.answer.text)
    assert the(world, "worker-1").post.answer.text.name == "question"
    assert the(world, "worker-1").state is AgentState.WORKING
    world = after(world, a_stop(world, "worker-1", 6))
    assert the(world, "t1").state is SUBMITTED


@pytest.mark.parametrize(
    ("workspace", "says"),
    [
        ({"changes": 2}, "2 paths not committed"),
        ({"branch": None}, "detached"),
        ({"branch": "worker-1/other"}, "You are on the branch worker-1/other"),
        ({"operation": "rebase"}, "rebase is in progress"),
        ({"hub_head": None, "commits": 0}, "not in the hub"),
        ({"head": None, "commits": 0}, "no commit for this task yet"),
    ],
)
def test_said_but_not_proven_says_what_is_missing(workspace: dict[str, Any], says: str) -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5, **workspace))
    answer = the(world, "worker-1").post.answer
    assert isinstance(answer, Say)
    assert answer.text.name == "reminder"
    assert says in answer.text.fields["problem"]
    assert the(world, "t1").state is ASSIGNED


def test_after_the_reminders_the_attempt_has_failed_and_after_the_retries_the_task_is_blocked() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, max_reminders=1, max_retries=1, retry_delay=0)
    world = after(world, a_stop(world, "worker-1", 5, commits=0))
    assert the(world, "t1").state is ASSIGNED
    world = after(world, a_stop(world, "worker-1", 6, commits=0))
    assert the(world, "t1").failures == 1
    assert the(world, "t1").attempt.number == 2  # its second attempt was handed out in the same answer
    assert isinstance(the(world, "worker-1").post.answer, Hand)
    world = after(world, an_acknowledgement(world, "worker-1", the(world, "worker-1").delivery.nonce))
    world = after(world, a_stop(world, "worker-1", 8, commits=0))
    world = after(world, a_stop(world, "worker-1", 9, commits=0))
    assert the(world, "t1").state is BLOCKED
    assert "2 attempts failed" in the(world, "t1").reason
    assert the(world, "worker-1").task is None


def test_a_failed_attempt_waits_for_the_retry_delay() -> None:
    world = a_world(at_work("worker-1", "t1", reminders=2), T1)
    world = after(world, a_stop(world, "worker-1", 6, commits=0))
    assert the(world, "t1").state is OPEN
    assert the(world, "worker-1").post.answer == Allow("no task is open for it")
    assert the(after(world, now=at("14:02:04")), "t1").state is OPEN
    assert the(after(world, now=at("14:02:05")), "t1").state is ASSIGNED


def test_what_a_failed_attempt_left_uncommitted_is_saved_by_a_new_run_before_the_next_task_begins() -> None:
    world = a_world(at_work("worker-1", "t1", reminders=2), T1, task("t2"))
    world = after(world, a_stop(world, "worker-1", 6, changes=1))
    assert (the(world, "worker-1").state, the(world, "worker-1").task) == (AgentState.STOPPING, None)
    assert [(a.block, a.nonce) for a in planned(world, AnswerHook)] == [(None, None)]


def test_done_without_a_change_needs_no_commit() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    said = a_word(world, "worker-1", 4, text="it was so already", no_change=True)
    world = after(world, said, a_stop(world, "worker-1", 5, commits=0))
    assert the(world, "t1").state is SUBMITTED
    assert the(world, "t1").no_change == "it was so already"
    assert world.hub.move is not None
    assert world.hub.move.source is None


def test_what_was_committed_is_merged_even_if_no_change_was_said() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 4, text="nothing", no_change=True), a_stop(world, "worker-1", 5, commits=1))
    assert (the(world, "t1").state, the(world, "t1").no_change) == (SUBMITTED, "")
    assert world.hub.move is not None
    assert world.hub.move.source == HEAD


@pytest.mark.parametrize("verb", ["blocked", "ask"])
def test_a_worker_that_is_blocked_or_asks_gets_its_next_task(verb: str) -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    said = a_word(world, "worker-1", 4, verb, "which database?")  # type: ignore[arg-type]  # one of the two
    world = after(world, said, a_stop(world, "worker-1", 5, commits=0))
    assert the(world, "t1").state is BLOCKED
    assert "which database?" in the(world, "t1").reason
    assert the(world, "worker-1").task == "t2"
    assert {note.kind for note in world.notes.values()} >= {"question" if verb == "ask" else "blocked"}


def test_a_blocked_worker_commits_first_what_it_has() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 4, "blocked", "no key"), a_stop(world, "worker-1", 5, changes=3))
    assert the(world, "t1").state is ASSIGNED
    answer = the(world, "worker-1").post.answer
    assert isinstance(answer, Say)
    assert 'Then run `orch blocked "…"` once more' in answer.text.fields["problem"]  # else its silence would count as done


@pytest.mark.parametrize("background", [2, None])
def test_a_stop_with_background_work_is_not_the_end_and_an_absent_field_is_unknown(background: int | None) -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    said = a_word(world, "worker-1", 4)
    world = after(world, said, a_stop(world, "worker-1", 5, background=background))
    assert the(world, "worker-1").state is AgentState.WAITING
    assert the(world, "t1").state is ASSIGNED
    [answer] = planned(world, AnswerHook)
    assert answer.block is None
    world = after(world, a_prompt(world, "worker-1", 6, by_cli=True))
    assert the(world, "worker-1").state is AgentState.WORKING
    world = after(world, a_stop(world, "worker-1", 7))
    assert the(world, "t1").state is SUBMITTED  # the word was said in this turn


def test_background_work_has_a_time_limit_of_its_own() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, waiting_timeout=60_000_000)
    world = after(world, a_stop(world, "worker-1", 5, background=1))
    assert the(after(world, now=at("14:02:59")), "worker-1").state is AgentState.WAITING
    late = after(world, now=at("14:03"))
    assert the(late, "worker-1").state is AgentState.READY
    assert the(late, "worker-1").delivery.kind.value == "continue"


def test_with_no_task_open_it_may_stop_and_gets_the_next_one_typed() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, "worker-1").post.answer == Allow("no task is open for it")
    assert the(world, "worker-1").delivery is None
    world, events = happened(a_world(*world.agents.values(), *world.tasks.values(), task("t2")))
    assert the(world, "t2").state is ASSIGNED
    assert [type(e) for e in events if isinstance(e, DeliveryOrdered | DeliverySent)] == [DeliveryOrdered]
    assert not [e for e in events if isinstance(e, PostAnswered)]  # that Stop was answered long ago


def test_a_stop_that_was_cut_off_after_its_checkout_is_handed_the_same_task_again() -> None:
    given = delivery(task="t1", attempt=1, route=Route.ANSWER, sent_at=1)
    world = a_world(worker("worker-1", task="t1", delivery=given), T1)
    world = after(world, a_stop(world, "worker-1", 6, nonce="nonce-1"))
    assert the(world, "worker-1").delivery.delivered_at is None
    assert the(world, "worker-1").post.answer == Hand("nonce-1")  # type: ignore[arg-type]  # a nonce


def test_nothing_is_handed_out_while_the_fleet_ends() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    world = after(world, EndAsked(30_000_000, "a person asked"))
    world, events = happened(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert any(isinstance(event, TaskSubmitted) for event in events)
    assert the(world, "t2").state is OPEN
    assert [(a.block, a.nonce) for a in planned(world, AnswerHook)] == [(None, None)]
    assert the(world, "worker-1").state is AgentState.STOPPING


def test_work_that_ends_while_its_run_is_being_stopped_still_counts() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2"))
    world = after(world, EndAsked(0, "a person asked"))
    assert the(world, "worker-1").state is AgentState.STOPPING
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, "t1").state is SUBMITTED
    assert the(world, "worker-1").state is AgentState.STOPPING
    assert [(a.block, a.nonce) for a in planned(world, AnswerHook)] == [(None, None)]


def test_an_old_word_does_not_count_in_the_next_turn() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5, changes=1))
    assert the(world, "worker-1").word is None
    world = after(world, a_stop(world, "worker-1", 6))
    assert the(world, "t1").state is ASSIGNED  # all committed now, but not said in this turn: asked once


def test_the_same_word_again_is_heard_once_and_answered_twice() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 4, text="first"))
    world, events = happened(world, a_word(world, "worker-1", 4, text="second"))
    assert [type(event).__name__ for event in events] == ["Glimpsed"]
    assert the(world, "worker-1").word.text == "first"


def test_a_word_of_an_old_run_is_not_recorded() -> None:
    world = a_world(at_work("worker-1", "t1", epoch=2), T1)
    world = after(world, a_word(world, "worker-1", 40, epoch=1))
    assert the(world, "worker-1").word is None
    assert [reply.ok for reply in planned(world, Reply)] == [False]


def test_a_word_of_an_agent_without_a_task_is_not_recorded() -> None:
    world = a_world(worker("worker-1", AgentState.WORKING))
    world = after(world, a_word(world, "worker-1", 40))
    assert [reply.ok for reply in planned(world, Reply)] == [False]


def test_a_worker_that_says_blocked_and_commits_nothing_after_all_reminders_is_blocked_and_its_leftovers_are_saved() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, max_reminders=1)
    for n in (4, 6):
        world = after(world, a_word(world, "worker-1", n, verb="blocked", text="no network"))
        world = after(world, a_stop(world, "worker-1", n + 1, changes=2))
    assert (the(world, "t1").state, the(world, "t1").reason) == (BLOCKED, "worker-1 is blocked: no network")
    assert the(world, "worker-1").state is AgentState.STOPPING
