"""What commands print: coloured where a terminal looks on and `NO_COLOR` is not set, on lines that fit, never steering it."""

import json
import os
import shutil
import sys
import textwrap
from typing import Final

import click

NARROWEST: Final = 40
COLOURS: Final = {
    "working": "green",
    "ready": None,
    "waiting": "green",
    "starting": "cyan",
    "attended": "magenta",
    "limited": "yellow",
    "backing_off": "yellow",
    "stopping": "cyan",
    "stopped": "bright_black",
    "failed": "red",
    "paused": "red",
}


def is_colourful() -> bool:
    """Whether colours are wanted and can be shown. `NO_COLOR` counts as soon as it is not empty (no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and sys.stdout.isatty()


def say(text: str = "") -> None:
    """Prints a line (or several)."""
    click.echo(text, color=is_colourful())


def say_json(value: object) -> None:
    """Prints what scripts read."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def dim(text: str) -> str:
    return click.style(text, dim=True)


def bold(text: str) -> str:
    return click.style(text, bold=True)


def state(word: str, width: int = 0) -> str:
    """An agent's state in its colour."""
    return click.style(word.replace("_", " ").ljust(width), fg=COLOURS.get(word))


def clean(text: object) -> str:
    """Text from elsewhere on one line, without characters that would steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))


def cut(text: str, width: int) -> str:
    """The text in at most so many columns."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def width() -> int | None:
    """The terminal's; None where nobody looks on, and lines are best left whole."""
    if not sys.stdout.isatty():
        return None
    return max(NARROWEST, shutil.get_terminal_size().columns)


def wrapped(text: str, indent: str) -> str:
    """The text broken into lines that fit, each with this indent."""
    columns = width()
    if columns is None:
        return indent + text
    return textwrap.fill(
        text, columns - 1, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def length(seconds: float) -> str:
    """A length in its largest unit: "12 s", "3 min", "2 h 5 min"."""
    from orchestrad.core.moments import length as in_words  # noqa: PLC0415  (most commands print none)

    return in_words(int(seconds * 1_000_000))
