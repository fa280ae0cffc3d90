"""A value that must not be read over a shoulder: only `reveal` gives it, everything else shows that it is there."""

import hashlib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key, a token, or anything that is to stay out of logs, rows, argv and messages."""

    _value: str

    def reveal(self) -> str:
        """The value itself. Call it where the value is placed or sent, and nowhere else."""
        return self._value

    @property
    def fingerprint(self) -> str:
        """What may be shown in its place: tells two secrets apart and gives nothing away."""
        return hashlib.sha256(self._value.encode()).hexdigest()[:FINGERPRINT_LENGTH]

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "…"


FINGERPRINT_LENGTH: Final = 8  # 32 bits: enough to tell a handful of credentials apart, too few to search by
