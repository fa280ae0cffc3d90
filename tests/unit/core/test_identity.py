"""Which item is which task, when lists change under it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.core.identity import ItemKey, identify, match, tick_by_identity
from orchestrad.core.tasklist import parse_list
from tests.support.lists import Drawn, documents

ONE, TWO, SHARED = "WORKER_1_TASK_LIST.md", "WORKER_2_TASK_LIST.md", "TASK_LIST.md"


def keys(**texts: str) -> list[ItemKey]:
    names = {"one": ONE, "two": TWO, "shared": SHARED}
    return [key for key, _ in identify({names[name]: parse_list(text) for name, text in texts.items()})]


def paired(old: list[ItemKey], new: list[ItemKey]) -> list[tuple[str, str]]:
    def label(key: ItemKey) -> str:
        return f"{key.text}{'#' + key.id if key.id else ''}/{key.occurrence}"

    return [(label(old[o]), label(new[n])) for o, n in match(old, new).pairs]


def test_an_id_follows_its_item_to_another_list_and_text() -> None:
    old = keys(one="- [ ] Fix {#a}\n", two="")
    new = keys(one="", two="- [ ] Mend it {#a}\n")

    assert paired(old, new) == [("Fix#a/1", "Mend it#a/1")]


def test_a_text_without_id_follows_its_item_when_nothing_else_has_it() -> None:
    old = keys(one="- [ ] Fix\n", two="- [ ] Other\n")
    new = keys(one="", two="- [ ] Other\n- [ ] Fix\n")

    assert paired(old, new) == [("Fix/1", "Fix/1"), ("Other/1", "Other/1")]


def test_a_text_that_could_have_gone_to_two_lists_is_removed_and_new() -> None:
    old = keys(one="- [ ] Fix\n")
    new = keys(two="- [ ] Fix\n", shared="- [ ] Fix\n")

    found = match(old, new)

    assert (found.pairs, found.removed, found.added) == ((), (0,), (0, 1))


def test_an_item_that_is_given_an_id_stays_the_same_task() -> None:
    old = keys(one="- [ ] Test\n- [ ] Test\n")
    new = keys(one="- [ ] Test {#n}\n- [ ] Test\n")

    assert paired(old, new) == [("Test/1", "Test#n/1"), ("Test/2", "Test/2")]


def test_an_equal_text_does_not_inherit_the_task_of_a_removed_id() -> None:
    old = keys(one="- [x] Test {#a}\n- [ ] Test\n")
    new = keys(one="- [ ] Test\n")

    assert paired(old, new) == [("Test/2", "Test/1")]


def test_another_id_is_another_task_whatever_the_text() -> None:
    old, new = keys(one="- [ ] Update {#may}\n"), keys(one="- [ ] Update {#june}\n")

    assert match(old, new).removed == (0,)


def test_the_second_item_with_an_id_goes_by_its_text() -> None:
    found = keys(two="- [ ] Second {#a}\n", one="- [ ] First {#a}\n")

    assert found == [ItemKey(ONE, "a", "First", 1), ItemKey(TWO, None, "Second", 1)]


def test_a_tick_finds_its_item_in_a_list_that_has_changed() -> None:
    changed = b"# New heading\n\n- [ ] Test\n- [ ] Moved down {#a}\n- [ ] Test\n"

    assert tick_by_identity(changed, ItemKey(ONE, "a", "Old text", 1)) == changed.replace(b"[ ] Moved", b"[x] Moved")
    assert tick_by_identity(changed, ItemKey(ONE, None, "Test", 2)) == changed[:-9] + b"[x] Test\n"


def test_nothing_is_ticked_when_the_item_is_not_there() -> None:
    text = b"- [ ] Fix\n- [ ] Test\n"

    assert tick_by_identity(text, ItemKey(ONE, "a", "Fix", 1)) is None
    assert tick_by_identity(text, ItemKey(ONE, None, "Test", 2)) is None


KEYS = st.builds(
    ItemKey, st.sampled_from([ONE, TWO, SHARED]), st.none() | st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 3)
)


@given(st.lists(KEYS), st.lists(KEYS))
def test_no_item_is_matched_twice_and_none_is_forgotten(old: list[ItemKey], new: list[ItemKey]) -> None:
    found = match(old, new)

    assert sorted([o for o, _ in found.pairs] + list(found.removed)) == list(range(len(old)))
    assert sorted([n for _, n in found.pairs] + list(found.added)) == list(range(len(new)))
    for o, n in found.pairs:
        assert (old[o].id and old[o].id == new[n].id) or old[o].text == new[n].text


@given(st.dictionaries(st.sampled_from([ONE, TWO, SHARED]), documents()))
def test_unchanged_lists_match_fully(lists: dict[str, tuple[str, list[Drawn]]]) -> None:
    parsed = identify({name: parse_list(text) for name, (text, _) in lists.items()})
    found = [key for key, _ in parsed]

    assert match(found, found).pairs == tuple((n, n) for n in range(len(found)))
    assert len(found) == sum(len(drawn) for _, drawn in lists.values())
    assert max(Counter(found).values(), default=1) == 1
    assert max(Counter(key.id for key in found if key.id).values(), default=1) == 1


@given(documents())
def test_every_item_is_ticked_by_its_key(document: tuple[str, list[Drawn]]) -> None:
    raw = document[0].encode()

    for key, item in identify({ONE: parse_list(raw)}):
        ticked = tick_by_identity(raw, key)

        assert ticked is not None
        assert [i for i in range(len(raw)) if raw[i] != ticked[i]] == ([] if item.checked else [item.box_offset])
