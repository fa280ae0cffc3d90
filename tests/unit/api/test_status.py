"""The status document: who must act, what is wrong, and the counts."""

from pathlib import Path

from orchestrad.api.status import About, FleetStatus, status
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Credential, Glimpses, ScreenSeen, World
from tests.support.worlds import TIP, a_hub, a_world, at, delivery, manager, oid, task, worker

S, T = AgentState, TaskState
NOW = at("14:05")
ABOUT = About(7, Path("/home/you/orch"), Path("/state/demo"), "process", None, ("model: accepted, not in use yet",))


def seen(world: World) -> FleetStatus:
    return status(world, NOW, ABOUT)


def test_the_document_is_camel_case_and_says_its_version() -> None:
    document = seen(a_world(worker("worker-1", S.WORKING, task="t1"))).model_dump(mode="json", by_alias=True)
    assert (document["version"], document["at"]) == (1, "2030-01-01T14:05:00Z")
    assert document["fleet"]["upstream"] == {"tip": TIP, "upToDate": True, "trouble": "", "conflict": []}
    assert document["fleet"]["configDirectory"] == "/home/you/orch"
    agent = document["agents"][0]
    assert (agent["taskTitle"], agent["forSeconds"], agent["session"]) == ("T1", 300, "demo-worker-1")
    assert agent["doing"] == "t1 «T1»"
    assert FleetStatus.model_validate(document) == seen(a_world(worker("worker-1", S.WORKING, task="t1")))


def test_agents_stand_in_the_order_of_their_numbers_and_the_manager_first() -> None:
    world = a_world(*(worker(f"worker-{number}") for number in (10, 2, 1)), manager())
    assert [agent.name for agent in seen(world).agents] == ["manager", "worker-1", "worker-2", "worker-10"]


def test_a_person_must_act_where_no_rule_of_the_fleet_goes_on() -> None:
    screens = {"worker-4": ScreenSeen(NOW.elapsed, "idle", "dialog", "Log in?")}
    world = a_world(
        worker("worker-1", S.FAILED),
        worker("worker-2", S.LIMITED, limited_until_wall=None),
        worker("worker-3", S.LIMITED, limited_until_wall=at("15:00").wall),
        worker("worker-4", task="t4", delivery=delivery(task="t4")),
        worker("worker-5", S.STOPPED, credential=None),
        worker("worker-6", S.WORKING),
        Glimpses(runs_at=0, screens=screens),  # type: ignore[arg-type]  # names as plain text
    )
    needs = {agent.name: agent.needs for agent in seen(world).agents}
    assert {name for name, who in needs.items() if who == "person"} == {"worker-1", "worker-2", "worker-4", "worker-5"}


def test_what_is_blocked_or_conflicts_is_with_the_manager_and_without_one_with_a_person() -> None:
    tasks = (
        task("a", T.BLOCKED),
        task("b", T.SUBMITTED, by="worker-1", conflict=("x.py",)),
        task("c", list="WORKER_9_TASK_LIST.md"),
        task("d", after=("nope",)),
        task("e", after=("a",)),
        task("f", T.DONE, merged=oid("c"), checked=True),
    )
    assert {t.id: t.needs for t in seen(a_world(*tasks)).tasks} == dict.fromkeys("abcd", "manager") | {"e": "", "f": ""}
    assert {t.needs for t in seen(a_world(*tasks, manager=False)).tasks} == {"person", ""}


def test_what_is_wrong_is_told_with_what_it_is_about() -> None:
    hub = a_hub(problems=("WORKER_1_TASK_LIST.md:3: twice",), direction=None, upstream_trouble="away", upstream_conflict=("a.py",))
    world = a_world(hub, Glimpses(engine_trouble="no engine"), problems=("workerCount: found 0",))
    assert [problem.about for problem in seen(world).problems] == [
        "config",
        "lists",
        "direction",
        "engine",
        "upstream",
        "upstream",
        "credentials",
    ]
    assert seen(a_world(Credential("pool-1", "token", "0"))).problems == ()  # type: ignore[arg-type]  # its label


def test_bugs_stand_among_the_notices() -> None:
    world = a_world(Glimpses(runs_at=0, faults={"tasks was set aside": "0"}))
    assert seen(world).notices == ("model: accepted, not in use yet", "bug, please report: tasks was set aside")


def test_counts_leave_withdrawn_tasks_out_of_the_total() -> None:
    world = a_world(task("a"), task("b", T.DONE), task("c", T.CANCELLED), worker("worker-1", S.READY), worker("worker-2", S.READY))
    counts = seen(world).counts
    assert (counts.tasks, counts.open, counts.done, counts.cancelled, counts.agents) == (2, 1, 1, 1, {"ready": 2})


def test_the_merge_queue_is_in_the_order_of_submission() -> None:
    world = a_world(
        task("a", T.SUBMITTED, by="worker-1", submission=7, order=1), task("b", T.SUBMITTED, by="worker-2", submission=3, order=2)
    )
    assert seen(world).merge_queue == ("b", "a")


def test_nothing_that_steers_a_terminal_comes_through() -> None:
    world = a_world(worker("worker-1", S.FAILED, reason="\x1b]0;pwned\x07"), task("a", text="T\x1b[2Jx", reason="\r\x9b1m"))
    text = seen(world).model_dump_json()
    assert not any(character in text for character in ("\\u001b", "\\u0007", "\\r", "\x1b", "\x9b"))
