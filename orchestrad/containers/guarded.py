"""Files below a directory that an agent can write to, for a daemon that may be root.

Each step of a path is opened by itself and never through a link, so that nothing planted in there leads out of it; only
regular files are read, up to a bound, and a file is written beside its place and renamed into it.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a planted pipe would hold the thread for ever.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Owner(NamedTuple):
    """Who a new file or directory is given to; -1 keeps what it is."""

    uid: int = -1
    gid: int = -1


NOBODY_ELSE: Final = Owner()


class NotBelow(OSError):
    """The path leads out of the directory, or is no plain file or directory in it."""


@contextlib.contextmanager
def directory(root: Path, *names: str, create: Owner | None = None) -> Iterator[int]:
    """The descriptor of a directory below `root`; with `create` the missing ones are made, 0700.

    Raises FileNotFoundError, NotBelow.
    """
    here = os.open(root, _DIRECTORY)
    try:
        for name in names:
            _check(name)
            if create is not None:
                _make(name, here, create)
            try:
                inner = os.open(name, _DIRECTORY, dir_fd=here)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise NotBelow(f"{root}: {name} is no directory") from error
                raise
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def read(root: Path, path: PurePosixPath, *, most: int, from_end: bool = False) -> bytes | None:
    """At most so many bytes of a file's beginning or end; None when it is not there. Raises NotBelow."""
    with _opened(root, path) as file:
        if file is None:
            return None
        size = os.fstat(file).st_size
        offset = max(0, size - most) if from_end else 0
        content = b""
        while len(content) < most and (piece := os.pread(file, most - len(content), offset + len(content))):
            content += piece
        return content


def size(root: Path, path: PurePosixPath) -> int | None:
    """A file's length in bytes; None when it is not there. Raises NotBelow."""
    with _opened(root, path) as file:
        return None if file is None else os.fstat(file).st_size


def write(root: Path, path: PurePosixPath, content: bytes, *, mode: int = 0o600, owner: Owner = NOBODY_ELSE) -> None:
    """Writes a file whole, by rename; its directories are made when they are missing. Raises NotBelow."""
    *names, name = path.parts
    _check(name)
    with directory(root, *names, create=owner) as where:
        beside = f".{name[:100]}.{secrets.token_hex(6)}"
        file = os.open(beside, _CREATE, 0o600, dir_fd=where)
        try:
            try:
                with open(file, "wb", closefd=False) as stream:
                    stream.write(content)
                os.fchown(file, *owner)
                os.fchmod(file, mode)
            finally:
                os.close(file)
            os.rename(beside, name, src_dir_fd=where, dst_dir_fd=where)
        except BaseException as error:
            os.unlink(beside, dir_fd=where)
            if isinstance(error, IsADirectoryError):
                raise NotBelow(f"{root / path} is a directory") from error
            raise


@contextlib.contextmanager
def _opened(root: Path, path: PurePosixPath) -> Iterator[int | None]:
    *names, name = path.parts
    _check(name)
    try:
        with directory(root, *names) as where:
            file = os.open(name, _READ, dir_fd=where)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise NotBelow(f"{root / path} is no file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotBelow(f"{root / path} is no file")
        yield file
    finally:
        os.close(file)


def _make(name: str, where: int, owner: Owner) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=where)
        # By name and not following: it may have been replaced by a link since.
        os.chown(name, *owner, dir_fd=where, follow_symlinks=False)


def _check(name: str) -> None:
    if name in ("", ".", "..", "/") or "/" in name or "\0" in name:
        raise NotBelow(f"{name!r} names no file below a directory")
