"""Every row of docs/signals.md: the news is given to the core, and what the row says follows."""

import inspect
import re

import pytest

from orchestrad.core import observations
from orchestrad.core.decide import _RULES
from orchestrad.core.ids import TaskId
from orchestrad.core.states import AgentState
from tests.support.signal_rows import ROWS
from tests.support.signals import WHO, Signal


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.signal}, {row.before.state.value}: {row.before.words}")
def test_what_the_row_says_follows(row: Signal) -> None:
    followed = row.followed()

    task = followed.world.tasks.get(TaskId("t1"))
    assert (followed.agent.state, task.state if task else None) == (row.agent, row.task)
    assert [then.words for then in row.then if not then.holds(followed)] == [], followed.events


def observed(section: str) -> set[type]:
    """The observations that `core/observations.py` has under this heading."""
    text = inspect.getsource(observations).split(f"# ---- {section}")[1].split("# ---- ")[0]
    named = {getattr(observations, name) for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}
    return named & set(_RULES)


def test_every_observation_that_comes_from_agents_and_looks_is_in_some_row() -> None:
    told = {type(news) for row in ROWS for news in row.news}

    there = {kind.__name__ for kind in observed("from agents") | observed("looks")}
    assert there >= {"Stopped", "Left", "RunDead", "ScreensSeen"}
    assert there - {kind.__name__ for kind in told} == set()


def test_every_state_of_an_agent_is_found_in_some_row_and_led_to_by_another() -> None:
    assert {row.before.state for row in ROWS} == set(AgentState)
    assert {row.agent for row in ROWS} == set(AgentState) - {AgentState.PAUSED}  # nothing pauses an agent yet


def test_no_signal_is_told_twice_of_the_same_state_of_things() -> None:
    told = [(row.signal, row.before.words, row.before.state) for row in ROWS]

    assert len(told) == len(set(told))


def test_the_agent_of_every_row_is_there_with_its_task() -> None:
    assert [row.signal for row in ROWS if WHO not in row.before.world.agents] == []
