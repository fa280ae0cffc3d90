"""Talks to a daemon over its Unix socket, with the standard library alone: a command should start at once."""

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from orchestrad.cli.failures import Failure, NoDaemon

ANSWER_WITHIN_SECONDS: Final = 15.0  # a commit on a slow disk, with a margin


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        self.sock.connect(str(self._path))


class Client:
    """One daemon. All methods raise NoDaemon when it does not answer, Failure when it refuses."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def status(self) -> dict[str, Any]:
        """The status document; see `orchestrad/api/status.py`."""
        return self._ask("GET", "/status")

    def why(self, of: str) -> str:
        """One sentence on an agent or task."""
        return str(self._ask("GET", f"/why?{urlencode({'of': of})}")["text"])

    def down(self, grace_seconds: float) -> str:
        """Lets turns end for so long, then ends the fleet; asked again, at once."""
        return str(self._ask("POST", "/down", {"graceSeconds": grace_seconds})["text"])

    def ending(self) -> str:
        """What an ending fleet waits for; "" when it is not ending."""
        return str(self._ask("GET", "/health")["ending"])

    def resume(self, agent: str) -> str:
        """Gives an agent back."""
        return str(self._ask("POST", f"/resume/{quote(agent, safe='')}")["text"])

    def retry(self, task: str) -> str:
        """Gives a blocked task out again."""
        return str(self._ask("POST", f"/retry/{quote(task, safe='')}")["text"])

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        connection = _UnixConnection(self._path, ANSWER_WITHIN_SECONDS)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._silent(error) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise Failure(str(answer.get("error", f"the daemon refused ({response.status} {response.reason})")))
        return answer

    def _silent(self, error: Exception) -> NoDaemon:
        if isinstance(error, TimeoutError):
            return NoDaemon(f"the daemon at {self._path} does not answer; see its log: orchestrad logs")
        return NoDaemon(f"no daemon answers at {self._path} ({error}). Start it: orchestrad --config DIR")
