"""The user's repository: fetched and pushed with the user's own git and ssh settings, never by force, never prompting.

A login in the URL is in no argv, neither ours nor that of the transport which git starts: the URL is given without it,
and git gets it, when asked for one, from a credential helper that prints two variables of its environment.
"""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from orchestrad.config.repository_url import redact
from orchestrad.core.ids import Oid
from orchestrad.hub.names import is_oid
from orchestrad.hub.port import UpstreamAway, UpstreamRefused
from orchestrad.hub.run import Done, Git, GitFailed, config_variables, reason_of, run

TIME_LIMIT: Final = timedelta(minutes=5)  # a fetch or push of a night's work over a slow line
CLONE_LIMIT: Final = timedelta(hours=2)  # the first fetch of a large repository

_NAME: Final = "upstream"
_CONNECT_LIMIT: Final = "20"  # seconds for ssh to connect: a firewall that drops packets would take minutes
# Variables that would turn git to another repository; the user's other ones count.
_OF_A_REPOSITORY: Final = frozenset(
    ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
     "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_SHALLOW_FILE")
)  # fmt: skip
_HELPER: Final = (
    '!f() { test "$1" != get || '
    'printf "username=%s\\npassword=%s\\n" "$ORCHESTRAD_UPSTREAM_USER" "$ORCHESTRAD_UPSTREAM_PASSWORD"; }; f'
)
# What git 2.38 to 2.39 and common servers say when asking again won't help. The rest is taken for a line that is down.
_DECLINED: Final = re.compile(
    r"Authentication failed|Permission denied|could not read (Username|Password)|terminal prompts disabled|"
    r"returned error: 40[13]|Host key verification failed|[Rr]epository not found|repository '.*' not found|"
    r"does not appear to be a git repository|access denied|Access denied|not authorized|"
    r"couldn't find remote ref|mismatched algorithms|transport '.*' not allowed|is not a valid URL|dubious ownership"
)
_PASSED_ON: Final = re.compile(r"fatal: Could not read from remote|Please make sure you have the correct|and the repository exists")
_MOVED: Final = re.compile(
    r"\((fetch first|non-fast-forward|needs force|stale info|incorrect old value provided|cannot lock ref .*)\)"
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """One branch of the repository at `url`, tracked in the hub at `refs/upstream/BRANCH`."""

    url: str = field(repr=False)
    branch: str

    @property
    def ref(self) -> str:
        return f"refs/upstream/{self.branch}"

    async def fetch(
        self, git: Git, *, time_limit: timedelta = TIME_LIMIT, on_error_output: Callable[[bytes], None] | None = None
    ) -> None:
        """Brings the branch's commits into the hub and moves `ref`, also when upstream was rewritten.

        Raises UpstreamAway, UpstreamRefused.
        """
        progress = "--progress" if on_error_output else "--quiet"
        options = ("--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--refmap=")
        spec = f"+refs/heads/{self.branch}:{self.ref}"
        done = await self._run(git, "fetch", (progress, *options, _NAME, spec), time_limit, on_error_output)
        if done.status:
            raise self._failure("fetch from", done)

    async def push(self, git: Git, oid: Oid) -> bool:
        """Moves the branch there to `oid`; False when that is no fast-forward. Raises UpstreamAway, UpstreamRefused."""
        if not is_oid(oid):
            raise UpstreamRefused(f"can't push {oid[:60]!r}: that is no commit's name. This is a bug.")
        options = ("--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
        done = await self._run(git, "push", (*options, _NAME, f"{oid}:refs/heads/{self.branch}"), TIME_LIMIT, None)
        if done.status == 0:
            return True
        told = next((line for line in done.out.decode("utf-8", "replace").splitlines() if line.startswith("!")), None)
        if told is None:
            raise self._failure("push to", done)
        if _MOVED.search(told):
            return False
        # What the server's hook or its branch protection said is the useful part, and it is on `remote:` lines.
        said = [line.removeprefix("remote:").strip() for line in done.err.splitlines() if line.startswith("remote:")]
        reason = _clean("; ".join([told.rpartition("\t")[2], *filter(None, said)]))
        raise UpstreamRefused(
            f"{redact(self.url)} refused the push to {self.branch}: {reason}. "
            f"Allow it there, or set `branch` in orchestrator.json to one that may be pushed."
        )

    async def _run(
        self,
        git: Git,
        command: str,
        arguments: tuple[str, ...],
        time_limit: timedelta,
        on_error_output: Callable[[bytes], None] | None,
    ) -> Done:
        environment = await self._environment()
        argv = git.argv(command, *arguments)
        try:
            return await run(argv, environment=environment, time_limit=time_limit, on_error_output=on_error_output)
        except GitFailed as failed:
            raise UpstreamAway(f"{redact(self.url)} did not answer: {failed.reason}. It is asked again later.") from failed

    def _failure(self, doing: str, done: Done) -> UpstreamAway | UpstreamRefused:
        reason = _clean(reason_of(_telling(done.err)))
        text = f"could not {doing} {redact(self.url)}: {reason}."
        if "couldn't find remote ref" in done.err:
            return UpstreamRefused(f"{text} Push a branch {self.branch!r} there, or set `branch` in orchestrator.json.")
        path = self._local_path()
        if _DECLINED.search(done.err) and (path is None or path.exists()):
            return UpstreamRefused(f"{text} See that `git ls-remote` works for it as the user who runs orchestrad.")
        return UpstreamAway(f"{text} It is asked again later.")

    def _local_path(self) -> Path | None:
        """The directory that the URL names, if it does: one that is missing may be a disk that comes back."""
        if self.url.startswith("file://"):
            return Path(unquote(urlsplit(self.url).path))
        return Path(self.url) if self.url.startswith("/") else None

    async def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
        environment |= {"LC_ALL": "C", "LANGUAGE": "", "GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}
        if "GIT_SSH" not in environment:
            environment["GIT_SSH_COMMAND"] = await _ssh_command(environment)
        url, login, variables = _without_login(self.url)
        settings = {
            f"remote.{_NAME}.url": url,
            "core.hooksPath": os.devnull,  # a pre-push hook of the user's is meant for the user's own pushes
            "safe.directory": "*",
            "gc.auto": "0",
            **login,
        }
        already = environment.get("GIT_CONFIG_COUNT", "0")
        return environment | variables | config_variables(settings, int(already) if already.isdecimal() else 0)


def _without_login(url: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """The URL without a login; the settings and the variables by which git gets it nevertheless."""
    found = re.match(r"(?i)(https?)://([^/?#]*)@([^@/?#]+)(.*)", url, re.DOTALL)
    if found is None:
        return url, {}, {}
    scheme, login, host, rest = found.groups()
    bare = f"{scheme}://{host}{rest}"
    user, colon, password = login.partition(":")
    section = f"credential.{scheme.lower()}://{host}"
    if not colon:  # the password is with the user's own helper
        return bare, {f"{section}.username": unquote(user)}, {}
    variables = {"ORCHESTRAD_UPSTREAM_USER": unquote(user), "ORCHESTRAD_UPSTREAM_PASSWORD": unquote(password)}
    return bare, {f"{section}.helper": _HELPER}, variables


async def _ssh_command(environment: Mapping[str, str]) -> str:
    """The user's own ssh, told not to ask anything."""
    command = environment.get("GIT_SSH_COMMAND", "")
    if not command:
        done = await run(["git", "config", "--global", "--includes", "core.sshCommand"], environment=environment)
        command = done.out.decode("utf-8", "replace").strip() or "ssh"
    try:
        is_openssh = Path(shlex.split(command)[0]).name == "ssh"
    except (ValueError, IndexError):
        is_openssh = False
    if not is_openssh:  # options of other programs (plink) are not ours to know
        return command
    # A master that the user's ControlPersist would leave behind keeps our pipes open; one that runs already is used.
    return f"{command} -o BatchMode=yes -o ControlMaster=no -o ConnectTimeout={_CONNECT_LIMIT}"


def _telling(error_output: str) -> str:
    """Without the lines by which git only passes on that ssh or the other side failed, unless there is nothing else."""
    lines = [line for line in error_output.splitlines() if not _PASSED_ON.match(line)]
    return "\n".join(lines) if any(map(str.strip, lines)) else error_output


def _clean(text: str) -> str:
    return redact("".join(c if c.isprintable() else "?" for c in text))[:500].rstrip(". ")
