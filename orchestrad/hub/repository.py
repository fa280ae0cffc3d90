"""The bare repositories in the state directory: how they are made, their settings, and the hook that asks the daemon."""

import re
import shutil
from pathlib import Path
from typing import Final

from orchestrad.hub.port import HubUnusable
from orchestrad.hub.refs import remove_leftovers
from orchestrad.hub.run import Git, GitFailed, clean_environment, run

OLDEST: Final = (2, 38)  # the first with `merge-tree --write-tree`

# Nothing is ever pruned: an agent's lines must stay readable, and other repositories borrow these objects. Agents mount
# the objects as another user, so that the daemon's umask must not hide them; the state directory itself is 0700.
# Loose objects rather than a pack for each push: pushes have a handful of objects, and every pack slows every lookup.
_CONFIG: Final = """\
# Written by orchestrad at each start.
[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	fsync = all
	sharedRepository = 0644
	logAllRefUpdates = true
[gc]
	auto = 0
	pruneExpire = never
	reflogExpire = never
	reflogExpireUnreachable = never
[maintenance]
	auto = false
[receive]
	autogc = false
	fsckObjects = true
	unpackLimit = 200
	denyNonFastForwards = false
	denyDeletes = false
	denyCurrentBranch = ignore
[http]
	receivepack = true
	getanyfile = false
[uploadpack]
	allowAnySHA1InWant = true
"""

# Two pipes lead to the daemon that serves this very push. They are opened by name, since a POSIX shell redirects
# descriptors of one digit only. The first line names the quarantine (empty when refs are only removed), the others are git's,
# a dot ends them. The daemon's death closes its ends: `read` then fails, and so does the push.
_HOOK: Final = """\
#!/bin/sh
# Written by orchestrad at each start. Asks the daemon, at the moment of the ref updates, whether they may happen.
refuse() { echo "orchestrad: $1" >&2; exit 1; }
[ -n "$ORCHESTRAD_ASK" ] && [ -n "$ORCHESTRAD_ANSWER" ] || refuse 'refs here are moved by the daemon only. Push to its address.'
{ printf '%s\\n' "${GIT_OBJECT_DIRECTORY##*/}"; cat; echo .; } 2>/dev/null >"/dev/fd/$ORCHESTRAD_ASK" ||
  refuse 'the daemon went away, nothing was changed. Push again.'
IFS= read -r verdict <"/dev/fd/$ORCHESTRAD_ANSWER" || refuse 'the daemon went away, nothing was changed. Push again.'
[ "$verdict" = yes ] || refuse "${verdict#no }"
"""


async def check_version() -> None:
    """Raises HubUnusable when git is missing or too old."""
    done = await run(["git", "version"], environment=clean_environment())
    text = done.out.decode("utf-8", "replace").strip()
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise HubUnusable(f"git is too old: {text or 'it gives no version'}, and {wanted} or newer is needed. Install a newer git.")


async def prepare_repository(git: Git, branch: str, *, borrows_from: str | None = None) -> None:
    """Makes the bare repository, or brings one that is there up to date; an interrupted call is finished by the next.

    `borrows_from` is an objects directory, named from this repository's own.

    Raises HubUnusable.
    """
    directory = git.directory
    try:
        if not (directory / "HEAD").exists():
            await _make(directory, branch)
        _replace(directory / "config", _CONFIG)
        (directory / "hooks").mkdir(exist_ok=True)
        _replace(directory / "hooks" / "pre-receive", _HOOK, mode=0o755)
        if borrows_from is not None:
            _replace(directory / "objects" / "info" / "alternates", f"{borrows_from}\n")
        remove_leftovers(directory)
    except (OSError, GitFailed) as failed:
        reason = failed.reason if isinstance(failed, GitFailed) else str(failed)
        raise HubUnusable(
            f"the hub's repository {directory} can't be used: {reason}. Make it writable, or move it away to have a new one made."
        ) from failed


async def _make(directory: Path, branch: str) -> None:
    """An empty repository, there as a whole or not at all: a `git init` that is killed leaves locks and half of one."""
    new = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    await Git(new).run("init", "--quiet", "--bare", "--template=", "--shared=0644", f"--initial-branch={branch}")
    new.rename(directory)


def _replace(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)
