"""Merges a list that changed on both sides, item by item: text from people and the Manager, boxes from the store.

Git's own merge would stop at neighbouring lines, and every tick is a neighbour of the next task. Here an item is one
piece: which items survive is decided item by item, their order and the prose between them by a three-way comparison
of the pieces. What nobody touched comes through byte for byte.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TypeAlias

from orchestrad.core.identity import ItemKey, Match, match
from orchestrad.core.tasklist import SHARED_LIST, ListItem, ListProblem, parse_list, quoted, tick

_BOM = b"\xef\xbb\xbf"
_SORT_IN = b"<!-- The tasks above were merged in here; move them to where they belong. -->"
# A piece of a list: an item by its number in the merge, or a line of prose by its text.
_Token: TypeAlias = int | bytes


@dataclass(frozen=True, slots=True)
class MergedList:
    data: bytes
    problems: tuple[ListProblem, ...]  # edits of ours that gave way to theirs


@dataclass(frozen=True, slots=True)
class _Item:
    parsed: ListItem
    core: bytes
    gap: bytes  # the blank lines that follow
    box_at: int  # where in `core`

    @property
    def raw(self) -> bytes:
        return self.core + self.gap

    @property
    def checked(self) -> bool:
        return self.core[self.box_at : self.box_at + 1] != b" "

    @property
    def unticked(self) -> bytes:
        return self.core[: self.box_at] + b" " + self.core[self.box_at + 1 :]

    @property
    def words(self) -> bytes:
        """What counts as its text when we ask who edited it: neither the box nor blanks around its lines."""
        return b"\n".join(line.rstrip() for line in self.unticked.strip().splitlines())


@dataclass(frozen=True, slots=True)
class _Side:
    tokens: tuple[_Token, ...]
    items: dict[int, _Item]
    snug: frozenset[bytes]  # lines of prose that stand right behind an item and yet are none of it


def merge_lists(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    checked: Callable[[ListItem], bool | None],
    name: str = SHARED_LIST,
) -> MergedList:
    """One list of two that both came from `base`; an absent file is b"".

    An item that either side added survives. One that a side removed goes, unless the other edited it. Where both edited
    an item or the same place of the prose, theirs counts; `problems` tells of the items, labelled with `name`. `checked`
    says what the store knows of an item's box; None leaves it as the two sides have it.
    """
    problems: list[ListProblem] = []
    if ours in (base, theirs):
        merged = theirs
    elif theirs == base:
        merged = ours
    else:
        merged, problems = _merge(base, ours, theirs, name)
    for item in parse_list(merged).items:  # a tick moves nothing, so the offsets stay good
        if (known := checked(item)) is not None:
            merged = tick(merged, item, known)
    return MergedList(merged, tuple(problems))


def _merge(base: bytes, ours: bytes, theirs: bytes, name: str) -> tuple[bytes, list[ListProblem]]:
    bom = _BOM if theirs.startswith(_BOM) else b""
    newline = b"\r\n" if b"\r\n" in theirs else b"\n"
    for reworded in (True, False):  # where the pieces don't fit together, what is not sure is left aside
        b, o, t = _sides(base.removeprefix(_BOM), ours.removeprefix(_BOM), theirs.removeprefix(_BOM), reworded=reworded)
        kept, overruled = _survivors(b, o, t)
        problems = []
        for item in overruled:
            said = f"{quoted(item.text)} was edited on both sides, and the incoming text was taken."
            problems.append(ListProblem(name, 0, f"{said} Look whether something of the other edit is missing."))

        plain = {n: replace(item, core=_unindented(item.core)) for n, item in kept.items()}
        snug = o.snug | t.snug
        more = _joined([token for token in o.tokens if token in kept and token not in t.items], plain, newline, snug)
        preface = more + newline + _SORT_IN + newline if more else b""
        # A change of one side can swallow an item of the other: a code fence left open, an indent that nests it. Then
        # theirs stays as it is and ours goes in front, where nothing swallows it.
        for merged in (
            _joined(_ordered(b, o, t, kept), kept, newline, snug),
            preface + _joined([token for token in t.tokens if token in kept or token not in t.items], plain, newline, snug),
        ):
            if _contents(parse_list(merged).items) == _contents(item.parsed for item in kept.values()):
                return bom + merged, problems
    return bom + preface + theirs.removeprefix(_BOM), problems


def _contents(items: Iterable[ListItem]) -> Counter[tuple[str | None, str, str]]:
    return Counter((item.id, item.text, item.body) for item in items)


def _sides(base: bytes, ours: bytes, theirs: bytes, *, reworded: bool) -> tuple[_Side, _Side, _Side]:
    """The three lists in pieces; an item has the same number in each."""
    b, o, t = (parse_list(data).items for data in (base, ours, theirs))
    b_keys, o_keys, t_keys = ([ItemKey("", item.id, item.text, item.occurrence) for item in items] for items in (b, o, t))
    to_ours, to_theirs = (match(b_keys, keys, reworded=False) for keys in (o_keys, t_keys))
    if reworded:
        b_words, o_words, t_words = (_words(data, items) for data, items in ((base, b), (ours, o), (theirs, t)))
        left_by_ours = {n for n, place in to_ours.pairs if b_words[n] == o_words[place]}
        left_by_theirs = {n for n, place in to_theirs.pairs if b_words[n] == t_words[place]}
        to_ours = _with_reworded(to_ours, match(b_keys, o_keys), left_by_theirs)
        to_theirs = _with_reworded(to_theirs, match(b_keys, t_keys), left_by_ours)
    both_added = match([o_keys[n] for n in to_ours.added], [t_keys[n] for n in to_theirs.added], reworded=False)

    o_numbers = {place: number for number, place in to_ours.pairs}
    o_numbers |= {place: len(b) + n for n, place in enumerate(to_ours.added)}
    t_numbers = {place: number for number, place in to_theirs.pairs}
    t_numbers |= {to_theirs.added[theirs_n]: len(b) + ours_n for ours_n, theirs_n in both_added.pairs}
    t_numbers |= {to_theirs.added[n]: len(b) + len(o) + n for n in both_added.added}
    return (
        _side(base, b, {n: n for n in range(len(b))}),
        _side(ours, o, o_numbers),
        _side(theirs, t, t_numbers),
    )


def _words(data: bytes, items: Sequence[ListItem]) -> list[bytes]:
    return [item.words for item in _side(data, items, {n: n for n in range(len(items))}).items.values()]


def _with_reworded(sure: Match, likely: Match, left: Container[int]) -> Match:
    """`sure` with what this side reworded and the other left but for a tick or a move: that tick belongs to the new words.

    What both sides edited stays two items where neither id nor text tells: a person looks which of them is meant.
    """
    gone, new = set(sure.removed), set(sure.added)
    more = [(n, place) for n, place in likely.pairs if n in gone and place in new and n in left]
    paired, taken = {n for n, _ in more}, {place for _, place in more}
    return Match(
        pairs=tuple(sorted([*sure.pairs, *more])),
        removed=tuple(n for n in sure.removed if n not in paired),
        added=tuple(place for place in sure.added if place not in taken),
    )


def _side(data: bytes, items: Sequence[ListItem], numbers: dict[int, int]) -> _Side:
    lines = data.splitlines(keepends=True)
    tokens: list[_Token] = []
    found: dict[int, _Item] = {}
    here = start = 0
    for n, item in enumerate(items):
        tokens += lines[here : item.line - 1]
        start += sum(map(len, lines[here : item.line - 1]))
        here = item.next_line - 1
        end = here
        while not lines[end - 1].strip():
            end -= 1
        core, gap = b"".join(lines[item.line - 1 : end]), b"".join(lines[end:here])
        tokens.append(numbers[n])
        found[numbers[n]] = _Item(item, core, gap, box_at=item.box_offset - start)
        start += len(core + gap)
    tokens += lines[here:]
    snug = frozenset(
        line for item, line in pairwise(tokens) if isinstance(item, int) and isinstance(line, bytes) and not found[item].gap
    )
    return _Side(tuple(tokens), found, snug)


def _survivors(b: _Side, o: _Side, t: _Side) -> tuple[dict[int, _Item], list[ListItem]]:
    """The items of the merged list by number, and those of theirs that were taken over another edit."""
    kept: dict[int, _Item] = {}
    overruled: list[ListItem] = []
    for n in sorted(b.items.keys() | o.items.keys() | t.items.keys()):
        old, our, their = b.items.get(n), o.items.get(n), t.items.get(n)
        if our and their:
            we_edited, they_edited = (old is None or side.words != old.words for side in (our, their))
            if we_edited and they_edited and our.words != their.words:
                overruled.append(their.parsed)
            if we_edited != they_edited:
                chosen = our if we_edited else their
            else:
                chosen = our if old and their.unticked == old.unticked else their
            ticked = their.checked if their.checked != (old is not None and old.checked) else our.checked
            gap = our.gap if old and their.gap == old.gap else their.gap
            kept[n] = replace(_with_box(chosen, ticked), gap=gap)
        elif (only := our or their) and (old is None or only.words != old.words):
            kept[n] = only
    return kept, overruled


def _with_box(item: _Item, checked: bool) -> _Item:
    if item.checked == checked:
        return item
    return replace(item, core=item.core[: item.box_at] + (b"x" if checked else b" ") + item.core[item.box_at + 1 :])


def _ordered(b: _Side, o: _Side, t: _Side, kept: dict[int, _Item]) -> list[_Token]:
    """The pieces of the merged list: between pieces that all three share, what changed against the base."""
    in_ours, in_theirs = _aligned(b.tokens, o.tokens), _aligned(b.tokens, t.tokens)
    shared = [(n, in_ours[n], in_theirs[n]) for n in range(len(b.tokens)) if n in in_ours and n in in_theirs]
    found: list[_Token] = []
    b_from = o_from = t_from = 0
    for b_to, o_to, t_to in [*shared, (len(b.tokens), len(o.tokens), len(t.tokens))]:
        found += _merged_gap(b.tokens[b_from:b_to], o.tokens[o_from:o_to], t.tokens[t_from:t_to])
        found += b.tokens[b_to : b_to + 1]
        b_from, o_from, t_from = b_to + 1, o_to + 1, t_to + 1
    for side in (t, o):  # what one side removed and the other edited is in no gap
        found = _woven(found, [token for token in side.tokens if isinstance(token, bytes) or token in kept])
    seen: set[int] = set()
    order: list[_Token] = []
    for token in found:  # an item that moved can be in two gaps
        if isinstance(token, int):
            if token in seen or token not in kept:
                continue
            seen.add(token)
        order.append(token)
    return order


def _aligned(old: Sequence[_Token], new: Sequence[_Token]) -> dict[int, int]:
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}


def _merged_gap(b: Sequence[_Token], o: Sequence[_Token], t: Sequence[_Token]) -> list[_Token]:
    if t == b:
        return list(o)
    if o in (b, t):
        return list(t)
    prose_b, prose_t = ([token for token in side if isinstance(token, bytes)] for side in (b, t))
    return _woven(t, o) if prose_t != prose_b else _woven(o, t)


def _woven(frame: Sequence[_Token], other: Sequence[_Token]) -> list[_Token]:
    """`frame` with the items of `other` that it lacks, each behind the piece that it follows there."""
    found = list(frame)
    present = set(frame)
    if all(token in present for token in other if isinstance(token, int)):
        return found
    at = 0
    for token in other:
        if token in present:
            if isinstance(token, int) or token.strip():
                at = found.index(token) + 1
            elif found[at : at + 1] == [token]:  # a blank line is no landmark, but one at hand is passed
                at += 1
        elif isinstance(token, int):
            found.insert(at, token)
            at += 1
    return found


def _joined(order: Sequence[_Token], items: dict[int, _Item], newline: bytes, snug: frozenset[bytes]) -> bytes:
    pieces: list[bytes] = []
    behind_item = False
    for token in order:
        piece = items[token].raw if isinstance(token, int) else token
        if pieces and not pieces[-1].endswith((b"\n", b"\r")):
            pieces.append(newline)
        # Prose right behind an item would become part of its text, unless it is of a kind that did not (a heading).
        if isinstance(token, bytes) and token.strip() and behind_item and token not in snug:
            pieces.append(newline)
        pieces.append(piece)
        behind_item = isinstance(token, int) and not items[token].gap
    return b"".join(pieces)


def _unindented(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    indent = len(lines[0]) - len(lines[0].lstrip(b" "))
    return b"".join(line[min(indent, len(line) - len(line.lstrip(b" "))) :] for line in lines)
