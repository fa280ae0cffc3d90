"""The scripted agent's screen: a log that scrolls, and under it a composer, drawn where Claude Code draws its own.

The composer stands between two full-width rules and begins with a heavy `>` (U+276F) and a no-break space. Without a terminal
there is only the log.
"""

import os
import re
import shutil
import sys
import termios
import tty
from collections import deque
from contextlib import suppress

MARK = "\u276f"  # what stands before a prompt
PROMPT = f"{MARK}\u00a0"
QUEUED_HINT = "Press up to edit queued messages"
LONG_PASTE_LINES, LONG_PASTE_CHARACTERS = 4, 800  # from this size on the CLI folds a paste
_KEPT_LINES = 500
_STYLES = {"dim": "2", "good": "32", "bad": "31", "strong": "1", "accent": "36"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Composer:
    """The line being typed; long pastes are folded to a label. The cursor stays at the end."""

    def __init__(self) -> None:
        self.text = ""
        self._pastes: dict[str, str] = {}
        self._stash = ""

    def paste(self, text: str) -> None:
        lines = text.count("\n") + 1
        if lines < LONG_PASTE_LINES and len(text) <= LONG_PASTE_CHARACTERS:
            self.text += text
            return
        label = f"[Pasted text #{len(self._pastes) + 1} +{lines - 1} lines]"
        mark = os.urandom(2).hex()
        self._pastes[label] = f'\n\n<pasted_content id="{mark}">\n{text}\n</pasted_content id="{mark}">\n'
        self.text += label

    def clear_line(self) -> None:
        self.text = self.text[: self.text.rfind("\n") + 1]

    def stash(self) -> None:
        """Puts the text aside until the next prompt has been sent."""
        if self.text:
            self._stash, self.text = self.text, ""

    def take(self) -> str:
        """What is sent; what was stashed comes back."""
        text = self.text
        for label, content in self._pastes.items():
            text = text.replace(label, content)
        self.text, self._stash, self._pastes = self._stash, "", {}
        return text


class Screen:
    """Draws on stdout. Call `close` before leaving, or the terminal stays raw."""

    def __init__(self, *, color: bool | None = None) -> None:
        self.composer = Composer()
        self.is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self.color = (self.is_terminal and not os.environ.get("NO_COLOR")) if color is None else color
        self.is_busy = False
        self.has_queued = False
        self.hint = self._title = ""
        self._log: deque[tuple[str, str]] = deque(maxlen=_KEPT_LINES)
        self._rows_above = -1  # from the top of the composer's block to the cursor; -1: nothing drawn
        self._saved = termios.tcgetattr(sys.stdin) if self.is_terminal else None

    def open(self, title: str) -> None:
        self._title = title
        if self.is_terminal:
            tty.setraw(sys.stdin, termios.TCSADRAIN)  # nothing typed already is dropped
            self._put("\x1b[?2004h")
        self.refresh()

    def close(self) -> None:
        if self._saved is not None:
            self._put(self._erased() + "\x1b[?2004l")
            with suppress(termios.error):  # the terminal may be gone already
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)

    def say(self, text: str, style: str = "") -> None:
        """Adds to the log; what could steer a terminal is dropped."""
        for line in _CONTROL.sub("", text.expandtabs(4)).split("\n"):
            self._log.append((line, style))
            if self.is_terminal:
                self._put(self._erased() + self._styled(line, style) + "\r\n")
            else:
                self._put(line + "\n")
        self.refresh()

    def refresh(self) -> None:
        """Draws the composer anew, under the log."""
        if self.is_terminal:
            self._put(self._erased() + self._block())

    def redraw(self) -> None:
        """All of it, for a new size or a terminal that lost its content."""
        if not self.is_terminal:
            return
        if self._saved is not None:
            tty.setraw(sys.stdin, termios.TCSADRAIN)  # nothing typed already is dropped
        columns, rows = shutil.get_terminal_size()
        left = rows - 6
        shown: list[str] = []
        for line, style in reversed(self._log):
            left -= max(1, -(-len(line) // columns))
            if left < 0:
                break
            shown.append(self._styled(line, style) + "\r\n")
        self._rows_above = -1
        self._put("\x1b[2J\x1b[H" + "".join(reversed(shown)) + self._block())

    def _block(self) -> str:
        columns = shutil.get_terminal_size().columns
        rule = self._styled("─" * columns, "dim")
        width = max(1, columns - 3)
        lines = [row for line in self.composer.text.split("\n") for row in _wrapped(line, width)]
        shown = "\r\n  ".join(lines)
        placeholder = ""
        if not self.composer.text and self.has_queued:
            placeholder = f"\x1b[7m{QUEUED_HINT[0]}\x1b[0;2m{QUEUED_HINT[1:]}\x1b[0m"
        prompt = self._styled(PROMPT, "dim") if self.is_busy else PROMPT
        above = self._styled("◐ Working… (esc to interrupt)", "accent") if self.is_busy else ""
        below = self._styled(f"  {self.hint}"[: columns - 1], "dim")
        title = f"\x1b]0;{'◐' if self.is_busy else '✳'} {self._title}\x07"
        self._rows_above = 1 + len(lines)
        column = (3 + len(lines[-1])) if self.composer.text else 3
        text = f"{title}{above}\r\n{rule}\r\n{prompt}{shown}{placeholder}\r\n{rule}\r\n{below}"
        return f"{text}\x1b[2A\x1b[{column}G"

    def _erased(self) -> str:
        if self._rows_above < 0:
            return ""
        up, self._rows_above = self._rows_above, -1
        return f"\x1b[{up}A\r\x1b[J"

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self.color else text

    def _put(self, text: str) -> None:
        with suppress(OSError):  # nobody looks any more; the agent works on until it is told to end
            data = text.encode(errors="replace")
            while data:  # past sys.stdout: what its buffer could not get rid of would spoil the exit status
                data = data[os.write(sys.stdout.fileno(), data) :]


def _wrapped(line: str, width: int) -> list[str]:
    return [line[at : at + width] for at in range(0, len(line), width)] or [""]
