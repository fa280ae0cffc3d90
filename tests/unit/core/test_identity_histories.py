"""Random histories of edits: no task is worked twice, none is forgotten, and what is assigned stays with its worker.

People's edits are made on items that carry a name of their own, which no list shows: that name, and how the edit was
made, is all that the checks know of identity. Where two items read alike (their twins), they may be taken for each other.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrad.core.actions import BranchFound, ReadBranch
from orchestrad.core.ids import Oid, TaskId, derive
from orchestrad.core.observations import Outcome
from orchestrad.core.states import AgentState, TaskState
from orchestrad.core.world import Task, World
from tests.support.news import a_stop, a_word
from tests.support.worlds import a_world, after, at_work, oid, worker

LISTS = ("WORKER_1_TASK_LIST.md", "WORKER_2_TASK_LIST.md", "TASK_LIST.md")
UNFINISHED = (TaskState.OPEN, TaskState.ASSIGNED, TaskState.SUBMITTED)
SYLLABLES = (
    "ba",
    "cro",
    "di",
    "fel",
    "gu",
    "hap",
    "jo",
    "kri",
    "lum",
    "mo",
    "nex",
    "pra",
    "qui",
    "ros",
    "ste",
    "tun",
    "vi",
    "wol",
    "zep",
)


@dataclass(frozen=True)
class Item:
    """One item as a person thinks of it: `name` is who it is, whatever it says."""

    name: int
    words: tuple[str, ...]
    family: int  # itself and its copies, however they were reworded since
    body: str = ""
    checked: bool = False
    id: str | None = None

    @property
    def title(self) -> str:
        return " ".join(self.words)


@dataclass
class Author:
    """Writes lists and edits them; counts for each item what its edits since the lists were last read allow."""

    random: Random
    lists: dict[str, list[Item]] = field(default_factory=lambda: {name: [] for name in LISTS})
    names: int = 0
    looks: int = 0
    moved: set[int] = field(default_factory=set)
    reworded: set[int] = field(default_factory=set)
    ticked: set[int] = field(default_factory=set)
    unticked: set[int] = field(default_factory=set)
    copied: set[int] = field(default_factory=set)  # families with more than one member, ever

    def word(self) -> str:
        return "".join(self.random.choice(SYLLABLES) for _ in range(self.random.randint(2, 3)))

    def new(self) -> Item:
        self.names += 1
        body = " ".join(self.word() for _ in range(4)) if self.random.random() < 0.3 else ""
        id_ = f"i{self.names}" if self.random.random() < 0.25 else None
        return Item(self.names, tuple(self.word() for _ in range(self.random.randint(4, 7))), self.names, body, id=id_)

    def somewhere(self) -> tuple[list[Item], int] | None:
        places = [(items, n) for items in self.lists.values() for n in range(len(items))]
        return self.random.choice(places) if places else None

    def insert(self) -> None:
        items = self.lists[self.random.choice(LISTS)]
        items.insert(self.random.randint(0, len(items)), self.new())

    def delete(self) -> None:
        if at := self.somewhere():
            del at[0][at[1]]

    def reorder(self) -> None:
        if at := self.somewhere():
            items, n = at
            item = items.pop(n)
            if item.name not in self.reworded:  # moved and reworded between two looks: nobody could know it without an id
                self.moved.add(item.name)
                n = self.random.randint(0, len(items))
            items.insert(n, item)

    def move(self) -> None:
        if (at := self.somewhere()) and at[0][at[1]].name not in self.reworded:
            item = at[0].pop(at[1])
            self.moved.add(item.name)
            items = self.lists[self.random.choice(LISTS)]
            items.insert(self.random.randint(0, len(items)), item)

    def reword(self) -> None:
        """One word of at least four is another; seldom one more comes in, or two change places."""
        if (at := self.somewhere()) is None:
            return
        items, n = at
        item = items[n]
        if item.id is None and item.name in self.moved | self.reworded | self.unticked:
            return
        words = list(item.words)
        place = self.random.randrange(len(words))
        match self.random.choice(["replace", "add", "swap"]):
            case "replace":
                words[place] = self.word()
            case "add":
                words.insert(place, self.word())
            case _:
                words[place], words[0] = words[0], words[place]
        items[n] = replace(item, words=tuple(words))
        self.reworded.add(item.name)

    def edit_body(self) -> None:
        if at := self.somewhere():
            at[0][at[1]] = replace(at[0][at[1]], body=" ".join(self.word() for _ in range(3)))

    def tick(self) -> None:
        if (at := self.somewhere()) and not at[0][at[1]].checked and at[0][at[1]].name not in self.unticked:
            at[0][at[1]] = replace(at[0][at[1]], checked=True)
            self.ticked.add(at[0][at[1]].name)

    def untick(self) -> None:
        if (at := self.somewhere()) and at[0][at[1]].checked and at[0][at[1]].name not in self.ticked | self.reworded:
            at[0][at[1]] = replace(at[0][at[1]], checked=False)
            self.unticked.add(at[0][at[1]].name)

    def duplicate(self) -> None:
        """A second item of the same words, in any list."""
        if at := self.somewhere():
            self.names += 1
            items = self.lists[self.random.choice(LISTS)]
            twin = replace(at[0][at[1]], name=self.names, id=None, checked=False)
            self.copied.add(twin.family)
            items.insert(self.random.randint(0, len(items)), twin)

    def edit(self, kinds: str) -> None:
        getattr(self, kinds)()

    def text(self, name: str) -> bytes:
        """The list in one of many ways to write the same: markers, blanks, line ends, markup."""
        style = self.random
        newline = style.choice(["\n", "\r\n"])
        lines = ["# Tasks", ""]
        for item in self.lists[name]:
            marker = style.choice(["-", "*", "+"])
            mark = Random(f"{item.title} {self.looks}").choice(["", "", "**", "`", "_"])  # of twins the same
            title = (" " * style.randint(1, 2)).join(item.words)
            box = style.choice(["x", "X"]) if item.checked else " "
            attributes = f" {{#{item.id}}}" if item.id else ""
            lines.append(f"{marker} [{box}] {mark}{title}{mark}{attributes}{' ' * style.randint(0, 1)}")
            lines += ["", f"  {item.body}"] if item.body else []
            lines += [""] * style.randint(0, 1)
        return newline.join([*lines, ""]).encode()

    def everything(self) -> list[Item]:
        return [item for items in self.lists.values() for item in items]

    def begin(self) -> None:
        """What is edited from here on is seen in one look."""
        self.looks += 1
        for names in (self.moved, self.reworded, self.ticked, self.unticked):
            names.clear()


EDITS = ("insert", "delete", "reorder", "move", "reword", "edit_body", "tick", "untick", "duplicate")


def read(world: World, author: Author, number: int) -> World:
    found = BranchFound(
        Oid(derive(number, digits=40)),
        {name: author.text(name) for name in LISTS},
        oid("d"),
        frozenset(),
        upstream_contained=True,
        offer=None,
    )
    return after(world, Outcome(ReadBranch(), found))


def bare(text: str) -> str:
    return "".join(c for c in text if c.isalpha() or c == " ").strip()


def assigned(world: World) -> dict[str, Task]:
    return {str(agent.name): world.tasks[agent.task] for agent in world.agents.values() if agent.task is not None}


def at_their_tasks(world: World) -> World:
    """All who were given a task are in the middle of it."""
    agents = [
        at_work(str(agent.name), agent.task, nonce=f"nonce-{agent.nonces}", post=agent.post, nonces=agent.nonces)
        for agent in world.agents.values()
        if agent.task is not None and agent.state is not AgentState.WORKING
    ]
    return a_world(
        *{**world.agents, **{agent.name: agent for agent in agents}}.values(), *world.tasks.values(), world.hub, world.fleet
    )


class Ledger:
    """Which task an item is, by name, as the author knows it; kept only where no twin makes it a matter of choice."""

    def __init__(self) -> None:
        self.task_of: dict[int, TaskId] = {}

    def check(self, before: World, world: World, author: Author, old: list[Item]) -> None:
        now = author.everything()
        says = Counter(item.title for item in [*old, *now])
        # Whose item was removed while its worker is in its turn takes a twin's rather than none.
        says += Counter(bare(task.text) for task in assigned(before).values() if not task.listed)
        own = {item.name for item in now} & {item.name for item in old}
        plain_old = {item.name: item for item in old}
        by_title = Counter(bare(task.text) for task in world.tasks.values() if task.listed)

        # Every item is a task and every task an item: none forgotten, none worked twice.
        listed = [task for task in world.tasks.values() if task.listed and task.state is not TaskState.CANCELLED]
        assert Counter(bare(task.text) for task in listed) == Counter(item.title for item in now)
        for task in world.tasks.values():
            assert task.listed or task.state in (TaskState.DONE, TaskState.CANCELLED, TaskState.ASSIGNED), task
        unticked = Counter(item.title for item in now if not item.checked)
        assert Counter(bare(task.text) for task in listed if task.state in UNFINISHED and not task.checked) <= unticked + Counter(
            bare(t.text) for t in listed if t.state is TaskState.SUBMITTED
        )
        assert unticked == Counter(bare(t.text) for t in listed if t.state in UNFINISHED and not t.checked), (
            "an open box is an open task"
        )

        # Who is known by id or by words that nothing else has ever said is the same task as before.
        for item in now:
            if item.name not in own or by_title[item.title] != 1:
                continue
            twins = says[item.title] + says[plain_old[item.name].title]
            # Reworded, and once copied: a copy that was reworded or removed in the same look reads like it too.
            if item.id is None and item.name in author.reworded and item.family in author.copied:
                continue
            if item.id is None and twins > (2 if item.title != plain_old[item.name].title else 4):
                continue
            found = [task for task in listed if bare(task.text) == item.title]
            if item.name in self.task_of and before.tasks[self.task_of[item.name]].listed:
                assert found[0].id == self.task_of[item.name], (item, found[0], before.tasks[self.task_of[item.name]])
            assert found[0].given_id == item.id

        # An assigned task stays with its worker, unless its item was ticked or (without a twin left) removed.
        for name, task in assigned(before).items():
            mine = [item for item in old if item.title == bare(task.text)] if task.listed else []
            still = [item for item in now if item.name in {one.name for one in mine}]
            twin_ticked = any(item.checked and item.title == bare(task.text) for item in now)
            if len(mine) == 1 and len(still) == 1 and not still[0].checked and not twin_ticked:
                held = assigned(world).get(name)
                assert held is not None, (task, still)
                assert held.id == task.id
                # Reworded while a second item was given its old words: it is either.
                either = {item.title for item in now if item.title == mine[0].title or item.family == mine[0].family}
                assert bare(held.text) in either | {still[0].title}
            near = [one for one in mine if one.id is None and (one.body, one.checked) == (task.body, False)]
            kept = [
                item
                for item in author.lists[task.list]
                if item.id is None and (item.title, item.body, item.checked) == (bare(task.text), task.body, False)
            ]
            rivals = [
                other for other in assigned(before).values() if other.list == task.list and bare(other.text) == bare(task.text)
            ]
            if task.listed and task.given_id is None and len(near) == len(mine) > 1 and len(kept) >= len(rivals):
                assert world.tasks[task.id].listed, "any of its twins may be the one that was removed"

        holders = Counter(task.id for task in assigned(world).values())
        assert max(holders.values(), default=1) == 1

        self.task_of = {}
        titles = Counter(item.title for item in now)
        for item in now:
            found = [task for task in listed if bare(task.text) == item.title]
            if titles[item.title] == 1 and len(found) == 1:
                self.task_of[item.name] = found[0].id


@given(st.integers(0, 2**32), st.integers(1, 12), st.lists(st.lists(st.sampled_from(EDITS), min_size=1, max_size=4), max_size=8))
def test_identity_follows_the_edits_of_a_random_history(seed: int, size: int, rounds: list[list[str]]) -> None:
    author = Author(Random(seed))
    for _ in range(size):
        author.insert()
    world = a_world(worker("worker-1"), worker("worker-2"), workers=2, low_water=0)
    world = at_their_tasks(read(world, author, 0))
    ledger = Ledger()
    ledger.check(world, world, author, author.everything())
    for number, edits in enumerate(rounds, 1):
        old = author.everything()
        author.begin()
        for kind in edits:
            author.edit(kind)
        before, world = world, read(world, author, number)
        ledger.check(before, world, author, old)
        world = at_their_tasks(world)


@given(st.integers(0, 2**32), st.integers(1, 8), st.lists(st.sampled_from([*EDITS, "stop"]), max_size=16))
def test_whatever_is_edited_each_item_is_worked_to_its_end_once(seed: int, size: int, history: list[str]) -> None:
    """The workers finish what they have at any moment; in the end each unticked item has been submitted once."""
    author = Author(Random(seed))
    for _ in range(size):
        author.insert()
    world = a_world(worker("worker-1"), worker("worker-2"), workers=2, low_water=0, manager=False)
    world = at_their_tasks(read(world, author, 0))
    submitted: Counter[tuple[str, int]] = Counter()

    def stops(world: World, n: int) -> World:
        for agent in sorted(world.agents):
            for more in (0, 2):  # an edit is told first
                task = assigned(world).get(agent)
                if world.agents[agent].state is not AgentState.WORKING:
                    break
                world = after(world, a_word(world, agent, n + more), a_stop(world, agent, n + more + 1))
                if task is not None and world.tasks[task.id].state is TaskState.SUBMITTED:
                    submitted[task.id, task.generation] += 1
            world = at_their_tasks(world)
        return world

    for number, kind in enumerate([*history, *["stop"] * (size + len(history))], 1):
        if kind == "stop":
            world = stops(world, 10 * number)
        else:
            author.begin()
            author.edit(kind)
            world = at_their_tasks(read(world, author, number))

    assert max(submitted.values(), default=1) == 1
    listed = [task for task in world.tasks.values() if task.listed]
    assert not [task for task in listed if task.state in (TaskState.OPEN, TaskState.ASSIGNED)], "nothing is left undone"
    for item in author.everything():
        assert item.checked or any(task.state is TaskState.SUBMITTED for task in listed if bare(task.text) == item.title)
