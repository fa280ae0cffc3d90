"""One run of engine `process`, as its directory tells it; who writes what is described in runner.py."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrad.containers.port import RunSeen, RunState
from orchestrad.containers.runner import Process, kill_marked, write_durably
from orchestrad.core.ids import AgentName, ContainerId, Epoch, FleetId

SWEEPS: Final = 50  # each kills all that bear the mark at that moment; only a fork bomb needs more than two


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """A run whose directory is named after its epoch."""

    fleet: FleetId
    agent: AgentName
    directory: Path

    @property
    def epoch(self) -> Epoch:
        return Epoch(int(self.directory.name))

    @property
    def id(self) -> ContainerId:
        return ContainerId(f"process:{self.agent}:{self.epoch}")

    @property
    def mark(self) -> str:
        """What every process of this run has in its environment, and no other."""
        return f"{self.fleet}/{self.agent}/{self.epoch}"

    def runner(self) -> Process | None:
        """The process that began the run, be it alive or not; None when it has not begun."""
        try:
            return Process.read((self.directory / "pid").read_text())
        except FileNotFoundError:
            return None

    def cancel(self) -> None:
        """From now on the run does not begin."""
        with contextlib.suppress(FileNotFoundError):
            (self.directory / "cancelled").touch()

    def see(self) -> RunSeen:
        """The run as it is now.

        A runner that was killed leaves no exit status, and perhaps descendants: they are ended before the run counts as dead.
        """
        status = self._exit_status()
        if status is None:
            process = self.runner()
            if process is None:
                cancelled = (self.directory / "cancelled").exists() or not self.directory.exists()
                return self._seen(RunState.EXITED if cancelled else RunState.CREATED)
            if process.is_alive():
                return self._seen(RunState.RUNNING)
            status = self._exit_status()  # it may have been written between our two looks
        if status is None:
            status = self._sweep()
        return self._seen(RunState.EXITED, int(status) if status else None)

    def _seen(self, state: RunState, exit_code: int | None = None) -> RunSeen:
        return RunSeen(self.agent, self.epoch, self.id, state, exit_code)

    def _exit_status(self) -> str | None:
        """The recorded status; empty when the run ended without telling one; None while there is no record."""
        try:
            return (self.directory / "exit").read_text().strip()
        except FileNotFoundError:
            return None

    def _sweep(self) -> str:
        for _ in range(SWEEPS):
            if not kill_marked(self.mark):
                break
        with contextlib.suppress(FileNotFoundError):
            write_durably(self.directory / "exit", "\n")
        return ""
