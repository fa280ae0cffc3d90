"""Merges and pushes begin when no agent is just being handed its next task, and in any case soon."""

import pytest

from orchestrad.clock.fake import FakeClock
from orchestrad.core.actions import Action, AnswerHook, MakeCommit, MoveBranch
from orchestrad.core.ids import Micros
from orchestrad.core.states import AgentState
from orchestrad.core.world import Route, World
from orchestrad.daemon.courtesy import AT_MOST, Courtesy, hands_over
from tests.support.virtual_time import run
from tests.support.worlds import a_world, delivery, oid, worker

MERGE = MakeCommit(oid("a"), oid("b"), (), "Merge", 0, lists_from_source=False, fast_forward=False)
SENT = 10_000_000


def handed(sent: int = SENT, delivered: int | None = None, started: int | None = None, route: Route = Route.ANSWER) -> World:
    given = delivery(route=route, sent_at=sent, delivered_at=delivered, started_at=started)
    return a_world(worker("worker-1", AgentState.READY, delivery=given), worker("worker-2"))


def waited(action: Action, world: World) -> float:
    """How many seconds after the answer the action was carried out, when nothing else happens."""
    clock = FakeClock(elapsed=SENT)
    begun: list[Micros] = []

    async def execute(_: Action) -> object:
        begun.append(clock.now().elapsed)
        return "done"

    async def scene() -> object:
        return await Courtesy(execute, world=lambda: world, clock=clock).execute(action)

    assert run(scene(), clock) == "done"
    return (begun[0] - SENT) / 1_000_000


def test_a_merge_waits_for_the_acknowledgement_of_a_hand_over_but_not_long() -> None:
    assert waited(MERGE, handed()) == pytest.approx(AT_MOST, abs=0.03)


def test_a_merge_waits_until_the_agent_has_asked_its_model() -> None:
    assert waited(MERGE, handed(delivered=SENT)) == pytest.approx(0.1, abs=0.03)


def test_a_merge_begins_at_once_when_nobody_is_handed_anything() -> None:
    assert waited(MERGE, a_world(worker("worker-1"))) == 0
    assert waited(MERGE, handed(route=Route.TYPED)) == 0
    assert waited(MERGE, handed(delivered=SENT, started=SENT)) == 0


def test_what_others_wait_for_does_not_wait() -> None:
    assert waited(AnswerHook("connection"), handed()) == 0
    assert waited(MoveBranch(oid("a"), oid("b")), handed()) == 0


def test_an_old_hand_over_that_was_never_acknowledged_holds_nothing_up() -> None:
    assert hands_over(handed(sent=0), 100_000)
    assert not hands_over(handed(sent=0), SENT)
