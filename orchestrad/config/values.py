"""The types of single settings: how each is read from JSON, what was expected where it can't be, and its schema."""

import glob
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, PlainValidator, StringConstraints, ValidationInfo, WithJsonSchema

from orchestrad.config.durations import PATTERN, format_duration, parse_duration
from orchestrad.config.problems import wrong
from orchestrad.config.repository_url import (
    NAME_LENGTH,
    NAME_PATTERN,
    RepositoryUrl,
    absolute,
    parse_repository_url,
    slug,
)

LEAST_MEMORY: Final = 512 * 2**20  # one Claude Code CLI alone was seen to hold 280 MB
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
OURS: Final = ("/etc/claude-code", "/run/orchestrad")  # an agent's policy and token: a mount over them would hide them


@dataclass(frozen=True, slots=True)
class Listen:
    """An address of this machine alone; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of the host that every agent's container sees, read-only."""

    source: Path
    target: str

    def __str__(self) -> str:
        return f"{self.source}:{self.target}"


@dataclass(frozen=True, slots=True)
class Place:
    """What relative paths and `~` of a config file stand for; handed to the validators as pydantic's context."""

    directory: Path
    home: Path


def _place(info: ValidationInfo) -> Place:
    return info.context if isinstance(info.context, Place) else Place(Path.cwd(), Path.home())


def _schema(kind: str, expected: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **more, "x-expected": expected})


def _duration(least: timedelta, expected: str) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    def read(value: object) -> timedelta:
        length = parse_duration(value)
        if length is None or length < least:
            raise wrong(expected, 'write e.g. 90, "90s", "5m" or "1h30m"')
        return length

    schema = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": PATTERN}]}
    return (
        PlainValidator(read),
        PlainSerializer(format_duration, return_type=str, when_used="json"),
        WithJsonSchema({**schema, "x-expected": expected}),
    )


_DELAY = _duration(timedelta(0), 'seconds or a text such as "5m"')
_TIMEOUT = _duration(timedelta(seconds=1), 'at least one second, in seconds or as a text such as "5m"')

Delay = Annotated[timedelta, _DELAY[0], _DELAY[1], _DELAY[2]]
Timeout = Annotated[timedelta, _TIMEOUT[0], _TIMEOUT[1], _TIMEOUT[2]]


def _read_repository(value: object, info: ValidationInfo) -> RepositoryUrl:
    if isinstance(value, RepositoryUrl):
        return value
    place = _place(info)
    read = parse_repository_url(value, place.directory, place.home) if isinstance(value, str) else None
    if read is None:
        raise wrong(
            "a repository: https://…, http://…, ssh://…, user@host:path, file:///…, or a path",
            'write e.g. "https://github.com/you/project.git"',
        )
    return read


def _read_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value.absolute()
    if not isinstance(value, str) or not value or "\0" in value:
        raise wrong("a path", "write an absolute path, or one that starts at the config directory")
    place = _place(info)
    return absolute(value, place.directory, place.home)


def absolute_glob(text: str, place: Place) -> Path:
    """The glob that `text` means in a file of `place`: what the directory's own name has of `*?[` stands for itself."""
    return absolute(text, Path(glob.escape(str(place.directory))), Path(glob.escape(str(place.home))))


def _read_glob(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value.absolute()
    if not isinstance(value, str) or not value or "\0" in value:
        raise wrong("a glob of credential files", 'write e.g. "credentials/*.json"')
    return absolute_glob(value, _place(info))


def _read_name(value: object) -> str:
    if not isinstance(value, str) or not re.match(NAME_PATTERN, value, re.ASCII) or len(value) > NAME_LENGTH:
        proposal = slug(value) if isinstance(value, str) else "my-project"
        raise wrong(
            f"lower-case letters, digits and dashes, at most {NAME_LENGTH}, not beginning with a dash",
            f'write e.g. "{proposal}"',
        )
    return value


def _read_branch(value: object) -> str:
    # The rules of git-check-ref-format, which would cost a process each time a file is read.
    bad = r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(/|$)|^@$|^$|^refs/"
    if not isinstance(value, str) or re.search(bad, value):
        raise wrong("the name of a branch", 'write it as `git branch` shows it, e.g. "main"')
    if re.match(r"worker-\d+(/|$)", value):
        raise wrong("a branch that no worker may push to", "choose another: worker-N/… belongs to the workers")
    return value


def _read_listen(value: object) -> Listen:
    if isinstance(value, Listen):
        return value
    match = re.match(r"^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$", value, re.ASCII) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65535:
        raise wrong("HOST:PORT", 'write e.g. "127.0.0.1:0", where port 0 takes a free one')
    host = match[1] or match[2]
    if host not in LOOPBACK:
        raise wrong("an address of this machine alone", 'write "127.0.0.1:PORT" and reach it from elsewhere through ssh -L')
    return Listen(host, int(match[3]))


def _read_memory(value: object) -> int:
    match = re.match(r"^(\d+)([bkmg]?)b?$", value.strip().lower(), re.ASCII) if isinstance(value, str) else None
    if match is not None:
        value = int(match[1]) * {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}[match[2]]
    if isinstance(value, bool) or not isinstance(value, int) or not LEAST_MEMORY <= value < 2**63:
        raise wrong('an amount of memory of at least "512m"', 'write e.g. "4g"')
    return value


def _format_memory(amount: int) -> str:
    for unit, size in (("g", 2**30), ("m", 2**20), ("k", 2**10)):
        if amount % size == 0:
            return f"{amount // size}{unit}"
    return str(amount)


def _read_mount(value: object, info: ValidationInfo) -> Mount:
    if isinstance(value, Mount):
        return value
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) == 3 and parts[2] != "ro":
        raise wrong("a read-only mount", 'leave out what follows the second ":": agents never write to a mount')
    if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/") or "\0" in "".join(parts):
        raise wrong('"HOST_PATH:/CONTAINER_PATH"', 'write e.g. "~/datasets:/data"')
    target = "/" + parts[1].strip("/")
    if target == "/" or ".." in target.split("/") or any(f"{target}/".startswith(f"{ours}/") for ours in OURS):
        raise wrong("a path in the container that is free for mounts", 'choose another, e.g. "/data"')
    place = _place(info)
    return Mount(absolute(parts[0], place.directory, place.home), target)


NAMES_OF_OURS: Final = frozenset({"WORKER_ID", "TOTAL_WORKERS", "AGENT_NAME", "HOME"})
NAMES_OF_CREDENTIALS: Final = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"})


def _check_environment(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if name in NAMES_OF_CREDENTIALS:
            raise wrong(
                "no credential here, where `docker inspect` shows it",
                "put it into a file that `claudeConfigs` matches",
                found=f"the variable {name}",
            )
        if name in NAMES_OF_OURS:
            raise wrong("no variable that orchestrad sets itself", f"remove {name}", found=f"the variable {name}")
        if not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", name, re.ASCII) or "\0" in text:
            raise wrong("letters, digits and _ in a variable's name", "rename it", found=f"the variable {name!r}")
    return value


def _text(pattern: str, expected: str, remedy: str) -> tuple[PlainValidator, WithJsonSchema]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not re.match(pattern, value, re.ASCII):
            raise wrong(expected, remedy)
        return value

    return PlainValidator(read), _schema("string", expected, pattern=pattern)


def _as_text(kind: Callable[[Any], str]) -> PlainSerializer:
    return PlainSerializer(kind, return_type=str, when_used="json")


_MODEL = _text(r"^[A-Za-z0-9][\w.:/@\[\]-]*$", "the name of a model", 'write e.g. "opus", or leave the key out')
_USER = _text(r"^\d+(:\d+)?$", "numbers: UID or UID:GID", 'write e.g. "1000:1000" (names mean nothing in another image)')
_IMAGE = _text(r"^[a-z0-9][\w./:@-]*$", "the name of an image", 'write e.g. "debian:bookworm-slim"')

Repository = Annotated[
    RepositoryUrl, PlainValidator(_read_repository), _as_text(str), _schema("string", "a repository's URL or path")
]
PathText = Annotated[Path, PlainValidator(_read_path), _as_text(str), _schema("string", "a path")]
GlobText = Annotated[Path, PlainValidator(_read_glob), _as_text(str), _schema("string", "a glob of files")]
Name = Annotated[str, PlainValidator(_read_name), _schema("string", "a short name", pattern=NAME_PATTERN)]
Branch = Annotated[str, PlainValidator(_read_branch), _schema("string", "the name of a branch")]
Address = Annotated[Listen, PlainValidator(_read_listen), _as_text(str), _schema("string", "HOST:PORT")]
Memory = Annotated[
    int,
    PlainValidator(_read_memory),
    PlainSerializer(_format_memory, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-expected": 'an amount such as "4g"'}),
]
ReadOnlyMount = Annotated[Mount, PlainValidator(_read_mount), _as_text(str), _schema("string", '"HOST_PATH:/CONTAINER_PATH"')]
Environment = Annotated[dict[str, str], AfterValidator(_check_environment)]
Model = Annotated[str, _MODEL[0], _MODEL[1]]
User = Annotated[str, _USER[0], _USER[1]]
Image = Annotated[str, _IMAGE[0], _IMAGE[1]]
Text = Annotated[str, StringConstraints(min_length=1)]
