"""Links of the page's own format: taken out, put back where they were, added, led elsewhere.

And the ids that new ones get.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .graph import FIELDS, GraphNode, GraphScope, Link
from .kinds import MEMORY
from .protocols import Id, Port

_COUNTERS = {"node": ("last_node_id", "lastNodeId"), "link": ("last_link_id", "lastLinkId")}


def cut(node: GraphNode, name: str) -> dict | None:
    """Take the link of an input out; returns the memory for `mend`, or None where there is no link."""
    entry = node.input(name)
    link = node.link(name)
    if entry is None or link is None:
        return None
    scope = node.scope
    origin = scope.by_id.get(link["origin_id"])
    at = scope.data["links"].index(link.row)
    from_at = _unlist(scope, link)
    del scope.data["links"][at]
    del scope.links[link["id"]]
    entry["link"] = None
    return {
        "input": name,
        "row": link.row,
        "at": at,
        "from": origin.kind if origin else None,
        "from_at": from_at,
    }


def mend(node: GraphNode, memory: dict | None) -> str | None:
    """Put a link back where it was; words when what it came from is no longer there."""
    if memory is None:
        return None
    link = Link(memory["row"])
    scope = node.scope
    entry = node.input(memory["input"])
    origin = scope.by_id.get(link["origin_id"])
    origin_is_there = (origin.kind if origin else None) == memory["from"]
    free = link["id"] not in scope.links and link["target_id"] == node.id
    if entry is None or not origin_is_there or not free:
        return f"its input {memory['input']} could not be connected again"
    entry["link"] = link["id"]
    scope.links[link["id"]] = link
    scope.data["links"].insert(memory["at"], link.row)
    outs = leaving(scope, link["origin_id"], link["origin_slot"])
    if outs is not None and memory["from_at"] is not None:
        outs.insert(memory["from_at"], link["id"])
    return None


def connect(node: GraphNode, name: str, port: Port) -> None:
    """Link a port to an input that is free."""
    scope = node.scope
    entry = node.input(name)
    assert entry is not None  # only inputs that the node has are connected
    link_id = next_id(scope, "link")
    origin_id = port.node.id if port.node else scope.entry_id
    at = place(node.data["inputs"], entry)
    values = (link_id, origin_id, port.slot, node.id, at, entry["type"])
    rows = scope.data["links"]
    as_objects = isinstance(rows[0], dict) if rows else not scope.root
    row = dict(zip(FIELDS, values, strict=True)) if as_objects else list(values)
    rows.append(row)
    scope.links[link_id] = Link(row)
    entry["link"] = link_id
    outs = leaving(scope, origin_id, port.slot)
    if outs is not None:
        outs.append(link_id)


def redirect(node: GraphNode, name: str, port: Port) -> list:
    """Let an input be fed by another port over the same link.

    Returns the memory for `unroute`: the link, and its place before.
    """
    link = node.link(name)
    assert link is not None  # only what is fed already is led elsewhere
    at = _unlist(node.scope, link)
    _lead(node.scope, link, port, None)
    return [link["id"], at]


def unroute(node: GraphNode, moved: list[list], staying: Sequence[GraphNode] = ()) -> None:
    """Let all that a node's first output feeds, but the nodes that stay, be fed by what feeds its
    input `model`.

    Each link in its place from before.
    """
    scope = node.scope
    source = node.origin("model")
    places = {link_id: at for link_id, at in moved}
    kept = [each.id for each in staying if each.scope is scope]
    feeds = [
        (link_id, link["target_id"])
        for link_id, link in scope.links.items()
        if link["origin_id"] == node.id and link["origin_slot"] == 0
    ]
    fed = [link_id for link_id, target in feeds if target not in kept]
    if len(fed) == len(feeds):
        cut(node, "model")
    if source is None:
        return
    for entry in [each for each in reversed(moved) if each[0] in fed]:
        link_id, at = entry
        later = moved[moved.index(entry) + 1 :]  # taken out of the list after it, and still out
        moved.remove(entry)
        if at is not None:
            at -= sum(each[1] is not None and each[1] < at for each in later)
            for each in later:
                each[1] = each[1] + 1 if each[1] is not None and each[1] >= at else each[1]
        _unlist(scope, scope.links[link_id])
        _lead(scope, scope.links[link_id], source, at)
    for link_id in [each for each in fed if each not in places]:
        _unlist(scope, scope.links[link_id])
        _lead(scope, scope.links[link_id], source, None)


def _unlist(scope: GraphScope, link: Link) -> int | None:
    """Strike a link from the list that its origin keeps; returns its place there, if it had one."""
    outs = leaving(scope, link["origin_id"], link["origin_slot"])
    if outs is None or link["id"] not in outs:
        return None
    at = outs.index(link["id"])
    del outs[at]
    return at


def _lead(scope: GraphScope, link: Link, port: Port, at: int | None) -> None:
    """Let a link come from another port, at a place of the list there (None: at its end)."""
    link["origin_id"] = port.node.id if port.node else scope.entry_id
    link["origin_slot"] = port.slot
    outs = leaving(scope, link["origin_id"], port.slot)
    if outs is not None:
        outs.insert(len(outs) if at is None else at, link["id"])


def leaving(scope: GraphScope, origin_id: Id, slot: int) -> list | None:
    """The list of links that an output, or an input of the subgraph, keeps, if it keeps one."""
    node = scope.by_id.get(origin_id)
    if node is not None:
        entries, key = node.data.get("outputs"), "links"
    elif not scope.root and origin_id == scope.entry_id:
        entries, key = scope.data.get("inputs"), "linkIds"
    else:
        return None
    entry = entries[slot] if isinstance(entries, list) and 0 <= slot < len(entries) else None
    found = entry.get(key) if isinstance(entry, dict) else None
    return found if isinstance(found, list) else None


def place(rows: list, row: object) -> int:
    """Where an object stands in a list: it itself, not one that is equal."""
    return next(k for k, each in enumerate(rows) if each is row)


def next_id(scope: GraphScope, what: str) -> int:
    """A new id for a "node" or a "link", above all in the whole workflow."""
    scope.ids[what] += 1
    scope.given[what] = scope.ids[what]
    return scope.ids[what]


def highest_ids(scopes: Sequence[GraphScope]) -> dict[str, int]:
    """The highest ids in a workflow, whether used or only counted."""
    highest = {"node": 0, "link": 0}
    for scope in scopes:
        used: dict[str, Iterable[Id]] = {"node": scope.by_id, "link": scope.links}
        for what, ids in used.items():
            holder, key = _counter(scope, what)
            counted = holder[key] if holder else 0
            highest[what] = max([highest[what], counted, *map(_number, ids)])
    return highest


def _number(name: Id) -> int:
    """An id as a number; 0 for one that is none."""
    if isinstance(name, int):
        return name
    return int(name) if name.isdecimal() and len(name) < 18 else 0


def settle(scope: GraphScope) -> None:
    """Raise the scope's counters of ids to what was given out, and note what they were."""
    for what, given in scope.given.items():
        holder, key = _counter(scope, what)
        if holder is not None and given > holder[key]:
            note = _note(scope)
            note[what] = [note[what][0] if _is_pair(note.get(what)) else holder[key], given]
            holder[key] = given
    scope.given.clear()


def unsettle(scope: GraphScope) -> None:
    """Put the counters back, where nothing has used them since.

    Once nothing in the scope is swapped any more.
    """
    extra = scope.data.get("extra")
    if not isinstance(extra, dict):
        return
    note = extra.get(MEMORY)
    if not isinstance(note, dict) or any(node.memory() for node in scope.nodes):
        return
    for what in _COUNTERS:
        holder, key = _counter(scope, what)
        if holder is not None and _is_pair(note.get(what)) and holder[key] == note[what][1]:
            holder[key] = note[what][0]
    del extra[MEMORY]
    if note.get("bare") and not extra:
        del scope.data["extra"]


def _note(scope: GraphScope) -> dict:
    """The note in the scope's own drawer.

    A drawer that is missing is made, and marked so that it goes again.
    """
    extra = scope.data.setdefault("extra", {MEMORY: {"bare": True}})
    if not isinstance(extra.get(MEMORY), dict):
        extra[MEMORY] = {}
    return extra[MEMORY]


def _counter(scope: GraphScope, what: str) -> tuple[dict | None, str]:
    """The object that counts a scope's ids, if one does, and under which key."""
    root, inner = _COUNTERS[what]
    key = root if scope.root else inner
    holder = scope.data if scope.root else scope.data.get("state")
    counts = isinstance(holder, dict) and type(holder.get(key)) is int
    return (holder if counts else None), key


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)
