"""How alike two titles are, and which items kept their order: what identity rests on once ids and exact texts are used up."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

# What marks text up in Markdown and says nothing itself; a link says what its text says.
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_MARKUP = re.compile(r"[*_`~\\]+")


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """`text` without markup, case, and what ends a sentence; the text itself if nothing else is in it."""
    bare = " ".join(_MARKUP.sub("", _LINK.sub(r"\1", text)).split()).casefold().rstrip(".!;: ")
    return bare or text


def likeness(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (alike but for order): the share of their letter triples that both have."""
    ours, theirs = _triples(plain(one)), _triples(plain(other))
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


@lru_cache(maxsize=4096)
def _triples(text: str) -> frozenset[str]:
    # Word by word, so that words may change places; blanks around each give its first and last letters weight.
    return frozenset(f" {word} "[n : n + 3] for word in text.split() or [text] for n in range(len(word)))


def longest_rising(numbers: Sequence[int]) -> list[int]:
    """The positions of a longest strictly rising subsequence: of paired items, those that did not move."""
    tails: list[int] = []  # the last number of the best run of each length, …
    ends: list[int] = []  # … and where that number stands
    before: list[int] = []
    for n, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [number]
        ends[length : length + 1] = [n]
    found: list[int] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(at)
        at = before[at]
    return found[::-1]
