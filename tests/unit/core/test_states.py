"""The states, the tables of moves, and the named sets."""

import pytest

from orchestrad.core.apply.moves import ImpossibleMove, move_agent, move_task
from orchestrad.core.events import AgentAdded
from orchestrad.core.ids import AgentName
from orchestrad.core.states import (
    AGENT_MOVES,
    HOLDS_RUN,
    IN_CONVERSATION,
    IN_TURN,
    NEEDS_A_PERSON,
    TASK_MOVES,
    UNFINISHED,
    AgentState,
    TaskState,
)
from tests.support.worlds import LATER, task, worker

S, T = AgentState, TaskState
EVENT = AgentAdded(now=LATER, agent=AgentName("worker-1"), reason="because")


def test_the_sets_mean_what_they_say() -> None:
    assert {S.READY, S.WORKING, S.WAITING, S.ATTENDED, S.LIMITED, S.PAUSED} == IN_CONVERSATION
    assert IN_CONVERSATION | {S.STARTING, S.STOPPING} == HOLDS_RUN
    assert set(S) - HOLDS_RUN == {S.STOPPED, S.BACKING_OFF, S.FAILED}
    assert IN_TURN <= IN_CONVERSATION
    assert not NEEDS_A_PERSON & IN_TURN
    assert set(T) - UNFINISHED == {T.DONE, T.BLOCKED, T.CANCELLED}


def test_a_person_is_needed_where_no_rule_leads_on() -> None:
    assert {S.FAILED, S.PAUSED} == NEEDS_A_PERSON


@pytest.mark.parametrize("table", [AGENT_MOVES, TASK_MOVES])
def test_every_state_is_reachable_and_none_is_the_last(table: dict[object, set[object]]) -> None:
    first = next(iter(table))
    reached, waiting = {first}, [first]
    while waiting:
        for state in table[waiting.pop()] - reached:
            reached.add(state)
            waiting.append(state)
    assert reached == set(table) == set(type(first))  # type: ignore[call-overload]  # an Enum
    assert all(table.values())


def test_a_run_may_die_in_every_state_that_holds_one() -> None:
    for state in HOLDS_RUN:
        assert AGENT_MOVES[state] >= {S.STOPPED, S.BACKING_OFF, S.FAILED}, state


def test_a_run_begins_only_where_there_is_none() -> None:
    assert {state for state, moves in AGENT_MOVES.items() if S.STARTING in moves} == set(S) - HOLDS_RUN


def test_a_run_that_was_told_to_end_only_ends() -> None:
    assert AGENT_MOVES[S.STOPPING] == {S.STOPPED, S.BACKING_OFF, S.FAILED}


def test_a_task_is_merged_from_anywhere_but_a_list_does_not_give_it_two_workers() -> None:
    assert {state for state, moves in TASK_MOVES.items() if T.DONE in moves} == set(T) - {T.DONE}
    assert {state for state, moves in TASK_MOVES.items() if T.ASSIGNED in moves} == {T.OPEN}
    assert {state for state, moves in TASK_MOVES.items() if T.SUBMITTED in moves} == {T.ASSIGNED}


def test_a_move_tells_since_when_and_why() -> None:
    moved = move_agent(worker("worker-1", S.READY), S.WORKING, EVENT)
    assert (moved.state, moved.since_at, moved.since_wall, moved.reason) == (S.WORKING, LATER.elapsed, LATER.wall, "because")


def test_to_stay_is_no_move() -> None:
    stays = worker("worker-1", S.READY, reason="before")
    assert move_agent(stays, S.READY, EVENT, deaths=3).reason == "before"


def test_a_move_that_no_table_allows_is_a_bug_and_says_so() -> None:
    with pytest.raises(ImpossibleMove, match="worker-1 can't go from stopping to ready"):
        move_agent(worker("worker-1", S.STOPPING), S.READY, EVENT)
    with pytest.raises(ImpossibleMove, match="task t1 can't go from done to assigned"):
        move_task(task("t1", T.DONE), T.ASSIGNED, EVENT)
