"""Which refs an agent may move. Pure; `api` asks at the moment of the ref updates, after it has checked the run."""

from collections.abc import Sequence
from typing import Final

from orchestrad.core.ids import MANAGER, AgentName
from orchestrad.hub.names import is_ref_name
from orchestrad.hub.port import RefUpdate

MOST_UPDATES: Final = 50  # in one push; an agent has one branch at work, and each ref is a file in the hub for ever


def may_push(agent: AgentName, updates: Sequence[RefUpdate], *, branch: str, rescue: bool) -> str | None:
    """None when the agent may make all of these updates, else why not and what to do, in one line.

    An agent has its own branches in the hub (made, moved in any way, removed) and its own rescue refs in the rescue
    repository. The Manager also gives commits for the shared branch to `refs/for/BRANCH`. Nobody moves the branch itself.
    """
    if len(updates) > MOST_UPDATES:
        return f"{len(updates)} refs in one push are too many. Push your current branch only."
    for update in updates:
        if (reason := _refusal(agent, update, branch=branch, rescue=rescue)) is not None:
            return reason
    return None


def _refusal(agent: AgentName, update: RefUpdate, *, branch: str, rescue: bool) -> str | None:
    ref = update.ref
    if not is_ref_name(ref) or not ref.isascii():
        return f"{ascii(ref)[:100]} is no ref name that is taken here. Use ASCII letters, digits, dots, dashes and slashes."
    home = f"refs/rescue/{agent}/" if rescue else f"refs/heads/{agent}/"
    if ref.startswith(home):
        return None
    if rescue:
        return f"{ref} is not yours. Push unsaved work to {home}NAME."
    offered = f"refs/for/{branch}"
    if agent == MANAGER and ref == offered:
        return None if update.new else f"{ref} is what waits to be merged and can't be removed. Push a newer commit to it."
    if ref == f"refs/heads/{branch}" and agent == MANAGER:
        return f"nobody pushes to {branch}, orchestrad merges into it. Run: git push origin HEAD:{offered}"
    if ref == f"refs/heads/{branch}":
        return f"nobody pushes to {branch}, orchestrad merges into it. Commit on your task's branch, and say `orch done`."
    return f"{ref} is not yours. Push your own branch: git push origin HEAD:{home}NAME"
