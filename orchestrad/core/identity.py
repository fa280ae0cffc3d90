"""Which item of a list is which task: by id across the fleet, else by exact text and occurrence within its list.

`identify` names the items of all lists, `match` pairs what was known with what is there now, `find_item` and
`tick_by_identity` look one up in the very text that is about to be committed. An alignment by position and similarity
would be one more pass in `match`; both its arguments are in the order of their lists for that.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from orchestrad.core.tasklist import ListItem, TaskList, parse_list, tick, worker_of


@dataclass(frozen=True, slots=True, order=True)
class ItemKey:
    """What an item is known by. With an `id`, the other fields only tell where and as what it was last seen."""

    list_name: str
    id: str | None
    text: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class Match:
    """Positions in the two sequences given to `match`; each position is in one field, once."""

    pairs: tuple[tuple[int, int], ...]  # old, new
    removed: tuple[int, ...]  # old without a new one
    added: tuple[int, ...]  # new without an old one


def list_order(name: str) -> tuple[int, str]:
    """Sorts lists: the workers' by number, then the shared one."""
    worker = worker_of(name)
    return (worker, name) if worker is not None else (1 << 32, name)


def key_of(name: str, item: ListItem) -> ItemKey:
    return ItemKey(name, item.id, item.text, item.occurrence)


def identify(lists: Mapping[str, TaskList]) -> tuple[tuple[ItemKey, ListItem], ...]:
    """All items with their keys, list by list; no key comes twice.

    Of items with the same id the first has it; the others go by their text (`check_lists` tells of them).
    """
    taken: set[str] = set()
    found: list[tuple[ItemKey, ListItem]] = []
    for name in sorted(lists, key=list_order):
        for item in lists[name].items:
            is_first = item.id is not None and item.id not in taken
            if item.id is not None:
                taken.add(item.id)
            found.append((ItemKey(name, item.id if is_first else None, item.text, item.occurrence), item))
    return tuple(found)


def match(old: Sequence[ItemKey], new: Sequence[ItemKey]) -> Match:
    """Pairs known items with those that are there now; neither side's items are paired twice.

    First the same id. Then the same text in the same list, where equal texts go by occurrence, then by order, and an id
    may have come or gone but not changed. Last a text that went to another list, if it is the only such text left on
    both sides.
    """
    pairing = _Pairing(old, new)
    pairing.by(lambda key: (key.id, key.text) if key.id else None)  # matters only where an id was given twice
    pairing.by(lambda key: key.id)
    pairing.by(lambda key: None if key.id else (key.list_name, key.text, key.occurrence))
    pairing.by(lambda key: None if key.id else (key.list_name, key.text))
    pairing.by(lambda key: (key.list_name, key.text))
    pairing.by(lambda key: key.text, only_if_unique=True)
    pairs = pairing.pairs
    found = set(pairs.values())
    return Match(
        pairs=tuple(sorted(pairs.items())),
        removed=tuple(n for n in range(len(old)) if n not in pairs),
        added=tuple(n for n in range(len(new)) if n not in found),
    )


def find_item(items: Sequence[ListItem], key: ItemKey) -> ListItem | None:
    """The item that `key` names among those of one list; None if it isn't there.

    A key with an id asks for that id alone: its text may be another task's by now.
    """
    for item in items:
        if item.id == key.id if key.id is not None else (item.text, item.occurrence) == (key.text, key.occurrence):
            return item
    return None


def tick_by_identity(data: bytes, key: ItemKey, checked: bool = True) -> bytes | None:
    """`data` with the box of the item that `key` names set, nothing else changed; None if the item isn't in it."""
    item = find_item(parse_list(data).items, key)
    return None if item is None else tick(data, item, checked)


class _Pairing:
    def __init__(self, old: Sequence[ItemKey], new: Sequence[ItemKey]) -> None:
        self._old, self._new = old, new
        self._free_old, self._free_new = list(range(len(old))), list(range(len(new)))
        self.pairs: dict[int, int] = {}

    def by(self, trait: Callable[[ItemKey], Hashable], *, only_if_unique: bool = False) -> None:
        """Pairs, in order, what is still free and agrees in `trait`; None agrees with nothing."""
        waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
        for n in self._free_new:
            if (said := trait(self._new[n])) is not None:
                waiting[said].append(n)
        rivals: defaultdict[Hashable, int] = defaultdict(int)
        for o in self._free_old:
            rivals[trait(self._old[o])] += 1
        for o in self._free_old:
            said = trait(self._old[o])
            candidates = waiting.get(said, [])
            if only_if_unique and (len(candidates) != 1 or rivals[said] != 1):
                continue
            chosen = next((n for n in candidates if _may_be_same(self._old[o], self._new[n])), None)
            if chosen is not None:
                candidates.remove(chosen)
                self.pairs[o] = chosen
        taken = set(self.pairs.values())
        self._free_old = [o for o in self._free_old if o not in self.pairs]
        self._free_new = [n for n in self._free_new if n not in taken]


def _may_be_same(old: ItemKey, new: ItemKey) -> bool:
    """Two ids that differ are two tasks, whatever the text."""
    return old.id is None or new.id is None or old.id == new.id
