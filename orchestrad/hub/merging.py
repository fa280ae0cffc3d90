"""One commit of the merge queue: git's own merge for files, item by item for task lists, boxes ticked, no work tree.

git decides files. Task lists and the direction get their content from here, before git looks: where a source's change of
them must not count, or both sides changed a list, both sides are given the same content first, in commits that no ref
ever names. What is equal on both sides can't conflict, and a list that a worker renamed is no rename to git.
"""

from collections.abc import Sequence
from typing import Final

from orchestrad.core.identity import ItemKey, find_moved
from orchestrad.core.ids import Oid
from orchestrad.core.listmerge import merge_lists
from orchestrad.core.tasklist import is_list_name, tick
from orchestrad.errors import Gone
from orchestrad.hub.names import is_oid, shown
from orchestrad.hub.objects import REGULAR, Draft, Entry, Reader, Tree, reading
from orchestrad.hub.port import Conflict, Merged, MergeOrder, MergeResult, NothingToMerge, Tick
from orchestrad.hub.run import Git

DIRECTION: Final = "PROJECT_DIRECTION.md"


async def merge(git: Git, order: MergeOrder) -> MergeResult:
    """Makes the commit that `order` describes, or says why there is none. Raises Gone if a commit is not in the hub."""
    async with reading(git) as objects:
        onto = await objects.root(order.onto)
        bases: Sequence[Oid] = ()
        if order.source is not None:
            source = await objects.root(order.source)
            bases = await merge_bases(git, order.onto, order.source)
        if order.source is None or order.source in bases:
            return await _only_ticks(git, objects, order, onto)

        base = await objects.root(bases[0]) if bases else {}
        draft = Draft()
        if order.lists_from_source:
            ours, theirs, dropped = await _lists_by_item(objects, draft, base, onto, source)
        else:
            ours, theirs, dropped = onto, *_lists_of_onto(base, onto, source, sure=len(bases) == 1)

        if order.onto in bases:
            tree = theirs
        else:
            left = order.onto if ours == onto else draft.commit(draft.tree(ours), [order.onto], "", order.at)
            right = order.source if theirs == source else draft.commit(draft.tree(theirs), [order.source], "", order.at)
            await draft.write(git)
            found = await _merge_trees(git, left, right)
            if isinstance(found, Conflict):
                return found
            tree = await objects.tree(found)
        tree, unticked = await _ticked(objects, draft, tree, onto, order.ticks)
        if order.fast_forward and order.onto in bases and tree == source:
            return Merged(order.source, unticked=unticked)
        oid = draft.commit(draft.tree(tree), [order.onto, order.source], order.message, order.at)
        await draft.write(git)
        return Merged(oid, dropped, unticked)


async def merge_bases(git: Git, one: Oid, other: Oid) -> tuple[Oid, ...]:
    """The best common ancestors; none when the histories are unrelated. Raises Gone."""
    if not (is_oid(one) and is_oid(other)):
        raise Gone(f"{one[:60]!r} or {other[:60]!r} is no commit of the hub: that is no object's name.")
    done = await git.run("merge-base", "--all", one, other, accept=(0, 1, 128))
    if done.status == 128:
        raise Gone(f"{one[:12]} or {other[:12]} is no commit of the hub. Push it first.")
    return tuple(Oid(line) for line in done.out.decode().split())


async def _only_ticks(git: Git, objects: Reader, order: MergeOrder, onto: Tree) -> MergeResult:
    draft = Draft()
    tree, unticked = await _ticked(objects, draft, onto, onto, order.ticks)
    if tree == onto:
        return NothingToMerge()
    oid = draft.commit(draft.tree(tree), [order.onto], order.message, order.at)
    await draft.write(git)
    return Merged(oid, unticked=unticked)


def _lists_of_onto(base: Tree, onto: Tree, source: Tree, *, sure: bool) -> tuple[Tree, tuple[str, ...]]:
    """The source with the lists and direction of `onto` where it changed them, and the names of those."""
    theirs, dropped = dict(source), []
    for name in _guarded_names(base, onto, source):
        touched = source.get(name) != base.get(name)
        # With several bases, what one of them holds is no sure sign that the source left it alone.
        if (touched or not sure) and source.get(name) != onto.get(name):
            _put(theirs, name, onto.get(name))
            if touched:
                dropped.append(name.decode())
    return theirs, tuple(dropped)


async def _lists_by_item(objects: Reader, draft: Draft, base: Tree, onto: Tree, source: Tree) -> tuple[Tree, Tree, tuple[str, ...]]:
    """Both sides with each list that both changed merged by item. A link or a directory of such a name is left to git."""
    ours, theirs = dict(onto), dict(source)
    for name in _guarded_names(base, onto, source):
        sides = [tree.get(name) for tree in (base, onto, source)]
        if name == DIRECTION.encode() or len({*sides}) < 3 or any(side and side.mode not in REGULAR for side in sides):
            continue
        texts = [await objects.blob(side) if side else b"" for side in sides]
        # Boxes are as the two sides have them; what the store knows comes as ticks.
        merged = merge_lists(texts[0], texts[1], texts[2], checked=lambda _: None, name=name.decode()).data
        mode = next(side.mode for side in reversed(sides) if side)
        entry = Entry(mode, draft.blob(merged)) if merged or all(sides[1:]) else None
        _put(ours, name, entry)
        _put(theirs, name, entry)
    return ours, theirs, ()


def _guarded_names(*trees: Tree) -> list[bytes]:
    return sorted({name for tree in trees for name in tree if _is_guarded(name)})


def _is_guarded(name: bytes) -> bool:
    return name.isascii() and (name.decode() == DIRECTION or is_list_name(name.decode()))


def _put(tree: Tree, name: bytes, entry: Entry | None) -> None:
    if entry is None:
        tree.pop(name, None)
    else:
        tree[name] = entry


async def _merge_trees(git: Git, ours: Oid, theirs: Oid) -> Oid | Conflict:
    """git's merge of two commits: a tree, or the paths on which it stopped."""
    done = await git.run("merge-tree", "--write-tree", "-z", "--allow-unrelated-histories", ours, theirs, accept=(0, 1))
    tree, _, rest = done.out.partition(b"\0")
    if done.status == 0:
        return Oid(tree.decode())
    files, _, messages = rest.partition(b"\0\0")
    paths = [record.partition(b"\t")[2] for record in files.split(b"\0") if record]
    return Conflict(tuple(shown(path) for path in dict.fromkeys(paths or _paths_of_messages(messages))))


def _paths_of_messages(messages: bytes) -> list[bytes]:
    """Some conflicts (a directory that was renamed) leave no file behind and are only told of."""
    fields = iter(messages.split(b"\0"))
    found: list[bytes] = []
    for count in fields:
        if count.isdigit():
            paths = [next(fields, b"") for _ in range(int(count))]
            kind, _text = next(fields, b""), next(fields, b"")
            found += paths if kind.startswith(b"CONFLICT") else []
    return found


async def _ticked(
    objects: Reader, draft: Draft, tree: Tree, known: Tree, ticks: Sequence[Tick]
) -> tuple[Tree, tuple[ItemKey, ...]]:
    """The tree with the boxes set, and the items that are in none of its lists; the keys are from the lists of `known`."""
    if not ticks:
        return tree, ()
    was, texts = await _texts(objects, known), await _texts(objects, tree)
    before = dict(texts)  # a tick moves nothing, so what was found in these holds in `texts`
    unticked: list[ItemKey] = []
    for wanted in ticks:
        if found := find_moved(wanted.item, was, before):
            name, item = found
            texts[name] = tick(texts[name], item, wanted.checked)
        else:
            unticked.append(wanted.item)
    changed = [name for name in texts if texts[name] != before[name]]
    if not changed:
        return tree, tuple(unticked)
    entries = {name.encode(): Entry(tree[name.encode()].mode, draft.blob(texts[name])) for name in changed}
    return {**tree, **entries}, tuple(unticked)


async def _texts(objects: Reader, tree: Tree) -> dict[str, bytes]:
    names = [name for name in tree if tree[name].mode in REGULAR and _is_guarded(name) and name != DIRECTION.encode()]
    return {name.decode(): await objects.blob(tree[name]) for name in names}
