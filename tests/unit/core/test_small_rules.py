"""Waits between tries, what proves an attempt, which tasks may begin, names that follow from their parts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.core.backoff import api_wait, restart_wait, upstream_wait
from orchestrad.core.ids import AgentName, Epoch, FleetId, TaskId, conversation_id, read_token, run_token, worker, worker_number
from orchestrad.core.proof import missing
from orchestrad.core.readiness import is_hopeless, open_count, waits_for
from orchestrad.core.settle.tasks import branch_of
from orchestrad.core.states import TaskState
from orchestrad.core.world import Settings
from orchestrad.hub.names import is_ref_name
from tests.support.news import a_workspace
from tests.support.worlds import TIP, a_world, an_attempt, seconds, task

SETTINGS = Settings(workers=1)
ATTEMPT = an_attempt("worker-1", "t1")


# ---- waits


@given(st.integers(1, 10_000), st.text(max_size=5))
def test_a_restart_waits_between_half_and_all_of_the_doubled_length_and_never_longer_than_the_most(
    deaths: int, spread: str
) -> None:
    wait = restart_wait(SETTINGS, deaths, spread)
    whole = min(300.0, 2.0 ** min(deaths - 2, 32))
    assert wait == (0 if deaths == 1 else wait)
    assert deaths == 1 or seconds(whole / 2) <= wait <= seconds(whole)
    assert wait == restart_wait(SETTINGS, deaths, spread)


def test_agents_that_died_together_do_not_start_together() -> None:
    assert len({restart_wait(SETTINGS, 6, f"worker-{n}", 6) for n in range(10)}) == 10


@given(st.integers(1, 10_000))
def test_other_waits_grow_to_five_minutes(failures: int) -> None:
    for wait in (api_wait, upstream_wait):
        assert 0 < wait(failures) <= wait(failures + 1) <= seconds(300)


# ---- proof


def lacks(**fields: Any) -> str:
    return missing(ATTEMPT, a_workspace(fields.pop("branch", ATTEMPT.branch), **fields))


def test_a_clean_tree_with_commits_in_the_hub_on_the_right_branch_is_proof() -> None:
    assert lacks() == ""


def test_each_lack_says_what_to_do() -> None:
    assert "git rebase --abort" in lacks(operation="rebase")
    assert f"git switch {ATTEMPT.branch}" in lacks(branch=None)
    assert f"git switch {ATTEMPT.branch}" in lacks(branch="main")
    assert lacks(changes=1).startswith("1 path not committed")
    assert "git push" in lacks(hub_head=TIP)
    assert "git push" in lacks(hub_head=None, commits=0)
    assert "--no-change" in lacks(head=TIP, commits=0)


def test_no_change_asks_for_no_commit_but_still_for_a_clean_tree() -> None:
    assert missing(ATTEMPT, a_workspace(ATTEMPT.branch, head=TIP, commits=0), no_change=True) == ""
    assert missing(ATTEMPT, a_workspace(ATTEMPT.branch, changes=1), no_change=True)


# ---- readiness


def test_a_task_waits_for_what_is_not_merged_and_for_what_no_list_has() -> None:
    b = task("b", after=("a", "done", "nowhere"))
    world = a_world(b, task("a"), task("done", TaskState.DONE))
    assert waits_for(world, b) == ["a", "nowhere"]


def test_what_waits_for_something_blocked_absent_or_itself_is_hopeless() -> None:
    tasks = [
        task("on-blocked", after=("blocked",)),
        task("on-that", after=("on-blocked",)),
        task("blocked", TaskState.BLOCKED),
        task("on-nothing", after=("nowhere",)),
        task("x", after=("y",)),
        task("y", after=("x",)),
        task("far", list="WORKER_9_TASK_LIST.md"),
        task("fine", after=("open",)),
        task("open"),
        task("on-assigned", after=("assigned",)),
        task("assigned", TaskState.ASSIGNED, by="worker-1"),
    ]
    world = a_world(*tasks)
    hopeless = {t.id for t in tasks if is_hopeless(world, t)}
    assert hopeless == {"on-blocked", "on-that", "on-nothing", "x", "y", "far"}


def test_open_tasks_are_counted_with_the_shared_ones() -> None:
    world = a_world(task("a"), task("b", TaskState.ASSIGNED, by="worker-1"), task("s", list="TASK_LIST.md"))
    assert (open_count(world, 1), open_count(world, 2)) == (2, 1)


# ---- names


@given(st.tuples(st.text(min_size=1), st.integers(1, 30)), st.tuples(st.text(min_size=1), st.integers(1, 30)))
def test_every_attempt_has_a_branch_of_its_own_that_git_takes(one: tuple[str, int], other: tuple[str, int]) -> None:
    branches = [branch_of("worker-1", TaskId(name), number) for name, number in (one, other)]
    assert all(is_ref_name(f"refs/heads/{branch}") for branch in branches)
    assert (branches[0] == branches[1]) == (one == other)


def test_a_second_attempt_is_not_taken_for_another_tasks_first() -> None:
    assert branch_of("worker-1", TaskId("parse"), 2) != branch_of("worker-1", TaskId("parse-2"), 1)
    assert branch_of("worker-1", TaskId("x.2"), 1) != branch_of("worker-1", TaskId("x"), 2)


def test_a_token_names_its_run_and_cannot_be_made_by_others() -> None:
    token = run_token(b"secret", AgentName("worker-1"), Epoch(7))
    assert read_token(b"secret", token) == ("worker-1", 7)
    for false in (token[:-1], token.replace(".7.", ".8."), token + "0", "", "worker-1", "worker-1.é.x", "worker-1.²." + "0" * 64):
        assert read_token(b"secret", false) is None
    assert read_token(b"other", token) is None


def test_a_conversation_id_is_a_uuid_that_follows_from_the_run() -> None:
    one = conversation_id(FleetId("f"), worker(1), Epoch(1))
    assert one == conversation_id(FleetId("f"), worker(1), Epoch(1)) != conversation_id(FleetId("f"), worker(1), Epoch(2))
    assert [len(part) for part in one.split("-")] == [8, 4, 4, 4, 12]


def test_only_workers_have_a_number() -> None:
    names = ["worker-12", "manager", "worker-", "worker-x", "other-1"]
    assert [worker_number(AgentName(name)) for name in names] == [12, None, None, None, None]
