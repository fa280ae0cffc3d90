"""Each state of an agent and of a task is told with its reason and with what would change it."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from orchestrad.core.states import AgentState, FleetState, TaskState
from orchestrad.core.why import Nobody, why, why_agent, why_task
from orchestrad.core.world import DeliveryKind, Glimpses, Move, MoveKind, Note, ScreenSeen, World
from tests.support.worlds import (
    EARLIER,
    TIP,
    a_fleet,
    a_hub,
    a_run,
    a_world,
    an_attempt,
    at,
    delivery,
    manager,
    oid,
    seconds,
    task,
    worker,
)

S, T = AgentState, TaskState
NOW = at("14:05")
ENDING = replace(a_fleet(), state=FleetState.ENDING, reason="a person asked for it")


def screen(**fields: object) -> Glimpses:
    given = {"asked_at": NOW.elapsed, "status": "idle", "composer": "empty", **fields}
    return Glimpses(runs_at=0, screens={"worker-1": ScreenSeen(**given)})  # type: ignore[arg-type, dict-item]  # as given


AGENTS: dict[str, tuple[World, str]] = {
    "stopped, drained": (
        a_world(worker("worker-1", S.STOPPED, wanted=False, reason="the config does not ask for it any more")),
        (
            "worker-1 is stopped, since 14:00 (5 min): the config does not ask for it any more; "
            "a higher `workerCount` (or `manager.enabled`) in orchestrator.json brings it back."
        ),
    ),
    "stopped, without a credential": (
        a_world(worker("worker-1", S.STOPPED, credential=None, reason="the config asks for it")),
        (
            "worker-1 is stopped, since 14:00 (5 min): the config asks for it; "
            "no credential is there for it: put a file where `claudeConfigs` finds it."
        ),
    ),
    "stopped, engine away": (
        a_world(worker("worker-1", S.STOPPED), Glimpses(engine_trouble="Docker does not answer")),
        "worker-1 is stopped, since 14:00 (5 min): it starts once the engine has told what runs (Docker does not answer).",
    ),
    "stopped, others start": (
        a_world(worker("worker-1", S.STOPPED), worker("worker-2", S.STARTING), worker("worker-3", S.STARTING)),
        "worker-1 is stopped, since 14:00 (5 min): it starts when one of those starting now is up (worker-2 and worker-3).",
    ),
    "stopped, the fleet ends": (
        a_world(worker("worker-1", S.STOPPED, reason="stopped"), ENDING),
        (
            "worker-1 is stopped, since 14:00 (5 min): stopped; the fleet is ending (a person asked for it), so nothing begins; "
            "it goes on with `orchestrad --config DIR`."
        ),
    ),
    "starting, not launched": (
        a_world(
            worker("worker-1", S.STARTING, reason="the first start", run=a_run(container=None, launched_at=None, begun_at=None))
        ),
        "worker-1 is starting, since 14:00 (5 min): the first start; the engine is asked to start its run.",
    ),
    "starting, no hook yet": (
        a_world(worker("worker-1", S.STARTING, reason="the first start", since=at("14:04"))),
        (
            "worker-1 is starting, since 14:04 (1 min): the first start; its run is there and its SessionStart hook is waited for; "
            "without one it is started anew at 14:05 (in 30 s)."
        ),
    ),
    "ready, no task": (
        a_world(worker("worker-2", S.READY, reason="its turn ended"), workers=2),
        (
            "worker-2 is ready, since 14:00 (5 min): its turn ended; no task is open for it; the Manager is asked for more, "
            "and an item `- [ ] …` in WORKER_2_TASK_LIST.md on `main` is taken."
        ),
    ),
    "ready, all wait": (
        a_world(
            worker("worker-1", S.READY, reason="its turn ended"),
            task("login", after=("model",)),
            task("docs", not_before=at("14:06").elapsed),
        ),
        (
            "worker-1 is ready, since 14:00 (5 min): its turn ended; of 2 open tasks none can begin: "
            "login waits for model and docs is tried again at 14:06 (in 1 min)."
        ),
    ),
    "ready, lists unread": (
        a_world(worker("worker-1"), a_hub(read=None)),
        "worker-1 is ready, since 14:00 (5 min): the task lists were not read yet.",
    ),
    "ready, the API failed": (
        a_world(
            worker("worker-1", task="t1", api_failures=2, start_at=at("14:05:10").elapsed, reason="the API failed: overloaded")
        ),
        "worker-1 is ready, since 14:00 (5 min): the API failed: overloaded; it is told to go on at 14:05 (in 10 s).",
    ),
    "ready, a person's line stands in the composer": (
        a_world(
            worker("worker-1", task="t1", delivery=delivery(task="t1", sent_at=at("14:04:40").elapsed)),
            screen(composer="typed", text="hm"),
        ),
        (
            "worker-1 is ready, since 14:00 (5 min): t1 «T1» was sent to it 20 s ago and not acknowledged; "
            "somebody's line stands in its composer: send or clear it with `orchestrad attach worker-1`."
        ),
    ),
    "ready, a dialog stands open": (
        a_world(worker("worker-1", task="t1", delivery=delivery(task="t1")), screen(composer="dialog", text="Trust\x1b[2J this?")),
        (
            "worker-1 is ready, since 14:00 (5 min): t1 «T1» is for it; a dialog stands open on its screen (Trust?[2J this?): "
            "answer it with `orchestrad attach worker-1`."
        ),
    ),
    "the Manager, nothing to tell": (
        a_world(manager(reason="its turn ended")),
        (
            "manager is ready, since 14:00 (5 min): its turn ended; there is nothing to tell it; it is woken when a list runs low, "
            "work is blocked or conflicts, or a worker asks."
        ),
    ),
    "the Manager, at work": (
        a_world(
            manager(S.WORKING, reason="its prompt arrived", delivery=delivery(DeliveryKind.DIGEST, notes=("1", "2", "3"))),
            Note("1", "merged", "Merged: 'Parse dates' (WORKER_1_TASK_LIST.md)", NOW.wall),
            Note("2", "conflict", "Conflict: 'Print dates' (WORKER_2_TASK_LIST.md), and what to do", NOW.wall),
            Note("3", "merged", "Merged: 'Read dates' (WORKER_1_TASK_LIST.md)", NOW.wall),
        ),
        "manager is working, since 14:00 (5 min): its prompt arrived; it was told of 1 conflict and 2 merges.",
    ),
    "working": (
        a_world(worker("worker-1", S.WORKING, reason="checked out"), task("parse-dates", T.ASSIGNED, by="worker-1", attempts=2)),
        (
            "worker-1 is working, since 14:00 (5 min): checked out; it works on parse-dates «Parse dates», attempt 2; "
            "when its turn ends, that task is checked and the next one handed over."
        ),
    ),
    "waiting": (
        a_world(worker("worker-1", S.WAITING, reason="its turn ended with 2 background tasks still running")),
        (
            "worker-1 is waiting, since 14:00 (5 min): its turn ended with 2 background tasks still running; "
            "it goes on when that ends, or at 14:30 (in 25 min) at the latest."
        ),
    ),
    "attended": (
        a_world(worker("worker-1", S.ATTENDED, reason="a person typed a prompt", task="t1", turn_at=EARLIER.elapsed)),
        (
            "worker-1 is attended, since 14:00 (5 min): a person typed a prompt; unless somebody goes on talking to it, "
            "it gets work again at 14:10 (in 5 min) (t1 «T1» stays with it); `orchestrad resume worker-1` gives it back now."
        ),
    ),
    "limited": (
        a_world(
            worker("worker-1", S.LIMITED, reason="its credential pool-1 has reached a limit", limited_until_wall=at("17:30").wall)
        ),
        (
            "worker-1 is limited, since 14:00 (5 min): its credential pool-1 has reached a limit; "
            "it goes on by itself at 17:30 (in 3 h 25 min)."
        ),
    ),
    "limited, until when is not read yet": (
        a_world(worker("worker-1", S.LIMITED, reason="its credential pool-1 has reached a limit", limit_check="transcript.jsonl")),
        (
            "worker-1 is limited, since 14:00 (5 min): its credential pool-1 has reached a limit; "
            "when that limit ends is being read from its transcript."
        ),
    ),
    "limited, refused": (
        a_world(
            worker("worker-1", S.LIMITED, reason="its credential was refused; mend the file, then `orchestrad resume worker-1`")
        ),
        "worker-1 is limited, since 14:00 (5 min): its credential was refused; mend the file, then `orchestrad resume worker-1`.",
    ),
    "stopping": (
        a_world(worker("worker-1", S.STOPPING, reason="its turn took too long")),
        "worker-1 is stopping, since 14:00 (5 min): its turn took too long; its run is being ended and another follows.",
    ),
    "backing off": (
        a_world(
            worker(
                "worker-1", S.BACKING_OFF, reason="it was killed (status 137)", epoch=4, deaths=3, start_at=at("14:05:09").elapsed
            )
        ),
        (
            "worker-1 is backing off, since 14:00 (5 min): it was killed (status 137); run 4 was the 3rd in a row to die, "
            "it starts again at 14:05 (in 9 s); `orchestrad resume worker-1` starts it now."
        ),
    ),
    "failed": (
        a_world(worker("worker-1", S.FAILED, reason="hooks not running", deaths=8)),
        (
            "worker-1 is failed, since 14:00 (5 min): hooks not running; it stays so until `orchestrad resume worker-1`; "
            "`orchestrad logs worker-1` shows what it did last."
        ),
    ),
    "paused": (
        a_world(worker("worker-1", S.PAUSED, reason="a person paused it")),
        (
            "worker-1 is paused, since 14:00 (5 min): a person paused it; it stays so until `orchestrad resume worker-1`; "
            "`orchestrad logs worker-1` shows what it did last."
        ),
    ),
}

HEAD = "of WORKER_1_TASK_LIST.md is"
CONFLICT = "it conflicts with main in a.py"
TASKS: dict[str, tuple[World, str]] = {
    "open, its worker has another": (
        a_world(worker("worker-1", S.WORKING, task="t0"), task("t1", order=2), task("t2", order=1)),
        f"t1 «T1» {HEAD} open, since 14:00 (5 min): worker-1 has t0 «T0» first, after 1 other task of its list.",
    ),
    "open, its worker is limited": (
        a_world(worker("worker-1", S.LIMITED, since=at("13:00")), task("t1")),
        (
            f"t1 «T1» {HEAD} open, since 14:00 (5 min): worker-1 gets it once it is ready "
            "(it is limited, see `orchestrad why worker-1`)."
        ),
    ),
    "open, no worker for its list": (
        a_world(task("t1", list="WORKER_7_TASK_LIST.md")),
        (
            "t1 «T1» of WORKER_7_TASK_LIST.md is open, since 14:00 (5 min): there is no worker-7 (workerCount is 3): "
            "move it to another list or to TASK_LIST.md, or raise `workerCount`."
        ),
    ),
    "open, on the shared list": (
        a_world(task("t1", list="TASK_LIST.md")),
        "t1 «T1» of TASK_LIST.md is open, since 14:00 (5 min): the first worker that is free takes it.",
    ),
    "open, waits for others": (
        a_world(
            worker("worker-2", S.WORKING),
            task("t1", after=("model", "api", "nope")),
            task("model", T.ASSIGNED, by="worker-2"),
            task("api", T.BLOCKED, reason="no server"),
        ),
        (
            f"t1 «T1» {HEAD} open, since 14:00 (5 min): it waits for model (assigned to worker-2), "
            "api, which is blocked (no server; `orchestrad task retry api`) and nope, which no list has (correct its `after`)."
        ),
    ),
    "open, waits for its retry": (
        a_world(task("t1", reason="attempt 1 failed after 2 reminders", not_before=at("14:05:05").elapsed)),
        f"t1 «T1» {HEAD} open, since 14:00 (5 min): attempt 1 failed after 2 reminders; it is tried again at 14:05 (in 5 s).",
    ),
    "open, the fleet ends": (
        a_world(task("t1"), ENDING),
        (
            f"t1 «T1» {HEAD} open, since 14:00 (5 min): the fleet is ending (a person asked for it), so nothing begins; "
            "it goes on with `orchestrad --config DIR`."
        ),
    ),
    "assigned, not sent": (
        a_world(worker("worker-1", S.STARTING), task("t1", T.ASSIGNED, by="worker-1", reason="the first of its list")),
        (
            f"t1 «T1» {HEAD} assigned, since 14:00 (5 min): the first of its list; worker-1 has it on branch worker-1/t1, "
            "not sent yet (it is starting, see `orchestrad why worker-1`); "
            "it is submitted when its worker says done and git proves it."
        ),
    ),
    "assigned, at work": (
        a_world(
            worker("worker-1", S.WORKING),
            task("t1", T.ASSIGNED, attempt=an_attempt("worker-1", "t1", 2, started_at=at("14:02").elapsed)),
        ),
        (
            f"t1 «T1» {HEAD} assigned, since 14:00 (5 min): worker-1 has it (attempt 2) on branch worker-1/t1-2, begun 3 min ago; "
            "it is submitted when its worker says done and git proves it."
        ),
    ),
    "submitted, next": (
        a_world(task("t1", T.SUBMITTED, by="worker-1", submission=1)),
        f"t1 «T1» {HEAD} submitted, since 14:00 (5 min): in the merge queue it is next.",
    ),
    "submitted, others before it": (
        a_world(task("t0", T.SUBMITTED, by="worker-2", submission=1), task("t1", T.SUBMITTED, by="worker-1", submission=2)),
        f"t1 «T1» {HEAD} submitted, since 14:00 (5 min): in the merge queue 1 task before it.",
    ),
    "submitted, under way": (
        a_world(
            task("t1", T.SUBMITTED, by="worker-1", submission=1),
            a_hub(move=Move(MoveKind.TASK, TIP, oid("b"), (), "T1", NOW.wall, task="t1")),  # type: ignore[arg-type]  # its id
        ),
        f"t1 «T1» {HEAD} submitted, since 14:00 (5 min): it is being merged now.",
    ),
    "submitted, stands on another that conflicts": (
        a_world(
            task("t0", T.SUBMITTED, by="worker-1", submission=1, conflict=("a.py",)),
            task("t1", T.SUBMITTED, attempt=an_attempt("worker-1", "t1", above="t0"), submission=2),
        ),
        f"t1 «T1» {HEAD} submitted, since 14:00 (5 min): it stands on t0 «T0», which conflicts in a.py, and is merged after that.",
    ),
    "submitted, the Manager was told of its conflict": (
        a_world(
            task("t1", T.SUBMITTED, by="worker-1", submission=1, conflict=("a.py", "b.py"), reason=CONFLICT),
            Note("1", "conflict", "Conflict", NOW.wall, about=f"t1 0.1 {oid('b')}", nonce=delivery().nonce),
        ),
        (
            f"t1 «T1» {HEAD} submitted, since 14:00 (5 min): it conflicts with main in a.py and b.py; "
            "the Manager was told and settles it by merging worker-1/t1."
        ),
    ),
    "submitted, a conflict and no Manager": (
        a_world(task("t1", T.SUBMITTED, by="worker-1", conflict=("a.py",), reason=CONFLICT), manager=False),
        (
            f"t1 «T1» {HEAD} submitted, since 14:00 (5 min): it conflicts with main in a.py; "
            "there is no Manager: merge worker-1/t1 into main yourself and push it upstream."
        ),
    ),
    "done": (
        a_world(task("t1", T.DONE, by="worker-1", merged=oid("c"), checked=True, reason="merged")),
        f"t1 «T1» {HEAD} done, since 14:00 (5 min): merged as cccccccccc; clear its box and it is done once more.",
    ),
    "done, not ticked": (
        a_world(task("t1", T.DONE, merged=oid("c"), reason="its work was found in the branch")),
        (
            f"t1 «T1» {HEAD} done, since 14:00 (5 min): its work was found in the branch; merged as cccccccccc; "
            "its box is ticked with the next commit."
        ),
    ),
    "blocked": (
        a_world(task("t1", T.BLOCKED, reason="worker-1 asks: which\x1b database?\nthis one?"), task("t2", after=("t1",))),
        (
            f"t1 «T1» {HEAD} blocked, since 14:00 (5 min): worker-1 asks: which? database? this one?; t2 waits for it; "
            "editing its item, or `orchestrad task retry t1`, gives it out again."
        ),
    ),
    "cancelled": (
        a_world(task("t1", T.CANCELLED, by="worker-1", reason="its item was removed from WORKER_1_TASK_LIST.md")),
        (
            f"t1 «T1» {HEAD} cancelled, since 14:00 (5 min): its item was removed from WORKER_1_TASK_LIST.md; "
            "its work stays on worker-1/t1; an item of the same text would be a new task."
        ),
    ),
}


@pytest.mark.parametrize("case", AGENTS)
def test_an_agent_is_told_with_its_reason_and_what_would_change_it(case: str) -> None:
    world, expected = AGENTS[case]
    assert why_agent(world, expected.split(" ", 1)[0], NOW) == expected


@pytest.mark.parametrize("case", TASKS)
def test_a_task_is_told_with_its_reason_and_what_would_change_it(case: str) -> None:
    world, expected = TASKS[case]
    assert why_task(world, "t1", NOW) == expected


def test_every_state_has_such_a_sentence() -> None:
    assert {agent.state for world, _ in AGENTS.values() for agent in world.agents.values()} == set(AgentState)
    assert {world.tasks["t1"].state for world, _ in TASKS.values()} == set(TaskState)  # type: ignore[index]  # its id


def test_a_task_is_found_by_its_text_or_by_a_part_of_it() -> None:
    world = a_world(task("8d1f", given_id=None, text="Parse the dates"), task("t2", text="Write docs"))
    assert why(world, "parse the DATES", NOW) == why(world, "dates", NOW) == why(world, "8d1f", NOW)
    assert why(world, "docs", NOW).startswith("t2 «Write docs» of")


def test_a_name_that_nobody_has_is_answered_with_the_nearest() -> None:
    world = a_world(worker("worker-1"), task("parser"))
    for ask, name, nearest in ((why_agent, "wroker-1", "worker-1"), (why_task, "parsre", "parser"), (why, "wrker-1", "worker-1")):
        with pytest.raises(Nobody, match=f"{name}.*Did you mean '{nearest}'"):
            ask(world, name, NOW)


def test_a_text_that_several_tasks_have_is_answered_with_their_ids() -> None:
    world = a_world(task("a", text="Fix it"), task("b", text="Fix it"))
    with pytest.raises(Nobody, match="2 tasks go by 'fix it': a, b"):
        why(world, "fix it", NOW)


def test_times_are_told_in_the_zone_of_the_reader_with_the_date_when_it_is_another() -> None:
    world = a_world(worker("worker-1", S.PAUSED, since=at("00:10")))
    zone = timezone(timedelta(hours=-2))
    assert why_agent(world, "worker-1", NOW, zone).startswith("worker-1 is paused, since 31 Dec 22:10 (13 h 55 min)")


def test_a_bug_that_set_a_rule_aside_for_an_agent_is_told() -> None:
    world = a_world(
        worker("worker-1"), Glimpses(runs_at=0, faults={"tasks for worker-1 was set aside for a minute: KeyError('t9')": "0"})
    )
    assert "a bug is in its way, please report it: tasks for worker-1 was set aside for a minute: KeyError('t9')" in why_agent(
        world, "worker-1", NOW
    )


def test_lengths_are_measured_on_the_clock_that_stands_still_while_the_machine_sleeps() -> None:
    world = a_world(worker("worker-1", S.PAUSED))
    slept = NOW._replace(elapsed=seconds(14 * 3600 + 30))
    assert "since 14:00 (30 s)" in why_agent(world, "worker-1", slept)
