"""What is wrong with lists taken together, in sentences that say what to do."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.core.listcheck import check_lists
from orchestrad.core.tasklist import parse_list

ONE, TWO, SEVEN = "WORKER_1_TASK_LIST.md", "WORKER_2_TASK_LIST.md", "WORKER_7_TASK_LIST.md"


def told(worker_count: int = 2, **texts: str) -> list[str]:
    names = {"one": ONE, "two": TWO, "seven": SEVEN, "shared": "TASK_LIST.md"}
    lists = {names[name]: parse_list(text, names[name]) for name, text in texts.items()}
    return [str(problem) for problem in check_lists(lists, worker_count=worker_count)]


def test_good_lists_have_no_problems() -> None:
    assert told(one="- [ ] Fix {#a after=b}\n", two="- [ ] Plan {#b}\n", shared="- [ ] Any {after=a,b}\n") == []


def test_a_second_item_with_an_id_is_told_with_the_place_of_the_first() -> None:
    assert told(two="- [ ] Second {#a}\n", one="# One\n\n- [ ] First {#a}\n") == [
        f"{TWO} line 1: «Second»: the id `a` belongs to {ONE} line 3, so this one goes by its text. Give it an id of its own."
    ]


def test_an_unknown_id_in_after_is_told_while_the_item_is_open() -> None:
    assert told(one="- [ ] Fix {after=nope}\n- [x] Did {after=gone}\n") == [
        (
            f"{ONE} line 1: «Fix»: `after` names `nope`, and no item has that id. "
            "Give the item that is meant `{#nope}`, or take it out."
        )
    ]


def test_a_circle_across_lists_is_told_once() -> None:
    assert told(one="- [ ] A {#a after=c}\n- [ ] X {#x after=a}\n", two="- [ ] B {#b after=a}\n- [ ] C {#c after=b}\n") == [
        (
            f"{ONE} line 1: `a` waits for `c` waits for `b` waits for `a`, so none of them can start. "
            "Take one of them out of an `after`."
        )
    ]


def test_an_item_that_waits_for_itself_is_a_circle() -> None:
    assert told(one="- [ ] A {#a after=a}\n")[0].startswith(f"{ONE} line 1: `a` waits for `a`, so none")


def test_a_ticked_item_breaks_a_circle() -> None:
    assert told(one="- [x] A {#a after=b}\n- [ ] B {#b after=a}\n") == []


def test_a_list_beyond_the_workers_is_told_while_it_has_open_tasks() -> None:
    assert told(seven="- [ ] A\n- [ ] B\n- [x] C\n") == [
        (
            f"{SEVEN}: there is no worker-7 (workerCount is 2), so its 2 open tasks have no worker of their own. "
            "Move them to another list or TASK_LIST.md, or raise `workerCount`."
        )
    ]
    assert told(seven="- [x] C\n") == []
    assert told(seven="- [ ] A\n", worker_count=7) == []


def test_problems_of_single_lists_come_along_in_reading_order() -> None:
    found = told(two="- [ ] \n", one="- [ ] B {#b bad=1}\n- [ ] A {after=zzz}\n")

    assert [line.split(":")[0] for line in found] == [f"{ONE} line 1", f"{ONE} line 2", f"{TWO} line 1"]


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefg"), max_size=3)))
def test_circles_are_told_exactly_when_some_item_can_never_start(after: dict[str, set[str]]) -> None:
    text = "".join(
        f"- [ ] {id_} {{#{id_}{' after=' + ','.join(sorted(wanted)) if wanted else ''}}}\n" for id_, wanted in after.items()
    )
    done: set[str] = set()
    while ready := {id_ for id_, wanted in after.items() if id_ not in done and wanted & after.keys() <= done}:
        done |= ready

    circles = [line for line in told(one=text) if "waits for" in line]

    assert bool(circles) == (done != set(after))
