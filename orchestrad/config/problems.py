"""What is wrong with a configuration, told so that a person can mend it: one line each, all of them at once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic_core import PydanticCustomError

from orchestrad.errors import Refused

SHOWN_LENGTH: Final = 80  # a longer value pushes the remedy out of a terminal's line


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person must change before the fleet can start; `key` is empty when the whole file is meant."""

    file: str
    key: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        advice = self.remedy[:1].upper() + self.remedy[1:] + ("" if self.remedy.endswith("?") else ".")
        return one_line(f"{place}: found {self.found}, expected {self.expected}. {advice}")


class ConfigErrors(Refused):
    """The configuration can't be used; `problems` has every reason found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def wrong(expected: str, remedy: str, *, found: str = "") -> PydanticCustomError:
    """For validators to raise: what was expected and what to do. `found` is for values that may not be shown as they are.

    The values travel in the error's context, from where `explain` makes a Problem of them.
    """
    # Pydantic reads braces in a template as placeholders, so the words go into the context only.
    return PydanticCustomError("orchestrad", "wrong value", {"found": found, "expected": expected, "remedy": remedy})


def shown(value: object) -> str:
    """A value as the user wrote it, on one line and not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 1]}…"


def one_line(text: str) -> str:
    """`text` without line breaks or any other character that would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
