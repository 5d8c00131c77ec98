"""The same changes as graph_edit.py's in the API format, where they are simple.

Notes are kept in `_meta`, which servers pass over.
"""

from __future__ import annotations

from collections.abc import Sequence

from .api import ApiNode, ApiScope
from .kinds import CONTROL, MADE, MEMORY, known
from .protocols import Port


def broken(node: ApiNode) -> str | None:
    """Why a node cannot be changed safely, or None."""
    if isinstance(node.data.get("_meta", {}), dict):
        return None
    return "the file is damaged there (_meta)"


def remember(node: ApiNode, memory: dict) -> None:
    """Note something on a node, under its `_meta`."""
    if "_meta" not in node.data:
        node.data["_meta"] = {}
        memory = memory | {"bare": True}
    node.data["_meta"][MEMORY] = memory


def forget(node: ApiNode) -> None:
    """Take the note away again."""
    memory = node.data["_meta"].pop(MEMORY)
    if memory.get("bare") and not node.data["_meta"]:
        del node.data["_meta"]


def retype(node: ApiNode, kind: str, values: dict, kept: dict[str, str]) -> dict:
    """Make a node another kind.

    values: of the new kind, by name. kept: {new input or value: the old one that it goes on}.
    """
    old = node.fields()
    names = [name for name, _ in MADE[kind]["inputs"]]
    names += [name for name in known(kind)["widgets"] if name != CONTROL]
    fields = {
        name: old[kept[name]] if kept.get(name) in old else values.get(name) for name in names
    }
    memory = {"was": {"class_type": node.kind, "inputs": old}, "kept": kept}
    node.data["class_type"] = kind
    node.data["inputs"] = {name: value for name, value in fields.items() if value is not None}
    return memory


def untype(node: ApiNode, memory: dict) -> list[str]:
    """Undo `retype`; values and links that went on stay as they are now."""
    now = node.fields()
    node.data["class_type"] = memory["was"]["class_type"]
    node.data["inputs"] = memory["was"]["inputs"]
    counted = memory.get("counted", ())
    for new, old in memory["kept"].items():
        goes_on = new in now and old in node.fields() and old not in counted
        if goes_on and node.fields()[old] != now[new]:
            node.set(old, now[new])
    if node.memory() is not None:
        forget(node)
    return []


def sound(memory: dict) -> bool:
    """Whether a note is one that `untype` and `unroute` can follow.

    A file from elsewhere may hold anything.
    """
    if "moved" in memory:
        moved = memory["moved"]
        return isinstance(moved, list) and all(
            isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) for each in moved
        )
    was = memory.get("was")
    kept = memory.get("kept")
    if not isinstance(was, dict) or not isinstance(kept, dict):
        return False
    return (
        isinstance(was.get("class_type"), str)
        and isinstance(was.get("inputs"), dict)
        and isinstance(memory.get("counted", []), list)
        and all(isinstance(old, str) for old in kept.values())
    )


def connect(node: ApiNode, name: str, port: Port) -> None:
    """Link a port to an input."""
    assert port.node is not None  # a prompt has no inputs of its own
    node.set(name, [port.node.id, port.slot])


def redirect(node: ApiNode, name: str, port: Port) -> list:
    """Let an input be fed by another port; returns the memory for `unroute`."""
    before = node.fields()[name]
    connect(node, name, port)
    return [node.id, before]


def unroute(node: ApiNode, moved: list, staying: Sequence[ApiNode] = ()) -> None:
    """Let all that a node's first output feeds, but the nodes that stay, be fed by what feeds its
    input `model`."""
    source = node.fields().get("model")
    before = dict(moved)
    for other in node.scope.nodes:
        for name in list(other.fields()) if other not in staying else ():
            port = other.origin(name)
            if port is not None and port.node is node and port.slot == 0 and source is not None:
                other.set(name, before.get(other.id, source))


def add(
    scope: ApiScope, kind: str, values: dict, near: ApiNode, offset: tuple[int, int]
) -> ApiNode:
    """A new node under a new number."""
    numbers = [int(name) for name in scope.data if name.isdecimal() and len(name) < 18]
    name = str(max(numbers, default=0) + 1)
    fields = {key: values[key] for key in known(kind)["widgets"] if key != CONTROL}
    scope.data[name] = {"inputs": fields, "class_type": kind}
    node = ApiNode(name, scope.data[name], scope)
    scope.nodes.append(node)
    scope.by_id[name] = node
    return node


def remove(node: ApiNode) -> bool:
    """Take a node out that feeds nothing any more; whether it was."""
    ports = (other.origin(name) for other in node.scope.nodes for name in other.fields())
    if any(port is not None and port.node is node for port in ports):
        return False
    del node.scope.data[node.id]
    node.scope.nodes.remove(node)
    del node.scope.by_id[node.id]
    return True


def settle(scope: ApiScope) -> None:
    """A prompt counts nothing."""


def unsettle(scope: ApiScope) -> None:
    """A prompt counts nothing."""
