"""The connection to one Docker engine: which one, threads to talk to it from, and what its silence means."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import urllib3

# By their modules: a type checker takes the repository's own docker/ directory for the package `docker`.
from docker.client import DockerClient
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from orchestrad.containers.port import EngineUnreachable
from orchestrad.errors import Refused

T = TypeVar("T")

# docker's APIError is a RequestException too: whoever wants an answer of the engine catches it before these.
SILENCE: Final = (RequestException, DockerException, urllib3.exceptions.HTTPError, OSError)

ANSWER_WITHIN: Final = timedelta(seconds=30)  # twenty parallel starts on two cores took 4 s; a slow disk gets a margin
THREADS: Final = 32  # each stop holds one for its whole grace; they are only made when needed


def engine_host(environment: Mapping[str, str]) -> str | None:
    """The engine that the docker command would talk to: `DOCKER_HOST`, else the chosen context; None for the default."""
    if named := environment.get("DOCKER_HOST"):
        return named
    context = ContextAPI.get_context(environment.get("DOCKER_CONTEXT") or None)
    return context.Host if context else None


class DockerEngine:
    """Calls to one engine, each on a thread of this object's own, with a client per thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        host = engine_host(environment)
        self._environment = {**environment, "DOCKER_HOST": host} if host else dict(environment)
        self.host = host or DEFAULT_UNIX_SOCKET.replace("http+", "")
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._local = threading.local()
        self._clients: list[Any] = []

    def connect(self) -> Any:
        """A new client for a thread that the caller owns; raises one of SILENCE when the engine does not answer."""
        return DockerClient.from_env(environment=self._environment, timeout=ANSWER_WITHIN.total_seconds())

    async def call(self, doing: str, ask: Callable[[Any], T]) -> T:
        """Runs `ask(client)` on a thread. What `ask` does not handle: silence and 5xx raise EngineUnreachable, 4xx Refused.

        `doing` completes the sentence "cannot …". A cancelled call may still land.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self._ask(doing, lambda: ask(self._client()))
        )

    async def call_at_length(self, doing: str, ask: Callable[[Any], T]) -> T:
        """The same for what may take minutes: a cancelled one holds up neither `aclose` nor the end of this process."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def tell(settle: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lambda: None if answer.done() else settle())

        def ask_once() -> T:
            with contextlib.closing(self.connect()) as client:
                return ask(client)

        def work() -> None:
            try:
                result = self._ask(doing, ask_once)
            except Exception as problem:  # noqa: BLE001 - raised again where it is awaited
                tell(partial(answer.set_exception, problem))
            else:
                tell(partial(answer.set_result, result))

        threading.Thread(target=work, name=f"docker: {doing}", daemon=True).start()
        return await answer

    def _ask(self, doing: str, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except APIError as answer:
            if answer.is_server_error():
                raise EngineUnreachable(f"cannot {doing}: the Docker engine failed ({explanation(answer)})") from answer
            raise Refused(f"cannot {doing}: the Docker engine declined ({explanation(answer)})") from answer
        except SILENCE as silence:
            raise EngineUnreachable(
                f"cannot {doing}: the Docker engine at {self.host} does not answer ({silence}). "
                "Is it running, and may this user talk to it? Try: docker version"
            ) from silence

    def _client(self) -> Any:
        if not hasattr(self._local, "client"):
            self._local.client = self.connect()
            self._clients.append(self._local.client)
        return self._local.client

    async def aclose(self) -> None:
        """Waits for the calls under way and gives back threads and connections."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        for client in self._clients:
            client.close()
        self._clients.clear()


def explanation(answer: APIError) -> str:
    """The engine's own words, in one line."""
    return " ".join(str(answer.explanation or answer).split())
