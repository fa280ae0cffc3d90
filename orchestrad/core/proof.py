"""Whether an attempt is proven: a clean tree, commits since its base in the hub, on the right branch."""

from orchestrad.core.observations import Workspace
from orchestrad.core.world import Attempt


def missing(attempt: Attempt, workspace: Workspace, *, no_change: bool = False) -> str:
    """What keeps this attempt from being proven, as a sentence to its agent that says what to do; "" when proven.

    With `no_change` the agent says that there is nothing to commit, and no commit is asked for.
    """
    if workspace.operation:
        return f"A {workspace.operation} is in progress. Finish it (or abort it with `git {workspace.operation} --abort`)."
    if workspace.branch is None:
        return f"The head is detached. Bring your work onto the branch: `git switch {attempt.branch}`, then merge what is missing."
    if workspace.branch != attempt.branch:
        return (
            f"You are on the branch {workspace.branch}; this task's branch is {attempt.branch}. "
            f"`git switch {attempt.branch}` and bring your commits there (`git merge {workspace.branch}`)."
        )
    if workspace.changes:
        paths = "1 path" if workspace.changes == 1 else f"{workspace.changes} paths"
        return f"{paths} not committed. Commit what belongs to the task, remove or ignore the rest (`git status` shows it)."
    if workspace.hub_head is not None and workspace.hub_head != workspace.head:
        return f"The hub does not have your newest commit. Run `git push origin {attempt.branch}`."
    if workspace.commits == 0 and not no_change:
        if workspace.head is not None and workspace.head != attempt.base and workspace.hub_head is None:
            return f"Your commits are not in the hub. Run `git push origin {attempt.branch}`."
        return (
            "There is no commit for this task yet. Commit your work; "
            'if the task needs no change, say so with `orch done --no-change "why"`.'
        )
    return ""
