"""Which item is which when texts changed too: place, likeness, and who has the task."""

from dataclasses import replace
from random import Random

import pytest

from orchestrad.core.identity import ItemKey, find_moved, identify, match
from orchestrad.core.likeness import likeness, longest_rising, plain
from orchestrad.core.tasklist import parse_list

ONE, TWO = "WORKER_1_TASK_LIST.md", "WORKER_2_TASK_LIST.md"


def keys(one: str, two: str = "", *, held: str | None = None) -> list[ItemKey]:
    """The items of two lists; those of the text `held` are in somebody's hands (`held="Fix 2"`: the second)."""
    found = [key for key, _ in identify({ONE: parse_list(one), TWO: parse_list(two)})]
    return [replace(key, held=held in (key.text, f"{key.text} {key.occurrence}")) for key in found]


def listing(*items: str) -> str:
    return "".join(f"- [ ] {item}\n" if not item.startswith("x ") else f"- [x] {item[2:]}\n" for item in items)


def paired(old: list[ItemKey], new: list[ItemKey]) -> dict[str, str]:
    return {f"{old[o].text} {old[o].occurrence}": f"{new[n].text} {new[n].occurrence}" for o, n in match(old, new).pairs}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Fix the parser", "Repair the parser"),
        ("Refactr the store", "Refactor the store"),
        ("Build the parser", "Build the date parser with fuzz tests"),
        ("Make status faster", "Speed up status"),
        ("Drop old config keys", "Remove deprecated config keys"),
        ("Release 1.2", "Release 1.3"),
    ],
)
def test_an_item_that_is_reworded_where_it_stands_stays_the_same(before: str, after: str) -> None:
    assert paired(keys(listing("Top", before, "End")), keys(listing("Top", after, "End")))[f"{before} 1"] == f"{after} 1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Fix the parser", "Write the page"),
        ("Add tests for the login page", "Add docs for billing"),
        ("Build the parser", "Translate the user guide"),
        ("Write the release notes", "Fix the flaky test"),
    ],
)
def test_an_item_that_something_else_was_written_over_is_gone(before: str, after: str) -> None:
    found = match(keys(listing("Top", before, "End"), held=before), keys(listing("Top", after, "End")))
    assert (found.removed, found.added) == ((1,), (1,))


def test_of_several_reworded_at_once_each_goes_by_likeness_and_not_by_order() -> None:
    old = keys(listing("Top", "Write the parser of dates", "Speed up the status page", "End"))
    new = keys(listing("Top", "Speed up the page of status", "Write a parser of dates", "End"))
    assert paired(old, new)["Write the parser of dates 1"] == "Write a parser of dates 1"
    assert match(old, new).removed == ()


def test_of_two_that_could_have_become_the_new_one_the_held_one_has() -> None:
    old = listing("Top", "Test the login page", "Test the logout page", "End")
    new = keys(listing("Top", "Test the login and logout page", "End"))
    assert paired(keys(old, held="Test the login page"), new)["Test the login page 1"] == "Test the login and logout page 1"
    assert paired(keys(old, held="Test the logout page"), new)["Test the logout page 1"] == "Test the login and logout page 1"


@pytest.mark.parametrize("held", ["Sweep 1", "Sweep 2", "Sweep 3"])
def test_of_equal_items_the_held_one_is_not_the_one_that_was_removed(held: str) -> None:
    old = keys(listing("A", "Sweep", "B", "Sweep", "C", "Sweep"), held=held)
    new = keys(listing("A", "Sweep", "B", "C"))
    assert held in paired(old, new)


def test_of_equal_items_that_nobody_has_the_one_without_its_place_was_removed() -> None:
    old, new = keys(listing("A", "Sweep", "B", "Sweep", "C")), keys(listing("A", "B", "Sweep", "C"))
    assert paired(old, new)["Sweep 2"] == "Sweep 1"
    assert [old[n].occurrence for n in match(old, new).removed] == [1]


def test_an_equal_item_that_comes_in_first_takes_nobodys_task() -> None:
    old, new = keys(listing("x Sweep", "Sweep"), held="Sweep 2"), keys(listing("Sweep", "x Sweep", "Sweep"))
    assert paired(old, new) == {"Sweep 1": "Sweep 2", "Sweep 2": "Sweep 1"}  # the done one by its box, the other is one of two


def test_a_tick_of_the_first_of_equal_items_is_a_tick_and_no_exchange() -> None:
    assert paired(keys(listing("Sweep", "Sweep"), held="Sweep 1"), keys(listing("x Sweep", "Sweep"))) == {
        "Sweep 1": "Sweep 1",
        "Sweep 2": "Sweep 2",
    }


def test_equal_titles_go_by_their_bodies() -> None:
    old = keys("- [ ] Test\n\n  the parser\n- [ ] Test\n\n  the store\n")
    new = keys("- [ ] Test\n\n  the store\n")
    assert (paired(old, new), match(old, new).removed) == ({"Test 2": "Test 1"}, (0,))


@pytest.mark.parametrize(
    "text", ["**Fix** the `parser`", "fix the parser.", "Fix  the _parser_", "Fix the [parser](docs/parser.md)", "Fix the par\\ser"]
)
def test_markup_case_and_blanks_are_no_change_even_in_another_list(text: str) -> None:
    assert plain(text) == plain("Fix the parser")
    old = keys(listing("Fix the parser", "Fix the printer"))
    assert paired(old, keys(listing("Fix the printer"), listing(text)))["Fix the parser 1"].startswith(text.split(maxsplit=1)[0])


def test_an_item_that_moved_and_was_reworded_is_known_when_it_is_alike_beyond_doubt() -> None:
    old = keys(listing("Write the parser of ISO dates", "A", "B", "C"))
    new = keys(listing("A", "B", "C"), listing("Write the parser of all ISO dates"))
    assert paired(old, new)["Write the parser of ISO dates 1"] == "Write the parser of all ISO dates 1"


def test_in_a_list_of_items_that_all_read_alike_a_new_one_is_new() -> None:
    old = [f"Write tests for module {n}" for n in range(20)]
    new = [text for text in old if not text.endswith(" 7")] + ["Write tests for module 99"]
    found = match(keys(listing(*old), held=old[7]), keys(listing(*new)))
    assert (found.removed, found.added) == ((7,), (19,))


def test_what_follows_a_done_item_that_was_tidied_away_is_another_task() -> None:
    assert match(keys(listing("A", "x Release 1.2")), keys(listing("A", "Release 1.3"))).removed == (1,)


def test_a_held_text_that_went_to_one_of_two_lists_goes_to_the_first() -> None:
    found = match(keys(listing("Fix"), held="Fix"), keys("", listing("Fix", "Other", "Fix")))
    assert (found.pairs, found.added) == (((0, 0),), (1, 2))


def test_a_shuffled_and_edited_list_of_500_is_known_in_full_and_the_same_way_each_time() -> None:
    random = Random(1)
    words = [f"{a}{b}" for a in ("par", "sto", "lo", "me", "qui") for b in ("gin", "ser", "re", "rge", "ck", "tal")]
    old = [ItemKey(ONE, None, " ".join([*random.sample(words, 6), str(n)]), 1) for n in range(500)]
    new = [replace(key, text=f"{key.text} soon") if n % 20 == 0 else key for n, key in enumerate(old)]
    where = list(range(500))
    for n in range(10, 500, 20):  # neighbours change places
        where[n], where[n + 1] = where[n + 1], where[n]
    found = match(old, [new[n] for n in where])
    assert found.pairs == tuple(sorted((n, at) for at, n in enumerate(where)))
    assert match(old, [new[n] for n in where]) == found


def test_likeness_is_from_nothing_to_all_in_common() -> None:
    assert (likeness("Fix it", "Fix *it*"), likeness("abc", "xyz")) == (1, 0)
    assert likeness("one two", "two one") == 1
    assert likeness("**", "`") < 1  # of markup alone, the markup is the text


def test_what_kept_its_order_is_the_longest_rising_part() -> None:
    assert longest_rising([]) == []
    assert longest_rising([5, 0, 1, 9, 2]) == [1, 2, 4]


# ---- an item of the list as last read, in the list that is to be committed


def test_a_reworded_item_is_found_in_the_list_to_be_committed() -> None:
    known = {ONE: listing("Fix the parser", "Other").encode(), TWO: b""}
    now = {ONE: listing("Other").encode(), TWO: listing("x New", "Fix the date parser").encode()}
    found = find_moved(ItemKey(ONE, None, "Fix the parser", 1), known, now)
    assert found is not None
    assert (found[0], found[1].text) == (TWO, "Fix the date parser")


def test_an_equal_item_that_came_in_before_is_not_the_one_that_is_meant() -> None:
    known = {ONE: b"- [ ] Top\n- [ ] Sweep\n- [ ] End\n"}
    now = {ONE: b"- [ ] Sweep\n- [ ] Top\n- [ ] Sweep\n- [ ] End\n"}
    found = find_moved(ItemKey(ONE, None, "Sweep", 1), known, now)
    assert found is not None
    assert found[1].line == 3


def test_an_item_that_is_gone_from_the_list_to_be_committed_is_not_found() -> None:
    known, now = {ONE: b"- [ ] Top\n- [ ] Sweep\n"}, {ONE: b"- [ ] Top\n"}
    assert find_moved(ItemKey(ONE, None, "Sweep", 1), known, now) is None
    assert find_moved(ItemKey(ONE, "a", "Sweep", 1), known, now) is None


def test_a_key_from_another_list_than_the_one_as_last_read_goes_by_itself() -> None:
    now = {ONE: b"- [ ] Top\n", TWO: b"- [ ] Sweep {#a}\n"}
    found = find_moved(ItemKey(ONE, "a", "Old words", 1), {}, now)
    assert found is not None
    assert (found[0], found[1].id) == (TWO, "a")
    assert find_moved(ItemKey(ONE, None, "Sweep", 1), {}, now) is None
