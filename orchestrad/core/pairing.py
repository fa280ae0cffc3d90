"""Which item of the new lists is which of the old: the id, else the exact text, else place and likeness.

Each step pairs what the steps before it left free, so a surer sign always wins over a weaker one. Everything follows from
the two sequences alone: the same question has the same answer.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrad.core.likeness import likeness, longest_rising, plain

# Measured on rewordings and replacements of titles as people write them: tests/unit/core/test_identity_alignment.py.
ALIKE_ALONE: Final = 0.35  # one item gone and one new between the same two neighbours
ALIKE_IN_PLACE: Final = 0.45  # several gone and several new there
ALIKE_ELSEWHERE: Final = 0.65  # moved and reworded at once
HELD_WINS: Final = 0.15  # so much less alike may an item be to a task that a worker has, and it is still that one
ID_COMES_OR_GOES: Final = 0.2  # it may; one that neither got nor lost an id is likelier
SAME_BODY: Final = 0.5  # a body that stayed speaks for half
COMPARED: Final = 4000  # pairs of texts in one place; beyond that, only those at about the same height are compared
WINDOW: Final = 4


@dataclass(frozen=True, slots=True, order=True)
class ItemKey:
    """What an item is known by. With an `id`, the other fields only tell where and as what it was last seen.

    `body`, `checked` and `held` (a worker has it, or its work waits for the merge) are no part of the key: they help to
    tell items of equal or similar text apart.
    """

    list_name: str
    id: str | None
    text: str
    occurrence: int
    body: str = field(default="", compare=False)
    checked: bool = field(default=False, compare=False)
    held: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Match:
    """Positions in the two sequences given to `match`; each position is in one field, once."""

    pairs: tuple[tuple[int, int], ...]  # old, new
    removed: tuple[int, ...]  # old without a new one
    added: tuple[int, ...]  # new without an old one


def match(old: Sequence[ItemKey], new: Sequence[ItemKey], *, reworded: bool = True) -> Match:
    """Pairs known items with those that are there now; neither side's items are paired twice.

    First the same id. Then the same text in the same list; of equal texts those with the same body, id and box, then by
    order. Then a text that went to another list, if there are as many of it there as here are missing. Last, unless
    `reworded` is False, a similar text: in the same place, then elsewhere. Whichever of several could have stayed, the
    one that is held has. An id may have come or gone, but never changed.
    """
    pairing = _Pairing(old, new)
    pairing.by(lambda key: (key.id, key.text) if key.id else None)  # matters only where an id was given twice
    pairing.by(lambda key: key.id)
    pairing.by(lambda key: (key.list_name, key.text), only_single=True)
    pairing.find_places()
    pairing.by(lambda key: (key.list_name, key.text, key.body))
    pairing.by(lambda key: (key.list_name, key.text))
    pairing.by(lambda key: (key.list_name, plain(key.text)))
    pairing.by(lambda key: (key.text, key.body), elsewhere=True)
    pairing.by(lambda key: key.text, elsewhere=True)
    pairing.by(lambda key: plain(key.text), elsewhere=True)
    if reworded:
        pairing.find_places()
        pairing.by_likeness_in_place()
        pairing.by_likeness_elsewhere()
    pairs = pairing.pairs
    return Match(
        pairs=tuple(sorted(pairs.items())),
        removed=tuple(pairing.free_old),
        added=tuple(pairing.free_new),
    )


class _Pairing:
    def __init__(self, old: Sequence[ItemKey], new: Sequence[ItemKey]) -> None:
        self._old, self._new = old, new
        self.free_old, self.free_new = list(range(len(old))), list(range(len(new)))
        self.pairs: dict[int, int] = {}
        self._taken: set[int] = set()
        self._old_place: dict[int, int] = {}
        self._new_place: dict[int, int] = {}

    def by(self, trait: Callable[[ItemKey], Hashable], *, only_single: bool = False, elsewhere: bool = False) -> None:
        """Pairs what is free and agrees in `trait`; None agrees with nothing."""
        if not self.free_old or not self.free_new:
            return
        olds, news = _grouped(self.free_old, self._old, trait), _grouped(self.free_new, self._new, trait)
        for said, group in olds.items():
            others = news.get(said, [])
            if said is None or not others or (only_single and (len(group) > 1 or len(others) > 1)):
                continue
            sure = not elsewhere or len(group) == len(others)  # else, but for the held ones: gone, and new
            self._pair_group(group if sure else [o for o in group if self._old[o].held], others)
        self._settle_free()

    def _pair_group(self, olds: list[int], news: list[int]) -> None:
        if len(olds) == len(news):
            self._pair((o, n) for o, n in zip(olds, news, strict=True) if len(olds) == 1 or self._agree(o, n))
        for mine, theirs in ((True, True), (False, False), (True, False), (False, True)):  # whether it has an id
            for by_box in (True, False):
                if all(o in self.pairs for o in olds):
                    return
                left = [o for o in olds if o not in self.pairs and (self._old[o].id is not None) is mine]
                others = [n for n in news if n not in self._taken and (self._new[n].id is not None) is theirs]
                for box in ((True,), (False,)) if by_box else ((True, False),):
                    some = [o for o in left if self._old[o].checked in box]
                    such = [n for n in others if self._new[n].checked in box]
                    self._pair(zip(*self._most_likely(some, such), strict=True))

    def _agree(self, o: int, n: int) -> bool:
        old, new = self._old[o], self._new[n]
        return (old.id, old.checked) == (new.id, new.checked)

    def _most_likely(self, olds: list[int], news: list[int]) -> tuple[list[int], list[int]]:
        """As many of both sides: the held ones, then those that still have their neighbours, then the first."""
        count = min(len(olds), len(news))
        if len(olds) == len(news):
            return olds, news
        at, there = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
        for o in olds:
            at[self._old_place.get(o, 0)].append(o)
        for n in news:
            there[self._new_place.get(n, 0)].append(n)
        stayed = {o for place in at for o in at[place][: len(there.get(place, []))]}
        kept = {n for place in there for n in there[place][: len(at.get(place, []))]}
        olds = sorted(sorted(olds, key=lambda o: (not self._old[o].held, o not in stayed, o))[:count])
        news = sorted(sorted(news, key=lambda n: (n not in kept, n))[:count])
        return olds, news

    def _pair(self, pairs: Iterable[tuple[int, int]]) -> None:
        for o, n in pairs:
            if _may_be_same(self._old[o], self._new[n]):
                self.pairs[o] = n
                self._taken.add(n)

    def _settle_free(self) -> None:
        self.free_old = [o for o in self.free_old if o not in self.pairs]
        self.free_new = [n for n in self.free_new if n not in self._taken]

    # ---- place and likeness

    def find_places(self) -> None:
        """Numbers the places between those items of each list that are paired and kept their order."""
        old_of, new_of = (_grouped(range(len(keys)), keys, _list_of) for keys in (self._old, self._new))
        self._old_place, self._new_place = {}, {}
        for place, (name, olds) in enumerate(old_of.items()):
            news = new_of.get(name, [])
            among = set(news)
            both = [(o, self.pairs[o]) for o in olds if self.pairs.get(o) in among]
            steady = [both[n] for n in longest_rising([n for _, n in both])]
            # The first number of a list is far from the last of the one before it: places of two lists never mix.
            first = place * (len(self._old) + 1)
            old_marks, new_marks = [o for o, _ in steady], [n for _, n in steady]
            self._old_place |= {o: first + bisect(old_marks, o) for o in olds}
            self._new_place |= {n: first + bisect(new_marks, n) for n in news}

    def by_likeness_in_place(self) -> None:
        """Pairs what is gone with what is new between the same neighbours, if they are alike."""
        if not self.free_old or not self.free_new:
            return
        there = defaultdict[int, list[int]](list)
        for n in self.free_new:
            if n in self._new_place:
                there[self._new_place[n]].append(n)
        at = defaultdict[int, list[int]](list)
        for o in self.free_old:
            at[self._old_place[o]].append(o)
        for place, olds in at.items():
            news = there.get(place, [])
            enough = ALIKE_ALONE if len(olds) == len(news) == 1 else ALIKE_IN_PLACE
            self._pair_likest(olds, news, enough)
        self._settle_free()

    def by_likeness_elsewhere(self) -> None:
        """Pairs what was moved and reworded at once, in its list or to another: only what is alike beyond doubt."""
        olds = [o for o in self.free_old if self._old[o].id is None]
        if len(olds) * len(self.free_new) > COMPARED:
            olds = [o for o in olds if self._old[o].held]  # a list that was written anew; no guesses but for these
        if not olds or not self.free_new:
            return
        # In a list of items that all read alike, likeness to one that is gone says nothing: a new one is like all of them.
        others = [self._old[o].text for o in self.pairs]
        # A text that stayed itself was judged before: there were too many of it to know.
        said = {plain(self._old[o].text) for o in olds}
        news = [n for n in self.free_new if plain(self._new[n].text) not in said]
        news = [n for n in news if any(self._alike(o, n) >= ALIKE_ELSEWHERE for o in olds)]
        if len(news) * len(others) > 2 * COMPARED:
            return
        usual = {n: max((likeness(text, self._new[n].text) for text in others), default=0.0) for n in news}
        self._pair_likest(olds, news, ALIKE_ELSEWHERE, usual)
        self._settle_free()

    def _pair_likest(self, olds: list[int], news: list[int], enough: float, usual: dict[int, float] | None = None) -> None:
        found: list[tuple[float, float, int, int]] = []
        crowded = len(olds) * len(news) > COMPARED
        for at, o in enumerate(olds):
            height = at * len(news) // len(olds)
            near = range(max(0, height - WINDOW), min(len(news), height + WINDOW + 1))
            for there in near if crowded and not self._old[o].held else range(len(news)):
                n = news[there]
                alike = self._alike(o, n)
                if alike >= enough and (usual is None or usual[n] < alike):
                    other = (self._old[o].id is None) != (self._new[n].id is None)
                    rank = alike + HELD_WINS * self._old[o].held - ID_COMES_OR_GOES * other
                    found.append((-rank, abs(there - height), o, n))
        for _, _, o, n in sorted(found):
            if o not in self.pairs and n not in self._taken:
                self._pair([(o, n)])

    def _alike(self, o: int, n: int) -> float:
        old, new = self._old[o], self._new[n]
        # A ticked item that is gone and an unticked one that is new are two tasks: the list was tidied and goes on.
        if not _may_be_same(old, new) or (old.checked and not new.checked):
            return 0.0
        alike = likeness(old.text, new.text)
        return SAME_BODY + (1 - SAME_BODY) * alike if old.body and old.body == new.body else alike


def _list_of(key: ItemKey) -> str:
    return key.list_name


def _grouped(places: Iterable[int], keys: Sequence[ItemKey], trait: Callable[[ItemKey], Hashable]) -> dict[Hashable, list[int]]:
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place in places:
        found[trait(keys[place])].append(place)
    return dict(found)


def _may_be_same(old: ItemKey, new: ItemKey) -> bool:
    """Two ids that differ are two tasks, whatever the text."""
    return old.id is None or new.id is None or old.id == new.id
