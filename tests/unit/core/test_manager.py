"""What the Manager is told: one digest per wake-up, never for nothing; and when the fleet has finished."""

from orchestrad.core.actions import AnswerHook, FinishDaemon
from orchestrad.core.agenda import Agenda
from orchestrad.core.ids import MANAGER
from orchestrad.core.observations import Offered
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.texts import of_delivery
from orchestrad.core.world import Beginner, DeliveryKind, Note, Say, World
from tests.support.news import a_death, a_prompt, a_stop, an_acknowledgement
from tests.support.worlds import LATER, TIP, a_hub, a_world, after, at, delivery, manager, oid, planned, task, the, worker

PLENTY = [task(f"p{n}", list="TASK_LIST.md", after=("never",)) for n in range(3)]


def told(world: World) -> World:
    """The world once the Manager has been told what there was, and its turn has ended."""
    agent = the(world, "manager")
    world = after(world, a_prompt(world, "manager", 50, nonce=agent.delivery.nonce), now=at("14:02:03"))
    return after(world, a_stop(world, "manager", 51), now=at("14:02:04"))


def texts(world: World) -> list[str]:
    return [note.text for note in world.notes.values()]


def test_a_new_direction_wakes_the_manager_at_once() -> None:
    world = after(a_world(manager(), *PLENTY))
    assert the(world, "manager").delivery.kind is DeliveryKind.DIGEST
    text = of_delivery(world, the(world, "manager"), the(world, "manager").delivery)
    assert "PROJECT_DIRECTION.md" in text.fields["notes"]


def test_what_comes_together_is_told_together() -> None:
    world = after(a_world(manager(), a_hub(direction=None)))
    assert the(world, "manager").delivery is None
    world = after(world, now=at("14:02:02"))
    assert len(the(world, "manager").delivery.notes) == 3  # three lists run low


def test_a_wall_clock_that_was_set_back_does_not_delay_a_digest() -> None:
    world = after(a_world(manager(), a_hub(direction=None)))
    now = at("14:02:03")
    world = after(world, now=now._replace(wall=at("09:00").wall))
    assert the(world, "manager").delivery is not None


def test_what_was_told_is_not_told_again_and_an_idle_fleet_wakes_nobody() -> None:
    world = told(after(a_world(manager(), a_hub())))
    assert the(world, "manager").delivery is None
    assert the(after(world, now=at("23:00")), "manager").delivery is None


def test_merged_work_is_told_along_but_wakes_nobody() -> None:
    done = task("t1", TaskState.DONE, merged=oid("b"), checked=True, note="with tests")
    world = after(a_world(manager(), *PLENTY, done, a_hub(direction=None)))
    assert [note for note in texts(world) if note.startswith("Merged: 'T1'") and "with tests" in note]
    assert the(after(world, now=at("15:00")), "manager").delivery is None


def test_a_list_that_runs_low_is_told_and_the_note_goes_when_it_is_filled() -> None:
    world = after(a_world(manager(AgentState.STOPPED, credential=None), a_hub(direction=None), workers=1))
    assert texts(world) == ["WORKER_1_TASK_LIST.md has no open task left."]
    world = after(a_world(*world.notes.values(), *PLENTY, a_hub(direction=None), workers=1))
    assert texts(world) == []


def test_a_manager_that_stops_is_handed_what_is_new_in_the_answer() -> None:
    held = manager(AgentState.WORKING, turn=Beginner.DAEMON, delivery=delivery(DeliveryKind.DIGEST, delivered_at=1, notes=("x",)))
    world = a_world(held, *PLENTY, a_hub())
    world = after(world, a_stop(world, "manager", 9))
    [answer] = planned(world, AnswerHook)
    assert (answer.nonce, answer.checkout) == (the(world, "manager").delivery.nonce, None)
    world = after(world, an_acknowledgement(world, "manager", the(world, "manager").delivery.nonce))
    assert the(world, "manager").state is AgentState.WORKING


def test_a_manager_that_leaves_changes_uncommitted_is_reminded_once() -> None:
    held = manager(AgentState.WORKING, turn=Beginner.DAEMON, delivery=delivery(DeliveryKind.DIGEST, delivered_at=1))
    world = a_world(held, *PLENTY, a_hub(direction=None))
    world = after(world, a_stop(world, "manager", 9, changes=2))
    assert the(world, "manager").state is AgentState.WORKING
    world = after(world, a_stop(world, "manager", 10, changes=2))
    assert (the(world, "manager").state, the(world, "manager").delivery) == (AgentState.READY, None)


def test_a_manager_that_leaves_a_conflict_standing_is_reminded_and_then_a_person_is_asked() -> None:
    held = task("t1", TaskState.SUBMITTED, by="worker-1", conflict=("a.py",), submission=1)
    world = after(a_world(manager(), held, *PLENTY, max_reminders=1))
    world = after(world, a_prompt(world, "manager", 50, nonce=the(world, "manager").delivery.nonce))
    world = after(world, a_stop(world, "manager", 51))
    assert "conflicts that still stand" in the(world, "manager").post.answer.text.fields["problem"]
    world = after(world, a_stop(world, "manager", 52))
    assert the(world, "t1").state is TaskState.BLOCKED
    assert "the Manager did not settle its conflict in a.py" in the(world, "t1").reason


def test_a_manager_whose_push_is_being_merged_is_not_reminded_of_the_conflict_that_it_settles() -> None:
    held = task("t1", TaskState.SUBMITTED, by="worker-1", conflict=("a.py",), submission=1)
    world = after(a_world(manager(), held, *PLENTY))
    world = after(world, a_prompt(world, "manager", 50, nonce=the(world, "manager").delivery.nonce))
    world = after(world, Offered(oid("f")), a_stop(world, "manager", 51))
    assert not isinstance(the(world, "manager").post.answer, Say)
    assert the(world, "t1").state is TaskState.SUBMITTED


def test_a_digest_that_did_not_arrive_is_sent_again_with_the_next_run() -> None:
    world = after(a_world(manager(), *PLENTY))
    nonce = the(world, "manager").delivery.nonce
    world = after(world, a_death("manager"))
    assert the(world, "manager").run.carries == nonce


def test_without_a_manager_nothing_is_noted_and_its_last_stop_is_still_answered() -> None:
    held = manager(AgentState.WORKING, turn=Beginner.DAEMON, delivery=delivery(DeliveryKind.DIGEST, delivered_at=1), wanted=True)
    world = a_world(held, manager=False)
    world = after(world, a_stop(world, "manager", 9))
    assert not world.notes
    assert [(a.block, a.nonce) for a in planned(world, AnswerHook)] == [(None, None)]


# ---- --until-done


def finished(*entities: object, now: str = "14:02", **settings: object) -> World:
    return after(a_world(*entities, until_done=True, **settings), now=at(now))  # type: ignore[arg-type]  # entities


DONE = task("t1", TaskState.DONE, checked=True, merged=TIP)
TOLD = Note("1", "direction", "", 0, about=oid("d"), nonce="n")  # type: ignore[arg-type]  # a nonce


def test_until_done_ends_with_0_when_all_is_merged_and_the_manager_is_idle() -> None:
    world = finished(DONE, worker("worker-1"), manager=False)
    assert world.fleet.finished == 0


def test_until_done_waits_for_open_assigned_and_submitted_tasks() -> None:
    for state in (TaskState.OPEN, TaskState.ASSIGNED, TaskState.SUBMITTED):
        assert finished(task("t1", state, by="worker-1"), manager=False).fleet.finished is None


def test_until_done_ends_with_1_when_some_are_blocked_and_with_them_what_waits_for_them() -> None:
    world = finished(task("b", TaskState.BLOCKED), task("t2", after=("b",)), DONE, manager=False)
    assert world.fleet.finished == 1


def test_until_done_waits_for_the_push_and_for_a_manager_with_something_to_read() -> None:
    assert finished(DONE, a_hub(upstream_has=None), manager=False).fleet.finished is None
    assert finished(DONE, manager(), workers=0).fleet.finished is None
    assert finished(DONE, manager(), TOLD, workers=0).fleet.finished == 0


def test_until_done_ends_with_1_when_only_a_person_could_bring_it_on() -> None:
    broken = worker("worker-1", AgentState.FAILED, run=None)
    assert finished(broken, task("t1"), manager=False).fleet.finished == 1
    assert finished(DONE, manager(AgentState.FAILED, run=None), workers=0).fleet.finished == 1
    declined = a_hub(upstream_has=None, upstream_trouble="protected branch", upstream_refused=True, upstream_failures=3)
    assert finished(DONE, declined, manager=False).fleet.finished == 1
    assert "protected branch" in finished(DONE, declined, manager=False).fleet.reason


def test_until_done_goes_on_while_another_worker_or_a_reset_can_bring_it_on() -> None:
    broken = worker("worker-1", AgentState.FAILED, run=None)
    assert finished(broken, worker("worker-2"), task("t1"), manager=False).fleet.finished is None
    limited = worker("worker-1", AgentState.LIMITED, limited_until_wall=LATER.wall + 1)
    assert finished(limited, task("t1"), manager=False).fleet.finished is None


def test_a_finished_fleet_stops_its_runs_and_then_the_daemon() -> None:
    world = finished(DONE, manager=False)
    assert world.fleet.state is FleetState.ENDED
    assert [finish.status for finish in planned(world, FinishDaemon)] == [0]


def test_an_agenda_wakes_at_the_earliest_deadline_that_has_not_come() -> None:
    agenda = Agenda(LATER)
    assert agenda.passed(LATER.elapsed)
    assert agenda.wake_at is None
    assert not agenda.passed(LATER.elapsed + 9)
    assert not agenda.passed_wall(LATER.wall + 5)
    assert agenda.wake_at == LATER.elapsed + 5


def test_the_manager_is_no_worker() -> None:
    world = after(a_world(manager(), task("t1")))
    assert world.agents[MANAGER].task is None
