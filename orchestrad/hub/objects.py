"""Reads and writes git's objects, few processes for many objects: trees and blobs are patched without an index.

A root tree of a repository with 20,000 files has a few dozen entries. Reading it, changing an entry and writing it back
costs the same whatever lies below, which no `read-tree` does.
"""

import hashlib
import zlib
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from orchestrad.core.ids import Oid
from orchestrad.errors import Gone
from orchestrad.hub.names import is_oid
from orchestrad.hub.run import Git, GitFailed, running

Kind: TypeAlias = Literal["commit", "tree", "blob"]

AUTHOR: Final = "orchestrad <orchestrad@localhost>"
DIRECTORY: Final = b"40000"
FILE: Final = b"100644"
REGULAR: Final = frozenset({FILE, b"100755"})

_IN_PACK: Final[Mapping[Kind, int]] = {"commit": 1, "tree": 2, "blob": 3}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tree says of one name."""

    mode: bytes
    oid: Oid


Tree: TypeAlias = dict[bytes, Entry]


class Reader:
    """Asks one `git cat-file` for one object after the other."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def read(self, name: str, kind: Kind) -> bytes:
        """The content of an object, named by an oid or a path from one. Raises Gone if there is no such object."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("a Reader needs pipes: this is a bug in reading()")
        try:
            stdin.write(f"{name}\n".encode())
            head = (await stdout.readline()).split()
            if len(head) != 3 and head[-1:] != []:
                raise Gone(f"object {name} is not in the hub. Push it first.")
            content = await stdout.readexactly(int(head[2]))
            await stdout.readexactly(1)
        except (BrokenPipeError, ConnectionResetError, EOFError, IndexError) as broken:
            raise GitFailed("cat-file", "it ended in the middle of an answer") from broken
        if head[1] != kind.encode():
            raise Gone(f"object {name} is a {head[1].decode()}, not a {kind}. Push a commit.")
        return content

    async def root(self, commit: Oid) -> Tree:
        """The root tree of a commit. Raises Gone."""
        if not is_oid(commit):
            raise Gone(f"{commit[:60]!r} is no commit of the hub: that is no object's name.")
        return read_tree(await self.read(f"{commit}^{{tree}}", "tree"))

    async def tree(self, oid: Oid) -> Tree:
        return read_tree(await self.read(oid, "tree"))

    async def blob(self, entry: Entry) -> bytes:
        return await self.read(entry.oid, "blob")


@asynccontextmanager
async def reading(git: Git) -> AsyncIterator[Reader]:
    """A Reader for as long as the block lasts; it sees what is written meanwhile."""
    async with running(git.argv("cat-file", "--batch"), environment=git.environment) as process:
        yield Reader(process)


def read_tree(data: bytes) -> Tree:
    """The entries of a tree object, in its order."""
    entries: Tree = {}
    at = 0
    while at < len(data):
        mode, _, name = data[at : (end := data.index(b"\0", at))].partition(b" ")
        entries[name] = Entry(mode, Oid(data[end + 1 : end + 21].hex()))
        at = end + 21
    return entries


def write_tree(entries: Tree) -> bytes:
    """The tree object of these entries, sorted as git wants it: a directory as if its name ended in a slash."""
    names = sorted(entries, key=lambda name: name + b"/" if entries[name].mode == DIRECTORY else name)
    return b"".join(b"%s %s\0%s" % (entries[name].mode, name, bytes.fromhex(entries[name].oid)) for name in names)


@dataclass(slots=True)
class Draft:
    """Objects to be written, named already: a name follows from the content."""

    objects: dict[Oid, tuple[Kind, bytes]] = field(default_factory=dict)

    def blob(self, data: bytes) -> Oid:
        return self._add("blob", data)

    def tree(self, entries: Tree) -> Oid:
        return self._add("tree", write_tree(entries))

    def commit(self, tree: Oid, parents: Sequence[Oid], message: str, at: int) -> Oid:
        """A commit that depends on nothing but the arguments; `at` is in seconds."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {AUTHOR} {at} +0000", f"committer {AUTHOR} {at} +0000", "", message.replace("\0", "").rstrip("\n"), ""]
        return self._add("commit", "\n".join(lines).encode("utf-8", "replace"))

    def _add(self, kind: Kind, data: bytes) -> Oid:
        oid = Oid(hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest())
        self.objects[oid] = (kind, data)
        return oid

    async def write(self, git: Git) -> None:
        """Puts the objects into the repository; those that are there already do no harm."""
        if self.objects:
            await git.run("unpack-objects", "-q", stdin=pack(self.objects.values()))
            self.objects.clear()


def pack(objects: Iterable[tuple[Kind, bytes]]) -> bytes:
    """Objects as a pack without deltas: with `unpack-objects`, one process writes all of them.

    Source of the format: gitformat-pack(5).
    """
    parts = []
    for kind, data in objects:
        size = len(data)
        head = [_IN_PACK[kind] << 4 | size & 15]
        size >>= 4
        while size:
            head[-1] |= 0x80
            head.append(size & 0x7F)
            size >>= 7
        parts.append(bytes(head) + zlib.compress(data, 1))
    body = b"".join([b"PACK", (2).to_bytes(4, "big"), len(parts).to_bytes(4, "big"), *parts])
    return body + hashlib.sha1(body, usedforsecurity=False).digest()
