"""What only git's own hub has to get right: trees, names and settings that a hub in memory doesn't know."""

import asyncio
import base64
import os
import stat
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrad.core.identity import ItemKey
from orchestrad.core.ids import Oid
from orchestrad.hub.git import GitHub
from orchestrad.hub.port import Conflict, HubUnusable, Merged, MergeOrder, Tick, UpstreamAway, UpstreamRefused
from orchestrad.hub.run import Git, GitFailed, run, running
from tests.support.git_server import serving
from tests.support.hubs import GitBench, commit_entries, git

LIST = "WORKER_1_TASK_LIST.md"
FIRST = {LIST: b"- [ ] One\n", "a.txt": b"".join(b"%d\n" % n for n in range(20)), "b.txt": b"b\n"}
ONE = ItemKey(LIST, None, "One", 1)


@pytest.fixture
async def bench(tmp_path: Path) -> GitBench:
    bench = GitBench(tmp_path, FIRST)
    await bench.hub.prepare(lambda _: None)
    return bench


async def tip_of(bench: GitBench) -> Oid:
    tip = await bench.hub.ref("refs/heads/main")
    assert tip is not None
    return tip


def order(onto: Oid, source: Oid | None, *ticks: Tick, lists: bool = False, message: str = "Merge") -> MergeOrder:
    return MergeOrder(onto, source, ticks, message, 1_700_000_000, lists_from_source=lists)


async def merged(bench: GitBench, wanted: MergeOrder) -> Merged:
    result = await bench.hub.merge(wanted)
    assert isinstance(result, Merged), result
    return result


class TestMerge:
    async def test_different_lines_of_one_file_are_no_conflict(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        lines = FIRST["a.txt"]
        ours = bench.commit({**FIRST, "a.txt": lines.replace(b"2\n3\n", b"two\n3\n")}, tip)
        theirs = bench.commit({**FIRST, "a.txt": lines + b"end\n"}, tip)
        result = await merged(bench, order(ours, theirs, Tick(ONE)))
        assert bench.files(result.oid) == {**FIRST, LIST: b"- [x] One\n", "a.txt": lines.replace(b"2\n3\n", b"two\n3\n") + b"end\n"}
        git("fsck", "--strict", "--no-dangling", repository=bench.repository)

    async def test_paths_of_any_bytes_are_merged_and_shown_quoted(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        names = ["with space", "new\nline", os.fsdecode(b"latin-\xe4"), 'quo"te', "größe/ä", "tab\t", "-rf", "\x1b[2J"]
        base = bench.commit(dict.fromkeys(names, b"base\n"), tip)
        clean = bench.commit({**dict.fromkeys(names, b"base\n"), "other\n": b"x"}, base)
        ours = bench.commit(dict.fromkeys(names, b"ours\n"), base)
        theirs = bench.commit(dict.fromkeys(names, b"theirs\n"), base)
        assert bench.files((await merged(bench, order(ours, clean))).oid) == {**dict.fromkeys(names, b"ours\n"), "other\n": b"x"}
        conflict = await bench.hub.merge(order(ours, theirs))
        assert isinstance(conflict, Conflict)
        assert set(conflict.paths) == {
            "with space", '"new\\nline"', '"latin-\\344"', '"quo\\"te"', "größe/ä", '"tab\\t"', "-rf", '"\\033[2J"'
        }  # fmt: skip

    async def test_a_list_that_is_a_link_or_a_directory_is_no_list(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        link = commit_entries(
            bench.repository,
            {LIST: ("120000", b"/etc/passwd"), "TASK_LIST.md/x": ("100644", b"- [ ] One\n"), "run": ("100755", b"#!/bin/sh\n")},
            (tip,),
        )
        assert await bench.hub.move("refs/heads/main", new=link, expected=tip)
        assert (await bench.hub.look()).lists == {}
        work = commit_entries(bench.repository, {LIST: ("120000", b"/etc/passwd"), "run": ("100755", b"#!/bin/sh\n")}, (link,))
        result = await merged(bench, order(link, work, Tick(ONE)))
        assert result.unticked == (ONE,)
        assert result.dropped == ("TASK_LIST.md",)
        modes = git("ls-tree", "-r", result.oid, repository=bench.repository).decode()
        assert f"120000 blob {git('rev-parse', f'{link}:{LIST}', repository=bench.repository).decode().strip()}\t{LIST}" in modes
        assert "100755" in modes

    async def test_a_worker_that_makes_its_list_a_link_changes_nothing(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        work = commit_entries(bench.repository, {LIST: ("120000", b"a.txt"), "new": ("100644", b"n")}, (tip,))
        ours = bench.commit({**FIRST, LIST: b"- [ ] One\n- [ ] Two\n"}, tip)
        result = await merged(bench, order(ours, work, Tick(ONE)))
        assert bench.files(result.oid) == {LIST: b"- [x] One\n- [ ] Two\n", "new": b"n"}
        assert result.dropped == (LIST,)

    async def test_a_list_that_a_worker_renamed_stays_where_it_was(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        text = b"".join(b"- [ ] Item %d\n" % n for n in range(30))
        base = bench.commit({LIST: text, "x": b"x"}, tip)
        ours = bench.commit({LIST: text.replace(b"Item 3\n", b"Item three\n"), "x": b"x"}, base)
        work = bench.commit({"docs/done.md": text.replace(b"Item 3\n", b"Item III\n"), "x": b"x"}, base)
        result = await merged(bench, order(ours, work))
        assert bench.files(result.oid)[LIST] == text.replace(b"Item 3\n", b"Item three\n")
        assert b"Item III" in bench.files(result.oid)["docs/done.md"]
        assert result.dropped == (LIST,)

    async def test_histories_that_crossed_keep_the_lists_of_the_branch(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        left = bench.commit({**FIRST, LIST: b"- [ ] One\n- [ ] L\n"}, tip)
        right = bench.commit({**FIRST, LIST: b"- [ ] One\n- [ ] R\n"}, tip)
        onto = bench.commit({**FIRST, LIST: b"- [ ] One\n- [ ] main\n"}, left, right)
        work = bench.commit({**FIRST, LIST: b"- [ ] One\n- [ ] L\n", "new": b"n"}, right, left)
        result = await merged(bench, order(onto, work))
        assert bench.files(result.oid) == {**FIRST, LIST: b"- [ ] One\n- [ ] main\n", "new": b"n"}

    async def test_work_without_a_common_past_is_merged_where_it_does_not_clash(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        alone = bench.commit({"new": b"n", "b.txt": b"b\n"})
        assert bench.files((await merged(bench, order(tip, alone))).oid) == {**FIRST, "new": b"n"}
        clash = bench.commit({"b.txt": b"other\n"})
        assert await bench.hub.merge(order(tip, clash)) == Conflict(("b.txt",))

    async def test_a_message_of_any_text_is_kept(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        result = await merged(bench, order(tip, bench.commit({"n": b""}, tip), message="Größe\n\nTask: x\udcff\n\n\n"))
        assert bench.message(result.oid) == "Größe\n\nTask: x?"
        assert git("log", "-1", "--format=%an <%ae> %at %ct", result.oid, repository=bench.repository) == (
            b"orchestrad <orchestrad@localhost> 1700000000 1700000000\n"
        )

    async def test_settings_and_hooks_of_the_user_change_nothing(self, bench: GitBench, tmp_path: Path) -> None:
        tip = await tip_of(bench)
        source = bench.commit({**FIRST, "n": b""}, tip)
        before = await merged(bench, order(tip, source))
        hooks = tmp_path / "hooks"
        hooks.mkdir()
        for name in ("reference-transaction", "pre-push"):
            (hooks / name).write_text("#!/bin/sh\nexit 1\n")
            (hooks / name).chmod(0o755)
        user = Path.home() / ".gitconfig"
        settings = ("core.hooksPath", hooks), ("merge.directoryRenames", "true"), ("i18n.commitEncoding", "latin1")
        for name, value in settings:
            git("config", "--global", name, str(value))
        try:
            assert await merged(bench, order(tip, source)) == before
            assert await bench.hub.move("refs/heads/main", new=before.oid, expected=tip)
            (hooks / "reference-transaction").unlink()  # in the user's own upstream their hooks count
            assert await bench.hub.push(before.oid)
        finally:
            user.unlink()


class TestRefs:
    async def test_packed_refs_are_read_like_others(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        one = bench.commit({"n": b""}, tip)
        await bench.hub.move("refs/heads/worker-1/a", new=tip, expected=None)
        git("pack-refs", "--all", repository=bench.repository)
        assert await bench.hub.ref("refs/heads/worker-1/a") == tip
        assert await bench.hub.ref("refs/heads/worker-1") is None
        assert await bench.hub.move("refs/heads/worker-1/a", new=one, expected=tip)
        assert await bench.hub.ref("refs/heads/worker-1/a") == one
        assert await bench.hub.move("refs/heads/worker-1/a", new=None, expected=one)
        assert await bench.hub.ref("refs/heads/worker-1/a") is None

    async def test_of_several_that_move_a_ref_at_once_one_succeeds(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        commits = [bench.commit({"n": b"%d" % n}, tip) for n in range(8)]
        moves = [bench.hub.move("refs/heads/main", new=commit, expected=tip) for commit in commits]
        results = await asyncio.gather(*moves, return_exceptions=True)
        assert results.count(True) == 1
        assert await bench.hub.ref("refs/heads/main") == commits[results.index(True)]

    async def test_a_ref_that_cannot_be_written_is_unknown_not_moved(self, bench: GitBench) -> None:
        tip = await tip_of(bench)
        (bench.repository / "refs/heads/main.lock").touch()
        with pytest.raises(GitFailed, match=r"main\.lock"):
            await bench.hub.move("refs/heads/main", new=bench.commit({"n": b""}, tip), expected=tip)
        assert await bench.hub.ref("refs/heads/main") == tip


class TestPrepare:
    async def test_it_may_be_interrupted_anywhere_and_done_again(self, tmp_path: Path) -> None:
        bench = GitBench(tmp_path, FIRST)
        for delay_ms in range(0, 60, 3):
            preparing = asyncio.create_task(bench.hub.prepare(lambda _: None))
            await asyncio.wait((preparing,), timeout=delay_ms / 1000)
            preparing.cancel()
            await asyncio.wait((preparing,))
        await bench.hub.prepare(lambda _: None)
        assert await bench.hub.ref("refs/heads/main") == bench.upstream_tip()

    async def test_what_killed_processes_left_long_ago_is_removed(self, bench: GitBench) -> None:
        lock, fresh = bench.repository / "refs/heads/main.lock", bench.repository / "packed-refs.lock"
        quarantine = bench.repository / "objects" / "tmp_objdir-incoming-x1"
        quarantine.mkdir()
        (quarantine / "x").touch()
        lock.touch()
        fresh.touch()
        for old in (lock, quarantine):
            os.utime(old, (1, 1))
        await bench.hub.prepare(lambda _: None)
        assert (lock.exists(), fresh.exists(), quarantine.exists()) == (False, True, False)

    async def test_git_too_old_or_missing_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = GitBench(tmp_path, FIRST)
        old = tmp_path / "bin" / "git"
        old.parent.mkdir()
        monkeypatch.setenv("PATH", str(old.parent))
        with pytest.raises(HubUnusable, match=r"not installed.* 2\.38"):
            await bench.hub.prepare(lambda _: None)
        old.write_text("#!/bin/sh\necho git version 2.30.2\n")
        old.chmod(0o755)
        with pytest.raises(HubUnusable, match=r"git version 2\.30\.2, and 2\.38"):
            await bench.hub.prepare(lambda _: None)

    async def test_an_absent_branch_or_no_repository_is_said_with_what_to_do(self, tmp_path: Path) -> None:
        bench = GitBench(tmp_path, FIRST)
        with pytest.raises(HubUnusable, match=r"'trunk'.*`branch`"):
            await GitHub(tmp_path / "one", url=str(bench.upstream), branch="trunk").prepare(lambda _: None)
        (tmp_path / "empty").mkdir()
        with pytest.raises(HubUnusable, match="git ls-remote"):
            await GitHub(tmp_path / "two", url=f"file://{tmp_path}/empty", branch="main").prepare(lambda _: None)
        with pytest.raises(UpstreamAway):
            await GitHub(tmp_path / "three", url=f"file://{tmp_path}/nothing", branch="main").prepare(lambda _: None)

    async def test_objects_can_be_read_by_an_agents_user_whatever_the_umask(self, tmp_path: Path) -> None:
        mask = os.umask(0o077)
        try:
            bench = GitBench(tmp_path, FIRST)
            await bench.hub.prepare(lambda _: None)
            await merged(bench, order(await tip_of(bench), None, Tick(ONE)))
        finally:
            os.umask(mask)
        for path in (bench.repository / "objects").rglob("*"):
            wanted = stat.S_IROTH | stat.S_IXOTH if path.is_dir() else stat.S_IROTH
            assert path.stat().st_mode & wanted == wanted, path


class TestRunning:
    async def test_a_command_that_takes_too_long_is_ended_with_all_it_started(self, tmp_path: Path) -> None:
        child = tmp_path / "pid"
        script = f"sleep 600 & echo $! >{child}; trap '' TERM; wait; wait"
        with pytest.raises(GitFailed, match="longer than"):
            await run(["sh", "-c", script], environment={"PATH": os.environ["PATH"]}, time_limit=timedelta(milliseconds=300))
        assert not is_alive(int(child.read_text()))

    async def test_an_answer_without_end_is_cut(self) -> None:
        with pytest.raises(GitFailed, match="longer than 64 MB"):
            await run(["yes"], environment={"PATH": os.environ["PATH"]})

    async def test_a_child_that_holds_the_pipes_is_ended_too(self, tmp_path: Path) -> None:
        child = tmp_path / "pid"
        async with running(["sh", "-c", f"sleep 600 & echo $! >{child}"], environment={"PATH": os.environ["PATH"]}) as process:
            for _ in range(500):
                if process.returncode is not None:
                    break
                await asyncio.sleep(0.01)
        assert not is_alive(int(child.read_text()))

    async def test_output_that_nobody_reads_does_not_keep_a_process(self) -> None:
        async with running(["yes"], environment={"PATH": os.environ["PATH"]}) as process:
            pass
        assert process.returncode is not None

    async def test_a_cancelled_command_is_gone_when_the_caller_is(self, tmp_path: Path) -> None:
        asking = asyncio.create_task(Git(tmp_path).run("-c", "alias.hang=!sleep 600", "hang"))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.fixture
async def https_like(bench: GitBench, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Upstream over HTTP that wants a login: the address without it, and with."""
    user, password = "me%40home", "s3cr%2Ft"
    async with serving(bench.hub) as server:
        server.login = "Basic " + base64.b64encode(b"me@home:s3cr/t").decode()
        address = server.url.removeprefix("http://") + "/worker-9/hub.git"
        yield f"http://{address}", f"http://{user}:{password}@{address}"


class TestLogin:
    async def test_a_login_in_the_url_works_and_is_in_no_argv(
        self, https_like: tuple[str, str], bench: GitBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = spy_on_git(tmp_path, monkeypatch)
        hub = GitHub(tmp_path / "other", url=https_like[1], branch="main")
        await hub.prepare(lambda _: None)
        assert await hub.fetch() == await tip_of(bench)
        with pytest.raises(UpstreamRefused, match="nobody pushes to main") as refused:
            await hub.push(commit_entries(tmp_path / "other" / "hub.git", {"n": ("100644", b"")}, (await tip_of(bench),)))
        assert "s3cr" not in str(refused.value)
        assert "remote-http" in seen.read_text()
        assert "s3cr" not in seen.read_text()
        for file in (tmp_path / "other").rglob("*"):
            assert not file.is_file() or b"s3cr" not in file.read_bytes()

    async def test_a_wrong_login_is_a_refusal_that_does_not_repeat_it(self, https_like: tuple[str, str], tmp_path: Path) -> None:
        url = https_like[1].replace("s3cr", "wr0ng")
        with pytest.raises(HubUnusable, match="Authentication failed") as refused:
            await GitHub(tmp_path / "other", url=url, branch="main").prepare(lambda _: None)
        assert "wr0ng" not in str(refused.value)

    async def test_no_login_is_asked_of_nobody(self, https_like: tuple[str, str], tmp_path: Path) -> None:
        with pytest.raises(HubUnusable, match="could not read Username"):
            await GitHub(tmp_path / "other", url=https_like[0], branch="main").prepare(lambda _: None)

    async def test_the_users_own_helper_gives_the_password_for_a_user_in_the_url(
        self, https_like: tuple[str, str], tmp_path: Path
    ) -> None:
        user = Path.home() / ".gitconfig"
        user.write_text('[credential]\n\thelper = "!f() { grep -q ^username=me@home && echo password=s3cr/t; }; f"\n')
        try:
            url = https_like[1].replace(":s3cr%2Ft", "")
            await GitHub(tmp_path / "other", url=url, branch="main").prepare(lambda _: None)
        finally:
            user.unlink()


class TestSsh:
    async def test_ssh_is_the_users_own_and_never_asks(
        self, bench: GitBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ssh = tmp_path / "bin" / "ssh"
        ssh.parent.mkdir()
        ssh.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\nfor last; do :; done\nexec sh -c "$last"\n')
        ssh.chmod(0o755)
        monkeypatch.setenv("GIT_SSH_COMMAND", f"{ssh} -i key")
        hub = GitHub(tmp_path / "other", url=f"me@example.invalid:{bench.upstream}", branch="main")
        await hub.prepare(lambda _: None)
        assert await hub.fetch() == await tip_of(bench)
        assert "-i key -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout=20" in (tmp_path / "said").read_text()

    async def test_a_key_that_is_not_taken_is_a_refusal_and_a_dead_line_is_away(
        self, bench: GitBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub = GitHub(tmp_path / "other", url="me@example.invalid:x.git", branch="main")
        ssh = tmp_path / "ssh"
        ssh.write_text('#!/bin/sh\necho "$SSH_SAYS" >&2\nexit 255\n')
        ssh.chmod(0o755)
        monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
        monkeypatch.setenv("SSH_SAYS", "me@example.invalid: Permission denied (publickey).")
        with pytest.raises(HubUnusable, match="Permission denied"):
            await hub.prepare(lambda _: None)
        monkeypatch.setenv("SSH_SAYS", "ssh: connect to host example.invalid port 22: Connection timed out")
        with pytest.raises(UpstreamAway, match="timed out"):
            await hub.prepare(lambda _: None)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()  # nobody has reaped it yet


def spy_on_git(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records the argv of all that git starts, its transports included."""
    seen = place / "argv"
    libexec = Path(subprocess.run(["git", "--exec-path"], capture_output=True, check=True, text=True).stdout.strip())
    copy = place / "libexec"
    copy.mkdir()
    for program in libexec.iterdir():
        (copy / program.name).symlink_to(program)
    for name in ("git-remote-http", "git-remote-https"):
        (copy / name).unlink(missing_ok=True)
        (copy / name).write_text(
            f'#!/bin/sh\necho remote-http "$@" >>{seen}\nps axww -o args >>{seen}\nexec {libexec}/{name} "$@"\n'
        )
        (copy / name).chmod(0o755)
    monkeypatch.setenv("GIT_EXEC_PATH", str(copy))
    return seen
