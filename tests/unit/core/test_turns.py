"""Turns that people begin, that the API breaks, that Escape ends; limits; prompts that count once; typing."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrad.core.actions import AnswerHook, ClearComposer, LookAtScreen, ReadLimit, TypePrompt
from orchestrad.core.decide import decide
from orchestrad.core.observations import Failed, Outcome, ResumeAsked
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Beginner, DeliveryKind, Glimpses, Route, World
from tests.support.news import a_prompt, a_screen, a_session, a_stop, a_word, an_api_failure
from tests.support.worlds import (
    EARLIER,
    LATER,
    a_run,
    a_world,
    after,
    at,
    at_work,
    delivery,
    planned,
    seconds,
    task,
    the,
    worker,
)

S = AgentState
T1 = task("t1", TaskState.ASSIGNED, by="worker-1")


# ---- people


def test_a_turn_that_a_person_began_may_stop_and_keeps_its_task() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(task="t1", delivered_at=1, conversation="conversation-1")), T1)
    world = after(world, a_prompt(world, "worker-1", 8))
    assert the(world, "worker-1").state is S.ATTENDED
    world = after(world, a_stop(world, "worker-1", 9))
    assert (the(world, "worker-1").state, the(world, "t1").state) == (S.ATTENDED, TaskState.ASSIGNED)
    assert [(a.block, a.nonce, a.status) for a in planned(world, AnswerHook) if a.connection == "worker-1.1.9"] == [
        (None, None, 200)
    ]


def test_an_attended_agent_is_left_alone_until_a_while_after_the_last_turn() -> None:
    world = a_world(worker("worker-1"), task("t1"), attended_timeout=seconds(60))
    world = a_world(*world.agents.values(), attended_timeout=seconds(60))
    world = after(world, a_prompt(world, "worker-1", 8))
    world = after(world, a_stop(world, "worker-1", 9), now=at("14:02:10"))
    world = after(world, a_prompt(world, "worker-1", 10), now=at("14:02:50"))
    world = after(world, a_stop(world, "worker-1", 11), now=at("14:03:00"))
    assert the(after(world, now=at("14:03:59")), "worker-1").state is S.ATTENDED
    assert the(after(world, now=at("14:04:00")), "worker-1").state is S.READY


def test_a_person_can_give_an_attended_agent_back() -> None:
    world = a_world(worker("worker-1", S.ATTENDED, turn_at=LATER.elapsed), task("t1"))
    world = after(world, ResumeAsked(the(world, "worker-1").name))
    assert the(world, "worker-1").task == "t1"


def test_a_person_that_types_into_a_turn_under_way_changes_nothing_of_it() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_prompt(world, "worker-1", 8))
    assert (the(world, "worker-1").state, the(world, "worker-1").turn) == (S.WORKING, Beginner.DAEMON)


def test_a_persons_turn_goes_on_as_theirs_after_its_background_work() -> None:
    world = a_world(worker("worker-1"))
    world = after(world, a_prompt(world, "worker-1", 8))
    world = after(world, a_stop(world, "worker-1", 9, background=1))
    assert the(world, "worker-1").state is S.WAITING
    world = after(world, a_prompt(world, "worker-1", 10, by_cli=True))
    assert (the(world, "worker-1").state, the(world, "worker-1").turn) == (S.ATTENDED, Beginner.PERSON)


def test_a_failure_in_a_persons_turn_leaves_it_to_the_person() -> None:
    world = a_world(worker("worker-1", S.ATTENDED, turn=Beginner.PERSON, turn_at=EARLIER.elapsed))
    assert the(after(world, an_api_failure(world, "worker-1", 9)), "worker-1").state is S.ATTENDED


def test_a_cleared_conversation_gets_the_whole_task_again() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_session(world, "worker-1", 9, source="clear", conversation="new"))
    given = the(world, "worker-1").delivery
    assert (the(world, "worker-1").state, given.kind, given.nonce != "nonce-1") == (S.READY, DeliveryKind.TASK, True)


# ---- Escape


def test_escape_is_told_from_an_idle_screen_and_leaves_the_agent_to_the_person() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_screen("worker-1", status_age=seconds(11)))
    assert (the(world, "worker-1").state, the(world, "t1").state) == (S.ATTENDED, TaskState.ASSIGNED)
    again = after(world, now=at("14:12"))
    assert (the(again, "worker-1").state, the(again, "worker-1").delivery.kind) == (S.READY, DeliveryKind.CONTINUE)


def test_a_prompt_that_never_began_is_sent_again_and_leaves_the_agent_to_nobody() -> None:
    given = delivery(task="t1", attempt=1)
    world = a_world(worker("worker-1", task="t1", delivery=given), T1)
    world = after(world, a_prompt(world, "worker-1", 3, nonce=given.nonce), now=EARLIER)
    assert the(world, "worker-1").state is S.WORKING  # but the script had given up on the answer and refused the prompt
    world = after(world, a_screen("worker-1", status_age=seconds(30)))
    again = the(world, "worker-1")
    assert (again.state, again.delivery.nonce, again.delivery.kind) == (S.READY, given.nonce, DeliveryKind.TASK)
    world = after(world, a_screen("worker-1", asked_at=at("14:02:06").elapsed), now=at("14:02:06"))
    assert [order.nonce for order in planned(world, TypePrompt, now=at("14:02:06"))] == [given.nonce]
    world = after(world, a_prompt(world, "worker-1", 4, nonce=given.nonce), now=at("14:02:07"))
    assert the(world, "worker-1").state is S.WORKING


@pytest.mark.parametrize(
    "screen",
    [
        {"status": "busy"},
        {"status": "idle", "status_age": seconds(2)},
        {"asked_at": EARLIER.elapsed + 1, "status_age": seconds(60)},
    ],
)
def test_a_screen_that_is_busy_young_or_older_than_the_turn_tells_nothing(screen: dict[str, object]) -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    assert the(after(world, a_screen("worker-1", **screen)), "worker-1").state is S.WORKING


def test_a_stop_that_waits_for_its_answer_is_no_escape() -> None:
    stops = Glimpses(
        runs_at=0,
        stops={"c": (the(a_world(worker("worker-1")), "worker-1").name, the(a_world(worker("worker-1")), "worker-1").epoch, 3)},
    )
    world = a_world(at_work("worker-1", "t1"), T1, stops)
    assert the(after(world, a_screen("worker-1", status_age=seconds(11))), "worker-1").state is S.WORKING


# ---- the API


def test_after_an_api_failure_it_goes_on_by_itself_after_growing_waits() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, an_api_failure(world, "worker-1", 9))
    assert (the(world, "worker-1").state, the(world, "worker-1").delivery.nonce) == (S.READY, "nonce-1")
    world = after(world, now=at("14:02:05"))
    assert the(world, "worker-1").delivery.kind is DeliveryKind.CONTINUE
    world = after(world, a_prompt(world, "worker-1", 10, nonce=the(world, "worker-1").delivery.nonce), now=at("14:02:06"))
    world = after(world, an_api_failure(world, "worker-1", 11), now=at("14:02:07"))
    assert the(world, "worker-1").start_at == at("14:02:17").elapsed  # our own prompt arrived, which says nothing of the API


def test_a_request_that_is_refused_for_ever_fails_the_attempt_and_begins_another_conversation() -> None:
    world = a_world(at_work("worker-1", "t1"), task("t1", TaskState.ASSIGNED, by="worker-1"), max_retries=0)
    for n in (5, 6):
        world = after(world, an_api_failure(world, "worker-1", n, "invalid_request"))
        assert the(world, "t1").state is TaskState.ASSIGNED
    world = after(world, an_api_failure(world, "worker-1", 7, "invalid_request"))
    assert the(world, "t1").state is TaskState.BLOCKED
    assert (the(world, "worker-1").state, the(world, "worker-1").spoken) == (AgentState.STOPPING, False)


def test_a_word_that_was_said_in_a_persons_turn_counts_when_the_agent_is_given_back() -> None:
    held = replace(at_work("worker-1", "t1", turn=Beginner.PERSON), state=AgentState.ATTENDED)
    world = a_world(held, task("t1", TaskState.ASSIGNED, by="worker-1"))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    assert the(world, "worker-1").state is AgentState.ATTENDED
    assert the(world, "worker-1").word is not None


def test_a_limit_is_shown_and_its_end_read_then_it_goes_on() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, an_api_failure(world, "worker-1", 9, "rate_limit"))
    assert the(world, "worker-1").state is S.LIMITED
    assert "pool-1 has reached a limit" in the(world, "worker-1").reason
    [read] = planned(world, ReadLimit)
    world = after(world, Outcome(read, at("15:00").wall))
    assert not planned(world, ReadLimit)
    assert the(after(world, now=at("14:59:59")), "worker-1").state is S.LIMITED
    again = after(world, now=at("15:00"))
    assert (the(again, "worker-1").state, the(again, "worker-1").delivery.kind) == (S.READY, DeliveryKind.CONTINUE)


@pytest.mark.parametrize("result", [None, Failed("unreachable", "")])
def test_a_limit_that_says_no_end_is_tried_again_after_a_guess(result: object) -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, an_api_failure(world, "worker-1", 9, "rate_limit"))
    world = after(world, Outcome(planned(world, ReadLimit)[0], result))
    assert the(world, "worker-1").limited_until_wall == at("14:03").wall


def test_a_refused_credential_waits_for_a_person() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, an_api_failure(world, "worker-1", 9, "authentication_failed"))
    assert the(after(world, now=at("23:00")), "worker-1").state is S.LIMITED
    assert "orchestrad resume worker-1" in the(world, "worker-1").reason
    world = after(world, ResumeAsked(the(world, "worker-1").name))
    assert the(world, "worker-1").state is S.STOPPING  # a mended file is read when a run starts
    assert the(world, "worker-1").task == "t1"


def test_a_limit_that_is_said_to_last_for_ever_is_not_believed() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, an_api_failure(world, "worker-1", 9, "rate_limit"))
    world = after(world, Outcome(planned(world, ReadLimit)[0], 2**53 * 1_000_000))
    assert the(world, "worker-1").limited_until_wall == at("14:03").wall


def test_the_same_api_failure_again_counts_once() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    failure = an_api_failure(world, "worker-1", 9)
    world = after(world, failure)
    assert [type(event).__name__ for event in decide(world, failure, LATER)] == ["Glimpsed"]


def test_a_word_that_was_said_before_the_api_failed_still_counts() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, a_word(world, "worker-1", 8), an_api_failure(world, "worker-1", 9))
    world = after(world, now=at("14:02:05"))
    world = after(world, a_prompt(world, "worker-1", 10, nonce=the(world, "worker-1").delivery.nonce), now=at("14:02:06"))
    world = after(world, a_stop(world, "worker-1", 11), now=at("14:02:07"))
    assert the(world, "t1").state is TaskState.SUBMITTED


# ---- prompts


def test_a_prompt_of_ours_is_let_through_once_with_its_branch() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(task="t1", attempt=1, sent_at=1)), T1)
    world = after(world, a_prompt(world, "worker-1", 8, nonce="nonce-1"))
    assert the(world, "worker-1").state is S.WORKING
    [answer] = planned(world, AnswerHook)
    assert (answer.checkout, answer.nonce, answer.block) == (
        (the(world, "t1").attempt.branch, the(world, "t1").attempt.base),
        "nonce-1",
        None,
    )
    world = after(world, a_prompt(world, "worker-1", 9, nonce="nonce-1"))
    [again] = [answer for answer in planned(world, AnswerHook) if answer.connection == "worker-1 prompt 9"]
    assert again.block is not None


def test_the_same_post_of_a_prompt_gets_the_same_answer() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(task="t1", attempt=1, sent_at=1)), T1)
    post = a_prompt(world, "worker-1", 8, nonce="nonce-1")
    first = planned(after(world, post), AnswerHook)
    assert planned(after(after(world, post), post), AnswerHook) == first


def test_a_repeated_prompt_whose_task_was_taken_away_meanwhile_is_refused() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(task="t1", attempt=1, sent_at=1)), T1)
    post = a_prompt(world, "worker-1", 8, nonce="nonce-1")
    agent = the(after(world, post), "worker-1")
    world = a_world(replace(agent, task=None, delivery=None))
    [answer] = planned(after(world, post), AnswerHook)
    assert answer.block is not None


def test_a_prompt_of_an_old_run_is_told_that_it_is_over() -> None:
    world = a_world(worker("worker-1", epoch=3))
    world = after(world, a_prompt(world, "worker-1", 8, nonce="nonce-1", epoch=2))
    assert [answer.status for answer in planned(world, AnswerHook)] == [410]


# ---- typing


def due(**fields: Any) -> World:
    given = delivery(task="t1", attempt=1, ordered_at=EARLIER.elapsed, **fields)
    return a_world(worker("worker-1", task="t1", delivery=given), T1)


def test_what_is_due_is_typed_into_an_idle_cli_with_an_empty_composer() -> None:
    world = due()
    assert planned(world, LookAtScreen)
    world = after(world, a_screen("worker-1"))
    [prompt] = planned(world, TypePrompt)
    assert (prompt.nonce, prompt.text.fields["title"]) == ("nonce-1", "T1")


@pytest.mark.parametrize(
    "screen",
    [
        {"status": "busy"},
        {"composer": "typed", "text": "half a word"},
        {"composer": "dialog"},
        {"key_age": seconds(3)},
        {"status": "idle", "composer": "unknown"},
    ],
)
def test_nothing_is_typed_where_somebody_else_may_be_typing(screen: dict[str, object]) -> None:
    world = after(due(), a_screen("worker-1", **screen))
    assert not planned(world, TypePrompt, ClearComposer)
    assert planned(world, LookAtScreen, now=at("14:02:01"))


def test_a_line_of_ours_that_was_left_in_the_composer_is_cleared() -> None:
    world = after(due(), a_screen("worker-1", composer="typed", text="orchestrad 123: read"))
    assert planned(world, ClearComposer)


def test_a_screen_is_looked_at_anew_before_each_typing() -> None:
    world = after(due(), a_screen("worker-1"))
    world = after(world, Outcome(planned(world, TypePrompt)[0], None))
    assert the(world, "worker-1").delivery.sends == 1
    assert not planned(world, TypePrompt, LookAtScreen)
    assert not planned(world, LookAtScreen, now=at("14:02:04"))
    assert planned(world, LookAtScreen, now=at("14:02:05"))  # it was not acknowledged


def test_nothing_is_typed_before_an_answer_had_its_time() -> None:
    world = due(route=Route.ANSWER, sent_at=at("14:01:58").elapsed)
    assert not planned(world, LookAtScreen, TypePrompt)
    assert planned(world, LookAtScreen, now=at("14:02:03"))


def test_what_went_with_the_start_has_its_time_from_the_conversations_beginning() -> None:
    started = worker("worker-1", run=a_run(1, begun_at=at("14:01:58").elapsed), task="t1", delivery=delivery(task="t1", sent_at=1))
    world = a_world(started, T1)
    assert not planned(world, LookAtScreen)
    assert planned(world, LookAtScreen, now=at("14:02:03"))


def test_an_idle_agent_with_nothing_due_is_not_looked_at() -> None:
    assert not planned(after(a_world(worker("worker-1"))), LookAtScreen, TypePrompt)
