"""All files that `claudeConfigs` matches, read once: what each holds, by a label that may be shown. Blocks on the disk."""

import errno
import glob
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrad.config.credential_file import IN_USE, LARGEST, Credential, NoCredential, parse_credential
from orchestrad.errors import Unreachable

NOT_IN_USE_YET: Final = "an OAuth file (`claudeAiOauth`) is recognised, but not in use yet"


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """A file of the user's. `credential` is what agents may be given, None where there is nothing to give:
    by a mistake, which `fault` tells, or because it is not used, which a remark tells.
    """

    label: str
    path: Path
    credential: Credential | None
    fault: NoCredential | None = None
    remarks: tuple[str, ...] = ()
    """What a person should know, each with what to do."""


def look(pattern: Path, environ: Mapping[str, str]) -> tuple[CredentialFile, ...]:
    """The files that `pattern` matches, by path; empty when there is none. Raises Unreachable if they can't be listed."""
    read = []
    for path in _matching(pattern):
        content = _content(path)
        if content is not None:
            read.append((path, *content))
    return judge(read, environ)


def judge(files: Iterable[tuple[Path, bytes | NoCredential, int]], environ: Mapping[str, str]) -> tuple[CredentialFile, ...]:
    """What each file (path, content or why there is none, mode) is to the pool; pure."""
    labels: dict[str, int] = {}
    holders: dict[object, str] = {}
    judged = []
    for path, content, mode in sorted(files, key=lambda file: file[0]):
        label = _label(path, labels)
        remarks = [_readable_by_others(path)] if mode & 0o077 else []
        if isinstance(content, NoCredential):
            judged.append(CredentialFile(label, path, None, content, tuple(remarks)))
            continue
        try:
            credential, left_out = parse_credential(content, environ)
        except NoCredential as fault:
            judged.append(CredentialFile(label, path, None, fault, tuple(remarks)))
            continue
        remarks += [f"`env.{name}` is not passed on: set it in container.environment" for name in left_out]
        why_unused = _why_unused(credential, label, holders)
        remarks += [why_unused] if why_unused else []
        judged.append(CredentialFile(label, path, None if why_unused else credential, None, tuple(remarks)))
    return tuple(judged)


def _why_unused(credential: Credential, label: str, holders: dict[object, str]) -> str | None:
    if credential.kind not in IN_USE:
        return f"{NOT_IN_USE_YET}: put a token of `claude setup-token` into a file instead"
    first = holders.setdefault((credential.secret, tuple(sorted(credential.along.items()))), label)
    return None if first == label else f"a double of {first}, used once: remove one of the two files"


def _matching(pattern: Path) -> list[Path]:
    # glob takes a directory that it can't read for an empty one: look at the fixed part ourselves first.
    parts = pattern.parts
    fixed = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    parent = Path(*parts[:fixed])
    try:
        os.close(os.open(parent, os.O_RDONLY | os.O_DIRECTORY))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Unreachable(f"cannot list the credentials in {parent}: {error.strerror}. Mend its permissions.") from error
    return sorted(Path(found) for found in glob.glob(str(pattern), recursive=True) if not Path(found).is_dir())  # noqa: PTH207 (an absolute pattern)


def _content(path: Path) -> tuple[bytes | NoCredential, int] | None:
    """Content and mode; None for a file that went away while we looked."""
    try:
        # Without O_NONBLOCK a named pipe would hold us for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return (_unreadable("points to no file"), 0) if path.is_symlink() else None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO):
            return _unreadable(f"can't be read: {error.strerror}"), 0
        raise Unreachable(f"cannot read {path}: {error.strerror}. It is tried again at the next look.") from error
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            return _unreadable("is no ordinary file"), 0
        return file.read(LARGEST + 1), stat.S_IMODE(mode)


def _unreadable(why: str) -> NoCredential:
    return NoCredential(f"a file that {why}", "a file that the daemon's user can read", "chmod or remove it")


def _readable_by_others(path: Path) -> str:
    return f"other users of this machine may read it: run chmod 600 {path}"


def _label(path: Path, taken: dict[str, int]) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem) or "credential"
    taken[stem] = taken.get(stem, 0) + 1
    return stem if taken[stem] == 1 else _label(path.with_stem(f"{stem}-{taken[stem]}"), taken)
