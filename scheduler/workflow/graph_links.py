"""Links of the page's own format: taken out, put back where they were, added, led elsewhere; and
the ids that new ones get."""

from __future__ import annotations

from .graph import FIELDS, GraphNode, GraphScope, Link, Port
from .kinds import MEMORY

_COUNTERS = {"node": ("last_node_id", "lastNodeId"), "link": ("last_link_id", "lastLinkId")}


def cut(node: GraphNode, name: str) -> dict | None:
    """Take the link of an input out; returns the memory for `mend`, or None where there is no link."""
    entry, link = node.input(name), node.link(name)
    if link is None:
        return None
    scope, outs = node.scope, leaving(node.scope, link["origin_id"], link["origin_slot"])
    origin = scope.by_id.get(link["origin_id"])
    memory = {
        "input": name,
        "row": link.row,
        "at": scope.data["links"].index(link.row),
        "from": origin.kind if origin else None,
    }
    memory["from_at"] = outs.index(link["id"]) if outs is not None and link["id"] in outs else None
    if memory["from_at"] is not None:
        del outs[memory["from_at"]]
    del scope.data["links"][memory["at"]]
    del scope.links[link["id"]]
    entry["link"] = None
    return memory


def mend(node: GraphNode, memory: dict | None) -> str | None:
    """Put a link back where it was; words when what it came from is no longer there."""
    if memory is None:
        return None
    link, scope, entry = Link(memory["row"]), node.scope, node.input(memory["input"])
    origin = scope.by_id.get(link["origin_id"])
    if (
        entry is None
        or (origin.kind if origin else None) != memory["from"]
        or link["id"] in scope.links
        or link["target_id"] != node.id
    ):
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
    scope, entry = node.scope, node.input(name)
    origin_id = port.node.id if port.node else scope.entry_id
    values = (
        next_id(scope, "link"),
        origin_id,
        port.slot,
        node.id,
        place(node.data["inputs"], entry),
        entry["type"],
    )
    as_objects = isinstance(scope.data["links"][0], dict) if scope.data["links"] else not scope.root
    row = dict(zip(FIELDS, values, strict=True)) if as_objects else list(values)
    scope.data["links"].append(row)
    scope.links[values[0]] = Link(row)
    entry["link"] = values[0]
    outs = leaving(scope, origin_id, port.slot)
    if outs is not None:
        outs.append(values[0])


def redirect(node: GraphNode, name: str, port: Port) -> list:
    """Let an input be fed by another port over the same link; returns the memory for `unroute`: the
    link, and its place before."""
    link, scope = node.link(name), node.scope
    outs = leaving(scope, link["origin_id"], link["origin_slot"])
    at = outs.index(link["id"]) if outs is not None and link["id"] in outs else None
    if at is not None:
        del outs[at]
    _lead(scope, link, port, None)
    return [link["id"], at]


def unroute(node: GraphNode, moved: list[list]) -> None:
    """Let all that a node's first output feeds be fed by what feeds its input `model`, each link in
    its place from before."""
    source, scope = node.origin("model"), node.scope
    cut(node, "model")
    places = {link_id: at for link_id, at in moved}
    fed = [
        link_id
        for link_id, link in scope.links.items()
        if link["origin_id"] == node.id and link["origin_slot"] == 0
    ]
    known = [link_id for link_id, _ in reversed(moved) if link_id in fed]
    for link_id in known + [link_id for link_id in fed if link_id not in places]:
        if source is not None:
            _lead(scope, scope.links[link_id], source, places.get(link_id))


def _lead(scope: GraphScope, link: Link, port: Port, at: int | None) -> None:
    link["origin_id"], link["origin_slot"] = (
        port.node.id if port.node else scope.entry_id,
        port.slot,
    )
    outs = leaving(scope, link["origin_id"], port.slot)
    if outs is not None:
        outs.insert(len(outs) if at is None else at, link["id"])


def leaving(scope: GraphScope, origin_id: object, slot: int) -> list | None:
    """The list of links that an output, or an input of the subgraph, keeps; None where it keeps none."""
    node = scope.by_id.get(origin_id)
    if node is None:
        entries, key = (
            (scope.data.get("inputs"), "linkIds")
            if not scope.root and origin_id == scope.entry_id
            else (None, "")
        )
    else:
        entries, key = node.data.get("outputs"), "links"
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


def highest_ids(scopes: list[GraphScope]) -> dict[str, int]:
    """The highest ids in a workflow, whether used or only counted."""
    highest = {"node": 0, "link": 0}
    for scope in scopes:
        for what, used in (("node", scope.by_id), ("link", scope.links)):
            holder, key = _counter(scope, what)
            numbers = [
                int(each)
                for each in used
                if isinstance(each, int) or (each.isdecimal() and len(each) < 18)
            ]
            highest[what] = max([highest[what], *numbers, holder[key] if holder else 0])
    return highest


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
    """Put the counters back, where nothing has used them since, once nothing in the scope is
    swapped any more."""
    extra = scope.data.get("extra")
    note = extra.get(MEMORY) if isinstance(extra, dict) else None
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
    """The note in the scope's own drawer; a drawer that is missing is made, and marked so that it
    goes again."""
    extra = scope.data.setdefault("extra", {MEMORY: {"bare": True}})
    if not isinstance(extra.get(MEMORY), dict):
        extra[MEMORY] = {}
    return extra[MEMORY]


def _counter(scope: GraphScope, what: str) -> tuple[dict | None, str]:
    root, inner = _COUNTERS[what]
    holder, key = (scope.data, root) if scope.root else (scope.data.get("state"), inner)
    return (
        (holder, key) if isinstance(holder, dict) and type(holder.get(key)) is int else (None, key)
    )


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)
