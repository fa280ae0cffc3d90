"""Runs: when they begin and end, what a look at the engine tells, crashes, backoff and the breaker."""

import pytest

from orchestrad.core.actions import FinishDaemon, ListRuns, RemoveRun, StartRun, StopRun
from orchestrad.core.decide import decide
from orchestrad.core.observations import (
    ConfigRead,
    DaemonStarted,
    EndAsked,
    EngineAway,
    Failed,
    Outcome,
    ResumeAsked,
    SessionsListed,
    TerminalDead,
)
from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.world import Credential, DeliveryKind, Glimpses, Settings
from tests.support.news import a_death, a_list, a_prompt, a_session, a_stop, a_word, an_acknowledgement, an_exit, listed
from tests.support.worlds import (
    EARLIER,
    LATER,
    a_run,
    a_world,
    after,
    an_agent,
    at,
    at_work,
    delivery,
    happened,
    manager,
    planned,
    seconds,
    task,
    the,
    worker,
)

S = AgentState
YOUNG = a_run(1, launched_at=EARLIER.elapsed, begun_at=EARLIER.elapsed)
T1 = task("t1", TaskState.ASSIGNED, by="worker-1")


def names(world: object, news: object) -> list[str]:
    return [type(event).__name__ for event in decide(world, news, LATER)]  # type: ignore[arg-type]  # any world


# ---- beginning


def test_nothing_starts_before_the_engine_was_looked_at() -> None:
    world = after(a_world(worker("worker-1", S.STOPPED), Glimpses()))
    assert the(world, "worker-1").state is S.STOPPED
    assert planned(world, ListRuns)
    assert not planned(world, StartRun)


def test_a_fresh_agent_starts_once_the_engine_was_looked_at() -> None:
    world = after(a_world(worker("worker-1", S.STOPPED), Glimpses()), a_list())
    [start] = planned(world, StartRun)
    assert (start.agent, start.epoch, start.resumes, start.credential) == ("worker-1", 1, False, "pool-1")


def test_real_clis_boot_no_more_at_once_than_there_are_cores_and_those_with_a_task_go_first() -> None:
    world = a_world(
        worker("worker-1", S.STOPPED), worker("worker-2", S.STOPPED, task="t1"), task("t1", TaskState.ASSIGNED, by="worker-2")
    )
    world = a_world(*world.agents.values(), *world.tasks.values(), boots_at_once=1)
    world = after(world)
    assert [start.agent for start in planned(world, StartRun)] == ["worker-2"]


def test_an_agent_without_a_credential_does_not_start() -> None:
    assert the(after(a_world(worker("worker-1", S.STOPPED, credential=None))), "worker-1").state is S.STOPPED


def test_credentials_are_spread_evenly_and_shared_when_there_are_fewer() -> None:
    pool = [Credential(f"pool-{n}", "token", str(n)) for n in (1, 2)]  # type: ignore[arg-type]  # a label
    agents = [an_agent(name, S.STOPPED, credential=None) for name in ("manager", "worker-1", "worker-2", "worker-3")]
    world = after(a_world(*agents, *pool))
    used = [agent.credential for agent in world.agents.values()]
    assert sorted(map(str, used)) == ["pool-1", "pool-1", "pool-2", "pool-2"]


def test_a_run_does_not_start_while_what_is_nobodys_holds_its_name() -> None:
    world = after(a_world(worker("worker-1", S.STOPPED, epoch=3)), a_list(listed("worker-1", 3)))
    assert the(world, "worker-1").run.epoch == 4
    assert [remove.container for remove in planned(world, RemoveRun)] == ["container-3"]
    assert not planned(world, StartRun)
    [remove] = planned(world, RemoveRun)
    assert planned(after(world, Outcome(remove, None)), StartRun)


def test_a_start_whose_end_is_unknown_is_looked_for_before_it_is_repeated() -> None:
    world = after(a_world(worker("worker-1", S.STOPPED)))
    [start] = planned(world, StartRun)
    world = after(world, Outcome(start, Failed("late", "took too long")))
    assert the(world, "worker-1").state is S.STARTING
    assert not planned(world, StartRun)
    assert planned(world, ListRuns)
    world = after(world, a_list(listed("worker-1", 1)))
    assert the(world, "worker-1").run.container == "container-1"
    assert not planned(world, StartRun)


def test_a_refused_start_counts_as_a_death() -> None:
    world = after(a_world(worker("worker-1", S.STOPPED)))
    [start] = planned(world, StartRun)
    world = after(world, Outcome(start, Failed("refused", "no such image")))
    assert the(world, "worker-1").deaths == 1
    assert "no such image" in the(world, "worker-1").reason


def test_a_start_that_lands_for_a_dead_epoch_makes_the_engine_be_looked_at() -> None:
    world = after(a_world(worker("worker-1", S.STOPPED)))
    [start] = planned(world, StartRun)
    world = after(world, a_death("worker-1", 1), now=at("14:02:01"))
    world = after(world, Outcome(start, "container-1"), now=at("14:02:02"))
    assert the(world, "worker-1").run is None or the(world, "worker-1").run.container is None
    assert planned(world, ListRuns)


# ---- looks


def test_absence_counts_only_for_runs_launched_before_the_look_was_asked_for() -> None:
    world = a_world(worker("worker-1", run=a_run(1, launched_at=at("14:01").elapsed)))
    assert the(after(world, a_list(asked_at=at("14:00:59").elapsed)), "worker-1").run.epoch == 1
    gone = after(world, a_list(asked_at=at("14:01:01").elapsed))
    assert "gone from the engine" in the(gone, "worker-1").reason


def test_an_engine_that_is_away_tells_nothing_of_what_runs() -> None:
    world = a_world(worker("worker-1"))
    world = after(world, EngineAway("no answer"))
    assert the(world, "worker-1").state is S.READY
    assert world.glimpses.engine_trouble == "no answer"
    assert after(world, a_list(listed("worker-1"))).glimpses.engine_trouble == ""


def test_a_run_that_a_list_shows_dead_is_removed_before_the_next_begins() -> None:
    world = after(a_world(worker("worker-1")), a_list(listed("worker-1", alive=False, exit_code=1)))
    assert the(world, "worker-1").run.epoch == 2
    assert [remove.container for remove in planned(world, RemoveRun)] == ["container-1"]
    assert not planned(world, StartRun)


def test_a_list_that_was_asked_for_earlier_does_not_hide_what_was_found_to_be_nobodys() -> None:
    world = after(a_world(worker("worker-1", run=a_run(1, launched_at=at("14:01:50").elapsed))), a_death("worker-1"))
    world = after(world, a_list(asked_at=at("14:01:40").elapsed))
    assert [remove.container for remove in planned(world, RemoveRun)] == ["container-1"]


def test_a_death_of_an_old_run_changes_nothing_of_the_present_one() -> None:
    world = after(a_world(worker("worker-1", epoch=4)), a_death("worker-1", 3))
    assert the(world, "worker-1").run.epoch == 4
    assert [remove.container for remove in planned(world, RemoveRun)] == ["container-3"]


def test_a_death_that_is_told_twice_counts_once() -> None:
    world = after(a_world(worker("worker-1", deaths=1, run=YOUNG)), a_death("worker-1"))
    assert the(after(world, a_death("worker-1")), "worker-1").deaths == 2


def test_a_list_of_terminals_says_nothing_of_one_that_was_opened_after_it_was_asked_for() -> None:
    opened = a_run(1, launched_at=EARLIER.elapsed, begun_at=EARLIER.elapsed, terminal_at=LATER.elapsed)
    world = after(a_world(worker("worker-1", run=opened)), SessionsListed(LATER.elapsed - 1, {}))
    assert the(world, "worker-1").run.terminal
    world = after(world, TerminalDead(the(world, "worker-1").name, LATER.elapsed - 1))
    assert the(world, "worker-1").run.terminal


def test_a_terminal_that_ended_makes_the_engine_be_asked_whether_the_run_did() -> None:
    world = after(a_world(worker("worker-1")), TerminalDead(the(a_world(worker("worker-1")), "worker-1").name, LATER.elapsed))
    assert not the(world, "worker-1").run.terminal
    assert planned(world, ListRuns)


def test_sessions_that_are_gone_are_opened_again_but_not_those_younger_than_the_look() -> None:
    world = a_world(worker("worker-1"), worker("worker-2", run=a_run(1, terminal_at=LATER.elapsed)))
    world = after(world, SessionsListed(at("14:01").elapsed, {}))
    assert [the(world, name).run.terminal for name in ("worker-1", "worker-2")] == [False, True]


# ---- crashes


def test_the_first_restart_is_at_once_on_the_same_task_and_conversation() -> None:
    world = after(a_world(at_work("worker-1", "t1"), T1), a_death("worker-1", exit_code=137))
    again = the(world, "worker-1")
    assert (again.state, again.task, again.run.epoch) == (S.STARTING, "t1", 2)
    assert (again.run.resumes, again.run.conversation) == (True, "conversation-1")
    assert again.delivery.kind is DeliveryKind.CONTINUE  # the conversation holds the task's text already
    assert again.run.carries == again.delivery.nonce != "nonce-1"


def test_a_crash_before_the_task_arrived_sends_the_same_delivery_again() -> None:
    world = a_world(worker("worker-1", task="t1", delivery=delivery(task="t1", attempt=1, sent_at=1)), T1)
    world = after(world, a_death("worker-1"))
    assert the(world, "worker-1").delivery.kind is DeliveryKind.TASK
    assert the(world, "worker-1").run.carries == "nonce-1"


def test_a_task_that_was_acknowledged_and_never_begun_is_told_in_full_after_a_crash() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, task("t2", body="All of it."))
    world = after(world, a_word(world, "worker-1", 4), a_stop(world, "worker-1", 5))
    world = after(world, an_acknowledgement(world, "worker-1", the(world, "worker-1").delivery.nonce))
    world = after(world, a_death("worker-1", exit_code=137))  # before the script could print it
    again = the(world, "worker-1")
    assert (again.run.resumes, again.task, again.delivery.kind) == (True, "t2", DeliveryKind.TASK)


def test_later_restarts_wait_longer_and_a_crash_loop_is_stopped_by_the_breaker() -> None:
    world = a_world(worker("worker-1", deaths=1, run=YOUNG), breaker=3)
    world = after(world, a_death("worker-1"))
    assert the(world, "worker-1").state is S.BACKING_OFF
    assert LATER.elapsed + seconds(0.5) <= the(world, "worker-1").start_at <= LATER.elapsed + seconds(1)
    world = after(world, now=at("14:02:01"))
    assert the(world, "worker-1").state is S.STARTING
    world = after(world, a_death("worker-1", 2), now=at("14:02:05"))
    assert the(world, "worker-1").state is S.FAILED
    assert "orchestrad resume worker-1" in the(world, "worker-1").reason
    assert the(after(world, now=at("23:00")), "worker-1").state is S.FAILED
    world = after(world, ResumeAsked(the(world, "worker-1").name), now=at("23:00"))
    assert (the(world, "worker-1").state, the(world, "worker-1").deaths) == (S.STARTING, 0)


def test_a_run_that_lived_long_begins_to_count_anew() -> None:
    world = a_world(worker("worker-1", deaths=5, run=a_run(1, begun_at=at("13:00").elapsed)))
    assert the(after(world, a_death("worker-1")), "worker-1").deaths == 1


def test_a_compaction_does_not_make_a_run_young_again() -> None:
    world = a_world(at_work("worker-1", "t1", deaths=5, run=a_run(1, begun_at=at("13:00").elapsed)), T1)
    world = after(world, a_session(world, "worker-1", 9, source="compact"), now=at("14:01"))
    assert the(after(world, a_death("worker-1")), "worker-1").deaths == 1


def test_a_conversation_that_could_not_be_resumed_is_forgotten() -> None:
    starting = worker("worker-1", S.STARTING, run=a_run(2, resumes=True, begun_at=None), conversation="gone", task="t1")
    world = after(a_world(starting, T1), a_death("worker-1", 2))
    assert the(world, "worker-1").conversation is None
    assert (the(world, "worker-1").run.resumes, the(world, "worker-1").delivery.kind) == (False, DeliveryKind.TASK)


def test_a_conversation_that_nobody_tried_to_resume_is_kept() -> None:
    run = a_run(2, resumes=True, begun_at=None, launched_at=None, container=None)
    starting = worker("worker-1", S.STARTING, run=run, conversation="kept", spoken=True, task="t1")
    world = a_world(starting, T1)
    [start] = planned(world, StartRun)
    world = after(world, Outcome(start, Failed("refused", "the credential is not there")))
    assert the(world, "worker-1").conversation == "kept"


def test_a_persons_exit_is_no_crash() -> None:
    world = a_world(worker("worker-1"))
    world = after(world, an_exit(world, "worker-1", 8), a_death("worker-1", exit_code=0))
    assert the(world, "worker-1").deaths == 0
    assert "/exit" in the(world, "worker-1").reason


def test_an_agent_that_does_not_report_in_time_is_started_again() -> None:
    world = a_world(worker("worker-1", S.STARTING, run=a_run(1, begun_at=None, launched_at=EARLIER.elapsed)))
    assert the(after(world, now=at("14:01:29")), "worker-1").state is S.STARTING
    world = after(world, now=at("14:01:30"))
    assert the(world, "worker-1").state is S.STOPPING
    [stop] = planned(world, StopRun)
    world = after(world, Outcome(stop, None))
    assert the(world, "worker-1").deaths == 1
    assert "hooks not running" in the(world, "worker-1").reason


def test_a_lost_session_start_is_made_good_by_the_next_hook() -> None:
    world = a_world(worker("worker-1", S.STARTING, run=a_run(1, begun_at=None, launched_at=0), delivery=delivery(), task="t1"), T1)
    world = after(world, a_prompt(world, "worker-1", 2, nonce="nonce-1", conversation="seen"))
    assert (the(world, "worker-1").state, the(world, "worker-1").conversation) == (S.WORKING, "seen")
    assert the(world, "worker-1").run.begun_at == LATER.elapsed


def test_hooks_of_an_old_run_change_nothing() -> None:
    world = a_world(at_work("worker-1", "t1", epoch=3), T1)
    for late in (a_session(world, "worker-1", epoch=2), an_exit(world, "worker-1", 7, epoch=2)):
        assert names(world, late) == ["Glimpsed"]


# ---- ending


def test_an_end_waits_for_turns_and_asked_again_does_not() -> None:
    world = a_world(at_work("worker-1", "t1"), T1, worker("worker-2"), manager(S.STOPPED))
    world = after(world, EndAsked(seconds(30), "Ctrl-C"))
    assert [the(world, name).state for name in ("worker-1", "worker-2")] == [S.WORKING, S.STOPPING]
    assert the(after(world, now=at("14:02:30")), "worker-1").state is S.STOPPING
    assert the(after(world, EndAsked(seconds(30), "Ctrl-C")), "worker-1").state is S.STOPPING


def test_the_fleet_has_ended_when_no_run_is_left_and_nothing_starts_again() -> None:
    world = after(a_world(worker("worker-1")), EndAsked(0, "down"))
    [stop] = planned(world, StopRun)
    world = after(world, Outcome(stop, None))
    assert world.fleet.state is FleetState.ENDED
    assert the(world, "worker-1").state is S.STOPPED
    assert not planned(after(world, now=at("15:00")), StartRun)


def test_a_start_that_fails_while_the_fleet_ends_is_not_tried_again() -> None:
    world = a_world(worker("worker-1", S.STARTING, run=a_run(1, container=None, launched_at=None, begun_at=None)))
    [start] = planned(world, StartRun)
    world = after(world, EndAsked(seconds(30), "Ctrl-C"), Outcome(start, Failed("unreachable", "no engine")))
    assert (the(world, "worker-1").state, world.fleet.state) == (S.STOPPED, FleetState.ENDED)
    assert not planned(world, StartRun, FinishDaemon)
    assert planned(world, ListRuns)  # it may have landed all the same


def test_an_engine_that_does_not_answer_does_not_hold_the_daemon_for_ever() -> None:
    world = after(a_world(worker("worker-1")), EndAsked(seconds(30), "Ctrl-C"))
    [stop] = planned(world, StopRun)
    world = after(world, Outcome(stop, Failed("unreachable", "no engine")), now=at("14:02:40"))
    world = after(world, EndAsked(seconds(30), "Ctrl-C"), now=at("14:03"))
    assert not planned(after(world, now=at("14:03:59")), FinishDaemon, now=at("14:03:59"))
    world = after(world, now=at("14:04:01"))
    assert "worker-1 could not be stopped" in world.fleet.reason
    assert planned(world, FinishDaemon, now=at("14:04:01"))
    assert the(after(world, DaemonStarted(), a_list(listed("worker-1"))), "worker-1").run is not None


def test_a_daemon_that_starts_again_takes_up_an_ended_fleet() -> None:
    world = a_world(worker("worker-1", S.STOPPED))
    world = after(after(world, EndAsked(0, "down")), DaemonStarted())
    assert world.fleet.state is FleetState.RUNNING
    assert the(world, "worker-1").state is S.STARTING


def test_running_agents_are_kept_when_a_daemon_starts_again() -> None:
    world = a_world(at_work("worker-1", "t1"), T1)
    world = after(world, DaemonStarted(), a_list(listed("worker-1")))
    assert (the(world, "worker-1").state, the(world, "worker-1").run.epoch) == (S.WORKING, 1)


def test_a_smaller_fleet_lets_turns_end_first_and_a_larger_one_gets_new_members() -> None:
    world = a_world(at_work("worker-2", "t1"), task("t1", TaskState.ASSIGNED, by="worker-2"), worker("worker-1"), workers=2)
    pool = tuple(world.credentials.values())
    world = after(world, ConfigRead(Settings(workers=1, manager=False), pool))
    assert not the(world, "worker-2").wanted
    assert the(world, "worker-2").state is S.WORKING
    world = after(world, ConfigRead(Settings(workers=3, manager=False), pool))
    assert the(world, "worker-2").wanted
    assert the(world, "worker-3").state is S.STARTING


def test_a_drained_worker_ends_after_its_turn_and_gives_its_task_back() -> None:
    world = a_world(at_work("worker-2", "t1"), task("t1", TaskState.ASSIGNED, by="worker-2"), worker("worker-1"), workers=2)
    world = after(world, ConfigRead(Settings(workers=1, manager=False), tuple(world.credentials.values())))
    world = after(world, a_death("worker-2"))
    assert the(world, "worker-2").state is S.STOPPED
    assert (the(world, "worker-2").task, the(world, "worker-1").task) == (None, "t1")  # it stands in the list of worker-1


def test_the_same_config_again_makes_no_event() -> None:
    world = a_world(worker("worker-1"), manager(), workers=1)
    assert names(world, ConfigRead(world.settings, tuple(world.credentials.values()))) == []


@pytest.mark.parametrize("state", [S.READY, S.WORKING, S.WAITING, S.ATTENDED, S.LIMITED, S.STARTING, S.STOPPING])
def test_a_death_in_any_state_ends_the_run(state: AgentState) -> None:
    world, events = happened(a_world(worker("worker-1", state, deaths=1, run=YOUNG)), a_death("worker-1"))
    assert "RunEnded" in [type(event).__name__ for event in events]
    assert the(world, "worker-1").run is None


def test_a_stop_that_comes_after_the_death_is_told_that_its_run_is_over() -> None:
    world = a_world(at_work("worker-1", "t1", deaths=1, run=YOUNG), T1)
    late = a_stop(world, "worker-1", 5)
    world = after(world, a_death("worker-1"))
    assert names(world, late) == ["Glimpsed"]
