"""The hook script: what it tells the daemon, how long it insists, and what it prints for Claude Code."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.agent_side import HOOKS, SHELLS, TOKEN, AgentSide, Answer, DaemonStandin, Post, Ran, git, until

BLOCK = '{"decision":"block","reason":"Do T-2\\n\\nIt is \\"urgent\\"."}'


@pytest.fixture
async def daemon() -> AsyncIterator[DaemonStandin]:
    async with DaemonStandin() as daemon:
        yield daemon


@pytest.fixture(params=SHELLS, ids=" ".join)
def side(request: pytest.FixtureRequest, daemon: DaemonStandin, tmp_path: Path) -> AgentSide:
    return AgentSide(tmp_path, daemon.url, request.param)


@pytest.fixture
def first_shell(daemon: DaemonStandin, tmp_path: Path) -> AgentSide:
    """For what doesn't depend on the shell."""
    return AgentSide(tmp_path, daemon.url, SHELLS[0])


def payload(event: str = "Stop", **more: object) -> str:
    return json.dumps({"session_id": "s-1", "hook_event_name": event, **more}, separators=(",", ":"))


async def on_a_task(side: AgentSide) -> str:
    """The agent has its branch checked out; gives where that begins."""
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base, nonce="aaa1")
    return base


async def test_stop_tells_what_git_says_of_the_workspace(side: AgentSide, daemon: DaemonStandin) -> None:
    base = await on_a_task(side)
    (side.workspace / "new file").write_text("x")
    (side.workspace / "dir0/file0.txt").write_text("changed")

    ran = await side.call("hook", "Stop", stdin=payload(last_assistant_message="Fertig: 100 % ✓ für worker-1\n\nreally"))

    assert ran == Ran(0, "", "")
    [post] = daemon.posts
    assert post.authorization == f"Bearer {TOKEN}"
    assert post.lines == {
        "id": "3.1", "event": "Stop", "branch": "worker-1/one", "head": base, "changes": "2", "pushed": "yes", "nonce": "aaa1",
    }  # fmt: skip
    assert json.loads(post.text)["last_assistant_message"] == "Fertig: 100 % ✓ für worker-1\n\nreally"
    await until(lambda: side.spool == [])


async def test_a_next_task_is_checked_out_and_acknowledged_before_claude_hears_of_it(
    side: AgentSide, daemon: DaemonStandin
) -> None:
    await on_a_task(side)
    side.commit("mine.txt", "mine")
    oid = side.commit_on_hub("theirs.txt", "theirs")
    seen: dict[str, str] = {}

    def script(post: Post) -> Answer:
        if post.path == "hook":
            return Answer(BLOCK, checkout=f"worker-1/two {oid}", nonce="bbb2")
        seen["branch"] = side.git("symbolic-ref", "--short", "HEAD")
        return Answer()

    daemon.script = script
    ran = await side.call("hook", "Stop", stdin=payload())

    assert ran == Ran(0, BLOCK, "")
    assert seen["branch"] == "worker-1/two"
    [acknowledgement] = daemon.to("acknowledge")
    assert acknowledgement.lines == {"id": "3.1", "nonce": "bbb2", "result": "ok"}
    assert side.git("rev-parse", "HEAD") == oid
    assert (side.workspace / "theirs.txt").read_text() == "theirs"

    await side.call("hook", "Stop", stdin=payload())  # the next one knows what it was checked out for
    assert daemon.posts[-2].lines["nonce"] == "bbb2"
    assert daemon.posts[-2].lines["pushed"] == "yes"


async def test_a_branch_on_the_agents_own_work_begins_without_a_look_at_the_files(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    head = side.commit("mine.txt", "mine")
    (side.workspace / ".git/index.lock").touch()  # a checkout would fail
    daemon.script = lambda post: Answer(BLOCK, checkout=f"worker-1/two {head}", nonce="bbb2")

    assert (await side.call("hook", "Stop", stdin=payload())).out == BLOCK

    (side.workspace / ".git/index.lock").unlink()
    assert [post.lines["result"] for post in daemon.to("acknowledge")] == ["ok"]
    assert side.git("status", "--porcelain", "--branch") == "## worker-1/two"
    assert side.git("rev-parse", "HEAD") == head
    assert side.git("reflog", "-1", "--format=%gs") == "checkout: moving to worker-1/two"


async def test_an_operation_under_way_does_not_go_along_to_the_next_branch(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    head = side.commit("mine.txt", "mine")
    (side.workspace / ".git/MERGE_HEAD").write_text(f"{head}\n")
    daemon.script = lambda post: Answer(BLOCK, checkout=f"worker-1/two {head}", nonce="bbb2")

    assert (await side.call("hook", "Stop", stdin=payload())).out == BLOCK

    assert side.git("symbolic-ref", "--short", "HEAD") == "worker-1/two"
    assert not (side.workspace / ".git/MERGE_HEAD").exists()


async def test_a_branch_that_is_there_already_is_gone_back_to(side: AgentSide, daemon: DaemonStandin) -> None:
    base = await on_a_task(side)
    head = side.commit("mine.txt", "mine")
    side.git("checkout", "-q", "-b", "worker-1/two")
    side.git("pack-refs", "--all")
    daemon.script = lambda post: Answer(BLOCK, checkout=f"worker-1/one {base}", nonce="ccc3") if post.path == "hook" else Answer()

    ran = await side.call("hook", "Stop", stdin=payload())

    assert ran.out == BLOCK
    assert side.git("symbolic-ref", "--short", "HEAD") == "worker-1/one"
    assert side.git("rev-parse", "HEAD") == head


async def test_a_superseded_delivery_is_not_told_to_claude(side: AgentSide, daemon: DaemonStandin) -> None:
    base = await on_a_task(side)
    daemon.script = lambda post: (
        Answer(BLOCK, checkout=f"worker-1/two {base}", nonce="bbb2") if post.path == "hook" else Answer(status=409)
    )
    assert await side.call("hook", "Stop", stdin=payload()) == Ran(0, "", "")


@pytest.mark.parametrize("status", [401, 409, 410, 413])
async def test_an_old_run_is_told_nothing(side: AgentSide, daemon: DaemonStandin, status: int) -> None:
    await on_a_task(side)
    daemon.script = lambda post: Answer(BLOCK, status=status)
    assert await side.call("hook", "Stop", stdin=payload()) == Ran(0, "", "")
    assert len(daemon.posts) == 1


async def test_a_checkout_that_fails_is_told_to_the_daemon_and_not_to_claude(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    oid = side.commit_on_hub("theirs.txt", "theirs")
    lock = side.workspace / ".git/index.lock"
    lock.touch()
    daemon.script = lambda post: Answer(BLOCK, checkout=f"worker-1/two {oid}", nonce="bbb2") if post.path == "hook" else Answer()

    ran = await side.call("hook", "Stop", stdin=payload())

    assert ran == Ran(0, "", "")
    [acknowledgement] = daemon.to("acknowledge")
    assert acknowledgement.lines["result"] == "failed"
    assert "index.lock" in acknowledgement.text
    lock.unlink()
    await side.call("hook", "Stop", stdin=payload())
    assert [post.lines.get("nonce") for post in daemon.to("hook")] == ["aaa1", "aaa1"]


async def test_an_object_that_no_alternate_has_is_fetched(side: AgentSide, daemon: DaemonStandin) -> None:
    base = side.make_hub()
    await side.begin_run(branch="worker-1/one", base=base, objects="")
    oid = side.commit_on_hub("theirs.txt", "theirs")
    git(side.hub, "update-ref", "refs/heads/main", oid)
    daemon.script = lambda post: Answer(BLOCK, checkout=f"worker-1/two {oid}", nonce="bbb2") if post.path == "hook" else Answer()
    assert (await side.call("hook", "Stop", stdin=payload())).out == BLOCK
    assert side.git("rev-parse", "HEAD") == oid


async def test_a_daemon_that_is_away_is_asked_again_with_the_same_id(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    answers = iter([Answer(status=503), Answer(status=500), Answer(BLOCK)])
    daemon.script = lambda post: next(answers)

    assert (await side.call("hook", "Stop", stdin=payload())).out == BLOCK

    assert [post.id for post in daemon.posts] == [(3, 1)] * 3
    assert len({post.text for post in daemon.posts}) == 1


async def test_a_stop_outlives_the_daemon(side: AgentSide) -> None:
    async with DaemonStandin() as first:
        side.daemon, port = first.url, first.port
        await on_a_task(side)
    head = side.commit("mine.txt", "mine")

    process = await side.begin("hook", "Stop")
    assert process.stdin is not None
    process.stdin.write(payload().encode())
    process.stdin.close()
    await until(lambda: side.spool == ["3.1"])
    async with DaemonStandin(port) as second:
        second.script = lambda post: Answer(BLOCK)
        out, _ = await process.communicate()

    assert out.decode() == BLOCK
    assert [(post.id, post.lines["head"]) for post in second.posts] == [((3, 1), head)]


async def test_a_commit_is_pushed_in_the_background(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    head = side.commit("mine.txt", "mine")
    await until(lambda: side.hub_refs().get("refs/heads/worker-1/one") == head)


async def test_stop_pushes_what_is_not_pushed(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    (side.workspace / ".git/hooks/post-commit").unlink()
    head = side.commit("mine.txt", "mine")
    at_the_hub: list[str | None] = []

    def script(post: Post) -> Answer:
        at_the_hub.append(side.hub_refs().get("refs/heads/worker-1/one"))
        return Answer()

    daemon.script = script
    await side.call("hook", "Stop", stdin=payload())
    side.git("commit", "-q", "--amend", "-m", "Said better")
    await side.call("hook", "Stop", stdin=payload())

    assert at_the_hub == [head, side.git("rev-parse", "HEAD")]
    assert [post.lines["pushed"] for post in daemon.posts] == ["yes", "yes"]


async def test_a_push_that_failed_while_the_daemon_was_away_is_tried_again(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    (side.workspace / ".git/hooks/post-commit").unlink()
    head = side.commit("mine.txt", "mine")
    away = side.hub.with_suffix(".away")
    side.hub.rename(away)
    away.joinpath("objects").rename(side.root / "objects")  # the alternates stay
    side.hub.mkdir()
    (side.root / "objects").rename(side.hub / "objects")

    def script(post: Post) -> Answer:
        if len(daemon.posts) > 1:
            return Answer(BLOCK)
        for part in away.iterdir():
            part.rename(side.hub / part.name)
        return Answer(status=503)

    daemon.script = script
    assert (await side.call("hook", "Stop", stdin=payload())).out == BLOCK

    assert [post.lines["pushed"] for post in daemon.posts] == ["no", "yes"]
    assert side.hub_refs()["refs/heads/worker-1/one"] == head


async def test_what_is_not_the_agents_own_branch_is_not_pushed(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    side.git("checkout", "-q", "-b", "feature")
    side.commit("mine.txt", "mine")
    await side.call("hook", "Stop", stdin=payload())
    assert daemon.posts[0].lines["pushed"] == "no"
    assert set(side.hub_refs()) == {"refs/heads/main"}


async def test_the_managers_work_goes_where_the_merge_queue_takes_it_from(side: AgentSide, daemon: DaemonStandin) -> None:
    side.agent = "manager"
    side.make_hub()
    await side.begin_run()
    before = side.hub_refs()["refs/heads/main"]
    head = side.commit("TASKS.md", "- [ ] one")
    await until(lambda: side.hub_refs().get("refs/for/main") == head)
    (side.workspace / "more.md").write_text("x")
    side.git("add", "-A")
    side.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "More")
    side.git("push", "-q")  # by hand
    await side.call("hook", "Stop", stdin=payload())
    assert side.hub_refs() == {"refs/heads/main": before, "refs/for/main": side.git("rev-parse", "HEAD")}
    assert daemon.posts[0].lines["pushed"] == "yes"


async def test_a_head_on_no_branch_and_an_operation_under_way_are_told(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    side.commit("same.txt", "one")
    side.git("checkout", "-q", "-b", "worker-1/other", "HEAD~1")
    side.commit("same.txt", "two")
    with pytest.raises(Exception, match="rebase"):
        side.git("rebase", "-q", "worker-1/one")

    await side.call("hook", "Stop", stdin=payload())
    side.git("rebase", "--abort")
    with pytest.raises(Exception, match="merge"):
        side.git("merge", "-q", "worker-1/one")
    await side.call("hook", "Stop", stdin=payload())

    rebasing, merging = daemon.posts
    assert "branch" not in rebasing.lines
    assert (rebasing.lines["operation"], rebasing.lines["changes"], rebasing.lines["pushed"]) == ("rebase", "1", "no")
    assert (merging.lines["operation"], merging.lines["branch"]) == ("merge", "worker-1/other")


async def test_a_branch_without_a_commit_has_no_head(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    side.git("checkout", "-q", "--orphan", "worker-1/empty")
    side.git("rm", "-rfq", ".")
    await side.call("hook", "Stop", stdin=payload())
    assert daemon.posts[0].lines == {
        "id": "3.1", "event": "Stop", "branch": "worker-1/empty", "changes": "0", "pushed": "no", "nonce": "aaa1",
    }  # fmt: skip


async def test_a_branch_may_have_an_odd_name(side: AgentSide, daemon: DaemonStandin) -> None:
    base = await on_a_task(side)
    name = 'worker-1/it\'s-$HOME;`id`-"ä"-%s\u200b'
    daemon.script = lambda post: Answer(BLOCK, checkout=f"{name} {base}", nonce="bbb2") if post.path == "hook" else Answer()
    assert (await side.call("hook", "Stop", stdin=payload())).out == BLOCK
    head = side.commit("mine.txt", "mine")
    await until(lambda: side.hub_refs().get(f"refs/heads/{name}") == head)
    await side.call("hook", "Stop", stdin=payload())
    assert daemon.to("hook")[-1].lines["branch"] == name


async def test_a_stop_without_a_workspace_says_so(side: AgentSide, daemon: DaemonStandin) -> None:
    side.describe()
    assert await side.call("hook", "Stop", stdin=payload()) == Ran(0, "", "")
    assert daemon.posts[0].lines == {"id": "3.1", "event": "Stop", "problem": "there is no workspace yet", "pushed": "no"}


async def test_a_workspace_that_git_cannot_read_is_unknown_and_not_clean(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    (side.workspace / ".git/index").write_bytes(b"DIRC damaged")
    await side.call("hook", "Stop", stdin=payload())
    assert "changes" not in daemon.posts[0].lines
    assert "index" in daemon.posts[0].lines["problem"]


async def test_a_prompt_of_the_daemons_is_refused_when_it_does_not_answer(side: AgentSide) -> None:
    side.daemon = "http://127.0.0.1:1"
    await on_a_task(side)
    started = asyncio.get_running_loop().time()

    ours = await side.call("hook", "UserPromptSubmit", stdin=payload("UserPromptSubmit", prompt="orchestrad 4fa1c0: read x"))
    theirs = await side.call("hook", "UserPromptSubmit", stdin=payload("UserPromptSubmit", prompt='say "orchestrad 4fa1c0: x"'))

    assert json.loads(ours.out)["decision"] == "block"
    assert theirs == Ran(0, "", "")
    assert asyncio.get_running_loop().time() - started < 2 * 2.5
    assert side.spool == ["3.1", "3.2"]


async def test_a_daemon_that_never_answers_a_prompt_is_waited_for_two_seconds(
    first_shell: AgentSide, daemon: DaemonStandin
) -> None:
    first_shell.describe()

    async def never(post: Post) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    daemon.script = never
    started = asyncio.get_running_loop().time()
    ran = await first_shell.call("hook", "UserPromptSubmit", stdin=payload("UserPromptSubmit", prompt="hello"))
    assert ran == Ran(0, "", "")
    assert 1.9 < asyncio.get_running_loop().time() - started < 3.5


async def test_concurrent_hooks_get_distinct_growing_numbers(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    await asyncio.gather(*(side.call("hook", "StopFailure", stdin=payload("StopFailure")) for _ in range(8)))
    last = await side.call("hook", "SessionEnd", stdin=payload("SessionEnd"))
    assert last.code == 0
    ids = [post.id for post in daemon.posts]
    assert sorted(ids) == [(3, n) for n in range(1, 10)]
    assert ids[-1] == (3, 9)


async def test_a_killed_stop_leaves_its_spool_and_no_lock(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    asked = asyncio.Event()

    async def hold(post: Post) -> Answer:
        asked.set()
        await asyncio.Event().wait()
        return Answer()

    daemon.script = hold
    process = await side.begin("hook", "Stop")
    assert process.stdin is not None
    process.stdin.write(payload().encode())
    process.stdin.close()
    await asyncio.wait_for(asked.wait(), 10)
    os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()

    assert side.spool == ["3.1"]
    head, _, text = (side.home / ".orchestrad/spool/3.1").read_text().partition("\n\n")
    assert head.startswith("id 3.1\nevent Stop\nbranch worker-1/one\n")
    assert json.loads(text)["session_id"] == "s-1"
    daemon.script = lambda post: Answer(BLOCK)
    assert (await side.call("hook", "Stop", stdin=payload(), limit=5)).out == BLOCK
    assert daemon.posts[-1].id == (3, 2)


async def test_numbers_grow_from_run_to_run_and_an_old_spool_goes(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    await side.call("hook", "SessionEnd", stdin=payload("SessionEnd"))
    (side.home / ".orchestrad/spool/3.99").write_text("left by a kill")
    await side.begin_run(epoch="4")
    await side.call("hook", "SessionStart", stdin=payload("SessionStart"))
    assert [post.id for post in daemon.posts] == [(3, 1), (4, 2)]
    await until(lambda: side.spool == [])


async def test_a_payload_is_cut_at_a_bound_and_the_cli_is_not_left_writing(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    await side.call("hook", "Stop", stdin=payload(last_assistant_message="x" * 3_000_000))
    [post] = daemon.posts
    assert post.lines["cut"] == "yes"
    assert 1_000_000 < len(post.text) < 1_100_000


async def test_a_payload_just_below_the_bound_is_whole(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    whole = payload(last_assistant_message="x" * 1_000_000)
    await side.call("hook", "Stop", stdin=whole)
    assert daemon.posts[0].text == whole
    assert "cut" not in daemon.posts[0].lines


@pytest.mark.parametrize("gone", [".orchestrad/spool", ".orchestrad"])
async def test_a_home_that_takes_nothing_does_not_keep_a_post_from_being_sent(
    side: AgentSide, daemon: DaemonStandin, gone: str
) -> None:
    await on_a_task(side)
    shutil.rmtree(side.home / gone)
    daemon.script = lambda post: Answer(BLOCK)
    assert await side.call("hook", "Stop", stdin=payload()) == Ran(0, BLOCK, "")


async def test_without_a_run_nothing_is_said(side: AgentSide, daemon: DaemonStandin) -> None:
    assert await side.call("hook", "Stop", stdin=payload()) == Ran(0, "", "")
    assert daemon.posts == []


async def test_without_flock_numbers_are_still_distinct(first_shell: AgentSide, daemon: DaemonStandin, tmp_path: Path) -> None:
    await on_a_task(first_shell)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "git", "curl", "head", "cat", "rm", "mkdir", "rmdir", "sleep"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    first_shell.shell = (str(shutil.which(first_shell.shell[0])),)
    await asyncio.gather(
        *(first_shell.call("hook", "StopFailure", stdin=payload("StopFailure"), PATH=str(programs)) for _ in range(4))
    )
    assert sorted(post.id for post in daemon.posts) == [(3, n) for n in range(1, 5)]


async def test_the_token_is_in_no_list_of_processes(first_shell: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(first_shell)
    seen: list[str] = []

    def script(post: Post) -> Answer:
        for process in Path("/proc").glob("[0-9]*"):
            for what in ("cmdline", "environ"):
                try:
                    seen.append((process / what).read_bytes().decode(errors="replace"))
                except OSError:
                    continue
        return Answer()

    daemon.script = script
    await first_shell.call("hook", "Stop", stdin=payload())
    assert any("--data-binary" in line for line in seen)
    assert not [line for line in seen if TOKEN in line]


async def test_the_status_line_passes_its_payload_on_and_prints_one_line(side: AgentSide, daemon: DaemonStandin) -> None:
    await on_a_task(side)
    ran = await side.call("statusline", stdin='{"rate_limits":{}}')
    assert ran == Ran(0, "worker-1 · worker-1/one\n", "")
    await until(lambda: len(daemon.posts) == 1)


async def test_the_scripts_can_be_run_as_they_are(first_shell: AgentSide) -> None:
    assert all(os.access(HOOKS / name, os.X_OK) for name in ("hook", "orch", "statusline", "entrypoint", "post-commit"))
