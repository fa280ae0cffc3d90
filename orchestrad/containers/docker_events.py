"""Deaths as the engine tells them, read on a thread of its own, over reconnections.

The engine's stream simply ends when the engine goes, and what happened while nobody listened is lost with the engine's
memory. So each time the stream stands (again) a Doubt comes first: whoever listens then lists.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrad.containers.docker_engine import SILENCE, DockerEngine
from orchestrad.containers.docker_run import FLEET, KILLED, run_of
from orchestrad.containers.port import Died, Doubt, RunState
from orchestrad.core.ids import ContainerId, FleetId

FIRST_WAIT: Final = timedelta(milliseconds=100)
LONGEST_WAIT: Final = timedelta(seconds=5)  # an engine's restart takes about a second; then deaths matter at once
THREAD_ENDS_WITHIN: Final = timedelta(seconds=1)  # one that waits for an engine that hangs ends later, by itself
OOM_IS_THE_CAUSE_NS: Final = 1_000_000_000  # `oom` came 33 ms before its `die`; a child's `oom` has no `die` of its own


class DockerEvents:
    """One listener. Iterate `news()`; `close()` ends it, from any thread."""

    def __init__(self, engine: DockerEngine, fleet: FleetId) -> None:
        self._engine = engine
        self._fleet = fleet
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Died | Doubt | None] = asyncio.Queue()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None
        self._resume_at: str | None = None
        self._out_of_memory_ns: dict[str, int] = {}
        self._thread = threading.Thread(target=self._listen, name="docker-events", daemon=True)

    async def news(self) -> AsyncGenerator[Died | Doubt, None]:
        """What the thread hears, until closed."""
        self._thread.start()
        try:
            while (item := await self._queue.get()) is not None:
                yield item
        finally:
            self.close()
            await self._loop.run_in_executor(None, self._thread.join, THREAD_ENDS_WITHIN.total_seconds())

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()
                self._stream = None

    def _listen(self) -> None:
        wait = FIRST_WAIT
        reason = "listening to the Docker engine began"
        while not self._closed.is_set():
            try:
                client = self._engine.connect()
                try:
                    self._open(client)
                    self._tell(Doubt(reason))
                    began = time.monotonic()
                    self._read()
                    # A stream that ends at once is no sign of health: the SDK shows an engine's refusal like that, too.
                    if time.monotonic() - began > LONGEST_WAIT.total_seconds():
                        wait = FIRST_WAIT
                finally:
                    client.close()
                reason = "the Docker engine ended its stream of events"
            except SILENCE as silence:
                reason = f"the Docker engine did not answer ({silence})"
            self._closed.wait(wait.total_seconds())
            wait = min(wait * 2, LONGEST_WAIT)
        self._tell(None)

    def _open(self, client: Any) -> None:
        # The engine answers a moment before it subscribes; asking for what happened since before the call closes the gap.
        since = self._resume_at or _timestamp(client.info()["SystemTime"])
        filters = {"type": "container", "label": f"{FLEET}={self._fleet}", "event": ["die", "oom"]}
        stream = client.events(decode=True, since=since, filters=filters)
        with self._lock:
            self._stream = stream
            if self._closed.is_set():
                stream.close()

    def _read(self) -> None:
        stream = self._stream
        for event in stream or ():
            at_ns = int(event["timeNano"])
            self._resume_at = "{}.{:09d}".format(*divmod(at_ns + 1, 10**9))
            if death := self._understand(event, at_ns):
                self._tell(death)

    def _understand(self, event: dict[str, Any], at_ns: int) -> Died | None:
        container, attributes = event["Actor"]["ID"], event["Actor"]["Attributes"]
        if event["Action"] == "oom":
            self._out_of_memory_ns[container] = at_ns
            return None
        oom_ns = self._out_of_memory_ns.pop(container, None)
        run = run_of(ContainerId(container), attributes, RunState.EXITED)
        if run is None:
            return None
        exit_code = int(attributes["exitCode"])
        out_of_memory = oom_ns is not None and exit_code == KILLED and at_ns - oom_ns < OOM_IS_THE_CAUSE_NS
        return Died(replace(run, exit_code=exit_code, out_of_memory=out_of_memory))

    def _tell(self, item: Died | Doubt | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:  # the loop has ended without closing us: nobody listens any more
            self._closed.set()


def _timestamp(engine_time: str) -> str:
    """The engine's clock in the only form that its events take: seconds since 1970."""
    return f"{datetime.fromisoformat(engine_time).timestamp():.6f}"
