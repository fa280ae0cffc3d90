"""Bytes that a terminal sends → keys. A pure parser, fed as bytes come."""

import codecs
import re
from typing import NamedTuple

PASTE_BEGIN, PASTE_END = b"\x1b[200~", b"\x1b[201~"
ESCAPE_WAIT = 0.05  # seconds after which a lone ESC is the Escape key; longer sequences arrive in one piece

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|O[@-~])")
_NAMES = {0x0D: "enter", 0x7F: "backspace", 0x08: "backspace"}


class Key(NamedTuple):
    """`name`: text, paste, enter, backspace, escape, ignored, or ctrl-X; `text` of the first two."""

    name: str
    text: str = ""


class KeyReader:
    """Keeps what is not whole yet: a sequence, a paste, a character of several bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def is_waiting(self) -> bool:
        """An ESC stands at the end that may be the Escape key: call `flush` after ESCAPE_WAIT."""
        return self._rest.startswith(b"\x1b") and not self._rest.startswith(PASTE_BEGIN)

    def flush(self) -> list[Key]:
        """No more came: the ESC was the Escape key."""
        if not self.is_waiting:
            return []
        rest, self._rest = self._rest[1:], b""
        return [Key("escape"), *self.feed(rest)]

    def feed(self, data: bytes) -> list[Key]:
        """The keys that these bytes complete."""
        rest = self._rest + data
        keys: list[Key] = []
        while rest:
            if rest[0] != 0x1B:
                end = re.search(rb"[\x00-\x1f\x7f]", rest)
                stop = len(rest) if end is None else end.start()
                if stop:
                    keys.append(Key("text", self._decoder.decode(rest[:stop])))
                else:
                    stop = 1
                    keys.append(Key(_NAMES.get(rest[0], f"ctrl-{chr(rest[0] + 0x60)}")))
                rest = rest[stop:]
            elif rest.startswith(PASTE_BEGIN):
                if PASTE_END not in rest:
                    break
                pasted, _, rest = rest[len(PASTE_BEGIN) :].partition(PASTE_END)
                keys.append(Key("paste", re.sub(r"\r\n?", "\n", pasted.decode(errors="replace"))))
            elif found := _SEQUENCE.match(rest):
                keys.append(Key("ignored"))
                rest = rest[found.end() :]
            elif len(rest) > 1 and rest[1:2] not in (b"[", b"O"):
                keys.append(Key("escape"))
                rest = rest[1:]
            else:
                break
        self._rest = rest
        return keys
