"""What a node's values are when the page runs: what is promoted to a subgraph comes from its use, what
is linked from the node that states it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .document import Document
from .graph import GraphNode, GraphScope
from .protocols import Node, Port, Scope

_DEEPEST = 60  # nodes in one another that a value may come through
_MOST = 500  # nodes that one question may lead through
_AFTER_GENERATE = ("fixed", "increment", "decrement", "randomize")
UNKNOWN = object()  # a value that only the run tells


class _Left:
    """How far a question may still go: nodes in all, counted by every branch, and in depth."""

    def __init__(self, nodes: int, depth: int):
        self.count = [nodes]
        self.depth = depth

    def deeper(self) -> _Left:
        found = _Left(0, self.depth - 1)
        found.count = self.count
        self.count[0] -= 1
        return found

    @property
    def spent(self) -> bool:
        return self.depth <= 0 or self.count[0] <= 0


def value(document: Document, node: Node, name: str | None) -> Any:
    """The value that runs; None where the file does not tell one, or a subgraph's uses differ."""
    found = values(document, node, name)
    first = found[0] if found else None
    alike = all(type(each) is type(first) and each == first for each in found)
    return first if alike and first is not UNKNOWN else None


def values(document: Document, node: Node, name: str | None) -> list:
    """The value in every use of the subgraph that a node is in; UNKNOWN for what only the run tells."""
    return list(_values(document, node, name, _Left(_MOST, _DEEPEST)))


def texts(document: Document, node: Node) -> list[str]:
    """Every text among the values that run."""
    if not isinstance(node, GraphNode):
        return [*node.texts(), *_stated(document, node, node.input_names())]
    fed = [name for name in node.widget_inputs() if node.linked(name)]
    stale = [node.value(name) for name in fed]
    own = [text for text in node.texts() if text not in stale]
    return [*own, *_stated(document, node, fed)]


def _stated(document: Document, node: Node, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if node.linked(name):
            yield from (each for each in values(document, node, name) if isinstance(each, str))


def _values(document: Document, node: Node, name: str | None, left: _Left) -> Iterator[Any]:
    port = node.origin(name) if name else None
    if port is None:
        yield node.value(name)
        return
    for found in _at(document, port, node.scope, left.deeper()):
        yield node.value(name) if found is None else found


def _at(document: Document, port: Port, scope: Scope, left: _Left) -> Iterator[Any]:
    """What comes out of a port: UNKNOWN, or None where a use of the subgraph does not say."""
    node = port.node
    if left.spent:
        yield UNKNOWN
    elif node is None:
        yield from _outside(document, scope, port.slot, left)
    elif node.kind in document.subgraphs:
        inner = document.subgraphs[node.kind]
        ports = inner.inner(node.output_name(port.slot), port.slot)
        for each in ports:
            yield from _at(document, each, inner, left.deeper())
        if not ports:
            yield UNKNOWN
    elif node.state == "muted":
        yield UNKNOWN
    else:
        yield from _of(document, node, left)


def _of(document: Document, node: Node, left: _Left) -> Iterator[Any]:
    """What a node gives on: what passes through it, or the one value that it holds."""
    ways = document.passing(node)
    if ways is None:
        yield from _own_value(document, node, left)
        return
    for each in ways:
        yield from _at(document, each, each.node.scope if each.node else node.scope, left.deeper())
    if not ways:
        yield UNKNOWN


def _own_value(document: Document, node: Node, left: _Left) -> Iterator[Any]:
    """The value of a node that states one and nothing else."""
    fed = [name for name in node.input_names() if node.linked(name)]
    if isinstance(node, GraphNode):
        held = node.data.get("widgets_values")
        held = held if isinstance(held, list) else []
        plain = len(held) == 1 or (len(held) == 2 and held[1] in _AFTER_GENERATE)
        if not plain or node.state or (fed and fed != node.widget_inputs()[:1]):
            yield UNKNOWN
        elif fed:
            yield from _values(document, node, fed[0], left)
        else:
            yield held[0]
        return
    names = node.input_names()
    yield from _values(document, node, names[0], left) if len(names) == 1 else (UNKNOWN,)


def _outside(document: Document, scope: Scope, slot: int, left: _Left) -> Iterator[Any]:
    """What the uses of a subgraph hold for one of its inputs."""
    name = scope.outer(slot)
    uses = document.instances_of(scope)
    for use in uses:
        port = use.origin(name) if name else None
        if port is not None:
            yield from _at(document, port, use.scope, left.deeper())
        else:
            yield _promoted(document.subgraphs[use.kind], use, slot)
    if not uses:
        yield None


def _promoted(inner: GraphScope, use: Node, slot: int) -> Any:
    """The value that a use of a subgraph holds for an input; None where it holds none.

    The page writes them in the order of the subgraph's inputs that lead to a value.
    """
    entries = inner.entries()
    held = use.data.get("widgets_values")
    if not 0 <= slot < len(entries):
        return None
    if isinstance(held, dict):
        return held.get(entries[slot].get("name"))
    promoted = [entry for entry in entries if inner.leads_to_value(entry)]
    listed = use.data.get("properties")
    proxies = listed.get("proxyWidgets") if isinstance(listed, dict) else None
    names = [entry.get("name") for entry in promoted]
    if isinstance(proxies, list) and proxies:
        names = [each[1] if _is_own(each) else None for each in proxies]
    name = entries[slot].get("name")
    if not isinstance(held, list) or len(held) != len(names) or names.count(name) != 1:
        return None
    return held[names.index(name)]


def _is_own(proxy: object) -> bool:
    """Whether an entry of a use's list of values stands for one of the subgraph's own inputs."""
    return isinstance(proxy, list) and len(proxy) == 2 and str(proxy[0]) == "-1"
