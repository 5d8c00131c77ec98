"""A workflow from a file: JSON in the page's or the API's format, or a picture with one inside;
refused in one sentence otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import WorkflowError
from ..files import PathLike, read_bytes
from .api import ApiNode, ApiScope, is_api_node
from .graph import GraphNode, GraphScope, Port
from .graph_links import highest_ids
from .pictures import embedded, is_picture
from .text import Layout, read, write

MAX_BYTES = 50_000_000
MAX_WALK = 2000  # nodes that one question may lead through

Node = GraphNode | ApiNode


class Document:
    """A workflow. value: the whole JSON, edited in place. scopes: the graph and its subgraphs, or
    the one prompt. graph: which format."""

    def __init__(self, value: object, layout: Layout):
        self.value, self.layout = value, layout
        self.graph, self.scopes = _scopes(value)
        ids = highest_ids(self.scopes) if self.graph else {}
        for scope in self.scopes:
            scope.ids = ids
        self.subgraphs = {
            scope.data.get("id"): scope
            for scope in self.scopes[1:]
            if isinstance(scope.data.get("id"), str)
        }
        self.instances: dict[str, list[GraphNode]] = {}
        for node in self.nodes():
            if node.kind in self.subgraphs:
                self.instances.setdefault(node.kind, []).append(node)

    def nodes(self) -> Iterator[Node]:
        for scope in self.scopes:
            yield from scope.nodes

    def text(self) -> str:
        """The workflow as JSON, laid out as it was."""
        return write(self.value, self.layout)

    def sources(self, port: Port | None, scope) -> list[Port]:
        """The real nodes behind a port: through the edges of subgraphs, outwards and inwards."""
        found, open_ports, seen = [], [(port, scope)] if port else [], set()
        while open_ports and len(seen) < MAX_WALK:
            port, scope = open_ports.pop()
            mark = (id(scope), id(port.node), port.slot)
            if mark in seen:
                continue
            seen.add(mark)
            if port.node is None:
                open_ports += self._outside(scope, port.slot)
            elif port.node.kind in self.subgraphs:
                inner = self.subgraphs[port.node.kind]
                outputs = port.node.outputs()
                name = outputs[port.slot].get("name") if 0 <= port.slot < len(outputs) else None
                open_ports += [(each, inner) for each in inner.inner(name, port.slot)]
            else:
                found.append(port)
        return found

    def _outside(self, scope, slot: int) -> list[tuple[Port, GraphScope]]:
        name = scope.outer(slot)
        found = [
            (node.origin(name), node.scope)
            for node in self.instances.get(scope.data.get("id"), [])
            if isinstance(name, str)
        ]
        return [(port, outer) for port, outer in found if port]

    def walk(self, start: list[tuple[Port | None, object]], kind: str) -> list[Node]:
        """Every node from which a value of a type comes, however far upstream: the nearest first.
        Muted ones end the way."""
        found, seen, at = [], set(), 0
        ports = [source for port, scope in start for source in self.sources(port, scope)]
        while at < len(ports) and len(found) < MAX_WALK:
            node, at = ports[at].node, at + 1
            if id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            if node.state != "muted":
                ports += [
                    source
                    for port in _chosen(node, kind)
                    for source in self.sources(port, node.scope)
                ]
        return found


def open_workflow(path: PathLike) -> Document:
    """The workflow in a file; raises WorkflowError."""
    data = read_bytes(path, MAX_BYTES, WorkflowError)
    try:
        return parse(embedded(data) if is_picture(data) else _text(data))
    except WorkflowError as problem:
        raise WorkflowError(f"{ascii(Path(path).name)[1:-1]}: {problem}") from None


def parse(text: str) -> Document:
    """The workflow in a JSON text; raises WorkflowError."""
    return Document(*read(text))


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WorkflowError(
            "This is neither UTF-8 text nor a PNG or WebP picture; expected a workflow saved by ComfyUI."
        ) from None
    return "\ufeff" + text if data.startswith(b"\xef\xbb\xbf") else text


def _scopes(value: object) -> tuple[bool, list]:
    if isinstance(value, dict) and isinstance(value.get("nodes"), list):
        definitions = value.get("definitions")
        entries = definitions.get("subgraphs") if isinstance(definitions, dict) else None
        inner = (
            [entry for entry in entries if isinstance(entry, dict)]
            if isinstance(entries, list)
            else []
        )
        return True, [
            GraphScope(value, True),
            *(scope for entry in inner for scope in _nested(entry)),
        ]
    if isinstance(value, dict):
        for prompt in (value, value.get("prompt")):
            if isinstance(prompt, dict) and any(is_api_node(entry) for entry in prompt.values()):
                return False, [ApiScope(prompt)]
        if isinstance(value.get("stepdistill"), int):
            raise WorkflowError(
                "This is a StepDistill record; give the workflow here, and the record as --record."
            )
        if isinstance(value.get("workflow"), dict) and "nodes" in value["workflow"]:
            return _scopes(value["workflow"])
    raise WorkflowError(
        "This is not a ComfyUI workflow: it has neither a list of nodes nor nodes with a class_type."
    )


def _nested(definition: dict) -> list[GraphScope]:
    """A subgraph, and those defined inside it, as some versions write them."""
    own = definition.get("definitions")
    entries = own.get("subgraphs") if isinstance(own, dict) else None
    deeper = (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    return [GraphScope(definition, False), *(scope for entry in deeper for scope in _nested(entry))]


def _chosen(node: Node, kind: str) -> list[Port]:
    """What feeds a node, of a type; of a switch that nothing else sets only the branch that is on."""
    on = (
        node.value("switch")
        if node.kind == "ComfySwitchNode" and not node.linked("switch")
        else None
    )
    if isinstance(on, bool):
        port = node.origin("on_true" if on else "on_false")
        return [port] if port else []
    return node.upstream(kind)
