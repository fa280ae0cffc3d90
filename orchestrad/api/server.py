"""The sites: agents reach one listener, with their own routes only; people another, a Unix socket."""

import socket as sockets
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from orchestrad.errors import Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_AT_ONCE = 32  # requests of one run: a Stop, a push behind each commit, and what parallel tools tell
AGENTS_LARGEST = 2 << 20  # bytes of a hook's post; git bodies are streamed and not bounded by this


class CannotListen(Refused):
    """An address or socket could not be bound; the text says what to do."""


def agents_app() -> web.Application:
    """An application for agents' routes; one run can't hold more than its share of connections and git processes."""
    in_hand: Counter[str] = Counter()

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        token = request.headers.get("Authorization", "")  # a wrong one is turned away at once and holds nothing
        if in_hand[token] >= MOST_AT_ONCE:
            raise web.HTTPServiceUnavailable(text="too many requests of this run are under way; ask again\n")
        in_hand[token] += 1
        try:
            return await handler(request)
        finally:
            in_hand[token] -= 1
            if not in_hand[token]:
                del in_hand[token]

    return web.Application(client_max_size=AGENTS_LARGEST, middlewares=[bounded])


async def serve_tcp(app: web.Application, *, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serves on TCP; gives the port, which is a free one where `port` is 0 or taken by somebody else."""
    # A hook script that is killed must be noticed at once, and git compresses its bodies itself.
    runner = web.AppRunner(app, handler_cancellation=True, auto_decompress=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for wanted in dict.fromkeys((port, 0)):
        try:
            site = web.TCPSite(runner, host, wanted, reuse_address=True)
            await site.start()
        except OSError as error:
            if wanted == 0:
                await runner.cleanup()
                raise CannotListen(f"cannot listen on {host}: {error.strerror}. Is that address still there?") from error
            continue
        server = runner.addresses[0]
        return runner, int(server[1])
    raise AssertionError  # port 0 has answered or raised


async def serve_unix(app: web.Application, path: Path) -> web.AppRunner:
    """Serves on a Unix socket for its owner alone; one that a dead daemon left is replaced."""
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, _bound(path)).start()
    except OSError as error:
        await runner.cleanup()
        raise CannotListen(
            f"cannot listen on {path}: {error}. Its name may have 100 characters at most: give a shorter `stateDirectory`."
        ) from error
    return runner


def _bound(path: Path) -> sockets.socket:
    path.unlink(missing_ok=True)
    bound = sockets.socket(sockets.AF_UNIX)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
    except OSError:
        bound.close()
        raise
    return bound
