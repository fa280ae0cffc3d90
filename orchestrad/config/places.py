"""Where things lie in a state directory: for the daemon that writes them and the commands that look for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LONGEST_SOCKET: Final = 100  # bytes; a Unix socket's path may have 104 on macOS and 108 on Linux, its end included


@dataclass(frozen=True, slots=True)
class Places:
    """The parts of one fleet's state directory."""

    state: Path

    @property
    def socket(self) -> Path:
        """Where people's commands are answered."""
        return self.state / "orchestrad.sock"

    @property
    def store(self) -> Path:
        """What the fleet knows, and its history."""
        return self.state / "store.sqlite"

    @property
    def hub(self) -> Path:
        """The bare repository that agents push to."""
        return self.state / "hub.git"

    @property
    def logs(self) -> Path:
        """The directory of logs."""
        return self.state / "logs"

    @property
    def log(self) -> Path:
        """The daemon's own log."""
        return self.logs / "orchestrad.log"

    def agent_log(self, agent: str) -> Path:
        """What the daemon and the agent's hooks told of it, a line of JSON each."""
        return self.logs / f"{agent}.log"


def socket_is_too_long(socket: Path) -> bool:
    """Whether no Unix socket can have this path."""
    return len(str(socket).encode()) > LONGEST_SOCKET
