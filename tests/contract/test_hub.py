"""One suite for the hub in memory and for git's own."""

from pathlib import Path

import pytest

from orchestrad.core.identity import ItemKey
from orchestrad.core.ids import Oid
from orchestrad.errors import Gone, Refused
from orchestrad.hub.port import Conflict, HubUnusable, Merged, MergeOrder, NothingToMerge, Tick, UpstreamAway, UpstreamRefused
from tests.support.hubs import FakeBench, Files, GitBench, HubBench

LIST = "WORKER_1_TASK_LIST.md"
TASKS = b"# Tasks\r\n\n- [ ] Build the parser {#parser}\r\n  with tests\n- [ ] Write the page\n- [ ] Write the page\n"
FIRST: Files = {
    LIST: TASKS,
    "TASK_LIST.md": b"- [ ] Sweep\n",
    "PROJECT_DIRECTION.md": b"Go west.\n",
    "a.txt": b"a\n",
    "docs/b c.txt": b"b\n",
}
MAIN = "refs/heads/main"
PARSER = ItemKey(LIST, "parser", "Build the parser", 1)
SECOND_PAGE = ItemKey(LIST, None, "Write the page", 2)
NOBODY = Oid("1" * 40)


def quiet(_: str) -> None:
    return


def order(onto: Oid, source: Oid | None, *ticks: Tick, lists: bool = False, forward: bool = False) -> MergeOrder:
    return MergeOrder(onto, source, ticks, "Merge it\n\nTask: T-1", 1_700_000_000, lists_from_source=lists, fast_forward=forward)


@pytest.fixture(params=["fake", "git"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> HubBench:
    return FakeBench(FIRST) if request.param == "fake" else GitBench(tmp_path, FIRST)


@pytest.fixture
async def tip(bench: HubBench) -> Oid:
    await bench.hub.prepare(quiet)
    found = await bench.hub.ref(MAIN)
    assert found is not None
    return found


async def merged(bench: HubBench, wanted: MergeOrder) -> Merged:
    result = await bench.hub.merge(wanted)
    assert isinstance(result, Merged), result
    return result


class TestPrepare:
    async def test_the_first_time_the_branch_is_where_upstream_has_it(self, bench: HubBench) -> None:
        told: list[str] = []
        await bench.hub.prepare(told.append)
        assert await bench.hub.ref(MAIN) == await bench.hub.ref("refs/upstream/main") == bench.upstream_tip()
        assert told

    async def test_later_it_keeps_the_branch_and_needs_no_upstream(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n"}, tip)
        await bench.hub.move(MAIN, new=ours, expected=tip)
        bench.upstream_goes_away()
        await bench.hub.prepare(quiet)
        assert await bench.hub.ref(MAIN) == ours

    async def test_without_upstream_the_first_time_it_is_away_and_later_works(self, bench: HubBench) -> None:
        bench.upstream_goes_away()
        with pytest.raises(UpstreamAway):
            await bench.hub.prepare(quiet)
        bench.upstream_comes_back()
        await bench.hub.prepare(quiet)
        assert await bench.hub.ref(MAIN) == bench.upstream_tip()


class TestLook:
    async def test_it_gives_lists_byte_for_byte_and_the_direction(self, bench: HubBench, tip: Oid) -> None:
        seen = await bench.hub.look()
        assert seen.tip == tip
        assert seen.lists == {LIST: TASKS, "TASK_LIST.md": b"- [ ] Sweep\n"}
        assert seen.direction is not None

    async def test_a_changed_direction_is_another_one_and_a_missing_one_is_none(self, bench: HubBench, tip: Oid) -> None:
        before = (await bench.hub.look()).direction
        east = bench.commit({"PROJECT_DIRECTION.md": b"Go east.\n"}, tip)
        bare = bench.commit({"a.txt": b""}, east)
        assert await bench.hub.move(MAIN, new=east, expected=tip)
        assert (await bench.hub.look()).direction not in (None, before)
        assert await bench.hub.move(MAIN, new=bare, expected=east)
        seen = await bench.hub.look()
        assert seen.direction is None
        assert seen.lists == {}

    async def test_lists_elsewhere_than_at_the_root_are_none(self, bench: HubBench, tip: Oid) -> None:
        deep = bench.commit({"docs/TASK_LIST.md": b"- [ ] x\n"}, tip)
        await bench.hub.move(MAIN, new=deep, expected=tip)
        assert (await bench.hub.look()).lists == {}


class TestRefs:
    async def test_a_ref_moves_only_from_where_it_is_expected(self, bench: HubBench, tip: Oid) -> None:
        one, two = bench.commit({"a": b"1"}, tip), bench.commit({"a": b"2"}, tip)
        ref = "refs/heads/worker-1/t1"
        assert await bench.hub.move(ref, new=one, expected=None)
        assert not await bench.hub.move(ref, new=two, expected=None)
        assert not await bench.hub.move(ref, new=two, expected=tip)
        assert await bench.hub.ref(ref) == one
        assert await bench.hub.move(ref, new=two, expected=one)
        assert await bench.hub.move(ref, new=None, expected=two)
        assert await bench.hub.ref(ref) is None

    async def test_the_same_move_again_succeeds(self, bench: HubBench, tip: Oid) -> None:
        one = bench.commit({"a": b"1"}, tip)
        ref = "refs/heads/worker-1/t1"
        assert await bench.hub.move(ref, new=one, expected=None)
        assert await bench.hub.move(ref, new=one, expected=None)
        assert await bench.hub.move(ref, new=None, expected=one)
        assert await bench.hub.move(ref, new=None, expected=one)

    async def test_refs_are_found_by_any_prefix(self, bench: HubBench, tip: Oid) -> None:
        for name in ("worker-1/a", "worker-1/b", "worker-10/a", "manager/x"):
            assert await bench.hub.move(f"refs/heads/{name}", new=tip, expected=None)
        assert await bench.hub.refs("refs/heads/worker-1/") == {"refs/heads/worker-1/a": tip, "refs/heads/worker-1/b": tip}
        assert set(await bench.hub.refs("refs/heads/worker-1")) == {f"refs/heads/worker-{n}" for n in ("1/a", "1/b", "10/a")}
        assert await bench.hub.refs("refs/for/") == {}

    @pytest.mark.parametrize(
        "name", ["main", "refs/heads/../../config", "refs/heads/a b", "refs/heads/a.lock", "refs/heads/-x", "refs/heads/a\nb", ""]
    )
    async def test_a_name_that_git_would_not_take_is_no_ref(self, bench: HubBench, tip: Oid, name: str) -> None:
        assert await bench.hub.ref(name) is None
        with pytest.raises(Refused):
            await bench.hub.move(name, new=tip, expected=None)


class TestHistory:
    async def test_commits_are_counted_from_where_the_base_ends(self, bench: HubBench, tip: Oid) -> None:
        one = bench.commit({"a": b"1"}, tip)
        two = bench.commit({"a": b"2"}, one)
        side = bench.commit({"a": b"3"}, tip)
        assert await bench.hub.commits_between(tip, two) == 2
        assert await bench.hub.commits_between(two, tip) == 0
        assert await bench.hub.commits_between(side, two) == 2

    async def test_ancestors_are_told_from_others(self, bench: HubBench, tip: Oid) -> None:
        one, side = bench.commit({"a": b"1"}, tip), bench.commit({"a": b"3"}, tip)
        assert await bench.hub.is_ancestor(tip, one)
        assert await bench.hub.is_ancestor(one, one)
        assert not await bench.hub.is_ancestor(one, tip)
        assert not await bench.hub.is_ancestor(one, side)

    @pytest.mark.parametrize("other", [NOBODY, Oid("--all"), Oid("main"), Oid("")])
    async def test_what_is_not_in_the_hub_is_gone(self, bench: HubBench, tip: Oid, other: Oid) -> None:
        for ask in (
            bench.hub.commits_between(tip, other),
            bench.hub.commits_between(other, tip),
            bench.hub.is_ancestor(other, tip),
            bench.hub.is_ancestor(tip, other),
            bench.hub.merge(order(tip, other)),
            bench.hub.merge(order(other, None)),
        ):
            with pytest.raises(Gone):
                await ask


class TestMerge:
    async def test_both_sides_work_is_in_one_commit_and_no_ref_moves(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n"}, tip)
        theirs = bench.commit({**FIRST, "docs/new.txt": b"theirs\n"}, tip)
        result = await merged(bench, order(ours, theirs))
        assert bench.files(result.oid) == {**FIRST, "a.txt": b"ours\n", "docs/new.txt": b"theirs\n"}
        assert bench.parents(result.oid) == (ours, theirs)
        assert bench.message(result.oid) == "Merge it\n\nTask: T-1"
        assert (result.dropped, result.unticked) == ((), ())
        assert await bench.hub.ref(MAIN) == tip

    async def test_the_same_order_makes_the_same_commit(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n"}, tip)
        theirs = bench.commit({**FIRST, "b.txt": b"theirs\n", LIST: TASKS + b"- [ ] mine\n"}, tip)
        wanted = order(ours, theirs, Tick(PARSER))
        assert await bench.hub.merge(wanted) == await bench.hub.merge(wanted)

    async def test_the_tick_is_in_the_merge_and_changes_one_byte(self, bench: HubBench, tip: Oid) -> None:
        theirs = bench.commit({**FIRST, "b.txt": b"theirs\n"}, tip)
        result = await merged(bench, order(tip, theirs, Tick(PARSER), Tick(SECOND_PAGE)))
        after = bench.files(result.oid)[LIST]
        assert (
            after == b"# Tasks\r\n\n- [x] Build the parser {#parser}\r\n  with tests\n- [ ] Write the page\n- [x] Write the page\n"
        )
        assert {path: data for path, data in bench.files(result.oid).items() if path != LIST} == {
            path: data for path, data in {**FIRST, "b.txt": b"theirs\n"}.items() if path != LIST
        }

    async def test_an_item_with_an_id_is_found_in_another_list(self, bench: HubBench, tip: Oid) -> None:
        there = bench.commit({"WORKER_2_TASK_LIST.md": b"- [ ] Other words {#parser}\n"}, tip)
        result = await merged(bench, order(there, None, Tick(PARSER), Tick(SECOND_PAGE)))
        assert bench.files(result.oid) == {"WORKER_2_TASK_LIST.md": b"- [x] Other words {#parser}\n"}
        assert result.unticked == (SECOND_PAGE,)

    async def test_an_item_that_the_same_commit_rewords_or_moves_is_ticked_where_it_stands_then(
        self, bench: HubBench, tip: Oid
    ) -> None:
        edited = TASKS.replace(b"- [ ] Build", b"- [ ] Write the page\r\n- [ ] Build")  # an equal text came in before it
        theirs = bench.commit({**FIRST, LIST: edited, "TASK_LIST.md": b"- [ ] Sweep the floor\n"}, tip)
        sweep = ItemKey("TASK_LIST.md", None, "Sweep", 1)
        result = await merged(bench, order(tip, theirs, Tick(SECOND_PAGE), Tick(sweep), lists=True))
        after = bench.files(result.oid)
        assert after["TASK_LIST.md"] == b"- [x] Sweep the floor\n"
        assert after[LIST] == edited[:-19] + edited[-19:].replace(b"[ ]", b"[x]")
        assert result.unticked == ()

    async def test_a_box_can_be_emptied(self, bench: HubBench, tip: Oid) -> None:
        full = bench.commit({"TASK_LIST.md": b"- [X] Sweep\n"}, tip)
        result = await merged(bench, order(full, None, Tick(ItemKey("TASK_LIST.md", None, "Sweep", 1), checked=False)))
        assert bench.files(result.oid) == {"TASK_LIST.md": b"- [ ] Sweep\n"}
        assert bench.parents(result.oid) == (full,)

    async def test_what_is_merged_already_gives_nothing_or_only_ticks(self, bench: HubBench, tip: Oid) -> None:
        newer = bench.commit({**FIRST, "b.txt": b"b\n"}, tip)
        assert await bench.hub.merge(order(newer, tip)) == NothingToMerge()
        assert await bench.hub.merge(order(newer, newer)) == NothingToMerge()
        assert await bench.hub.merge(order(newer, None, Tick(ItemKey(LIST, None, "Never heard of", 1)))) == NothingToMerge()
        result = await merged(bench, order(newer, tip, Tick(PARSER)))
        assert bench.parents(result.oid) == (newer,)
        assert await bench.hub.merge(order(result.oid, tip, Tick(PARSER))) == NothingToMerge()

    async def test_a_conflict_names_its_paths_and_makes_nothing(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n", "docs/b c.txt": b"ours\n"}, tip)
        theirs = bench.commit({**FIRST, "a.txt": b"theirs\n", "docs/b c.txt": b"theirs\n", "c": b"c"}, tip)
        assert await bench.hub.merge(order(ours, theirs, Tick(PARSER))) == Conflict(("a.txt", "docs/b c.txt"))

    async def test_a_file_removed_here_and_changed_there_is_a_conflict(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({path: data for path, data in FIRST.items() if path != "a.txt"}, tip)
        theirs = bench.commit({**FIRST, "a.txt": b"theirs\n"}, tip)
        assert await bench.hub.merge(order(ours, theirs)) == Conflict(("a.txt",))


class TestListsOfAWorker:
    async def test_its_changes_are_dropped_and_told(self, bench: HubBench, tip: Oid) -> None:
        files = {**FIRST, LIST: b"- [x] all done, ha\n", "PROJECT_DIRECTION.md": b"East.\n", "b.txt": b"work\n"}
        files["WORKER_7_TASK_LIST.md"] = b"- [ ] for seven\n"
        del files["TASK_LIST.md"]
        theirs = bench.commit(files, tip)
        result = await merged(bench, order(tip, theirs))
        assert bench.files(result.oid) == {**FIRST, "b.txt": b"work\n"}
        assert result.dropped == ("PROJECT_DIRECTION.md", "TASK_LIST.md", LIST, "WORKER_7_TASK_LIST.md")

    async def test_changed_on_both_sides_it_is_no_conflict(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, LIST: TASKS + b"- [ ] new\n", "a.txt": b"ours\n"}, tip)
        theirs = bench.commit({**FIRST, LIST: TASKS + b"- [ ] mine\n", "b.txt": b"work\n"}, tip)
        result = await merged(bench, order(ours, theirs, Tick(PARSER)))
        assert bench.files(result.oid)[LIST] == (TASKS + b"- [ ] new\n").replace(b"[ ] Build", b"[x] Build")
        assert bench.files(result.oid)["b.txt"] == b"work\n"
        assert result.dropped == (LIST,)

    async def test_lists_that_only_the_branch_changed_are_not_told_of(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, LIST: b"- [ ] quite new\n"}, tip)
        theirs = bench.commit({**FIRST, "b.txt": b"work\n"}, tip)
        result = await merged(bench, order(ours, theirs))
        assert bench.files(result.oid) == {**FIRST, LIST: b"- [ ] quite new\n", "b.txt": b"work\n"}
        assert result.dropped == ()

    async def test_fast_forward_does_not_let_them_through(self, bench: HubBench, tip: Oid) -> None:
        theirs = bench.commit({**FIRST, LIST: b""}, tip)
        result = await merged(bench, order(tip, theirs, forward=True))
        assert bench.files(result.oid) == FIRST
        assert result.oid != theirs


class TestListsOfTheManager:
    async def test_a_list_that_only_it_changed_is_taken(self, bench: HubBench, tip: Oid) -> None:
        theirs = bench.commit({**FIRST, LIST: b"- [ ] new\n", "PROJECT_DIRECTION.md": b"East.\n"}, tip)
        ours = bench.commit({**FIRST, "a.txt": b"ours\n"}, tip)
        result = await merged(bench, order(ours, theirs, lists=True))
        assert bench.files(result.oid) == {
            **FIRST,
            LIST: b"- [ ] new\n",
            "PROJECT_DIRECTION.md": b"East.\n",
            "a.txt": b"ours\n",
        }
        assert result.dropped == ()

    async def test_both_sides_changes_of_neighbouring_items_are_kept(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "TASK_LIST.md": b"- [x] Sweep\n"}, tip)
        theirs = bench.commit({**FIRST, "TASK_LIST.md": b"- [ ] Sweep\n- [ ] Mop\n", "b.txt": b"b\n"}, tip)
        result = await merged(bench, order(ours, theirs, lists=True))
        assert bench.files(result.oid) == {**FIRST, "TASK_LIST.md": b"- [x] Sweep\n- [ ] Mop\n", "b.txt": b"b\n"}

    async def test_a_list_that_both_made_holds_both(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "WORKER_2_TASK_LIST.md": b"- [ ] One\n"}, tip)
        theirs = bench.commit({**FIRST, "WORKER_2_TASK_LIST.md": b"- [ ] Two\n"}, tip)
        result = await merged(bench, order(ours, theirs, lists=True))
        assert set(bench.files(result.oid)["WORKER_2_TASK_LIST.md"].splitlines()) == {b"- [ ] One", b"- [ ] Two"}

    async def test_a_list_that_it_removed_stays_removed_though_ticked_here(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "TASK_LIST.md": b"- [x] Sweep\n"}, tip)
        theirs = bench.commit({path: data for path, data in FIRST.items() if path != "TASK_LIST.md"}, tip)
        result = await merged(bench, order(ours, theirs, lists=True))
        assert "TASK_LIST.md" not in bench.files(result.oid)

    async def test_a_direction_that_both_changed_is_a_conflict(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "PROJECT_DIRECTION.md": b"North.\n"}, tip)
        theirs = bench.commit({**FIRST, "PROJECT_DIRECTION.md": b"South.\n"}, tip)
        assert await bench.hub.merge(order(ours, theirs, lists=True)) == Conflict(("PROJECT_DIRECTION.md",))

    async def test_a_fast_forward_is_the_source_itself(self, bench: HubBench, tip: Oid) -> None:
        theirs = bench.commit({**FIRST, LIST: b"- [ ] new\n"}, tip)
        assert await bench.hub.merge(order(tip, theirs, lists=True, forward=True)) == Merged(theirs)
        assert (await merged(bench, order(tip, theirs, lists=True))).oid != theirs

    async def test_a_tick_makes_a_commit_where_a_fast_forward_would_do(self, bench: HubBench, tip: Oid) -> None:
        theirs = bench.commit({**FIRST, "b.txt": b"b\n"}, tip)
        result = await merged(bench, order(tip, theirs, Tick(PARSER), lists=True, forward=True))
        assert bench.parents(result.oid) == (tip, theirs)
        assert b"[x] Build" in bench.files(result.oid)[LIST]


class TestUpstream:
    async def test_what_is_pushed_is_there(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n"}, tip)
        assert await bench.hub.push(ours)
        assert await bench.hub.push(ours)
        assert bench.upstream_tip() == ours == await bench.hub.ref("refs/upstream/main")

    async def test_when_both_moved_the_push_says_so_and_works_after_a_merge(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n", LIST: TASKS.replace(b"[ ] Build", b"[x] Build")}, tip)
        theirs = bench.upstream_moves({**FIRST, LIST: TASKS + b"- [ ] from a person\n"})
        assert not await bench.hub.push(ours)
        assert bench.upstream_tip() == theirs
        assert await bench.hub.fetch() == theirs == await bench.hub.ref("refs/upstream/main")
        assert await bench.hub.ref(MAIN) == tip
        both = await merged(bench, order(ours, theirs, lists=True, forward=True))
        assert await bench.hub.push(both.oid)
        assert bench.upstream_tip() == both.oid
        after = bench.files(both.oid)
        assert b"[x] Build" in after[LIST]
        assert b"from a person" in after[LIST]

    async def test_a_rewritten_upstream_is_fetched_and_never_overwritten(self, bench: HubBench, tip: Oid) -> None:
        anew = bench.upstream_is_rewritten({"x": b"x"})
        assert await bench.hub.fetch() == anew
        assert not await bench.hub.is_ancestor(tip, anew)
        assert not await bench.hub.push(bench.commit(FIRST, tip))
        assert bench.upstream_tip() == anew

    async def test_while_it_is_away_nothing_is_known_and_later_it_works(self, bench: HubBench, tip: Oid) -> None:
        ours = bench.commit({**FIRST, "a.txt": b"ours\n"}, tip)
        bench.upstream_goes_away()
        with pytest.raises(UpstreamAway, match="again later"):
            await bench.hub.fetch()
        with pytest.raises(UpstreamAway, match="again later"):
            await bench.hub.push(ours)
        bench.upstream_comes_back()
        assert await bench.hub.fetch() == tip
        assert await bench.hub.push(ours)

    async def test_a_refusal_is_told_with_its_reason(self, bench: HubBench, tip: Oid) -> None:
        bench.upstream_refuses("main is protected here")
        with pytest.raises(UpstreamRefused, match="main is protected here"):
            await bench.hub.push(bench.commit({**FIRST, "a.txt": b"ours\n"}, tip))
        assert bench.upstream_tip() == tip == await bench.hub.fetch()

    async def test_an_upstream_that_refuses_from_the_first_is_no_trouble_for_looking(self, bench: HubBench) -> None:
        bench.upstream_refuses("no pushes")
        await bench.hub.prepare(quiet)
        assert (await bench.hub.look()).tip == bench.upstream_tip()


async def test_a_hub_that_was_not_prepared_is_not_usable(bench: HubBench) -> None:
    with pytest.raises(HubUnusable):
        await bench.hub.look()
