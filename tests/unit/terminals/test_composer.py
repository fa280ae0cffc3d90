"""The composer, on screens of Claude Code 2.1.329 as tmux gave them, and on made ones for what was hard to provoke."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrad.terminals.composer import Composer, ComposerState, read_composer
from orchestrad.terminals.port import Screen

SCREENS = Path(__file__).parent / "screens"
RULE = "─" * 80
EMPTY = Composer(ComposerState.EMPTY)


def screen(*styled: str) -> Screen:
    return Screen(rows=(), styled=styled)


def sample(name: str) -> Screen:
    return screen(*(SCREENS / f"{name}.txt").read_text().split("\n"))


@pytest.mark.parametrize("name", ["empty", "cleared", "busy", "after-turn"])
def test_composer_without_text_is_empty(name: str) -> None:
    assert read_composer(sample(name)) == EMPTY


def test_dim_placeholder_counts_as_empty() -> None:
    assert read_composer(sample("busy-queued")) == EMPTY


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("typed", "half typed"),
        ("busy-typed", "and more"),
        ("slash", "/"),
        ("long-paste", "[Pasted text #1 +29 lines]"),
    ],
)
def test_typed_text_is_told(name: str, text: str) -> None:
    assert read_composer(sample(name)) == Composer(ComposerState.TYPED, text)


def test_wrapped_text_is_told_whole() -> None:
    composer = read_composer(sample("typed-wrapped"))
    assert composer.state is ComposerState.TYPED
    assert composer.text.split() == ["word"] * 60 + ["end"]


def test_shell_mode_is_not_a_composer_for_prompts() -> None:
    assert read_composer(sample("shell-empty")) == Composer(ComposerState.SHELL)
    assert read_composer(sample("shell-typed")) == Composer(ComposerState.SHELL, "ls -l")


@pytest.mark.parametrize(
    ("name", "first", "choice"),
    [
        ("dialog-trust", "Accessing workspace:", "\u276f No, exit"),
        ("dialog-model", "Select model", "\u276f 1. Default (recommended)"),
        ("dialog-rewind", "Rewind", "\u276f (current)"),
    ],
)
def test_dialog_is_told_with_its_text(name: str, first: str, choice: str) -> None:
    composer = read_composer(sample(name))
    lines = composer.text.split("\n")
    assert composer.state is ComposerState.DIALOG
    assert lines[0] == first
    assert any(line.startswith(choice) for line in lines)


def test_dialog_below_a_composer_hides_it() -> None:
    shown = screen(RULE, "\u276f\u00a0", RULE, "▔" * 80, "  Which one?", "  \u276f 1. This", "    2. That")
    assert read_composer(shown) == Composer(ComposerState.DIALOG, "Which one?\n\u276f 1. This\n2. That")


def test_dialog_text_is_made_safe_and_short() -> None:
    shown = screen("▔" * 80, "  a\u202eb\x07c" + "x" * 500, "  \u276f 1. Yes", *["  more"] * 100)
    text = read_composer(shown).text
    assert text.startswith("abcx")
    assert max(map(len, text.split("\n"))) <= 160
    assert len(text.split("\n")) <= 24


def test_last_composer_counts_when_the_conversation_shows_another() -> None:
    shown = screen(RULE, "\u276f\u00a0", RULE, "what the agent printed", RULE, "\u276f\u00a0mine", RULE)
    assert read_composer(shown) == Composer(ComposerState.TYPED, "mine")


def test_one_letter_under_the_cursor_is_typed_text() -> None:
    assert read_composer(screen(RULE, "\u276f\u00a0\x1b[7mx\x1b[0m", RULE)) == Composer(ComposerState.TYPED, "x")


def test_colours_are_not_read_as_dim() -> None:
    for colour in ("38;5;2", "38;2;2;2;2", "48;5;2"):
        assert read_composer(screen(RULE, f"\u276f\u00a0\x1b[{colour}mtext\x1b[0m", RULE)).state is ComposerState.TYPED


@pytest.mark.parametrize(
    "rows",
    [
        (),
        ("",) * 50,
        ("$ ls", "file"),
        ("\u276f\u00a0no rules",),
        (RULE, "\u276f\u00a0the lower rule is out of sight"),
        ("Pane is dead",),
    ],
)
def test_screen_without_composer_is_unknown(rows: tuple[str, ...]) -> None:
    assert read_composer(screen(*rows)) == Composer(ComposerState.UNKNOWN)


@given(st.lists(st.text(st.sampled_from("\u276f \u00a0─▔!x\x1b[m7;23820"), max_size=40)))
def test_any_screen_is_read_without_failing(rows: list[str]) -> None:
    composer = read_composer(screen(*rows))
    assert composer.text.isprintable() or "\n" in composer.text
