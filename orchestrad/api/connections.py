"""Open connections that wait for an answer: each has an id of its own, and is answered at most once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Answered:
    """What goes out: a status, and a text."""

    status: int = 200
    text: str = ""


class Connections:
    """Who is waiting. `gone` is called with the id of a connection that its other side gave up."""

    def __init__(self, gone: Callable[[str], None]) -> None:
        self._gone = gone
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[Answered]] = {}

    @asynccontextmanager
    async def open(self, what: str) -> AsyncIterator[tuple[str, "asyncio.Future[Answered]"]]:
        """An id for a new connection, and the future of its answer."""
        name = f"{what}-{next(self._numbers)}"
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[name] = answer
        try:
            yield name, answer
        finally:
            del self._waiting[name]
            if not answer.done() or answer.cancelled():
                self._gone(name)

    def answer(self, connection: str, answered: Answered) -> bool:
        """Whether somebody still waited there."""
        waiting = self._waiting.get(connection)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answered)
        return True
