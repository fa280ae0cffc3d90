"""Markdown → the items of a task list, and a tick that changes one byte of it.

A top-level list item with a checkbox is an item; what is nested under it is its body. Everything is read from bytes and
every place is a byte offset, so that a list keeps its line ends, its BOM and whatever isn't UTF-8. What a person got
wrong becomes a `ListProblem`, never an error: the rest of the list works on.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

SHARED_LIST = "TASK_LIST.md"

# Block structure is all we ask for; parsing the inline text would be most of the time.
_MARKDOWN = MarkdownIt("commonmark").disable(["inline", "text_join"])
_WORKER_LIST = re.compile(r"WORKER_([1-9][0-9]{0,5})_TASK_LIST\.md")
_BOX = re.compile(r"\[([ xX])\](?=\s|$)")
_ALMOST_BOX = re.compile(r"\[[ \t]*\](?![(\[:])|\[[xX]\](?=\w)|\[[ \t]+[xX][ \t]*\]|\[[xX][ \t]+\]")
_MARKER = re.compile(r"( *)([-*+]|[0-9]{1,9}[.)])( *)")
# `{#id …}`, or braces after a space that hold a `name=`: `{name}` and `f{a=b}` are a title's own text.
_ATTRIBUTES = re.compile(r"(?:\{(?=\s*#)|(?:^|(?<=\s))\{(?=[^{}]*=))([^{}]*)\}\s*$")
_UNCLOSED = re.compile(r"\{\s*#[^{}]*$")
# An id or role may become part of a file's name or a ref: no slash, no leading dot or dash.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
# Control characters and those that turn the direction of text: a list must not be able to steer a terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_A_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


@dataclass(frozen=True, slots=True)
class ListItem:
    """One item as it stands in its list. `occurrence` counts items of equal `text` from 1, those with an id too."""

    text: str  # the title in one line, without attributes and control characters
    body: str  # Markdown, dedented, "\n" between lines
    checked: bool
    id: str | None
    after: tuple[str, ...]
    priority: int
    role: str | None
    line: int  # of the list marker, from 1
    next_line: int  # the line behind the item and the blank lines that follow it, from 1
    box_offset: int  # in bytes, of the character between the brackets
    occurrence: int


@dataclass(frozen=True, slots=True)
class ListProblem:
    """What is wrong with a list, in a sentence that ends with what to do. `line` counts from 1; 0 is the whole list."""

    list_name: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.list_name}{f' line {self.line}' if self.line else ''}: {self.text}"


@dataclass(frozen=True, slots=True)
class TaskList:
    items: tuple[ListItem, ...]
    problems: tuple[ListProblem, ...]


def list_name(worker: int) -> str:
    """The file with the tasks of this worker; workers count from 1."""
    return f"WORKER_{worker}_TASK_LIST.md"


def worker_of(name: str) -> int | None:
    """Whose list this is; None for the shared one and for what is no list."""
    found = _WORKER_LIST.fullmatch(name)
    return int(found[1]) if found else None


def is_list_name(name: str) -> bool:
    return name == SHARED_LIST or worker_of(name) is not None


def clean(text: str) -> str:
    """`text` without what could steer a terminal; tabs and line ends stay, bytes that aren't UTF-8 become U+FFFD."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def quoted(text: str) -> str:
    """A title, short enough to stand inside a sentence."""
    return f"«{text if len(text) <= 60 else text[:59] + '…'}»"


@lru_cache(maxsize=64)  # a branch that has moved has mostly the lists that it had; a long one takes 5 ms to read
def parse_list(data: str | bytes, name: str = SHARED_LIST) -> TaskList:
    """The items of a list and what is wrong with it; never raises. `name` only labels the problems."""
    # A str decoded with surrogateescape gives its bytes back; other lone surrogates have none.
    raw = data if isinstance(data, bytes) else _NOT_A_BYTE.sub("\ufffd", data).encode("utf-8", "surrogateescape")
    lines = raw.splitlines(keepends=True)  # of bytes: \n, \r and \r\n only, which is what CommonMark takes for one
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    items: list[ListItem] = []
    problems: list[ListProblem] = []
    seen: Counter[str] = Counter()
    text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    for opening, first, content in _top_level_items(_MARKDOWN.parse(text)):
        at, end = opening
        box = _BOX.match(content)
        if box is None:
            if _ALMOST_BOX.match(content):
                advice = "looks like a task, but its box is not `[ ]` and a space. Write `- [ ] what to do`."
                problems.append(ListProblem(name, at + 1, advice))
            continue
        title, title_lines, braces = _split_title(content[box.end() :])
        attributes = _Attributes()
        complaints = attributes.read(braces) if braces is not None else []
        if braces is None and _UNCLOSED.search(title):
            complaints.append("its attributes have no closing brace. End them with `}`.")
        if not title:
            complaints.append("the box has no text, so nobody gets it. Write behind it what is to be done.")
        problems += [ListProblem(name, at + 1, f"{quoted(title)}: {said}" if title else said) for said in complaints]
        if not title:
            continue
        seen[title] += 1
        body_at = first[0] + title_lines if title_lines else first[1]
        items.append(
            ListItem(
                text=title,
                body=_body(lines[at], lines[body_at:end]),
                checked=box[1] != " ",
                id=attributes.id,
                after=attributes.after,
                priority=attributes.priority,
                role=attributes.role,
                line=at + 1,
                next_line=end + 1,
                # Before the box stand the marker and blanks only, so the line's first bracket is the box's.
                box_offset=starts[first[0]] + lines[first[0]].index(b"[") + 1,
                occurrence=seen[title],
            )
        )
    return TaskList(tuple(items), tuple(problems))


def tick(data: bytes, item: ListItem, checked: bool = True) -> bytes:
    """`data` with the box of `item` set; one byte differs, or none when it was so already.

    `item` must have been parsed from this very `data`; ValueError if there is no box at its offset.
    """
    at = item.box_offset
    if data[at - 1 : at] != b"[" or data[at + 1 : at + 2] != b"]" or data[at : at + 1] not in (b" ", b"x", b"X"):
        raise ValueError(f"no box at byte {at}: {quoted(item.text)} was parsed from another text; parse this one first")
    if (data[at : at + 1] != b" ") == checked:
        return data
    return data[:at] + (b"x" if checked else b" ") + data[at + 1 :]


def _top_level_items(tokens: list[Token]) -> Iterator[tuple[list[int], list[int], str]]:
    """Of each item of a top-level list that begins with text: its lines, that text's lines, the text."""
    for (opening, block), (_, inline) in pairwise(pairwise(tokens)):
        if opening.type != "list_item_open" or opening.level != 1 or opening.map is None or block.map is None:
            continue
        # An underlined title is one too: a line of dashes below it must not hide a task.
        if block.type == "paragraph_open" or (block.type == "heading_open" and block.markup in "=-"):
            yield opening.map, block.map, inline.content


def _split_title(content: str) -> tuple[str, int, str | None]:
    """The title, in how many lines, and what stands in its braces.

    A title is the whole first paragraph (people wrap lines), but attributes end it: what follows them is body. No
    attributes: 0 lines, which means all.
    """
    lines = content.split("\n")
    for n, line in enumerate(lines):
        if found := _ATTRIBUTES.search(line):
            return _one_line([*lines[:n], line[: found.start()]]), n + 1, clean(found[1])
    return _one_line(lines), 0, None


def _one_line(lines: list[str]) -> str:
    return " ".join(clean(" ".join(lines)).split())


class _Attributes:
    def __init__(self) -> None:
        self.id: str | None = None
        self.after: tuple[str, ...] = ()
        self.priority = 0
        self.role: str | None = None

    def read(self, braces: str) -> list[str]:
        """Takes what is right, and tells of the rest."""
        wrong: list[str] = []
        seen: set[str] = set()
        for word in re.sub(r"\s*([,=])\s*", r"\1", braces).split():
            name, _, value = ("id", "", word[1:]) if word.startswith("#") else word.partition("=")
            if name in seen:
                wrong.append(f"`{name}` is given twice, the first counts. Keep one.")
            elif problem := self._set(name, value.strip("\"'"), word):
                wrong.append(problem)
            seen.add(name)
        return wrong

    def _set(self, name: str, value: str, word: str) -> str | None:
        match name:
            case "id" if _NAME.fullmatch(value):
                self.id = value
            case "role" if _NAME.fullmatch(value):
                self.role = value
            case "id" | "role":
                return f"`{word}` is no {name}. Use up to 64 letters, digits, `.`, `_` and `-`, a letter or digit first."
            case "priority" if _NUMBER.fullmatch(value):
                self.priority = int(value)
            case "priority":
                return f"`{word}` is not a whole number, so 0 counts. Write for example `priority=2`."
            case "after":
                ids = [part.removeprefix("#") for part in value.split(",") if part]
                self.after = tuple(dict.fromkeys(part for part in ids if _NAME.fullmatch(part)))
                if not ids or not all(_NAME.fullmatch(part) for part in ids):
                    return f"`{word}` names no id or a wrong one. Write for example `after=login,schema`."
            case _:
                known = "`#id`, `after`, `priority` and `role`"
                return f"unknown attribute `{word}`. There are {known}; text that ends in braces goes in backticks."
        return None


def _body(marker_line: bytes, lines: list[bytes]) -> str:
    head = marker_line.decode("utf-8", "surrogateescape").removeprefix("\ufeff").rstrip("\r\n").expandtabs(4)
    marker = _MARKER.match(head)
    if marker is None:  # CommonMark saw a marker here
        raise AssertionError(f"no list marker in {head!r}: this is a bug in parse_list")
    # CommonMark's own rule: five spaces or nothing behind the marker count as one.
    gap = len(marker[3]) if len(marker[3]) <= 4 and head[marker.end() :].strip() else 1
    indent = len(marker[1]) + len(marker[2]) + gap
    text = "\n".join(_dedented(line.decode("utf-8", "surrogateescape").rstrip("\r\n"), indent) for line in lines)
    return clean(text).strip("\n")


def _dedented(line: str, columns: int) -> str:
    """Without `columns` of leading blanks; a tab behind them stays one, since a recipe in a code block needs it."""
    column = n = 0
    while column < columns and line[n : n + 1] in (" ", "\t"):
        column += 1 if line[n] == " " else 4 - column % 4
        n += 1
    rest = line[n:]
    return " " * max(0, column - columns) + rest if rest.strip(" \t") else ""
