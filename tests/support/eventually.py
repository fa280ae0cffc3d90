"""Waiting in tests: a condition is asked until it holds, never a time slept away."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], bool | Awaitable[bool]], *, within: float = 10) -> None:
    """Returns as soon as the condition holds; raises TimeoutError when it doesn't within so many seconds."""
    async with asyncio.timeout(within):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.01)
