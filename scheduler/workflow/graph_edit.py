"""Nodes of the page's own format: made another kind in place, back again, added, removed; what
undoes it is kept inside the workflow."""

from __future__ import annotations

from copy import deepcopy

from .graph import GraphNode, GraphScope, is_link
from .graph_links import connect, cut, mend, next_id, place, redirect, settle, unroute, unsettle
from .kinds import MADE, MEMORY, known

__all__ = ["add", "broken", "connect", "forget", "redirect", "remember", "remove", "retype"]
__all__ += ["settle", "sound", "unroute", "unsettle", "untype"]

_OWN = ("type", "inputs", "outputs", "widgets_values", "widgets_values_named", "properties")
_REGISTRY = ("cnr_id", "aux_id", "ver")  # which pack a node comes from


def broken(node: GraphNode) -> str | None:
    """Why a node cannot be changed safely, or None."""
    if node.scope.by_id.get(node.id) is not node:
        return f"two nodes have the id {node.id}"
    scope, names = node.scope.data, [entry.get("name") for entry in node.inputs()]
    parts = [
        (node.data, "properties", dict),
        (node.data, "inputs", list),
        (node.data, "outputs", list),
        (scope, "extra", dict),
    ]
    wrong = [
        key for holder, key, kind in parts if key in holder and not isinstance(holder[key], kind)
    ]
    wrong += ["links"] if not isinstance(scope.get("links"), list) else []
    wrong += ["inputs"] if len(set(map(str, names))) < len(node.data.get("inputs", names)) else []
    return f"the file is damaged there ({wrong[0]})" if wrong else None


def remember(node: GraphNode, memory: dict) -> None:
    """Note something on a node, under its properties."""
    if "properties" not in node.data:
        node.data["properties"], memory = {}, memory | {"bare": True}
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
    was = {key: deepcopy(node.data[key]) for key in _OWN if key in node.data}
    slots = {name: node.link(name)["target_slot"] for name in _linked(node)}
    memory = {
        "was": was,
        "kept": kept,
        "slots": {name: slot for name, slot in slots.items() if slot != _slot(node, name)},
    }
    entries = _inputs(node, kind, kept)
    memory["cut"] = [cut(node, name) for name in _linked(node) if name not in kept.values()]
    node.data |= {"type": kind, "inputs": entries, "outputs": _outputs(node, kind)}
    node.data["widgets_values"] = [values[name] for name in known(kind)["widgets"]]
    if "widgets_values_named" in node.data:
        node.data["widgets_values_named"] = {name: values[name] for name in known(kind)["widgets"]}
    node.data["properties"] = _properties(node.data.get("properties", {}), kind)
    _reslot(node)
    return memory


def untype(node: GraphNode, memory: dict) -> list[str]:
    """Undo `retype`; values and links that went on stay as they are now. Returns what could not be
    restored, in words."""
    now = {old: node.value(new) for new, old in memory["kept"].items()}
    links = {
        old: entry.get("link") for new, old in memory["kept"].items() if (entry := node.input(new))
    }
    for name in _linked(node):
        if name not in memory["kept"]:
            cut(node, name)
    fed = [entry.get("links") for entry in node.outputs()]
    for key in _OWN:
        if key in memory["was"]:
            node.data[key] = memory["was"][key]
        else:
            node.data.pop(key, None)
    _join(node, links, fed)
    for name, value in now.items():
        if (
            value is not None
            and name not in memory.get("counted", ())
            and node.value(name) != value
        ):
            node.set(name, value)
    for each in memory["cut"]:
        if each and node.input(each["input"]):
            node.input(each["input"])["link"] = None
    lost = [mend(node, each) for each in reversed(memory["cut"])]
    _reslot(node)
    for name, slot in memory["slots"].items():
        if node.linked(name):
            node.link(name)["target_slot"] = slot
    return [words for words in lost if words]


def sound(memory: dict) -> bool:
    """Whether a note is one that `untype` and `unroute` can follow; a file from elsewhere may hold
    anything."""
    if "moved" in memory:
        moved = memory["moved"]
        pairs = isinstance(moved, list) and all(
            isinstance(each, list) and len(each) == 2 for each in moved
        )
        return pairs and all(
            isinstance(each[0], (int, str)) and _is_place(each[1]) for each in moved
        )
    was, cuts = memory.get("was"), memory.get("cut")
    if (
        not isinstance(was, dict)
        or not isinstance(was.get("type"), str)
        or not isinstance(cuts, list)
    ):
        return False
    named = [memory.get("kept"), memory.get("slots")]
    counted = memory.get("counted", [])
    return (
        all(isinstance(each, dict) for each in named)
        and all(isinstance(old, str) for old in memory["kept"].values())
        and all(type(slot) is int for slot in memory["slots"].values())
        and isinstance(counted, list)
        and all(each is None or _is_cut(each) for each in cuts)
    )


def add(
    scope: GraphScope, kind: str, values: dict, near: GraphNode, offset: tuple[int, int]
) -> GraphNode:
    """A new node beside another one."""
    made, order = MADE[kind], near.data.get("order")
    data = {
        "id": next_id(scope, "node"),
        "type": kind,
        "pos": _beside(near.data.get("pos"), offset),
        "size": list(made["size"]),
    }
    data |= {
        "flags": {},
        "order": order if type(order) is int else 0,
        "mode": near.data.get("mode", 0),
    }
    data |= {"inputs": [_fresh(kind, *each) for each in made["inputs"]]}
    data |= {
        "outputs": [{"name": name, "type": type_, "links": []} for name, type_ in made["outputs"]]
    }
    data |= {
        "properties": {"Node name for S&R": kind},
        "widgets_values": [values[name] for name in known(kind)["widgets"]],
    }
    scope.data["nodes"].append(data)
    node = GraphNode(data, scope)
    scope.nodes.append(node)
    scope.by_id[node.id] = node
    return node


def remove(node: GraphNode) -> bool:
    """Take a node out that feeds nothing any more, with the links that feed it; whether it was."""
    scope = node.scope
    if any(link["origin_id"] == node.id for link in scope.links.values()):
        return False
    for name in _linked(node):
        cut(node, name)
    del scope.data["nodes"][place(scope.data["nodes"], node.data)]
    scope.nodes.remove(node)
    del scope.by_id[node.id]
    return True


def _inputs(node: GraphNode, kind: str, kept: dict[str, str]) -> list[dict]:
    """The inputs of the new kind: those that go on keep what they have but the name; of its values
    those that a link feeds."""
    entries = []
    for name, type_ in MADE[kind]["inputs"]:
        entry = node.input(kept.get(name))
        entries.append(_renamed(entry, name) if entry else _fresh(kind, name, type_))
    values = [(name, node.input(kept.get(name))) for name in known(kind)["widgets"]]
    return entries + [_renamed(entry, name) for name, entry in values if entry]


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
    first = (node.outputs() or [{}])[0]
    links = [first.get("links") if k == 0 else [] for k in range(len(MADE[kind]["outputs"]))]
    return [
        {"name": name, "type": type_, "links": each}
        for (name, type_), each in zip(MADE[kind]["outputs"], links, strict=True)
    ]


def _properties(properties: dict, kind: str) -> dict:
    foreign = _REGISTRY if kind.startswith("StepDistill") else ()
    return {key: value for key, value in properties.items() if key not in foreign} | {
        "Node name for S&R": kind
    }


def _join(node: GraphNode, links: dict[str, object], fed: list) -> None:
    """Connect the restored inputs and outputs as the node is connected now."""
    for entry in node.inputs():
        now = links.get(entry.get("name"), entry.get("link"))
        entry |= {"link": now} if "link" in entry or now is not None else {}
    for entry, now in zip(node.outputs(), fed, strict=False):
        if "links" in entry:
            entry["links"] = now
    for link in list(node.scope.links.values()):
        target = node.scope.by_id.get(link["target_id"])
        if link["origin_id"] == node.id and link["origin_slot"] >= len(node.outputs()) and target:
            for entry in target.inputs():
                if entry.get("link") == link["id"]:
                    cut(target, entry.get("name"))


def _reslot(node: GraphNode) -> None:
    for name in _linked(node):
        node.link(name)["target_slot"] = _slot(node, name)


def _slot(node: GraphNode, name: str) -> int:
    return place(node.data["inputs"], node.input(name))


def _linked(node: GraphNode) -> list[str]:
    return [
        entry["name"]
        for entry in node.inputs()
        if isinstance(entry.get("name"), str) and node.linked(entry["name"])
    ]


def _beside(pos: object, offset: tuple[int, int]) -> list:
    """pos: a list of two numbers, or an object with "0" and "1", as older pages wrote it."""
    both = (
        [pos.get("0"), pos.get("1")]
        if isinstance(pos, dict)
        else list(pos[:2])
        if isinstance(pos, list)
        else []
    )
    numbers = len(both) == 2 and all(isinstance(each, (int, float)) for each in both)
    return (
        [round(each + more) for each, more in zip(both, offset, strict=True)]
        if numbers
        else list(offset)
    )


def _is_place(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _is_cut(value: object) -> bool:
    if (
        not isinstance(value, dict)
        or not is_link(value.get("row"))
        or not isinstance(value.get("input"), str)
    ):
        return False
    named = value.get("from") is None or isinstance(value["from"], str)
    return (
        named
        and type(value.get("at")) is int
        and value["at"] >= 0
        and _is_place(value.get("from_at"))
    )
