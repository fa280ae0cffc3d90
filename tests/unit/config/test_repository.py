"""Whether the repository and its branch are there, asked of real git without a network."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from orchestrad.config.model import Config
from orchestrad.config.repository import check_repository, upstream_environment


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


def a_repository(where: Path, *branches: str) -> Path:
    def git(*arguments: str) -> None:
        login = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(("git", *login, *arguments), cwd=where, check=True, capture_output=True, env=environment(where))

    where.mkdir()
    git("init", "-b", "main")
    if branches:
        git("commit", "--allow-empty", "-m", "first")
    for branch in branches:
        git("branch", "-f" if branch != "main" else "--list", branch)
    return where


async def lines(url: object, where: Path, *, branch: str = "main", limit: float = 20) -> list[str]:
    config = Config(repository_url=str(url), worker_count=1, claude_configs=where, branch=branch)
    problems = await check_repository(config, environment(where), time_limit_seconds=limit)
    return [str(problem) for problem in problems]


async def test_a_repository_with_the_branch_is_no_problem(tmp_path: Path) -> None:
    there = a_repository(tmp_path / "r", "main")
    assert await lines(there, tmp_path) == []
    assert await lines(f"file://{there}", tmp_path) == []


async def test_an_absent_branch_is_told_with_one_that_exists(tmp_path: Path) -> None:
    (line,) = await lines(a_repository(tmp_path / "r", "main", "develop"), tmp_path, branch="develp")
    assert "orchestrator.json: branch: found" in line
    assert '"develp", which' in line
    assert '"develop"' in line


async def test_an_empty_repository_asks_for_a_first_commit(tmp_path: Path) -> None:
    (line,) = await lines(a_repository(tmp_path / "r"), tmp_path)
    assert "without any commit" in line
    assert "Push a first commit to main" in line


async def test_no_repository_there_is_told(tmp_path: Path) -> None:
    (line,) = await lines(tmp_path / "nowhere", tmp_path)
    assert "orchestrator.json: repositoryUrl: found no repository at" in line
    assert "Correct the URL" in line


async def test_a_host_that_refuses_connections_is_unreachable_and_its_password_is_hidden(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    (line,) = await lines(f"http://me:s3cret@127.0.0.1:{port}/a.git", tmp_path)
    assert "can't be reached" in line
    assert "s3cret" not in line


async def answering(status: str, *, silent: bool = False) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if silent:
            await reader.read()  # until the client goes
        else:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()
        await writer.wait_closed()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("status", "found"),
    [("401 Unauthorized", "refuses your login"), ("403 Forbidden", "refuses your login"), ("404 Not Found", "no repository at")],
)
async def test_a_refused_login_is_told_from_an_absent_repository(tmp_path: Path, status: str, found: str) -> None:
    async with await answering(status) as server:
        port = server.sockets[0].getsockname()[1]
        (line,) = await lines(f"http://127.0.0.1:{port}/a.git", tmp_path)
    assert found in line
    assert "\n" not in line


async def test_a_silent_host_is_given_up_after_the_limit(tmp_path: Path) -> None:
    async with await answering("", silent=True) as server:
        port = server.sockets[0].getsockname()[1]
        (line,) = await lines(f"http://127.0.0.1:{port}/a.git", tmp_path, limit=0.5)
    assert "no answer" in line
    assert "within 0.5 s" in line


async def test_the_users_own_ssh_command_is_kept_and_asks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[core]\n\tsshCommand = ssh -i key\n")
    made = await upstream_environment({**environment(tmp_path), "GIT_DIR": "/x"})
    assert made["GIT_SSH_COMMAND"].startswith("ssh -i key -o BatchMode=yes")
    assert made["GIT_TERMINAL_PROMPT"] == "0"
    assert "GIT_DIR" not in made
    made = await upstream_environment({**environment(tmp_path), "GIT_SSH_COMMAND": "my-ssh"})
    assert made["GIT_SSH_COMMAND"].startswith("my-ssh -o BatchMode=yes")
