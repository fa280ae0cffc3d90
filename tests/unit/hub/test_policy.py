import pytest

from orchestrad.core.ids import MANAGER, AgentName, Oid
from orchestrad.hub.policy import MOST_UPDATES, may_push
from orchestrad.hub.port import RefUpdate

WORKER = AgentName("worker-1")
ONE, TWO = Oid("1" * 40), Oid("2" * 40)


def verdict(agent: AgentName, ref: str, *, old: Oid | None = None, new: Oid | None = ONE, rescue: bool = False) -> str | None:
    return may_push(agent, [RefUpdate(ref, old, new)], branch="main", rescue=rescue)


@pytest.mark.parametrize(("old", "new"), [(None, ONE), (ONE, TWO), (ONE, None)])
def test_a_worker_makes_moves_and_removes_its_own_branches(old: Oid | None, new: Oid | None) -> None:
    assert verdict(WORKER, "refs/heads/worker-1/ab12", old=old, new=new) is None
    assert verdict(WORKER, "refs/rescue/worker-1/3", old=old, new=new, rescue=True) is None


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/worker-2/ab12",
        "refs/heads/worker-11/ab12",
        "refs/heads/worker-1",
        "refs/heads/main",
        "refs/heads/manager/x",
        "refs/for/main",
        "refs/tags/worker-1/x",
        "refs/upstream/main",
        "refs/rescue/worker-1/3",
        "refs/heads/WORKER-1/x",
        "HEAD",
    ],
)
def test_a_worker_moves_nothing_else_and_is_told_what_to_do(ref: str) -> None:
    reason = verdict(WORKER, ref)
    assert reason is not None
    assert reason.isprintable()
    assert any(word in reason for word in ("Push", "Commit", "Use"))


def test_branches_do_not_go_to_the_rescue_repository() -> None:
    assert verdict(WORKER, "refs/heads/worker-1/x", rescue=True) is not None
    assert verdict(MANAGER, "refs/for/main", rescue=True) is not None
    assert verdict(WORKER, "refs/rescue/worker-2/3", rescue=True) is not None


def test_the_manager_offers_commits_for_the_branch_but_does_not_move_it() -> None:
    assert verdict(MANAGER, "refs/for/main") is None
    assert verdict(MANAGER, "refs/heads/manager/plan") is None
    assert verdict(MANAGER, "refs/rescue/manager/3", rescue=True) is None
    assert verdict(MANAGER, "refs/for/other") is not None
    assert verdict(MANAGER, "refs/for/main", old=ONE, new=None) is not None
    assert "git push origin HEAD:refs/for/main" in (verdict(MANAGER, "refs/heads/main") or "")


@pytest.mark.parametrize(
    "name",
    [
        *("a..b", ".hidden", "a/.b", "a.lock", "a\nb", "a\x1b[2J", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b"),
        *("@{0}", "a//b", "a/", "a.", "-x", "ä", "x" * 300, ""),
    ],
)
def test_names_that_could_mislead_git_or_a_terminal_are_refused(name: str) -> None:
    reason = verdict(WORKER, f"refs/heads/worker-1/{name}")
    assert reason is not None
    assert reason.isascii()
    assert reason.isprintable()


def test_one_wrong_update_refuses_all_and_many_are_too_many() -> None:
    good = RefUpdate("refs/heads/worker-1/a", None, ONE)
    bad = RefUpdate("refs/heads/worker-2/a", None, ONE)
    assert may_push(WORKER, [good, good], branch="main", rescue=False) is None
    assert may_push(WORKER, [good, bad], branch="main", rescue=False) is not None
    assert may_push(WORKER, [good] * (MOST_UPDATES + 1), branch="main", rescue=False) is not None
