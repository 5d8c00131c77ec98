"""Nodes of the page's own format: made another kind in place, back again, added, removed.

What undoes it is kept inside the workflow.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .free_place import free_place, pair
from .graph import GraphNode, GraphScope, Link, is_link
from .graph_links import connect as link_up
from .graph_links import cut, mend, next_id, place, redirect, settle, unroute, unsettle
from .kinds import MADE, MEMORY, known
from .protocols import Port

__all__ = ["add", "broken", "connect", "forget", "redirect", "remember", "remove", "retype"]
__all__ += ["settle", "sound", "unroute", "unsettle", "untype"]

_OWN = ("type", "inputs", "outputs", "widgets_values", "widgets_values_named", "properties")
_REGISTRY = ("cnr_id", "aux_id", "ver")  # which pack a node comes from


def broken(node: GraphNode) -> str | None:
    """Why a node cannot be changed safely, or None."""
    if node.scope.by_id.get(node.id) is not node:
        return f"two nodes have the id {node.id}"
    scope = node.scope.data
    parts = (
        (node.data, "properties", dict),
        (node.data, "inputs", list),
        (node.data, "outputs", list),
        (scope, "extra", dict),
    )
    wrong = [
        key for holder, key, kind in parts if key in holder and not isinstance(holder[key], kind)
    ]
    if not isinstance(scope.get("links"), list):
        wrong.append("links")
    names = [str(entry.get("name")) for entry in node.inputs()]
    if len(set(names)) < len(node.data.get("inputs", names)):
        wrong.append("inputs")
    return f"the file is damaged there ({wrong[0]})" if wrong else None


def remember(node: GraphNode, memory: dict) -> None:
    """Note something on a node, under its properties."""
    if "properties" not in node.data:
        node.data["properties"] = {}
        memory = memory | {"bare": True}
    node.data["properties"][MEMORY] = memory


def forget(node: GraphNode) -> None:
    """Take the note away again."""
    memory = node.data["properties"].pop(MEMORY)
    if memory.get("bare") and not node.data["properties"]:
        del node.data["properties"]


def retype(node: GraphNode, kind: str, values: dict, kept: dict[str, str]) -> dict:
    """Make a node another kind in place, over the same links. Returns the memory for `untype`.

    values: of the new kind, by name. kept: {new input or value: the old one that it goes on}; links
    to other inputs are taken out.
    """
    slots = {name: link["target_slot"] for name, link in _links(node).items()}
    memory: dict[str, Any] = {
        "was": {key: deepcopy(node.data[key]) for key in _OWN if key in node.data},
        "kept": kept,
        "slots": {name: slot for name, slot in slots.items() if slot != _slot(node, name)},
    }
    entries = _inputs(node, kind, kept)
    memory["cut"] = [cut(node, name) for name in _links(node) if name not in kept.values()]
    node.data |= {"type": kind, "inputs": entries, "outputs": _outputs(node, kind)}
    node.data["widgets_values"] = [values[name] for name in known(kind)["widgets"]]
    if "widgets_values_named" in node.data:
        node.data["widgets_values_named"] = {name: values[name] for name in known(kind)["widgets"]}
    node.data["properties"] = _properties(node.data.get("properties", {}), kind)
    _reslot(node)
    return memory


def untype(node: GraphNode, memory: dict) -> list[str]:
    """Undo `retype`; values and links that went on stay as they are now.

    Returns what could not be restored, in words.
    """
    now = {old: node.value(new) for new, old in memory["kept"].items()}
    links = {
        old: entry.get("link") for new, old in memory["kept"].items() if (entry := node.input(new))
    }
    for name in _links(node):
        if name not in memory["kept"]:
            cut(node, name)
    fed = [entry.get("links") for entry in node.outputs()]
    for key in _OWN:
        if key in memory["was"]:
            node.data[key] = memory["was"][key]
        else:
            node.data.pop(key, None)
    _join(node, links, fed)
    counted = memory.get("counted", ())
    for name, value in now.items():
        if value is not None and name not in counted and node.value(name) != value:
            node.set(name, value)
    for each in memory["cut"]:
        entry = node.input(each["input"]) if each else None
        if entry:
            entry["link"] = None
    lost = [mend(node, each) for each in reversed(memory["cut"])]
    _reslot(node)
    for name, slot in memory["slots"].items():
        link = node.link(name)
        if link is not None:
            link["target_slot"] = slot
    return [words for words in lost if words]


def sound(memory: dict) -> bool:
    """Whether a note is one that `untype` and `unroute` can follow.

    A file from elsewhere may hold anything.
    """
    if "moved" in memory:
        return isinstance(memory["moved"], list) and all(map(_is_move, memory["moved"]))
    was = memory.get("was")
    kept = memory.get("kept")
    slots = memory.get("slots")
    cuts = memory.get("cut")
    if not (isinstance(was, dict) and isinstance(kept, dict) and isinstance(slots, dict)):
        return False
    if not (isinstance(cuts, list) and isinstance(memory.get("counted", []), list)):
        return False
    return (
        isinstance(was.get("type"), str)
        and all(isinstance(old, str) for old in kept.values())
        and all(type(slot) is int for slot in slots.values())
        and all(each is None or _is_cut(each) for each in cuts)
    )


def add(
    scope: GraphScope, kind: str, values: dict, near: GraphNode, offset: tuple[int, int]
) -> GraphNode:
    """A new node beside another one, where no node lies."""
    made = MADE[kind]
    left, top = pair(near.data.get("pos")) or (0.0, 0.0)
    beside = (left + offset[0], top + offset[1])
    order = near.data.get("order")
    data = {
        "id": next_id(scope, "node"),
        "type": kind,
        "pos": free_place(beside, tuple(made["size"]), [each.data for each in scope.nodes]),
        "size": list(made["size"]),
        "flags": {},
        "order": order if type(order) is int else 0,
        "mode": near.data.get("mode", 0),
        "inputs": [_fresh(kind, *each) for each in made["inputs"]],
        "outputs": [{"name": name, "type": type_, "links": []} for name, type_ in made["outputs"]],
        "properties": {"Node name for S&R": kind},
        "widgets_values": [values[name] for name in known(kind)["widgets"]],
    }
    scope.data["nodes"].append(data)
    node = GraphNode(data, scope)
    scope.nodes.append(node)
    scope.by_id[node.id] = node
    return node


def connect(node: GraphNode, name: str, port: Port) -> None:
    """Link a port to an input that is free; one that comes late is there from then on, the last."""
    made = MADE.get(node.kind, {})
    if node.input(name) is None and name in made.get("late", ()):
        node.data["inputs"].append(_fresh(node.kind, name, dict(made["inputs"])[name]))
    link_up(node, name, port)


def remove(node: GraphNode) -> bool:
    """Take a node out that feeds nothing any more, with the links that feed it; whether it was."""
    scope = node.scope
    if any(link["origin_id"] == node.id for link in scope.links.values()):
        return False
    for name in _links(node):
        cut(node, name)
    del scope.data["nodes"][place(scope.data["nodes"], node.data)]
    scope.nodes.remove(node)
    del scope.by_id[node.id]
    return True


def _inputs(node: GraphNode, kind: str, kept: dict[str, str]) -> list[dict]:
    """The inputs of the new kind: those that go on keep what they have but the name.

    Of its values those that a link feeds.
    """
    old = {new: node.input(name) for new, name in kept.items()}
    late = MADE[kind].get("late", ())
    entries = []
    for name, type_ in MADE[kind]["inputs"]:
        entry = old.get(name)
        if name in late and not entry:
            continue
        entries.append(_renamed(entry, name) if entry else _fresh(kind, name, type_))
    for name in known(kind)["widgets"]:
        entry = old.get(name)
        if entry:
            entries.append(_renamed(entry, name))
    return entries


def _renamed(entry: dict, name: str) -> dict:
    entry = deepcopy(entry)
    entry |= {key: name for key in ("name", "localized_name") if key in entry}
    if isinstance(entry.get("widget"), dict):
        entry["widget"]["name"] = name
    return entry


def _fresh(kind: str, name: str, type_: str) -> dict:
    entry = {"name": name, "type": type_, "link": None}
    return {**entry, "shape": 7} if name in MADE[kind].get("optional", ()) else entry


def _outputs(node: GraphNode, kind: str) -> list[dict]:
    """The outputs of the new kind; the first goes on where the old first was."""
    outputs = [{"name": name, "type": type_, "links": []} for name, type_ in MADE[kind]["outputs"]]
    if outputs:
        first = (node.outputs() or [{}])[0]
        outputs[0]["links"] = first.get("links")
    return outputs


def _properties(properties: dict, kind: str) -> dict:
    foreign = _REGISTRY if kind.startswith("StepDistill") else ()
    kept = {key: value for key, value in properties.items() if key not in foreign}
    return kept | {"Node name for S&R": kind}


def _join(node: GraphNode, links: dict[str, object], fed: list) -> None:
    """Connect the restored inputs and outputs as the node is connected now."""
    for entry in node.inputs():
        now = links.get(entry.get("name", ""), entry.get("link"))
        if "link" in entry or now is not None:
            entry["link"] = now
    for entry, now in zip(node.outputs(), fed, strict=False):
        if "links" in entry:
            entry["links"] = now
    for link in list(node.scope.links.values()):
        if link["origin_id"] == node.id and link["origin_slot"] >= len(node.outputs()):
            _cut_at_target(node.scope, link)


def _cut_at_target(scope: GraphScope, link: Link) -> None:
    target = scope.by_id.get(link["target_id"])
    if target is None:
        return
    for name in target.input_names():
        if target.link(name) is link:
            cut(target, name)


def _reslot(node: GraphNode) -> None:
    for name, link in _links(node).items():
        link["target_slot"] = _slot(node, name)


def _slot(node: GraphNode, name: str) -> int:
    return place(node.data["inputs"], node.input(name))


def _links(node: GraphNode) -> dict[str, Link]:
    """The links that feed a node, by its inputs' names."""
    found = {name: node.link(name) for name in node.input_names()}
    return {name: link for name, link in found.items() if link is not None}


def _is_place(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _is_move(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return isinstance(value[0], (int, str)) and _is_place(value[1])


def _is_cut(value: object) -> bool:
    if not isinstance(value, dict) or not is_link(value.get("row")):
        return False
    return (
        isinstance(value.get("input"), str)
        and (value.get("from") is None or isinstance(value["from"], str))
        and type(value.get("at")) is int
        and value["at"] >= 0
        and _is_place(value.get("from_at"))
    )
