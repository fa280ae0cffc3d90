"""The settings as a flat list, `agent.restart.max` and so on: for overrides, notices, near misses and the reference."""

import difflib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from orchestrad.config.model import Config, InUse
from orchestrad.config.schema import schema


@dataclass(frozen=True, slots=True)
class Key:
    """One setting, as the schema describes it."""

    path: tuple[str, ...]
    described: dict[str, Any]
    required: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def in_use(self) -> InUse:
        return InUse(self.described["x-inUse"])

    @property
    def types(self) -> frozenset[str]:
        """The JSON types that a value may have, the form of a duration included."""
        variants = self.described.get("anyOf", [self.described])
        return frozenset(variant["type"] for variant in variants if "type" in variant)

    @property
    def expected(self) -> str:
        """What a value should be, in words that follow "expected"."""
        return _in_words(self.described)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person should know although nothing is wrong."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


@cache
def all_keys() -> dict[str, Key]:
    """Every setting by its dotted name, in the order of the model; sections are not among them."""
    return {key.name: key for key in _walk(schema(), ())}


@cache
def sections() -> dict[str, tuple[str, ...]]:
    """The dotted names of the objects, each with the keys that it may hold; the whole file is ""."""
    found: dict[str, list[str]] = {}
    for key in all_keys().values():
        for depth in range(len(key.path)):
            held = found.setdefault(".".join(key.path[:depth]), [])
            if key.path[depth] not in held:
                held.append(key.path[depth])
    return {name: tuple(held) for name, held in found.items()}


def nearest(name: str, section: str) -> str | None:
    """The key that was probably meant by `name` in `section`: one of its own, else one of the same name elsewhere."""
    held = sections().get(section, ())
    lowered = {key.lower(): key for key in held}
    if close := difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6):
        return ".".join(filter(None, (section, lowered[close[0]])))
    elsewhere = [key for key in all_keys().values() if key.path[-1].lower() == name.lower()]
    return elsewhere[0].name if elsewhere else None


def notices(config: Config) -> tuple[Notice, ...]:
    """The keys that the user set and this version does not act on yet."""
    told = []
    for key in all_keys().values():
        value, is_set = _value_of(config, key.path)
        if not is_set or key.in_use is InUse.YES:
            continue
        if key.in_use is InUse.NOT_YET:
            told.append(Notice(key.name, "accepted, not in use yet"))
        elif value != key.described.get("default"):
            default = json.dumps(key.described.get("default"))
            told.append(Notice(key.name, f"accepted, not in use yet: this version acts as with {default}"))
    return tuple(told)


def _value_of(config: Config, path: Iterable[str]) -> tuple[object, bool]:
    part: Any = config
    is_set = True
    for alias in path:
        name = next(name for name, field in type(part).model_fields.items() if field.alias == alias)
        is_set = is_set and name in part.model_fields_set
        part = getattr(part, name)
    return part, is_set


def _walk(part: dict[str, Any], path: tuple[str, ...]) -> Iterator[Key]:
    for name, described in part["properties"].items():
        if name == "$schema":
            continue
        if "$ref" in described:
            yield from _walk(schema()["$defs"][described["$ref"].rsplit("/", 1)[1]], (*path, name))
        else:
            yield Key((*path, name), described, required=name in part.get("required", ()))


def _in_words(described: dict[str, Any]) -> str:
    if "x-expected" in described:
        return str(described["x-expected"])
    if "anyOf" in described:
        return " or ".join(_in_words(variant) for variant in described["anyOf"])
    if "enum" in described:
        return "one of " + ", ".join(json.dumps(value) for value in described["enum"])
    match described.get("type"):
        case "integer":
            return f"a whole number{_bounds(described)}"
        case "number":
            return f"a number{_bounds(described)}"
        case "boolean":
            return "true or false"
        case "string":
            return "a text that is not empty" if described.get("minLength") else "a text"
        case "array":
            return f"a list, each item {_in_words(described['items'])}"
        case "object":
            return "an object of texts"
        case "null":
            return "null"
        case other:
            return str(other)


def _bounds(described: dict[str, Any]) -> str:
    words = [
        f"{word} {described[bound]:g}"
        for bound, word in (("minimum", "of at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"))
        if bound in described
    ]
    return " " + " and ".join(words) if words else ""
