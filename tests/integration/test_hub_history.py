"""Commits are counted without git where they are one chain, and the count is git's."""

from pathlib import Path

import pytest

from orchestrad.core.ids import Oid
from orchestrad.hub.history import LONGEST, commits_on_top
from tests.support.hubs import GitBench, git


@pytest.fixture
async def bench(tmp_path: Path) -> GitBench:
    bench = GitBench(tmp_path, {"a.txt": b"a\n"})
    await bench.hub.prepare(lambda _: None)
    return bench


async def a_chain(bench: GitBench, length: int) -> list[Oid]:
    tip = await bench.hub.ref("refs/heads/main")
    assert tip is not None
    chain = [tip]
    for number in range(length):
        chain.append(bench.commit({"a.txt": b"%d\n" % number}, chain[-1]))
    return chain


async def test_a_chain_of_pushed_commits_is_counted_from_their_files(bench: GitBench) -> None:
    base, *_, head = await a_chain(bench, 3)
    assert commits_on_top(bench.repository / "objects", base, head) == 3
    assert await bench.hub.commits_between(base, head) == 3


async def test_a_merge_is_left_to_git(bench: GitBench) -> None:
    base, one = await a_chain(bench, 1)
    side = bench.commit({"b.txt": b"b\n"}, base)
    merge = bench.commit({"a.txt": b"0\n", "b.txt": b"b\n"}, one, side)
    assert commits_on_top(bench.repository / "objects", base, merge) is None
    assert await bench.hub.commits_between(base, merge) == 3


async def test_packed_commits_are_left_to_git(bench: GitBench) -> None:
    base, *_, head = await a_chain(bench, 2)
    git("update-ref", "refs/heads/worker-1/t", head, repository=bench.repository)
    git("repack", "-a", "-d", "-q", repository=bench.repository)
    assert commits_on_top(bench.repository / "objects", base, head) is None
    assert await bench.hub.commits_between(base, head) == 2


async def test_a_head_that_is_not_on_top_of_the_base_is_left_to_git(bench: GitBench) -> None:
    base, one = await a_chain(bench, 1)
    assert commits_on_top(bench.repository / "objects", one, base) is None
    assert commits_on_top(bench.repository / "objects", base, base) is None
    assert await bench.hub.commits_between(one, base) == 0


async def test_a_long_chain_is_left_to_git(bench: GitBench) -> None:
    base, *_, head = await a_chain(bench, LONGEST)
    assert commits_on_top(bench.repository / "objects", base, head) is None
    assert await bench.hub.commits_between(base, head) == LONGEST
