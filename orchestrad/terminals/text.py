"""Text that goes into a terminal or comes out of one: what may be a name, a line or a key, and what a screen says in plain."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
KEY: Final = re.compile(r"(C-|M-)?[a-z]|Enter|Escape|Tab|BTab|BSpace|Space|DC|Up|Down|Left|Right|Home|End|PPage|NPage")
# What `capture-pane -e` adds to the text: SGR, hyperlinks (OSC 8), and shifts to the line-drawing set and back.
ESCAPES: Final = re.compile(r"\x1b\[[0-9;:]*m|\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)|[\x0e\x0f]")

LINE_BREAKERS: Final = {"Cc", "Cs", "Zl", "Zp"}  # control characters (C0, DEL, C1), halves of pairs, line separators
UNSEEN: Final = LINE_BREAKERS | {"Cf"}  # and what turns the direction of text or hides in it


def check_name(name: str) -> str:
    """The session name, when it is one: tmux takes `:`, `.`, `=`, `$`, `*` and others in a target for itself. Raises ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't name a terminal: only a-z, 0-9 and - may be in it")
    return name


def check_line(line: str) -> None:
    """Raises ValueError for what is not one line of printable text."""
    if not line:
        raise ValueError("an empty line can't be pasted")
    if bad := next((c for c in line if unicodedata.category(c) in LINE_BREAKERS), None):
        raise ValueError(f"a line to paste holds the control character {bad!r}")


def check_keys(keys: Sequence[str]) -> None:
    """Raises ValueError for a word that tmux would not take for a key: it would type its letters."""
    for key in keys:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not the name of a key")


def single_line(text: str, longest: int) -> str:
    """The text as one line for people: nothing unseen in it, spaces joined, cut with an ellipsis."""
    shown = "".join(" " if c in "\n\t" else c for c in text if c in "\n\t" or unicodedata.category(c) not in UNSEEN)
    joined = " ".join(shown.split())
    return joined if len(joined) <= longest else joined[: longest - 1] + "…"


def plain(styled: str) -> str:
    """A row of the screen without its styles."""
    return ESCAPES.sub("", styled)
