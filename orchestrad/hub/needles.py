"""Looks for secrets in bytes: as they are, or in base64, also when wrapped into lines or written as UTF-16. Pure.

What is searched has its blanks and zeros taken out first, and so have the secrets: `base64` wraps at 76 columns, YAML
indents, UTF-16 has a zero beside each ASCII character. Compressed, encrypted or otherwise hidden secrets are not found.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final

SHORTEST: Final = 8  # characters; shorter ones would be found in innocent text
_BLANKS: Final = b" \t\r\n\0"
_HEAD: Final = 6  # bytes; keys and tokens begin alike, so that a few searches for heads do for all forms of all of them
_KEPT: Final = 4096  # bytes of a piece looked at again with the next; more when a secret is long
_FIRST_WHOLE: Final = (0, 2, 3)  # the first base64 character that 0, 1 or 2 bytes before the secret have no part in
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Needles:
    """The forms of all secrets, ready to be searched for."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret.encode())}
        heads = {form[:_HEAD] for form in forms}
        self._by_head = {head: tuple(form for form in forms if form.startswith(head)) for head in sorted(heads)}
        self.longest = max(map(len, forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._by_head)

    def line(self, data: bytes) -> int | None:
        """The line, counted from 1, on which a secret begins; None when there is none."""
        packed = data.translate(None, _BLANKS)
        at = self._find(packed)
        if at is None:
            return None
        for number, line in enumerate(data.split(b"\n"), 1):
            at -= len(line.translate(None, _BLANKS))
            if at < 0:
                return number
        raise AssertionError("a secret was found behind the end: this is a bug in Needles")

    def _find(self, packed: bytes) -> int | None:
        for head, forms in self._by_head.items():
            at = packed.find(head)
            while at >= 0:
                if packed.startswith(forms, at):
                    return at
                at = packed.find(head, at + 1)
        return None


class Search:
    """A search through one content that comes in pieces; `line` is where a secret begins, once it was found."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._kept = max(_KEPT, 4 * needles.longest)  # fourfold: room for the blanks between
        self._rest, self._lines_before = b"", 0
        self.line: int | None = None

    def feed(self, piece: bytes) -> None:
        """Looks at the next piece."""
        if self.line is not None:
            return
        window = self._rest + piece
        if (line := self._needles.line(window)) is not None:
            self.line = self._lines_before + line
        self._rest = window[-self._kept :]
        self._lines_before += window.count(b"\n", 0, len(window) - len(self._rest))


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret.translate(None, _BLANKS)
    for before, first in enumerate(_FIRST_WHOLE):
        whole = (before + len(secret)) * 8 // 6
        form = b64encode(bytes(before) + secret)[first:whole]
        yield form
        yield form.translate(_URL_SAFE)
