"""Names that git is given: checked here first, since many were said by an agent."""

import re
from typing import Final

ZERO: Final = "0" * 40  # git's word for "no object" in an update

_OID: Final = re.compile(r"[0-9a-f]{40}")
_FORBIDDEN: Final = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|/$|\.$")
_LONGEST: Final = 200  # bytes; a file's name may have 255, and git puts `.lock` behind it


def is_oid(text: str) -> bool:
    """Whether this is a git object's name: 40 hex digits, lower case, not all zero."""
    return _OID.fullmatch(text) is not None and text != ZERO


def is_ref_name(name: str) -> bool:
    """Whether this is a full ref name ("refs/heads/main"): git's rules, and no character that a terminal would not show."""
    return (
        name.startswith("refs/")
        and name.count("/") >= 2
        and name.isprintable()
        and len(name.encode("utf-8", "replace")) <= _LONGEST
        and not _FORBIDDEN.search(name)
        and not any(part.startswith((".", "-")) or part.endswith(".lock") for part in name.split("/"))
    )


def shown(path: bytes) -> str:
    """A path as people may see it: as it is when all of it is printable text, else quoted as git quotes it."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text and '"' not in text and "\\" not in text:
        return text
    return '"' + "".join(_escaped(byte) for byte in path) + '"'


def _escaped(byte: int) -> str:
    if named := {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r"}.get(byte):
        return named
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"
