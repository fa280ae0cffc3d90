"""A hub that is a handful of dicts: commits know their ancestors and the lists in their tree, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrad.core.actions import BranchFound, FetchUpstream, MakeCommit, MoveBranch, PushUpstream, ReadBranch
from orchestrad.core.identity import ItemKey, tick_by_identity
from orchestrad.core.ids import Oid, derive
from orchestrad.core.observations import Conflicting, Made, NothingNew


@dataclass(frozen=True)
class Commit:
    """What one commit brings, and all that lies below it (itself too)."""

    oid: Oid
    below: frozenset[Oid]
    lists: Mapping[str, bytes]
    message: str = ""
    task: str = ""  # the task whose work this is


class SimulatedHub:
    """The shared branch, upstream and the agents' branches."""

    def __init__(self, lists: Mapping[str, bytes]) -> None:
        self.commits: dict[Oid, Commit] = {}
        self.heads: dict[str, Oid] = {}
        self.offer: Oid | None = None
        self.conflicts: set[Oid] = set()  # heads that don't merge until the Manager settles it
        self.tip = self.upstream = self.commit(lists=lists, message="first").oid

    def commit(self, *parents: Oid, lists: Mapping[str, bytes] | None = None, message: str = "", task: str = "") -> Commit:
        """Makes a commit; the first parent's lists stay if none are given."""
        oid = Oid(derive(len(self.commits), *parents, message, digits=40))
        below = frozenset({oid}).union(*(self.commits[parent].below for parent in parents))
        kept = lists if lists is not None else self.commits[parents[0]].lists
        self.commits[oid] = Commit(oid, below, kept, message, task)
        return self.commits[oid]

    def has(self, oid: Oid, within: Oid) -> bool:
        """Whether a commit lies below another."""
        return oid in self.commits[within].below

    def work_since(self, head: Oid, base: Oid) -> int:
        """How many commits `head` has that `base` has not."""
        return len(self.commits[head].below - self.commits[base].below)

    def merges_of(self, task: str) -> int:
        """How many commits of the shared branch merge this task."""
        below = self.commits[self.tip].below
        return sum(f"Task: {task}\n" in self.commits[oid].message + "\n" for oid in below)

    def works_of(self, task: str) -> int:
        """How many commits with work on this task the shared branch has."""
        return sum(self.commits[oid].task == task for oid in self.commits[self.tip].below)

    # ---- orders

    def read(self, action: ReadBranch) -> BranchFound:
        """See ReadBranch."""
        contained = frozenset(task for task, head in action.heads.items() if self.has(head, self.tip))
        up = action.upstream is not None and self.has(action.upstream, self.tip)
        return BranchFound(self.tip, self.commits[self.tip].lists, Oid("d" * 40), contained, up, self.offer)

    def make(self, action: MakeCommit) -> Made | NothingNew | Conflicting:
        """See MakeCommit."""
        onto = self.commits[action.onto]
        if action.source in self.conflicts and not self.has(action.source, action.onto):
            return Conflicting(("a.py",))
        lists = dict(self.commits[action.source].lists if action.lists_from_source and action.source else onto.lists)
        for name, data in onto.lists.items():  # boxes are kept when both sides changed a list
            if action.lists_from_source:
                lists[name] = self._with_boxes_of(name, lists.get(name, b""), data)
        for tick in action.ticks:
            ticked = tick_by_identity(lists.get(tick.list, b""), ItemKey(tick.list, tick.id, tick.text, tick.occurrence))
            lists[tick.list] = ticked if ticked is not None else lists.get(tick.list, b"")
        new = action.source is not None and not self.has(action.source, action.onto)
        if not new and lists == dict(onto.lists):
            return NothingNew()
        parents = (action.onto, action.source) if new and action.source else (action.onto,)
        return Made(self.commit(*parents, lists=lists, message=action.message).oid)

    @staticmethod
    def _with_boxes_of(name: str, data: bytes, other: bytes) -> bytes:
        for line in other.splitlines():
            if line.startswith(b"- [x] "):
                data = data.replace(line.replace(b"[x]", b"[ ]"), line)
        return data

    def move(self, action: MoveBranch) -> bool:
        """See MoveBranch."""
        if self.tip != action.expected:
            return self.tip == action.new
        assert self.has(self.tip, action.new), "the shared branch is never rewritten"
        self.tip = action.new
        return True

    def fetch(self, action: FetchUpstream) -> Oid:
        """See FetchUpstream."""
        return self.upstream

    def push(self, action: PushUpstream) -> bool:
        """See PushUpstream."""
        if not self.has(self.upstream, action.oid):
            return False
        self.upstream = action.oid
        return True
