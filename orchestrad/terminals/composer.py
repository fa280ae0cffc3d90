"""What stands in Claude Code's composer, read from the screen: whether a line may be pasted now, and if not, what is in the way.

Pure. Whether the CLI is busy the screen doesn't say reliably; its session file does.
Source: Claude Code 2.1.329; samples of its screens in tests/unit/terminals/screens/.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final, NamedTuple

from orchestrad.terminals.port import Screen
from orchestrad.terminals.text import ESCAPES, single_line

PROMPT: Final = "\u276f\u00a0"  # options of a dialog have an ordinary space
SHELL_PROMPT: Final = "!\u00a0"
OPTION: Final = re.compile("\\s*\u276f \\S")
RULE: Final = re.compile(r"─{20,}")  # full width; 20 columns are too few to work in
DIALOG_RULE: Final = re.compile(r"[▔─]{20,}")
LONGEST_TEXT: Final = 4000
DIALOG_ROWS, DIALOG_COLUMNS = 24, 160  # of a dialog that people are shown


class ComposerState(Enum):
    """What a pasted line would meet. Only EMPTY takes it as a prompt."""

    EMPTY = "empty"
    TYPED = "typed"  # somebody's text stands there; paste and Enter would send both
    SHELL = "shell"  # what is typed runs as a command of the shell
    DIALOG = "dialog"  # Enter would choose an option
    UNKNOWN = "unknown"  # no composer to be seen: starting, ended, too small, or a screen that we don't know


@dataclass(frozen=True, slots=True)
class Composer:
    """The state, and the text that stands there or that the dialog shows (made safe and short, for people)."""

    state: ComposerState
    text: str = ""


class Cell(NamedTuple):
    """One character as it is drawn."""

    character: str
    dim: bool
    inverse: bool


Row = tuple[Cell, ...]


def read_composer(screen: Screen) -> Composer:
    """What the last composer on the screen holds, or the dialog below it or in its place. A placeholder counts as empty."""
    rows = cells(screen.styled)
    texts = ["".join(cell.character for cell in row).rstrip(" ") for row in rows]
    rules = [number for number, text in enumerate(texts) if RULE.fullmatch(text)]
    boxes = [(top, end) for top, end in pairwise(rules) if texts[top + 1].startswith((PROMPT, SHELL_PROMPT))]
    rest = boxes[-1][1] + 1 if boxes else 0
    dialog = dialog_in(texts[rest:])
    if dialog or not boxes:
        return Composer(ComposerState.DIALOG, dialog) if dialog else Composer(ComposerState.UNKNOWN)
    top, end = boxes[-1]
    text = typed(rows[top + 1 : end])
    if texts[top + 1].startswith(SHELL_PROMPT):
        return Composer(ComposerState.SHELL, text)
    return Composer(ComposerState.TYPED, text) if text else Composer(ComposerState.EMPTY)


def dialog_in(texts: Sequence[str]) -> str:
    """The text of a dialog: from the last rule down, when an option is chosen below it; else nothing."""
    top = max((number for number, text in enumerate(texts) if DIALOG_RULE.fullmatch(text)), default=None)
    if top is None or not any(OPTION.match(text) for text in texts[top:]):
        return ""
    shown = [single_line(text, DIALOG_COLUMNS) for text in texts[top + 1 :]]
    return "\n".join([line for line in shown if line][:DIALOG_ROWS])


def typed(rows: Sequence[Row]) -> str:
    """What was typed into these rows: their first two columns are the prompt or an indent, dim text is a placeholder."""
    inside = [row[2:] for row in rows]
    drawn = [cell for row in inside for cell in row if not cell.character.isspace()]
    # The cursor stands on a placeholder's first character and draws it inverse instead of dim.
    if any(cell.dim for cell in drawn) and all(cell.dim or cell.inverse for cell in drawn):
        return ""
    lines = ("".join(cell.character for cell in row).rstrip() for row in inside)
    return "\n".join(single_line(line, LONGEST_TEXT) for line in lines).strip()[:LONGEST_TEXT]


def cells(styled: Sequence[str]) -> tuple[Row, ...]:
    """The characters of all rows with the styles that matter; a style lasts until it is taken back, also over rows' ends."""
    dim = inverse = False
    rows = []
    for styled_row in styled:
        row: list[Cell] = []
        for text, escape in pieces(styled_row):
            row += (Cell(character, dim, inverse) for character in text)
            dim, inverse = after(escape, dim=dim, inverse=inverse)
        rows.append(tuple(row))
    return tuple(rows)


def pieces(styled_row: str) -> Iterator[tuple[str, str]]:
    """Each stretch of text with the escape sequence that follows it."""
    begin = 0
    for escape in ESCAPES.finditer(styled_row):
        yield styled_row[begin : escape.start()], escape[0]
        begin = escape.end()
    yield styled_row[begin:], ""


def after(escape: str, *, dim: bool, inverse: bool) -> tuple[bool, bool]:
    """Whether text is dim, and inverse, after this sequence."""
    if not (escape.startswith("\x1b[") and escape.endswith("m")):
        return dim, inverse
    codes = iter(escape[2:-1].split(";"))
    for code in codes:
        match code.lstrip("0"):
            case "":
                dim = inverse = False
            case "2":
                dim = True
            case "22":
                dim = False
            case "7":
                inverse = True
            case "27":
                inverse = False
            case "38" | "48" | "58":  # a colour: its parameters are not codes
                for _ in range(1 if next(codes, "") == "5" else 3):
                    next(codes, "")
    return dim, inverse
