"""What nodes broadcast without links: Use Everywhere, Set and Get (KJNodes, Easy-Use).

The page makes links of them when a prompt is queued.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .protocols import Node, Port

if TYPE_CHECKING:
    from .graph import GraphNode, GraphScope

_EVERYWHERE = ("Anything Everywhere", "Prompts Everywhere", "Seed Everywhere")
_MOST_SENDERS = 100  # of one graph
SETTERS = ("SetNode", "easy setNode")
GETTERS = ("GetNode", "easy getNode")
_ANYTHING = ("", ".", ".*", ".+", "^.*$")

Free = dict[str, list[tuple["GraphNode", dict]]]
Broadcast = dict[tuple[object, str], Port]  # by a node's id and the name of its input


def broadcast_in(scope: GraphScope) -> Broadcast:
    """Which inputs of a graph are fed without a link, and from where: as the pack noted it with the
    file, or else by its own rule (every free input of the type)."""
    extra = scope.data.get("extra")
    noted = extra.get("ue_links") if isinstance(extra, dict) else None
    if isinstance(noted, list):
        return dict(_noted(scope, noted))
    found: Broadcast = {}
    senders = [node for node in scope.nodes if node.kind.startswith(_EVERYWHERE) and not node.state]
    free = _free(scope) if senders else {}
    for sender in senders[:_MOST_SENDERS]:
        for name, port in _sent(scope, sender, free):
            found.setdefault(name, port)
    return found


def setter_of(getter: GraphNode) -> GraphNode | None:
    """The node that sets what a Get node gets, in the same graph."""
    wanted = getter.texts()[:1]
    setters = [node for node in getter.scope.nodes if node.kind in SETTERS and not node.state]
    return next((node for node in setters if wanted and node.texts()[:1] == wanted), None)


def _noted(scope: GraphScope, rows: list) -> Iterator[tuple[tuple[object, str], Port]]:
    nodes = {str(node.id): node for node in scope.nodes}
    for row in rows[:10_000]:
        if not isinstance(row, dict):
            continue
        target = nodes.get(_last_id(row.get("downstream")))
        source = nodes.get(_last_id(row.get("upstream")))
        place, slot = row.get("downstream_slot"), row.get("upstream_slot")
        if target is None or source is None or type(place) is not int or type(slot) is not int:
            continue
        inputs = target.data.get("inputs")
        entry = inputs[place] if isinstance(inputs, list) and 0 <= place < len(inputs) else None
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and target.link(name) is None:
            yield (target.id, name), Port(source, slot)


def _last_id(name: object) -> str:
    """The id in its own graph; in a subgraph the pack may write the whole path."""
    return str(name).split(":")[-1]


def _free(scope: GraphScope) -> Free:
    """The inputs that no link feeds, by their type; those of senders and setters are not fed so."""
    found: Free = {}
    for node in scope.nodes:
        if node.kind.startswith(_EVERYWHERE) or node.kind in SETTERS:
            continue
        for entry in node.inputs():
            kind, name = entry.get("type"), entry.get("name")
            if isinstance(kind, str) and isinstance(name, str) and node.link(name) is None:
                found.setdefault(kind, []).append((node, entry))
    return found


def _sent(
    scope: GraphScope, sender: GraphNode, free: Free
) -> Iterator[tuple[tuple[object, str], Port]]:
    for given in sender.inputs():
        link = scope.link(given.get("link"))
        port = scope.origin(link) if link else None
        if port is None or port.node is None:
            continue
        kind = _kind(port.node, port.slot)
        for target, entry in free.get(kind, ()) if kind is not None else ():
            if target is not port.node and _takes(target, entry, sender):
                yield (target.id, entry["name"]), port


def _kind(node: Node, slot: int) -> str | None:
    """The type of an output, where the file tells it."""
    outputs = node.data.get("outputs")
    entry = outputs[slot] if isinstance(outputs, list) and 0 <= slot < len(outputs) else None
    kind = entry.get("type") if isinstance(entry, dict) else None
    return kind if isinstance(kind, str) else None


def _takes(target: GraphNode, entry: dict, sender: GraphNode) -> bool:
    """Whether a free input of the type takes what a sender sends; a value's must be opened to it."""
    own = _settings(target)
    closed, opened = own.get("input_ue_unconnectable"), own.get("widget_ue_connectable")
    if isinstance(closed, dict) and closed.get(entry["name"]):
        return False
    if "widget" in entry and not (isinstance(opened, dict) and opened.get(entry["name"])):
        return False
    sent = _settings(sender)
    wishes: Sequence[object] = [sent.get("title_regex"), sent.get("input_regex")]
    if sender.kind.endswith("?"):
        wishes = [*sender.texts()[:2], "", ""][:2]
    return all(map(_fits, wishes, (target.title or target.kind, entry["name"])))


def _fits(wish: object, name: str) -> bool:
    """Whether a name has the words that are wished; a stranger's pattern is not run."""
    if not isinstance(wish, str) or wish in _ANYTHING:
        return True
    return not wish.replace(" ", "").replace("_", "").isalnum() or wish in name


def _settings(node: GraphNode) -> dict:
    properties = node.data.get("properties")
    found = properties.get("ue_properties") if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else {}
