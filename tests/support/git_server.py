"""The hub behind an HTTP server on loopback, as agents reach it, and git as they run it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from orchestrad.core.ids import AgentName
from orchestrad.hub.git import GitHub
from orchestrad.hub.policy import may_push
from orchestrad.hub.port import GitRequest, RefUpdate, Verdict


@dataclass
class GitServer:
    """Serves a hub; who asks is named by the path. Remembers what it was asked to authorize."""

    hub: GitHub
    url: str = ""
    asked: list[tuple[str, tuple[RefUpdate, ...]]] = field(default_factory=list)
    encodings: list[str] = field(default_factory=list)
    secrets: tuple[str, ...] = ()  # what no push may bring
    login: str | None = None  # the value of Authorization that is wanted

    async def authorize(self, user: str, updates: tuple[RefUpdate, ...], *, rescue: bool) -> Verdict:
        self.asked.append((user, updates))
        return may_push(AgentName(user), updates, branch="main", rescue=rescue)

    async def forbidden(self) -> tuple[str, ...]:
        return self.secrets

    async def handle(self, request: web.Request) -> web.StreamResponse:
        user, repository, path = (request.match_info[name] for name in ("user", "repository", "path"))
        rescue = repository == "rescue.git"
        if self.login is not None and request.headers.get("Authorization") != self.login:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="hub"'})
        self.encodings.append(request.headers.get("Content-Encoding", ""))

        async def authorize(updates: tuple[RefUpdate, ...]) -> Verdict:
            return await self.authorize(user, updates, rescue=rescue)

        reply = await self.hub.serve(
            GitRequest(
                method=request.method,
                path=f"/{path}",
                query=request.query_string,
                content_type=request.headers.get("Content-Type", ""),
                content_encoding=request.headers.get("Content-Encoding", ""),
                protocol=request.headers.get("Git-Protocol", ""),
                body=request.content.iter_any(),
                user=user,
            ),
            rescue=rescue,
            authorize=authorize,
            forbidden=self.forbidden,
        )
        response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
        await response.prepare(request)
        async for chunk in reply.body:
            await response.write(chunk)
        await response.write_eof()
        return response


@asynccontextmanager
async def serving(hub: GitHub) -> AsyncIterator[GitServer]:
    server = GitServer(hub)
    app = web.Application(client_max_size=1 << 40)
    app.router.add_route("*", "/{user}/{repository}/{path:.*}", server.handle)
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        server.url = f"http://127.0.0.1:{port}"
        yield server
    finally:
        await runner.cleanup()
        await hub.close()


@dataclass(frozen=True)
class Said:
    """How a git command ended."""

    status: int
    out: str
    err: str


async def agent_git(*arguments: str | Path, at: Path | None = None, environment: Mapping[str, str] | None = None) -> Said:
    """Runs git as an agent would."""
    who = {f"GIT_{role}_{what}": "agent@example.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    process = await asyncio.create_subprocess_exec(
        "git",
        *(["-C", str(at)] if at else []),
        *arguments,
        env={**os.environ, **who, "GIT_TERMINAL_PROMPT": "0", **(environment or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # git has children that hold its pipes
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
        raise
    return Said(process.returncode or 0, out.decode(), err.decode("utf-8", "replace"))


async def clone(server: GitServer, user: str, place: Path) -> Path:
    said = await agent_git("clone", "-q", f"{server.url}/{user}/hub.git", place)
    assert said.status == 0, said.err
    return place


async def commit(workspace: Path, branch: str, files: Mapping[str, bytes]) -> str:
    """Commits the files on a new branch off what is checked out; gives the commit."""
    steps: Sequence[tuple[str, ...]] = [("checkout", "-q", "-B", branch), ("add", "-A"), ("commit", "-q", "-m", "work")]
    for path, data in files.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(data)
    for step in steps:
        said = await agent_git(*step, at=workspace)
        assert said.status == 0, said.err
    return (await agent_git("rev-parse", "HEAD", at=workspace)).out.strip()
