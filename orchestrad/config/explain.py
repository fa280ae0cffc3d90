"""From pydantic's errors to lines that a person can act on."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrad.config.keys import Key, all_keys, nearest, sections
from orchestrad.config.problems import Problem, shown
from orchestrad.config.repository_url import redact

MISSING: Final = object()
EXAMPLES: Final = {  # for the keys that have no default to show
    "repositoryUrl": "https://github.com/you/project.git",
    "workerCount": 3,
    "claudeConfigs": "credentials/*.json",
    "project.keyFiles": ["README.md"],
    "container.cpus": 2,
    "container.environment": {"LANG": "C.UTF-8"},
}


def explain(error: ValidationError, *, file: str, written: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[Problem, ...]:
    """One problem for each key at fault. `written` is what the user wrote, before `${VAR}` was replaced: a secret
    that came from a variable is not shown. `variables` tells which keys an environment variable has set.
    """
    problems: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "default_factory_not_called":
            continue  # a default that follows from another key, which has its own line
        key = _key(detail)
        source = f"environment variable {variables[key]}" if key in variables else file
        problems.setdefault(key, _problem(detail, key, source, _written(written, detail["loc"])))
    return tuple(problems.values())


def _problem(detail: ErrorDetails, key: str, source: str, written: object) -> Problem:
    context = detail.get("ctx", {})
    found = redact(shown(written)) if written is not MISSING else "nothing"
    if detail["type"] == "extra_forbidden":
        section, _, name = key.rpartition(".")
        close = nearest(name, section)
        held = ", ".join(sections().get(section, ()))
        return Problem(
            source,
            key,
            found="an unknown key",
            expected=f"one of {held}" if close is None else f"a known one such as {close}",
            remedy=f"did you mean {close}?" if close else "remove it",
        )
    known = all_keys().get(key) or all_keys().get(key.rpartition(".")[0])
    if detail["type"] == "missing":
        expected = known.expected if known else "a value"
        return Problem(source, key, "nothing", expected, f"add {_example(known)}" if known else "add it")
    if detail["type"] == "orchestrad":
        return Problem(source, key, context["found"] or found, context["expected"], context["remedy"])
    if key in sections():
        return Problem(source, key, found, expected=f"an object with {', '.join(sections()[key])}", remedy="write it as {…}")
    return Problem(source, key, found, known.expected if known else "another value", _remedy(known))


def _key(detail: ErrorDetails) -> str:
    """The dotted name, without what pydantic adds for a list's items, which the key's own line covers."""
    parts = [str(part) for part in detail["loc"]]
    name = ".".join(parts)
    while parts and detail["type"] != "extra_forbidden" and name not in all_keys() and name not in sections():
        parts.pop()
        name = ".".join(parts)
    return name


def _written(written: Any, loc: tuple[int | str, ...]) -> object:
    part: Any = written
    for step in loc:
        if not isinstance(part, Mapping | list):
            break
        try:
            part = part[step]  # type: ignore[index]  # a wrong kind of step raises TypeError
        except (KeyError, IndexError, TypeError):
            break  # what pydantic adds to a place, such as the kind of a mapping's key
    return MISSING if part is written else part


def _remedy(key: Key | None) -> str:
    if key is None:
        return "change it"
    if key.name in EXAMPLES or key.described.get("default") not in (None, []):
        return f"write e.g. {_example(key)}"
    return "change it, or leave the key out"


def _example(key: Key) -> str:
    value = EXAMPLES.get(key.name, key.described.get("default"))
    return f'"{key.path[-1]}": {json.dumps(value)}'
