"""A list that changed on both sides is merged by item."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.core.listmerge import merge_lists
from orchestrad.core.tasklist import ListItem, parse_list
from tests.support.lists import Drawn, documents

BASE = "# Now\n\n- [ ] Fix login\n  - with care\n- [ ] Write docs {#docs}\n\n# Later\n\n- [ ] Tidy up\n"


def merged(ours: str, theirs: str, base: str = BASE, checked: Callable[[ListItem], bool | None] = lambda _: None) -> str:
    return merge_lists(base.encode(), ours.encode(), theirs.encode(), checked=checked).data.decode()


def test_ticks_of_ours_and_edits_of_theirs_come_together() -> None:
    ours = BASE.replace("[ ] Fix", "[x] Fix")
    theirs = BASE.replace("with care", "with great care").replace("# Later", "# Some day")

    assert merged(ours, theirs) == theirs.replace("[ ] Fix", "[x] Fix")


def test_items_added_at_the_same_place_both_survive() -> None:
    ours = BASE.replace("# Later\n\n", "# Later\n\n- [ ] Ours\n")
    theirs = BASE.replace("# Later\n\n", "# Later\n\n- [ ] Theirs\n")

    assert merged(ours, theirs) == BASE.replace("# Later\n\n", "# Later\n\n- [ ] Theirs\n- [ ] Ours\n")


def test_an_item_added_by_both_is_there_once() -> None:
    ours, theirs = BASE + "- [ ] New\n- [ ] Ours\n", BASE + "- [ ] New\n"

    assert merged(ours, theirs) == ours


def test_an_item_removed_by_one_side_goes_unless_the_other_edited_it() -> None:
    without = BASE.replace("- [ ] Fix login\n  - with care\n", "")
    ticked = BASE.replace("[ ] Fix", "[x] Fix")
    edited = BASE.replace("with care", "with great care")

    assert merged(without, BASE + "- [ ] New\n") == without + "- [ ] New\n"
    assert merged(ticked, without) == without
    assert merged(edited, without) == edited
    assert merged(without, edited) == edited


def test_of_two_edits_the_incoming_counts_and_it_is_said() -> None:
    ours, theirs = BASE.replace("with care", "quickly"), BASE.replace("with care", "slowly")

    found = merge_lists(BASE.encode(), ours.encode(), theirs.encode(), checked=lambda _: None, name="TASK_LIST.md")

    assert found.data.decode() == theirs
    assert " ".join(map(str, found.problems)) == (
        "TASK_LIST.md: «Fix login» was edited on both sides, and the incoming text was taken. "
        "Look whether something of the other edit is missing."
    )


def test_an_item_keeps_its_edit_when_the_other_side_moves_it() -> None:
    moved = "# Now\n\n- [ ] Fix login\n  - with care\n\n# Later\n\n- [ ] Tidy up\n- [ ] Write docs {#docs}\n"
    edited = BASE.replace("Write docs", "Write the docs")

    assert merged(moved, edited) == merged(edited, moved) == moved.replace("Write docs", "Write the docs")


def test_boxes_come_from_the_store_where_it_knows_them() -> None:
    ours, theirs = BASE.replace("[ ] Tidy", "[x] Tidy"), BASE.replace("[ ] Write", "[x] Write") + "- [x] New\n"

    found = merged(ours, theirs, checked=lambda item: {"Tidy up": True, "Write docs": False}.get(item.text))

    assert found == BASE.replace("[ ] Tidy", "[x] Tidy") + "- [x] New\n"


def test_prose_of_ours_stays_where_theirs_has_not_touched_it() -> None:
    ours = BASE.replace("# Later", "# Some day")
    theirs = BASE.replace("# Now", "# Today")

    assert merged(ours, theirs) == BASE.replace("# Later", "# Some day").replace("# Now", "# Today")
    assert "# Never" in merged(ours, BASE.replace("# Later", "# Never"))


def test_prose_does_not_run_into_the_item_before_it() -> None:
    base = "- [ ] One\n- [ ] Two\n\nSome words.\n"
    ours = "- [ ] One\n\nSome words.\n"
    theirs = base.replace("One\n", "One\n  more\n")

    assert merged(ours, theirs, base) == "- [ ] One\n  more\n- [ ] Two\n\nSome words.\n".replace("- [ ] Two\n", "")


def test_an_item_is_not_lost_in_a_fence_that_the_other_side_left_open() -> None:
    ours, theirs = BASE + "- [ ] New\n", BASE + "\n```\nopen\n"

    found = parse_list(merged(ours, theirs)).items

    assert Counter(item.text for item in found)["New"] == 1


def test_an_item_is_not_lost_under_the_indent_of_another() -> None:
    base = "- [ ] One\n- [ ] Two\n"
    ours, theirs = " - [ ] One\n   - [ ] Two\n  - [ ] Mine\n", "- [ ] One\n- [ ] Two\n- [ ] Theirs\n"

    found = [item.text for item in parse_list(merged(ours, theirs, base)).items]

    assert sorted(found) == ["Mine", "One", "Theirs"]


def test_line_ends_and_a_byte_order_mark_are_kept() -> None:
    base = ("\ufeff" + BASE).replace("\n", "\r\n")
    ours, theirs = base.replace("[ ] Fix", "[x] Fix"), base + "- [ ] New"

    assert merged(ours, theirs, base) == base.replace("[ ] Fix", "[x] Fix") + "- [ ] New"


@st.composite
def versions(draw: st.DrawFn) -> tuple[str, str, str]:
    """A list and what two sides made of it: items and prose moved, removed, added, ticked, edited."""
    base, _ = draw(documents())
    return base, draw(_changed(base)), draw(_changed(base))


@st.composite
def _changed(draw: st.DrawFn, text: str) -> str:
    blocks = text.split("\n")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(blocks)))
        match draw(st.sampled_from(["add", "drop", "move", "tick", "edit", "prose"])):
            case "add":
                title = draw(st.sampled_from(["new one", "new two", "fix"]))
                blocks.insert(at, draw(st.sampled_from(["- [ ] ", "  - [x] ", "3. [ ] ", "\n* [ ] "])) + title)
            case "drop":
                del blocks[at : at + draw(st.integers(1, 3))]
            case "move" if at < len(blocks):
                blocks.insert(draw(st.integers(0, len(blocks) - 1)), blocks.pop(at))
            case "tick" if at < len(blocks):
                blocks[at] = blocks[at].replace("[ ]", "[x]")
            case "edit" if at < len(blocks):
                blocks[at] += " edited"
            case _:
                blocks.insert(at, draw(st.sampled_from(["# New", "words", "```", "    code", "", "<!--"])))
    return "\n".join(blocks)


def merged_bytes(base: str, ours: str, theirs: str) -> bytes:
    return merge_lists(base.encode(), ours.encode(), theirs.encode(), checked=lambda _: None).data


def texts(data: str | bytes) -> Counter[str]:
    return Counter(item.text for item in parse_list(data).items)


@given(versions())
def test_a_side_that_did_not_change_leaves_the_other_byte_for_byte(lists: tuple[str, str, str]) -> None:
    base, ours, theirs = lists

    assert merged_bytes(base, base, theirs) == theirs.encode()
    assert merged_bytes(base, ours, base) == ours.encode()
    assert merged_bytes(base, ours, ours) == ours.encode()


@given(versions())
def test_no_added_item_is_lost_and_none_is_doubled(lists: tuple[str, str, str]) -> None:
    base, ours, theirs = (texts(text) for text in lists)
    old_ids = {item.id for text in lists for item in parse_list(text).items if item.id}

    found = texts(merged_bytes(*lists))

    for text in ours | theirs:
        assert found[text] >= 1 or base[text], f"{text} was added and is lost"
    if not old_ids:  # with an id, a new title is an edit and not another item
        for text in ours | theirs:
            assert found[text] >= max(ours[text] - base[text], theirs[text] - base[text], 0)
    for text in base:
        # Of two equal ones a side may drop the first and edit the second, the other the other way round: then both stay.
        if ours[text] and theirs[text] and (base[text] == 1 or ours[text] == base[text] == theirs[text]):
            assert found[text] <= max(ours[text], 0) + max(theirs[text], 0) - min(base[text], ours[text], theirs[text])


@given(documents(), st.data())
def test_ticks_and_additions_of_both_sides_make_one_list(document: tuple[str, list[Drawn]], data: st.DataObject) -> None:
    base, drawn = document
    ours = base + "\n\n# Ours\n\n- [ ] ours\n"
    theirs = base.replace("[ ]", "[x]", data.draw(st.integers(0, 2)))

    found = texts(merged_bytes(base, ours, theirs))

    assert found == Counter([item.text for item in drawn] + ["ours"])
