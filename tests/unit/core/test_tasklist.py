"""Markdown → items, problems in sentences, and a tick of one byte."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrad.core.tasklist import is_list_name, list_name, parse_list, tick, worker_of
from tests.support.lists import Drawn, documents


def titles(text: str | bytes) -> list[str]:
    return [item.text for item in parse_list(text).items]


def told(text: str) -> list[str]:
    return [str(problem) for problem in parse_list(text, "WORKER_1_TASK_LIST.md").problems]


@pytest.mark.parametrize("marker", ["-", "*", "+", "1.", "12)"])
def test_any_list_marker_makes_an_item(marker: str) -> None:
    text = f"# Tasks\n\n{marker} [ ] Fix the login\n{marker} [X] Write docs\n"

    items = parse_list(text).items

    assert [(item.text, item.checked, item.line) for item in items] == [
        ("Fix the login", False, 3),
        ("Write docs", True, 4),
    ]


def test_what_is_nested_is_the_body_and_no_item() -> None:
    text = "- [ ] Fix it\n\n  A paragraph.\n\n  - [ ] a step\n  ```make\n  all:\n  \tcc\n  ```\n- [ ] Next\n"

    first, second = parse_list(text).items

    assert first.body == "A paragraph.\n\n- [ ] a step\n```make\nall:\n\tcc\n```"
    assert (second.text, second.body) == ("Next", "")


@pytest.mark.parametrize(
    "text",
    [
        "```\n- [ ] a\n```\n",
        "    - [ ] a\n",
        "> - [ ] a\n",
        "- > [ ] a\n",
        "- - [ ] a\n",
        "- plain\n  - [ ] a\n",
        "<!--\n- [ ] a\n-->\n",
        "- # [ ] a\n",
        "- [x](https://example.invalid) a link\n",
        "[ ] no list\n",
        "",
        "\ufeff",
    ],
)
def test_what_only_looks_like_an_item_is_none(text: str) -> None:
    assert titles(text) == []


def test_a_wrapped_title_is_one_line_and_attributes_end_it() -> None:
    wrapped, ended = parse_list("- [ ] Fix the\n  login {#a}\n- [ ] Do it {#b}\n  with care\n").items

    assert (wrapped.text, wrapped.body) == ("Fix the login", "")
    assert (ended.text, ended.body) == ("Do it", "with care")


def test_a_line_of_dashes_below_a_title_does_not_hide_the_task() -> None:
    assert titles("- [ ] Fix\n  ---\n- [ ] Next\n") == ["Fix", "Next"]


def test_attributes_are_read_and_taken_out_of_the_title() -> None:
    (item,) = parse_list("- [ ] Ship it {#ship after=login, #schema priority=-2 role='tester'}\n").items

    assert item.text == "Ship it"
    assert (item.id, item.after, item.priority, item.role) == ("ship", ("login", "schema"), -2, "tester")


@pytest.mark.parametrize("title", ["Use {name}", "Call f{a=b}", "Quote `{#x}`", "Render {{#if}}", "{} and {a}"])
def test_braces_that_are_text_stay_text(title: str) -> None:
    (item,) = parse_list(f"- [ ] {title}\n").items

    assert (item.text, item.id, told(f"- [ ] {title}\n")) == (title, None, [])


@pytest.mark.parametrize(
    ("braces", "word", "advice"),
    [
        ("{#a prio=2}", "unknown attribute `prio=2`", "backticks"),
        ("{#a important}", "unknown attribute `important`", "backticks"),
        ("{#a priority=high}", "`priority=high` is not a whole number", "Write for example `priority=2`."),
        ("{#a after=}", "`after=` names no id", "Write for example `after=login,schema`."),
        ("{#a role=../../etc}", "`role=../../etc` is no role", "Use up to 64 letters"),
        ("{#a #b}", "`id` is given twice", "Keep one."),
        ("{#a priority=2", "no closing brace", "End them with `}`."),
    ],
)
def test_a_wrong_attribute_is_told_and_the_item_works_on(braces: str, word: str, advice: str) -> None:
    text = f"- [ ] First\n- [ ] Fix it {braces}\n"

    (problem,) = told(text)

    assert problem.startswith("WORKER_1_TASK_LIST.md line 2: «Fix it")
    assert word in problem
    assert advice in problem
    assert len(titles(text)) == 2


def test_a_box_without_text_is_told_and_nobody_gets_it() -> None:
    text = "- [ ] \n- [ ] {#a}\n- [ ] Real\n"

    assert titles(text) == ["Real"]
    assert [problem.line for problem in parse_list(text).problems] == [1, 2]
    assert told(text)[0].endswith("Write behind it what is to be done.")


@pytest.mark.parametrize("line", ["- [] Fix", "- [ ]Fix", "- [x ] Fix", "- [  ] Fix"])
def test_a_box_that_is_almost_right_is_told(line: str) -> None:
    assert told(line) == [
        "WORKER_1_TASK_LIST.md line 1: looks like a task, but its box is not `[ ]` and a space. Write `- [ ] what to do`."
    ]


def test_equal_titles_are_counted() -> None:
    text = "- [ ] Test\n- [ ] Other\n- [x] Test {#b}\n\n# More\n\n* [ ]  Test\n"

    assert [(item.text, item.occurrence) for item in parse_list(text).items] == [
        ("Test", 1),
        ("Other", 1),
        ("Test", 2),
        ("Test", 3),
    ]


def test_a_list_cannot_steer_the_terminal_that_shows_it() -> None:
    (item,) = parse_list("- [ ] a\x1b]0;owned\x07b\u202ec\x9b2J\n\n  body\x1b[2J\ttab\n").items

    assert (item.text, item.body) == ("a]0;ownedbc2J", "body[2J\ttab")


def test_bytes_that_are_not_utf8_break_nothing() -> None:
    data = b"\xef\xbb\xbf- [ ] caf\xe9 {#a}\r\n  \xff body\r\n-\t[ ] next\r\n"

    first, second = parse_list(data).items

    assert (first.text, first.body, first.id, second.text) == ("caf\ufffd", "\ufffd body", "a", "next")
    assert first.text.encode()
    assert tick(tick(data, first), second) == data.replace(b"[ ]", b"[x]")


def test_a_tick_with_an_item_of_another_text_is_refused() -> None:
    (item,) = parse_list("- [ ] Fix it\n").items

    with pytest.raises(ValueError, match="no box at byte 3"):
        tick(b"# Tasks\n\n- [ ] Fix it\n", item)


def test_list_names_and_workers_belong_together() -> None:
    assert list_name(12) == "WORKER_12_TASK_LIST.md"
    assert worker_of("WORKER_12_TASK_LIST.md") == 12
    assert worker_of("TASK_LIST.md") is None
    assert is_list_name("TASK_LIST.md")
    assert not any(map(is_list_name, ["WORKER_0_TASK_LIST.md", "WORKER_01_TASK_LIST.md", "TODO.md", "x/TASK_LIST.md"]))


@given(documents())
def test_every_item_of_a_document_is_found(document: tuple[str, list[Drawn]]) -> None:
    text, drawn = document

    items = parse_list(text).items

    assert [(item.text, item.checked, item.id) for item in items] == [(d.text, d.checked, d.id) for d in drawn]
    assert [bool(item.body) for item in items] == [bool(d.body) and d.text == d.title for d in drawn]


@given(documents(), st.data())
def test_a_tick_changes_one_byte_and_one_box(document: tuple[str, list[Drawn]], data: Any) -> None:
    raw = document[0].encode()
    before = parse_list(raw).items
    if not before:
        return
    n = data.draw(st.integers(0, len(before) - 1))

    ticked = tick(raw, before[n], not before[n].checked)

    assert [i for i in range(len(raw)) if raw[i] != ticked[i]] == [before[n].box_offset]
    assert len(ticked) == len(raw)
    after = parse_list(ticked).items
    assert [item.checked for item in after] == [item.checked != (i == n) for i, item in enumerate(before)]
    assert [(item.text, item.body) for item in after] == [(item.text, item.body) for item in before]


MARKUP = st.sampled_from(["- [ ] ", "- ", "1. ", "[x]", "> ", "\n", "\r", "\t", "    ", "```", "{#a ", "after=", "}", "\ufeff"])


@given(st.lists(MARKUP | st.text(max_size=3)).map("".join) | st.binary())
def test_no_text_breaks_the_parser(text: str | bytes) -> None:
    for item in parse_list(text).items:
        (item.text + item.body).encode()  # nothing that a store or a terminal would choke on
        assert item.text == " ".join(item.text.split()) != ""
        if isinstance(text, bytes):
            assert item.checked == (text[item.box_offset : item.box_offset + 1] in b"xX")
            assert len(tick(text, item, not item.checked)) == len(text)


def test_a_very_long_list_is_read() -> None:
    text = "".join(f"- [ ] Task {n} {{#t{n}}}\n  - [ ] step\n" for n in range(5_000)) + "- [ ] " + "x" * 1_000_000

    items = parse_list(text).items

    assert (len(items), items[4_999].id, len(items[-1].text)) == (5_001, "t4999", 1_000_000)
