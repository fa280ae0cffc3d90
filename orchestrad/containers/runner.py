"""What a terminal runs under engine `process`: it starts one run's command, writes down how that goes, and cleans up.

    python -I -S runner.py REGISTRY/AGENT EPOCH

REGISTRY/AGENT is a link to the run's directory, which is named EPOCH. In there: `spec.json` (written by process.py before),
`cancelled` (the run was stopped before it began), `pid` (this process, see `Process`), `exit` (the exit status, when nothing
of the run is left). Only the standard library, and only this file: a pane should show its agent within 60 ms.

- The command is a process group of its own in the terminal's session and has the foreground: Ctrl-C and Ctrl-Z are its.
- This process forwards TERM and CONT, kills the command on USR1, and takes HUP (the terminal is gone) as the run's end.
- A run begins once. Whoever comes second finds `pid` and refuses.
- Nothing outlives the run. On Linux this process adopts orphans (child subreaper) and kills what is left when the command
  ends; when it is itself killed, the kernel kills the command (PDEATHSIG), and whoever looks next kills what bears the run's
  mark in its environment. On macOS only the command's process group is killed, and a killed runner's command gets HUP.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

MARK: Final = "ORCHESTRAD_RUN_MARK"
KILL_NOW: Final = signal.SIGUSR1
HANGUP_GRACE_SECONDS: Final = 5.0  # for an agent whose terminal is gone; Claude Code ends within one
REFUSED: Final = 75  # EX_TEMPFAIL: not an exit status of the run
CANNOT_RUN, NOT_FOUND, BY_SIGNAL = 126, 127, 128  # as shells say it
FROM_THE_TERMINAL: Final = ("TERM", "COLORTERM")

FORWARDED: Final = {signal.SIGTERM, signal.SIGCONT, signal.SIGHUP, KILL_NOW, signal.SIGALRM, signal.SIGCHLD}
# Meant for the command, never for us; a background process that gets one of the last three would be suspended.
NOT_FOR_US: Final = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
PROC: Final = Path("/proc")
ON_LINUX: Final = sys.platform == "linux"


class Process(NamedTuple):
    """One process, for good: a pid is used again, a pid with its birth is not."""

    pid: int
    birth: str

    @classmethod
    def alive(cls, pid: int) -> "Process | None":
        """The process that has this pid now; None when there is none, or only its zombie."""
        birth = _birth_on_linux(pid) if ON_LINUX else _birth_by_ps(pid)
        return cls(pid, birth) if birth else None

    def is_alive(self) -> bool:
        return Process.alive(self.pid) == self

    @classmethod
    def read(cls, text: str) -> "Process":
        pid, _, birth = text.strip().partition(" ")
        return cls(int(pid), birth)

    def __str__(self) -> str:
        return f"{self.pid} {self.birth}\n"


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the program's name, which may hold anything: state, ppid, …, start time at 19."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _birth_on_linux(pid: int) -> str | None:
    stat = _stat(pid)
    if stat is None or stat[0] in "ZX":
        return None
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()  # start times count from the boot
    return f"{stat[19]}@{boot}"


def _birth_by_ps(pid: int) -> str | None:
    import subprocess  # noqa: PLC0415 - costs each pane 10 ms, and only machines without /proc need it

    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    state, _, started = shown.strip().partition(" ")
    return "-".join(started.split()) if state and not state.startswith("Z") else None


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir(PROC) if name.isdecimal()) if ON_LINUX else iter(())  # noqa: PTH208 - faster


def kill_marked(mark: str) -> int:
    """Kills every process that bears this mark, gives how many there were; again until none is left is up to the caller."""
    bears = f"{MARK}={mark}".encode()
    found = 0
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if pid != os.getpid() and bears in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
                found += 1
    return found


def write_durably(path: Path, text: str) -> None:
    """Writes a file that is there whole or not at all, also after a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w") as file:
        part.chmod(0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(link: Path, epoch: str) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | NOT_FOR_US)
    for ignored_by_default in (signal.SIGCHLD, signal.SIGCONT):
        signal.signal(ignored_by_default, lambda *_: None)  # else macOS drops them although they are waited for
    try:
        directory = link.readlink()
        if directory.name != epoch:
            refuse("a newer run has taken its place")
        spec = json.loads((directory / "spec.json").read_text())
        _claim(directory)
    except (FileNotFoundError, NotADirectoryError):
        refuse("it was removed")
    except FileExistsError:
        refuse("it has begun before")
    if (directory / "cancelled").exists():
        refuse("it was stopped before it began")
    status = run(spec)
    with contextlib.suppress(FileNotFoundError):  # removed meanwhile: nobody wants to know any more
        write_durably(directory / "exit", f"{status}\n")
    os._exit(status)


def refuse(why: str) -> NoReturn:
    sys.stderr.write(f"orchestrad: this run does not start: {why}. See: orchestrad status\n")
    sys.stderr.flush()
    os._exit(REFUSED)


def _claim(directory: Path) -> None:
    """Makes this process the runner of the run. Raises FileExistsError when there was one."""
    part = directory / f".pid.{os.getpid()}"
    part.write_text(str(Process.alive(os.getpid())))
    try:
        os.link(part, directory / "pid")
    finally:
        part.unlink()


def run(spec: dict[str, Any]) -> int:
    """Runs the command to its end, and leaves nothing of it behind."""
    prctl = ctypes.CDLL(None).prctl if ON_LINUX else None
    if prctl:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    runner = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _become(spec, runner, prctl)
        except BaseException as problem:  # noqa: BLE001 - a fork must not run on as a second runner
            os.write(2, f"orchestrad: cannot run {spec['command'][0]}: {problem}\n".encode())
            os._exit(NOT_FOUND if isinstance(problem, FileNotFoundError) else CANNOT_RUN)
    with contextlib.suppress(OSError):  # the child does the same; it may have been first, or have ended
        os.setpgid(child, child)
    status = _attend(child)
    _bury(child)
    return status


def _become(spec: dict[str, Any], runner: int, prctl: Any) -> NoReturn:
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):  # no terminal: nothing to have the foreground of
        os.tcsetpgrp(0, os.getpgrp())
    if prctl:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != runner:
            os._exit(BY_SIGNAL + signal.SIGKILL)  # it died before the kernel knew that we go with it
    # Changed by us, by Python (PIPE, XFSZ), or ignored by whoever started the terminal server (INT, of a shell's `&`).
    for changed in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):  # the C library keeps some for itself
            signal.signal(changed, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(spec["working_directory"])
    terminal = {name: os.environ[name] for name in FROM_THE_TERMINAL if name in os.environ}
    os.execvpe(spec["command"][0], spec["command"], terminal | spec["environment"])  # noqa: S606 - on purpose


def _attend(child: int) -> int:
    """Forwards signals until the command has ended; gives its status, 128 + n for signal n."""
    while True:
        match signal.sigwait(FORWARDED):
            case signal.SIGCHLD:
                status = _reap(child)
                if status is not None:
                    return status
            case signal.SIGTERM:
                _end(child)
            case signal.SIGHUP:
                _end(child)
                signal.setitimer(signal.ITIMER_REAL, HANGUP_GRACE_SECONDS)
            case signal.SIGCONT:
                os.killpg(child, signal.SIGCONT)
            case _:
                os.kill(child, signal.SIGKILL)


def _end(child: int) -> None:
    os.kill(child, signal.SIGTERM)
    os.killpg(child, signal.SIGCONT)  # a suspended one hears TERM only when it goes on


def _reap(child: int) -> int | None:
    """Reaps whoever has ended, adopted orphans too; the command's status if it was among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
                found = code if code >= 0 else BY_SIGNAL - code
    return found


def _bury(child: int) -> None:
    """Kills what the command left behind. Orphans of what is killed come to us, and get their turn."""
    if not ON_LINUX:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        return
    beyond_us: set[int] = set()  # became another user: can't be killed, and isn't waited for
    while living := {pid for pid in _pids() if (stat := _stat(pid)) and int(stat[1]) == os.getpid()} - beyond_us:
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                beyond_us.add(pid)
        if living - beyond_us:
            os.waitpid(-1, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
