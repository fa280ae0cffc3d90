"""The sites: agents reach one listener, with their own routes only; people another, a Unix socket."""

import socket as sockets
from pathlib import Path

from aiohttp import web

from orchestrad.errors import Refused

AGENTS_LARGEST = 2 << 20  # bytes of a hook's post; git bodies are streamed and not bounded by this


class CannotListen(Refused):
    """An address or socket could not be bound; the text says what to do."""


def agents_app() -> web.Application:
    """An application for agents' routes."""
    return web.Application(client_max_size=AGENTS_LARGEST)


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
