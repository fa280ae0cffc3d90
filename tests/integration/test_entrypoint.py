"""The entrypoint: whatever the last run left behind, the next one finds a fit home and workspace and loses no work."""

import asyncio
import fcntl
import os
import pty
import shutil
import signal
import struct
import termios
from pathlib import Path

import pytest

from tests.support.agent_side import HOOKS, SHELLS, AgentSide, git, until


@pytest.fixture(params=SHELLS, ids=" ".join)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> AgentSide:
    return AgentSide(tmp_path, "http://127.0.0.1:1", request.param)


def rescued(side: AgentSide) -> dict[str, str]:
    return side.hub_refs(side.rescue)


async def test_a_first_run_gets_a_clone_of_main(side: AgentSide) -> None:
    oid = side.make_hub()
    await side.begin_run()
    assert side.git("status", "--porcelain=v2", "--branch").splitlines() == [f"# branch.oid {oid}", "# branch.head main"]
    assert list((side.workspace / ".git/objects").glob("??")) == []  # the hub's objects are not copied
    assert rescued(side) == {}


async def test_the_program_gets_its_arguments_the_workspace_and_orch(side: AgentSide) -> None:
    side.make_hub()
    side.describe()
    ran = await side.call("entrypoint", "sh", "-c", 'printf "%s|" "$PWD" "$@" "$(umask)"; orch help | head -n 1', "x", "a b", "$c")
    umask = os.umask(0o22)
    os.umask(umask)
    assert ran.out.startswith(f"{side.workspace}|a b|$c|{umask:04o}|orch done")


async def test_a_program_that_ends_gives_its_status(side: AgentSide) -> None:
    side.make_hub()
    side.describe()
    assert (await side.call("entrypoint", "sh", "-c", "exit 7")).code == 7


async def test_the_branch_begins_where_the_start_says(side: AgentSide) -> None:
    side.make_hub()
    oid = side.commit_on_hub("theirs.txt", "theirs")
    await side.begin_run(branch="worker-1/one", base=oid, nonce="aaa1")
    assert side.git("symbolic-ref", "--short", "HEAD") == "worker-1/one"
    assert side.git("rev-parse", "HEAD") == oid
    assert (side.home / ".orchestrad/nonce").read_text().split() == ["aaa1"]


async def test_a_run_on_the_same_branch_finds_its_work_as_it_was(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    side.commit("mine.txt", "mine")
    (side.workspace / "mine.txt").write_text("half done")
    (side.workspace / "new.txt").write_text("new")

    await side.begin_run(branch="worker-1/one", base=base, epoch="4")

    assert side.git("status", "--porcelain").splitlines() == [" M mine.txt", "?? new.txt"]
    [(ref, saved)] = rescued(side).items()
    assert ref == "refs/rescue/worker-1/4"
    assert git(side.rescue, "show", f"{saved}:mine.txt") == "half done"
    assert git(side.rescue, "show", f"{saved}:new.txt") == "new"
    assert side.git("for-each-ref", "refs/orchestrad") == ""


async def test_another_branch_is_clean_and_what_was_not_committed_is_saved(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    (side.workspace / "dir0/file0.txt").write_text("half done")
    (side.workspace / "new.txt").write_text("new")

    await side.begin_run(branch="worker-1/two", base=base, epoch="4")

    assert side.git("status", "--porcelain") == ""
    assert side.git("symbolic-ref", "--short", "HEAD") == "worker-1/two"
    assert git(side.rescue, "show", "refs/rescue/worker-1/4:new.txt") == "new"


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick"])
async def test_an_operation_under_way_is_saved_and_left_for_another_branch(side: AgentSide, operation: str) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    side.commit("same.txt", "one")
    side.git("checkout", "-q", "-b", "worker-1/other", base)
    side.commit("same.txt", "two")
    with pytest.raises(Exception, match=operation):
        side.git(operation, "worker-1/one")

    await side.begin_run(branch="worker-1/two", base=base, epoch="4")

    assert side.git("status", "--porcelain") == ""
    assert not {"MERGE_HEAD", "CHERRY_PICK_HEAD", "rebase-merge"} & {path.name for path in (side.workspace / ".git").iterdir()}
    assert "one" in git(side.rescue, "show", "refs/rescue/worker-1/4:same.txt")


async def test_commits_that_were_not_pushed_are(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    (side.workspace / ".git/hooks/post-commit").unlink()
    head = side.commit("mine.txt", "mine")
    await side.begin_run(branch="worker-1/two", base=base)
    assert side.hub_refs()["refs/heads/worker-1/one"] == head
    assert rescued(side) == {}


async def test_commits_on_no_branch_are_saved(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    side.git("checkout", "-q", "--detach")
    head = side.commit("mine.txt", "mine")
    await side.begin_run(branch="worker-1/one", base=base)
    assert git(side.rescue, "rev-parse", "refs/rescue/worker-1/3^") == head


async def test_work_is_kept_in_the_clone_until_the_rescue_repository_can_be_reached(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    (side.workspace / "new.txt").write_text("new")
    side.rescue.rename(side.root / "away.git")
    side.describe(branch="worker-1/two", base=base, epoch="4")
    ran = await side.call("entrypoint", "true")
    assert ran.code == 0
    assert "kept in the clone" in ran.err
    (side.root / "away.git").rename(side.rescue)

    await side.begin_run(branch="worker-1/two", base=base, epoch="5")

    assert git(side.rescue, "show", "refs/rescue/worker-1/4:new.txt") == "new"
    assert side.git("for-each-ref", "refs/orchestrad") == ""


async def test_stale_locks_and_session_files_are_removed(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    locks = [side.workspace / ".git" / name for name in ("index.lock", "HEAD.lock", "config.lock", "refs/heads/worker-1/one.lock")]
    sessions = side.home / ".claude/sessions"
    sessions.mkdir(parents=True)
    for path in (*locks, sessions / "17.json"):
        path.write_text("left")

    await side.begin_run(branch="worker-1/two", base=base)

    assert side.git("symbolic-ref", "--short", "HEAD") == "worker-1/two"
    assert [path for path in (*locks, sessions / "17.json") if path.exists()] == []


async def test_a_clone_that_was_cut_short_is_made_again(side: AgentSide) -> None:
    base = side.make_hub(files=400)
    side.describe(branch="worker-1/one", base=base, objects="")
    for moment in (0.02, 0.04, 0.06, 0.08, 0.1):
        process = await side.begin("entrypoint", "sleep", "100")
        try:
            await asyncio.wait_for(process.communicate(), moment)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()

    await side.begin_run(branch="worker-1/one", base=base, objects="")

    assert side.git("status", "--porcelain") == ""
    assert side.git("rev-parse", "HEAD") == base
    side.git("fsck")


async def test_a_lost_workspace_comes_back_with_what_the_hub_has_of_the_agents_branches(side: AgentSide) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base)
    head = side.commit("mine.txt", "mine")
    await until(lambda: side.hub_refs().get("refs/heads/worker-1/one") == head)
    pushed = side.workspace / ".git/orchestrad-pushed"
    await until(lambda: pushed.read_text() == f"{head} worker-1/one\n")
    shutil.rmtree(side.workspace)

    await side.begin_run(branch="worker-1/one", base=base)

    assert side.git("rev-parse", "HEAD") == head
    assert (side.workspace / "mine.txt").read_text() == "mine"


async def test_a_branch_that_cannot_be_had_ends_the_run_with_the_reason(side: AgentSide) -> None:
    side.make_hub()
    side.describe(branch="worker-1/one", base="1" * 40)
    ran = await side.call("entrypoint", "echo", "started")
    assert (ran.code, ran.out) == (75, "")
    assert "cannot check out worker-1/one" in ran.err


async def test_it_waits_for_a_terminal_of_some_size(tmp_path: Path) -> None:
    side = AgentSide(tmp_path, "http://127.0.0.1:1")
    side.make_hub()
    side.describe(rows="yes")
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *side.command("entrypoint", "touch", str(tmp_path / "started")), env=side.environment, stdin=theirs
        )
        await until(lambda: "stty" in children_of(process.pid) or "sleep" in children_of(process.pid))
        assert not (tmp_path / "started").exists()
        set_size(ours, rows=40, columns=120)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert (tmp_path / "started").exists()


def children_of(pid: int) -> set[str]:
    names = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            names.add(Path(f"/proc/{child}/comm").read_text().strip())
        except OSError:
            continue
    return names


def set_size(terminal: int, *, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def test_it_is_found_beside_its_lib_without_an_environment(tmp_path: Path) -> None:
    side = AgentSide(tmp_path, "http://127.0.0.1:1")
    ran = await side.call("entrypoint", "true", ORCHESTRAD_HOOKS="", ORCHESTRAD_RUN="")
    assert ran.code == 75
    assert "ORCHESTRAD_RUN" in ran.err
    assert HOOKS.is_dir()
