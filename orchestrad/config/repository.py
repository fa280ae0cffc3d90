"""Asks the user's repository whether it is there and has the branch, with the user's own git and ssh settings."""

import asyncio
import contextlib
import difflib
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrad.config.model import Config
from orchestrad.config.problems import Problem
from orchestrad.config.repository_url import UrlKind, redact

TIME_LIMIT_SECONDS: Final = 20.0  # a person waits for it at the start; ssh itself gives up after 15

_OF_ANOTHER_REPOSITORY: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


async def upstream_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for git calls that reach the user's repository: their own keys and helpers, and no question to anybody."""
    kept = {name: value for name, value in environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
    if "GIT_SSH" not in kept:
        ssh = kept.get("GIT_SSH_COMMAND") or await _configured_ssh(kept) or "ssh"
        quiet["GIT_SSH_COMMAND"] = f"{ssh} -o BatchMode=yes -o ConnectTimeout=15"
    return {**kept, **quiet}


async def check_repository(
    config: Config,
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> tuple[Problem, ...]:
    """What keeps the fleet from working on `repositoryUrl` and `branch`: nothing, or one problem. Changes nothing.

    `file` is the settings file that the problem names. Raises FileNotFoundError when there is no git.
    """
    name = str(file) if file else "orchestrator.json"
    shown = config.repository_url.shown

    def refuse(found: str, expected: str, remedy: str) -> tuple[Problem, ...]:
        return (Problem(name, "repositoryUrl", found, expected, remedy),)

    process = await asyncio.create_subprocess_exec(
        "git",
        "ls-remote",
        "--heads",
        "--",
        config.repository_url.url,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=await upstream_environment(environ),
        start_new_session=True,  # ssh must find no terminal to ask at, and a kill must reach it too
    )
    try:
        async with asyncio.timeout(time_limit_seconds):
            out, err = await process.communicate()
    except TimeoutError:
        found = f"no answer from {shown} within {time_limit_seconds:g} s"
        return refuse(found, "a repository that answers", "look at the network, then start again")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        return refuse(*_explain(redact(err.decode(errors="replace")), config))
    heads = re.findall(r"^[0-9a-f]+\trefs/heads/(.+)$", out.decode(errors="replace"), re.MULTILINE)
    if config.branch in heads:
        return ()
    if not heads:
        found = f"{shown} without any commit"
        return refuse(found, f"a repository with a branch {config.branch}", f"push a first commit to {config.branch}")
    close = difflib.get_close_matches(config.branch, heads, n=1, cutoff=0.4) or heads[:1]
    remedy = f'push it, or write another that exists, e.g. "{close[0]}"'
    return (Problem(name, "branch", f'"{config.branch}", which {shown} does not have', "an existing branch", remedy),)


def _explain(error: str, config: Config) -> tuple[str, str, str]:
    """Found, expected and remedy for what git said (already without passwords)."""
    shown = config.repository_url.shown
    said = " ".join(error.split())[-300:]
    if "dubious ownership" in error:
        path = config.repository_url.url.removeprefix("file://")
        return (
            f"{shown}, which belongs to another user",
            "a repository that git trusts",
            f"run git config --global --add safe.directory {path}",
        )
    if "Host key verification failed" in error:
        return f"{shown}, a host that ssh does not know yet", "a known host", "connect to it once by hand with ssh"
    if re.search(r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]|denied", error):
        remedy = (
            "add your key with ssh-add, and try git ls-remote by hand"
            if config.repository_url.kind in {UrlKind.SSH, UrlKind.SCP}
            else "set up a git credential helper, and try git ls-remote by hand"
        )
        return f"{shown}, which refuses your login ({said})", "a repository that you may read", remedy
    if re.search(r"not found|does not appear to be a git|does not exist|not a git repository", error, re.IGNORECASE):
        return f"no repository at {shown} ({said})", "an existing repository", "correct the URL, or make it there"
    return f"{shown}, which can't be reached ({said})", "a repository that answers", "try git ls-remote by hand"


async def _configured_ssh(environ: Mapping[str, str]) -> str | None:
    process = await asyncio.create_subprocess_exec(
        "git",
        "config",
        "--get",
        "core.sshCommand",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(environ),
        cwd="/",  # the user's setting, not that of a repository that we happen to be started in
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace").strip() or None
