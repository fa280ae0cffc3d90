"""A person at a terminal of their own, attached to a tmux session: a pty that runs `tmux attach`."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

DETACH: Final = "\x02d"  # C-b d


@dataclass
class AttachedClient:
    """What the person does and sees."""

    pty: int
    process: subprocess.Popen[bytes]
    seen: bytes = b""

    def type(self, text: str) -> None:
        os.write(self.pty, text.encode())

    def sees(self, text: str) -> bool:
        """Whether this was drawn up to now."""
        with suppress(OSError):  # the client has ended and closed its side
            while select.select([self.pty], [], [], 0)[0] and (more := os.read(self.pty, 65536)):
                self.seen += more
        return text.encode() in self.seen

    def has_left(self) -> bool:
        self.sees("")  # a client whose drawing nobody reads can't end
        return self.process.poll() is not None


@contextmanager
def attached(socket: str, session: str, *options: str) -> Iterator[AttachedClient]:
    """Attaches as the README tells people to, with plain `tmux attach -t NAME`; gone again at the end."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        ["tmux", "-u", "-L", socket, "attach", *options, "-t", session],
        stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        env=os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
    )  # fmt: skip
    os.close(inner)
    client = AttachedClient(outer, process)
    try:
        yield client
    finally:
        process.kill()
        process.wait()
        os.close(outer)
