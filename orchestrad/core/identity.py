"""Which item of a list is which task: by id across the fleet, else by text, place and likeness within its list.

`identify` names the items of all lists, `match` (from `pairing`) pairs what was known with what is there now, `find_item`
and `tick_by_identity` look one up in the very text that is about to be committed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrad.core.pairing import ItemKey, Match, match
from orchestrad.core.tasklist import ListItem, TaskList, parse_list, tick, worker_of

__all__ = ["ItemKey", "Match", "find_item", "find_moved", "identify", "key_of", "list_order", "match", "tick_by_identity"]


def list_order(name: str) -> tuple[int, str]:
    """Sorts lists: the workers' by number, then the shared one."""
    worker = worker_of(name)
    return (worker, name) if worker is not None else (1 << 32, name)


def key_of(name: str, item: ListItem) -> ItemKey:
    return ItemKey(name, item.id, item.text, item.occurrence, item.body, item.checked)


def identify(lists: Mapping[str, TaskList]) -> tuple[tuple[ItemKey, ListItem], ...]:
    """All items with their keys, list by list; no key comes twice.

    Of items with the same id the first has it; the others go by their text (`check_lists` tells of them).
    """
    taken: set[str] = set()
    found: list[tuple[ItemKey, ListItem]] = []
    for name in sorted(lists, key=list_order):
        for item in lists[name].items:
            is_second = item.id is not None and item.id in taken
            if item.id is not None:
                taken.add(item.id)
            key = key_of(name, item)
            found.append((replace(key, id=None) if is_second else key, item))
    return tuple(found)


def find_item(items: Sequence[ListItem], key: ItemKey) -> ListItem | None:
    """The item that `key` names among those of one list; None if it isn't there.

    A key with an id asks for that id alone: its text may be another task's by now.
    """
    for item in items:
        if item.id == key.id if key.id is not None else (item.text, item.occurrence) == (key.text, key.occurrence):
            return item
    return None


def find_moved(key: ItemKey, known: Mapping[str, bytes], now: Mapping[str, bytes]) -> tuple[str, ListItem] | None:
    """Where the item that `key` names in the lists `known` stands in the lists `now`: the list, the item; None if it is gone.

    For a commit whose lists are not those in which the item was last seen: there the key alone may name nothing (it was
    reworded, or moved) or another task (an equal text came in before it).
    """
    if now.get(key.list_name) != known.get(key.list_name):
        was, there = (identify({name: parse_list(data, name) for name, data in lists.items()}) for lists in (known, now))
        at = next((n for n, (one, _) in enumerate(was) if _names(key, one)), None)
        if at is not None:
            old = [replace(one, held=n == at) for n, (one, _) in enumerate(was)]
            place = dict(match(old, [one for one, _ in there]).pairs).get(at)
            return None if place is None else (there[place][0].list_name, there[place][1])
    # The list is as it was, or the item was last seen in other lists than `known`. An id is the fleet's, so its item may
    # have gone to another list; a text alone says nothing there.
    for name in sorted(now, key=lambda name: (name != key.list_name, name)):
        if name == key.list_name or key.id is not None:
            item = find_item(parse_list(now[name], name).items, key)
            if item is not None:
                return name, item
    return None


def _names(key: ItemKey, one: ItemKey) -> bool:
    if key.id is not None:
        return key.id == one.id
    return (key.list_name, key.text, key.occurrence) == (one.list_name, one.text, one.occurrence)


def tick_by_identity(data: bytes, key: ItemKey, checked: bool = True) -> bytes | None:
    """`data` with the box of the item that `key` names set, nothing else changed; None if the item isn't in it."""
    item = find_item(parse_list(data).items, key)
    return None if item is None else tick(data, item, checked)
