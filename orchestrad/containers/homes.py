"""The directories of agents in the state directory: what a run finds when it starts, and what its CLI leaves to be read.

Remembers nothing. Home and workspace are the agent's to write, policy and run only to read: what is in the former is
opened with the care of guarded.py, what is in the latter is replaced by rename.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Final, Literal, TypeVar

from orchestrad.config.secret import Secret
from orchestrad.containers import claude, guarded
from orchestrad.containers.claude import IN_CONTAINER, Placement, Places
from orchestrad.containers.claude_files import ApiError, SessionFile, read_last_error, read_session
from orchestrad.containers.guarded import NOBODY_ELSE, NotBelow, Owner
from orchestrad.containers.port import Mount
from orchestrad.core.ids import AgentName, Epoch, Nonce, Oid
from orchestrad.errors import Refused, Unreachable

T = TypeVar("T")

LARGEST_STATE: Final = 32 << 20  # bytes of .claude.json; it grows with the projects it has seen, and has one here
LARGEST_SESSION: Final = 64 << 10
SESSIONS_LOOKED_AT: Final = 50  # one run has one file; the entrypoint empties the directory
TAIL: Final = 512 << 10  # bytes of a transcript's end in which its last error is looked for
TEXTS_KEPT: Final = 50  # a resumed conversation may read an earlier delivery's text again
_AGENT: Final = re.compile(r"manager|worker-[1-9]\d{0,5}")
_NONCE: Final = re.compile(r"[0-9a-f]{1,64}")
_STATE: Final = PurePosixPath(".claude.json")
_SETTINGS: Final = PurePosixPath(".claude/settings.json")


class HomeUnreachable(Unreachable):
    """An agent's directories could not be read or written just now."""


class HomeUnusable(Refused):
    """Something stands in an agent's directories that must not be there; a person must look."""


@dataclass(frozen=True, slots=True)
class Life:
    """What the directories must say before a run starts."""

    agent: AgentName
    epoch: Epoch
    token: Secret
    daemon: str  # http://HOST:PORT, as the agent reaches it
    main: str
    branch: str | None = None
    base: Oid | None = None
    nonce: Nonce | None = None
    text: str | None = None  # of the delivery with that nonce
    credential: Placement | None = None
    approved: tuple[Secret, ...] = ()  # API keys of the pool that lie in `env`, if any
    model: str | None = None
    repository_hooks: bool = True


class Homes:
    """The agents' directories below `directory`. `owner`: whom home and workspace belong to, when the daemon is root and
    agents are not; None when they run as the daemon's user."""

    def __init__(
        self,
        directory: Path,
        *,
        engine: Literal["docker", "process"],
        hooks: Path,
        objects: Path,
        owner: Owner | None = None,
    ) -> None:
        self._directory = directory
        self._engine = engine
        self._hooks = hooks
        self._objects = objects
        self._owner = owner
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="homes")

    def places(self, agent: AgentName) -> Places:
        """The directories as the agent sees them."""
        if self._engine == "docker":
            return IN_CONTAINER
        ours = PurePosixPath(self.directory(agent))
        return Places(
            home=ours / "home",
            workspace=ours / "workspace",
            policy=ours / "policy",
            run=ours / "run",
            hooks=PurePosixPath(self._hooks),
            objects=PurePosixPath(self._objects),
        )

    def mounts(self, agent: AgentName) -> tuple[Mount, ...]:
        """What an agent's container sees of this machine."""
        ours, seen = self.directory(agent), IN_CONTAINER
        return (
            Mount(ours / "workspace", str(seen.workspace), read_only=False),
            Mount(ours / "home", str(seen.home), read_only=False),
            Mount(ours / "policy", str(seen.policy)),
            Mount(ours / "run", str(seen.run)),
            Mount(self._hooks, str(seen.hooks)),
            Mount(self._objects, str(seen.objects)),
        )

    def settings(self, agent: AgentName) -> PurePosixPath | None:
        """What `claude.argv` is to be given as `settings`: under docker the CLI finds the managed ones by itself."""
        return self.places(agent).policy_file if self._engine == "process" else None

    def directory(self, agent: AgentName) -> Path:
        """Where an agent's directories lie on this machine."""
        if not _AGENT.fullmatch(agent):
            raise ValueError(f"{agent!r} is no agent's name: this is a bug")
        return self._directory / agent

    async def prepare(self, life: Life) -> None:
        """Makes the directories say what this run is; doing it twice is fine. The agent must be known dead.

        Raises HomeUnreachable, HomeUnusable.
        """
        await self._call(life.agent, lambda: self._prepare(life))

    async def place_text(self, agent: AgentName, nonce: Nonce, text: str) -> PurePosixPath:
        """Puts a delivery's text where the agent reads it, and gives that place as the agent sees it."""
        await self._call(agent, lambda: self._write_text(agent, nonce, text))
        return self.places(agent).text(nonce)

    async def place_credential(self, agent: AgentName, credential: Placement) -> None:
        """Puts another credential in the place of the one that a run uses."""
        await self._call(agent, lambda: self._place_credential(agent, credential))

    async def session(self, agent: AgentName) -> SessionFile | None:
        """What the CLI says that it is at; None when it says nothing."""
        return await self._call(agent, lambda: self._session(agent))

    async def last_error(self, agent: AgentName, transcript: str) -> ApiError | None:
        """The last API error in a transcript, named as the agent names it; None when there is none, or no such file."""

        def look() -> ApiError | None:
            tail = self._in_home(agent, transcript, lambda home, path: guarded.read(home, path, most=TAIL, from_end=True))
            return read_last_error(tail) if tail else None

        return await self._call(agent, look)

    async def transcript_size(self, agent: AgentName, transcript: str) -> int | None:
        """A transcript's length in bytes; None when there is no such file below the home."""
        return await self._call(agent, lambda: self._in_home(agent, transcript, guarded.size))

    async def remove(self, agent: AgentName) -> None:
        """Removes all that an agent had on this machine. What is gone already is a success."""
        await self._call(agent, lambda: _remove(self.directory(agent)))

    async def aclose(self) -> None:
        """Gives back the threads."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _call(self, agent: AgentName, do: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, do)
        except NotBelow as error:
            raise HomeUnusable(
                f"the directories of {agent} can't be used: {error}. Look at {self.directory(agent)} and remove it"
            ) from error
        except OSError as error:
            raise HomeUnreachable(f"cannot use {self.directory(agent)} ({error}). Is the disk full, or another user's?") from error

    # ---- what follows runs on the executor

    def _prepare(self, life: Life) -> None:
        agent, places = life.agent, self.places(life.agent)
        ours = self.directory(agent)
        ours.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("home", "workspace"):
            _give(ours / name, self._owner)
        for name in ("policy", "run", "run/texts"):
            self._let_read(ours / name)
        self._place_key(agent, life.credential)
        policy = claude.policy(
            places, daemon=life.daemon, token=life.token, model=life.model, repository_hooks=life.repository_hooks
        )
        self._place_settings(agent, policy, life.credential)
        state = _json(guarded.read(ours / "home", _STATE, most=LARGEST_STATE))
        state = claude.home(state, workspace=places.workspace, approved=life.approved)
        self._write_home(agent, _STATE, _dump(state))
        self._write_run(agent, "token", f"{life.token.reveal()}\n")
        self._write_run(agent, "gitconfig", _gitconfig(life))
        if life.nonce is not None and life.text is not None:
            self._write_text(agent, life.nonce, life.text)
        self._write_run(agent, "start", _start(life, places, waits_for_terminal=self._engine == "docker"))

    def _place_credential(self, agent: AgentName, credential: Placement) -> None:
        self._place_key(agent, credential)
        found = guarded.read(self.directory(agent), PurePosixPath("policy/managed-settings.json"), most=LARGEST_STATE)
        self._place_settings(agent, _json(found), credential)

    def _place_key(self, agent: AgentName, credential: Placement | None) -> None:
        if credential is not None and credential.key is not None:
            self._write_run(agent, "api-key", f"{credential.key.reveal()}\n")
        else:
            (self.directory(agent) / "run/api-key").unlink(missing_ok=True)

    def _place_settings(self, agent: AgentName, policy: dict[str, Any], credential: Placement | None) -> None:
        """Under docker the credential joins the policy; what `--settings` names is read once, so that there it goes home."""
        if self._engine == "docker":
            self._write_own(agent, "policy/managed-settings.json", _dump(claude.with_credential(policy, credential)))
            return
        self._write_own(agent, "policy/managed-settings.json", _dump(policy))
        found = _json(guarded.read(self.directory(agent) / "home", _SETTINGS, most=LARGEST_STATE))
        self._write_home(agent, _SETTINGS, _dump(claude.with_credential(found, credential)))

    def _write_text(self, agent: AgentName, nonce: Nonce, text: str) -> None:
        if not _NONCE.fullmatch(nonce):
            raise ValueError(f"{nonce!r} is no nonce: this is a bug")
        self._write_run(agent, f"texts/{nonce}", text)
        texts = sorted((self.directory(agent) / "run/texts").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in texts[:-TEXTS_KEPT]:
            old.unlink(missing_ok=True)

    def _session(self, agent: AgentName) -> SessionFile | None:
        home = self.directory(agent) / "home"
        try:
            with guarded.directory(home, ".claude", "sessions") as where:
                names = [name for name in os.listdir(where) if name.endswith(".json")]  # noqa: PTH208  a descriptor has no Path
        except FileNotFoundError:
            return None
        found = []
        for name in sorted(names)[:SESSIONS_LOOKED_AT]:
            with contextlib.suppress(NotBelow):
                content = guarded.read(home, PurePosixPath(".claude/sessions") / name, most=LARGEST_SESSION)
                if content and (session := read_session(content)):
                    found.append(session)
        return max(found, key=lambda session: session.updated_at_ms, default=None)

    def _in_home(self, agent: AgentName, path: str, look: Callable[[Path, PurePosixPath], T | None]) -> T | None:
        """Looks at a file that the agent named; one that is not below its home counts as not there."""
        try:
            below = PurePosixPath(path).relative_to(self.places(agent).home)
            return look(self.directory(agent) / "home", below) if below.parts else None
        except (ValueError, NotBelow, NotADirectoryError):
            return None

    def _write_home(self, agent: AgentName, path: PurePosixPath, content: str) -> None:
        guarded.write(self.directory(agent) / "home", path, content.encode(), owner=self._owner or NOBODY_ELSE)

    def _write_run(self, agent: AgentName, name: str, content: str) -> None:
        self._write_own(agent, f"run/{name}", content)

    def _write_own(self, agent: AgentName, path: str, content: str) -> None:
        """A file that the agent may read: through its group when its user is another."""
        group = Owner(gid=self._owner.gid) if self._owner else NOBODY_ELSE
        mode = 0o640 if self._owner else 0o600
        guarded.write(self.directory(agent), PurePosixPath(path), content.encode(), mode=mode, owner=group)

    def _let_read(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        if self._owner:
            os.chown(path, -1, self._owner.gid)
            path.chmod(0o750)


def _start(life: Life, places: Places, *, waits_for_terminal: bool) -> str:
    lines: Sequence[tuple[str, object]] = (
        ("agent", life.agent),
        ("epoch", life.epoch),
        ("daemon", life.daemon),
        ("hub", f"{life.daemon}/git/hub.git"),
        ("rescue", f"{life.daemon}/git/rescue.git"),
        ("objects", places.objects),
        ("workspace", places.workspace),
        ("main", life.main),
        ("branch", life.branch),
        ("base", life.base),
        ("nonce", life.nonce),
        ("rows", "yes" if waits_for_terminal else None),
    )
    for key, value in lines:
        if "\n" in str(value):
            raise ValueError(f"the start of a run can't hold {key} {value!r}: this is a bug")
    return "".join(f"{key} {value}\n" for key, value in lines if value is not None)


def _gitconfig(life: Life) -> str:
    """The token is for the daemon's address alone: an agent may well clone from elsewhere."""
    return (
        f"[user]\n\tname = {life.agent}\n\temail = {life.agent}@orchestrad.invalid\n"
        f'[http "{life.daemon}/"]\n\textraHeader = Authorization: Bearer {life.token.reveal()}\n\tproxy =\n'
        "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 30\n"  # a daemon that hangs must not hold a turn for ever
        f"[init]\n\tdefaultBranch = {life.main}\n[push]\n\tdefault = current\n"
        "[pull]\n\trebase = false\n[advice]\n\tdetachedHead = false\n"
    )


def _json(content: bytes | None) -> dict[str, Any]:
    """What a file of the CLI holds; one that is absent, cut short or no object is begun anew."""
    try:
        data = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _dump(settings: dict[str, Any]) -> str:
    return json.dumps(settings, indent=1) + "\n"


def _give(path: Path, owner: Owner | None) -> None:
    """Makes a directory of the agent's own; all in it changes hands when it belonged to another user."""
    path.mkdir(mode=0o700, exist_ok=True)
    if owner is None or path.stat().st_uid == owner.uid:
        return
    for _, directories, files, where in os.fwalk(path, follow_symlinks=False):
        for name in (*directories, *files):
            os.chown(name, *owner, dir_fd=where, follow_symlinks=False)
    os.chown(path, *owner)  # last: after a kill in between it is all done again


def _remove(path: Path) -> None:
    def make_way(_: object, name: str, error: BaseException | tuple[Any, ...]) -> None:
        """Directories without write permission, as some package caches are."""
        problem = error[1] if isinstance(error, tuple) else error
        if isinstance(problem, FileNotFoundError):
            return
        if not isinstance(problem, PermissionError) or os.geteuid() == 0:
            raise problem
        for each in (Path(name).parent, Path(name)):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISDIR(each.lstat().st_mode):
                    each.chmod(0o700)

    for _ in range(3):
        if not path.exists():
            return
        shutil.rmtree(path, onerror=make_way)
    if path.exists():
        raise PermissionError(f"{PurePath(path)} is still there")
