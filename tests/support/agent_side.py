"""What an agent's scripts need around them, made by hand: a run's directories, a hub of plain repositories, a daemon.

The daemon is a stand-in that a test scripts: it is asked for each post and says what is answered. Nothing here knows
orchestrad's own code; docs/agent-side.md is what both sides keep to.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.support.leftovers import MARK

HOOKS = Path(__file__).parents[2] / "hooks"
TOKEN = "worker-1.3.proof"
# What the scripts promise to run under, as far as it is on this machine; bash stands for macOS.
SHELLS = [command for command in (("dash",), ("busybox", "sh"), ("bash", "--posix")) if shutil.which(command[0])]


@dataclass(frozen=True)
class Post:
    """One request of a script; `lines` are those of the head, `text` what follows the empty line."""

    path: str
    authorization: str
    lines: Mapping[str, str]
    text: str

    @property
    def id(self) -> tuple[int, int]:
        epoch, n = self.lines["id"].split(".")
        return int(epoch), int(n)


@dataclass(frozen=True)
class Answer:
    """What the daemon says: head lines, then what is printed."""

    text: str = ""
    checkout: str = ""
    nonce: str = ""
    status: int = 200

    def body(self) -> str:
        lines = [f"{key} {value}\n" for key, value in (("checkout", self.checkout), ("nonce", self.nonce)) if value]
        return "".join([*lines, "\n", self.text])


Script = Callable[[Post], Answer | Awaitable[Answer]]


class DaemonStandin:
    """Answers posts at `url`; a port can be given, to come back where another one was."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.posts: list[Post] = []
        self.script: Script = lambda post: Answer()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to(self, path: str) -> list[Post]:
        return [post for post in self.posts if post.path == path]

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/{path}", self._post)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _post(self, http: web.Request) -> web.Response:
        raw = (await http.read()).decode()
        head, _, text = raw.partition("\n\n")
        lines = dict(line.partition(" ")[::2] for line in head.splitlines())
        post = Post(http.match_info["path"], http.headers.get("Authorization", ""), lines, text)
        self.posts.append(post)
        answer = self.script(post)
        if isawaitable(answer):
            answer = await answer
        return web.Response(status=answer.status, text=answer.body() if post.path == "hook" else answer.text)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def git(directory: Path, *words: str) -> str:
    """Git as a person would run it there, with a name; its output without the last newline."""
    named = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "init.defaultBranch=main"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *named, *words], cwd=directory, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


@dataclass
class AgentSide:
    """The directories of one agent below `root`, and ways to run its scripts under one shell."""

    root: Path
    daemon: str
    shell: tuple[str, ...] = ("sh",)
    agent: str = "worker-1"
    epoch: int = 3
    start: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for directory in (self.run, self.home):
            directory.mkdir(parents=True, exist_ok=True)
        (self.run / "token").write_text(f"{TOKEN}\n")
        name = "[user]\nname = Agent\nemail = agent@example.invalid\n"
        (self.run / "gitconfig").write_text(f"{name}[init]\ndefaultBranch = main\n[gc]\nauto = 0\n")

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def hub(self) -> Path:
        return self.root / "hub.git"

    @property
    def rescue(self) -> Path:
        return self.root / "rescue.git"

    @property
    def spool(self) -> list[str]:
        return sorted(path.name for path in (self.home / ".orchestrad/spool").glob("*"))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "ORCHESTRAD_RUN": str(self.run),
            "ORCHESTRAD_HOOKS": str(HOOKS), "GIT_CONFIG_GLOBAL": str(self.run / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
            **{name: os.environ[name] for name in (MARK,) if name in os.environ},
        }  # fmt: skip

    def make_hub(self, files: int = 3) -> str:
        """A hub whose branch main has one commit of so many files; gives the commit."""
        source = self.root / "source"
        source.mkdir(parents=True)
        git(source, "init", "-q")
        for number in range(files):
            path = source / f"dir{number % 40}" / f"file{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{number}\n" * 20)
        git(source, "add", "-A")
        git(source, "commit", "-q", "-m", "Begin")
        git(self.root, "clone", "-q", "--bare", "source", "hub.git")
        git(self.root, "init", "-q", "--bare", "rescue.git")
        shutil.rmtree(source)
        return git(self.hub, "rev-parse", "main")

    def commit_on_hub(self, path: str, text: str, *, onto: str = "main") -> str:
        """A commit that is in the hub's objects and on none of its branches; gives it."""
        blob = self._feed("hash-object", "-w", "--stdin", text=text)
        index = {"GIT_INDEX_FILE": str(self.root / "hub-index")}
        self._feed("read-tree", onto, environment=index)
        self._feed("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
        tree = self._feed("write-tree", environment=index)
        return self._feed(
            "-c", "user.name=T", "-c", "user.email=t@x.invalid", "commit-tree", tree, "-p", onto, "-m", f"Change {path}"
        )

    def _feed(self, *words: str, text: str = "", environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(["git", *words], cwd=self.hub, input=text, env={"PATH": os.environ["PATH"], **(environment or {})},
                              capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout.strip()

    def describe(self, **more: str) -> None:
        """Writes the run's `start`; an empty value leaves a line out."""
        lines = {
            "agent": self.agent, "epoch": str(self.epoch), "daemon": self.daemon, "hub": str(self.hub), "rescue": str(self.rescue),
            "objects": str(self.hub / "objects"), "workspace": str(self.workspace), "main": "main", **self.start, **more,
        }  # fmt: skip
        (self.run / "start").write_text("".join(f"{key} {value}\n" for key, value in lines.items() if value))

    def command(self, script: str, *words: str) -> list[str]:
        return [*self.shell, str(HOOKS / script), *words]

    async def call(self, script: str, *words: str, stdin: str = "", cwd: Path | None = None, limit: float = 30, **more: str) -> Ran:
        """Runs a script to its end; `more` joins its environment."""
        process = await self.begin(script, *words, cwd=cwd, **more)
        try:
            async with asyncio.timeout(limit):
                out, err = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def begin(self, script: str, *words: str, cwd: Path | None = None, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.command(script, *words), cwd=cwd or self.root, env={**self.environment, **more}, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def begin_run(self, **start: str) -> Ran:
        """Describes a run and lets the entrypoint make home and workspace fit for it."""
        self.describe(**start)
        ran = await self.call("entrypoint", "true")
        assert ran == Ran(0, "", ""), ran
        return ran

    def git(self, *words: str) -> str:
        """Git as the agent runs it in its workspace, its commit hook included."""
        done = subprocess.run(["git", *words], cwd=self.workspace, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.rstrip("\n")

    def commit(self, path: str, text: str) -> str:
        (self.workspace / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Write {path}")
        return self.git("rev-parse", "HEAD")

    def hub_refs(self, repository: Path | None = None) -> dict[str, str]:
        lines = git(repository or self.hub, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split() for line in lines)


async def until(is_so: Callable[[], bool], limit: float = 10) -> None:
    """Waits for a condition, looked at often; TimeoutError when it never comes."""
    async with asyncio.timeout(limit):
        while not is_so():  # noqa: ASYNC110  what another process writes rings no bell here
            await asyncio.sleep(0.01)
