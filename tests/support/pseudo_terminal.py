"""A terminal that a test plays: a program runs in it, its output is read, keys are typed, and it can be hung up."""

import asyncio
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Mapping, Sequence
from typing import Self

# The session leader that opens a terminal gets it as its controlling one; there is no need to run code between fork and exec.
IN_TERMINAL = ("sh", "-c", 'tty=$1; shift; exec "$@" <>"$tty" >&0 2>&1', "sh")


class PseudoTerminal:
    """One program in one terminal of 40 rows and 120 columns."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._output = bytearray()
        self._process: asyncio.subprocess.Process | None = None
        self._open = True

    @classmethod
    async def run(cls, argv: Sequence[str], environment: Mapping[str, str]) -> Self:
        terminal = cls()
        terminal._process = await asyncio.create_subprocess_exec(
            *IN_TERMINAL, os.ttyname(terminal._slave), *argv, start_new_session=True, env={**environment, "TERM": "xterm-256color"}
        )
        asyncio.get_running_loop().add_reader(terminal._master, terminal._read)
        return terminal

    @property
    def text(self) -> str:
        """All that was shown so far."""
        return self._output.decode(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def ended(self) -> int:
        """Waits for the program, gives its exit status, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    def hang_up(self) -> None:
        """The terminal goes away, as when tmux is killed."""
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._slave)
            os.close(self._master)

    async def close(self) -> None:
        self.hang_up()
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _read(self) -> None:
        self._output += os.read(self._master, 65536)
