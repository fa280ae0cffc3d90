"""How commits hang together, read without a process where that is easy: a Stop waits for it.

What an agent pushes arrives as loose objects (see repository.py). A task is a few commits, one after the other, on top of
its base; for all else there is `git rev-list`, which takes several milliseconds just to start.
"""

import zlib
from pathlib import Path
from typing import Final

from orchestrad.core.ids import Oid
from orchestrad.hub.names import is_oid

LONGEST: Final = 64  # commits that are followed; a millisecond or two at most
LARGEST: Final = 1 << 20  # bytes of a commit that are read; git bounds no message


def commits_on_top(objects: Path, base: Oid, head: Oid) -> int | None:
    """How many commits lie between `base` and `head`, if they are one chain of loose objects; else None."""
    at = head
    for count in range(1, LONGEST):
        parents = _parents(objects, at)
        if parents is None or len(parents) != 1:
            return None
        at = parents[0]
        if at == base:
            return count
    return None


def _parents(objects: Path, oid: Oid) -> list[Oid] | None:
    """The parents of a commit that is a loose object; None when it is none."""
    if not is_oid(oid):
        return None
    try:
        data = zlib.decompressobj().decompress((objects / oid[:2] / oid[2:]).read_bytes(), LARGEST)
    except (OSError, zlib.error):
        return None
    kind, _, content = data.partition(b"\0")
    if not kind.startswith(b"commit "):
        return None
    head = content.partition(b"\n\n")[0].decode("utf-8", "replace")
    return [Oid(line[7:]) for line in head.split("\n") if line.startswith("parent ")]
