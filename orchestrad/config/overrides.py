"""What the daemon's environment adds to the file: `${VAR}` in its texts, and `ORCHESTRAD_MERGE__GATE` in place of a key."""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from orchestrad.config.keys import Key, all_keys
from orchestrad.config.problems import Problem, shown

PREFIX: Final = "ORCHESTRAD_"
# Variables of the same prefix that are no settings: where the config is, and what tests are told.
NOT_SETTINGS: Final = re.compile(r"^ORCHESTRAD_(CONFIG|TEST_.*)$")
CLOSE: Final = 0.75  # how like a setting's name a variable must be to be taken for a slip of the keyboard

_VARIABLE: Final = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


class Unset(LookupError):
    """A text names a variable that the environment doesn't have; `name` says which."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with each `${VAR}` replaced; `$${VAR}` stays as `${VAR}`. Raises Unset for a variable that isn't there."""

    def value(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        if match[1] not in environ:
            raise Unset(match[1])
        return environ[match[1]]

    return _VARIABLE.sub(value, text)


def expand_all(data: Any, environ: Mapping[str, str], *, file: str) -> tuple[Any, tuple[Problem, ...]]:
    """`data` with the variables of all its texts replaced, and a problem for each that isn't set."""
    problems: list[Problem] = []

    def walk(part: Any, path: tuple[str, ...]) -> Any:
        if isinstance(part, dict):
            return {key: walk(value, (*path, key)) for key, value in part.items()}
        if isinstance(part, list):
            return [walk(value, (*path, str(index))) for index, value in enumerate(part)]
        if not isinstance(part, str):
            return part
        try:
            return expand(part, environ)
        except Unset as unset:
            problems.append(unset_problem(file, ".".join(path), unset))
            return part

    return walk(data, ()), tuple(problems)


def unset_problem(file: str, key: str, unset: Unset) -> Problem:
    return Problem(
        file,
        key,
        found=f"${{{unset.name}}}, which is not set",
        expected="a variable of the daemon's environment",
        remedy=f"export {unset.name}, or write $${{{unset.name}}} for the text itself",
    )


def overrides(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], tuple[Problem, ...]]:
    """The values set by variables, by dotted key; the variable that set each; and a problem for each that sets nothing.

    A double underscore goes one level down; case and single underscores don't matter: WORKER_COUNT, WORKERCOUNT.
    A value is a text where the key takes one, else JSON; an empty one is null where the key may be null.
    """
    known = {_plain(key.path): key for key in all_keys().values()}
    values: dict[str, Any] = {}
    variables: dict[str, str] = {}
    problems: list[Problem] = []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or NOT_SETTINGS.match(variable):
            continue
        key = known.get(_plain(variable.removeprefix(PREFIX).split("__")))
        if key is None:
            problems.extend(_unknown(variable, known))
        elif key.name in variables:
            problems.append(_twice(variable, variables[key.name], key))
        else:
            values[key.name] = _value(environ[variable], key)
            variables[key.name] = variable
    return values, variables, tuple(problems)


def variable_of(key: Key) -> str:
    """The variable that overrides `key`, in its usual spelling."""
    segments = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", segment).upper() for segment in key.path)
    return PREFIX + "__".join(segments)


def place(data: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with `values` put in; a section that isn't an object is left for the validation to refuse."""
    placed: dict[str, Any] = json.loads(json.dumps(data))
    for name, value in values.items():
        *outer, last = name.split(".")
        part: Any = placed
        for segment in outer:
            part = part.setdefault(segment, {}) if isinstance(part, dict) else part
        if isinstance(part, dict):
            part[last] = value
    return placed


def _plain(path: Any) -> tuple[str, ...]:
    return tuple(segment.replace("_", "").lower() for segment in path)


def _value(text: str, key: Key) -> Any:
    if text == "" and "null" in key.types:
        return None
    if "string" in key.types:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # of the wrong type, which the validation says better


def _unknown(variable: str, known: Mapping[tuple[str, ...], Key]) -> tuple[Problem, ...]:
    """A problem for what is meant as a setting; other programs' variables of our prefix are none of our business."""
    usual = {variable_of(key).removeprefix(PREFIX): variable_of(key) for key in known.values()}
    close = difflib.get_close_matches(variable.removeprefix(PREFIX).upper(), usual, n=1, cutoff=CLOSE)
    in_section = _plain(variable.removeprefix(PREFIX).split("__")[:1])[0] in {path[0] for path in known}
    if not close and not ("__" in variable and in_section):
        return ()
    return (
        Problem(
            f"environment variable {variable}",
            "",
            found="the name of no setting",
            expected="ORCHESTRAD_ and a key, with __ between the levels",
            remedy=f"did you mean {usual[close[0]]}? Otherwise unset it" if close else "unset it",
        ),
    )


def _twice(variable: str, other: str, key: Key) -> Problem:
    return Problem(
        f"environment variable {variable}",
        key.name,
        found=f"{shown(other)} for the same key",
        expected="one variable for each key",
        remedy=f"unset {variable} or {other}",
    )
