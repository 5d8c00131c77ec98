"""A workflow from a file: JSON in the page's or the API's format, or a picture or video with one inside.

Refused in one sentence otherwise.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import WorkflowError
from ..files import PathLike, read_bytes
from .api import ApiScope, is_api_node
from .everywhere import GETTERS, SETTERS, setter_of
from .graph import GraphNode, GraphScope
from .graph_links import highest_ids
from .pictures import chosen, embedded, is_picture
from .protocols import Node, Port, Scope
from .text import Layout, read, write
from .videos import video_texts

MAX_BYTES = 50_000_000
MAX_WALK = 2000  # nodes that one question may lead through


class Document:
    """A workflow.

    value: the whole JSON, edited in place. scopes: the graph and its subgraphs, or the one prompt.
    graph: which format.
    """

    def __init__(self, value: object, layout: Layout):
        self.value = value
        self.layout = layout
        self.scopes: Sequence[Scope] = _scopes(value)
        graphs = [scope for scope in self.scopes if isinstance(scope, GraphScope)]
        self.graph = bool(graphs)
        ids = highest_ids(graphs)
        for scope in graphs:
            scope.ids = ids
        self.subgraphs: dict[str, GraphScope] = {
            scope.data["id"]: scope for scope in graphs[1:] if isinstance(scope.data.get("id"), str)
        }
        self.instances: dict[str, list[Node]] = {}
        for node in self.nodes():
            if node.kind in self.subgraphs:
                self.instances.setdefault(node.kind, []).append(node)

    def nodes(self) -> Iterator[Node]:
        for scope in self.scopes:
            yield from scope.nodes

    def text(self) -> str:
        """The workflow as JSON, laid out as it was."""
        return write(self.value, self.layout)

    def instances_of(self, scope: Scope) -> list[Node]:
        """The nodes that stand for a subgraph, wherever it is used."""
        name = scope.data.get("id")
        return self.instances.get(name, []) if isinstance(name, str) else []

    def sources(self, port: Port | None, scope: Scope) -> list[Node]:
        """The real nodes behind a port: through the edges of subgraphs, outwards and inwards."""
        found = []
        seen: set[tuple[int, int, int]] = set()
        to_follow: list[tuple[Port, Scope]] = [(port, scope)] if port else []
        while to_follow and len(seen) < MAX_WALK:
            port, scope = to_follow.pop()
            mark = (id(scope), id(port.node), port.slot)
            if mark in seen:
                continue
            seen.add(mark)
            if port.node is None:
                to_follow += self._outside(scope, port.slot)
            elif port.node.kind in self.subgraphs:
                inner = self.subgraphs[port.node.kind]
                name = port.node.output_name(port.slot)
                to_follow += [(each, inner) for each in inner.inner(name, port.slot)]
            else:
                found.append(port.node)
        return found

    def _outside(self, scope: Scope, slot: int) -> list[tuple[Port, Scope]]:
        """What feeds an input of a subgraph, wherever that is used."""
        name = scope.outer(slot)
        if not isinstance(name, str):
            return []
        found = [(node.origin(name), node.scope) for node in self.instances_of(scope)]
        return [(port, outer) for port, outer in found if port]

    def passing(self, node: Node) -> list[Port] | None:
        """What a node hands on as it is; None for one that does more.

        Of a switch that nothing else sets only the branch that is on.
        """
        if node.kind == "ComfySwitchNode" and not node.linked("switch"):
            on = node.value("switch")
            names = [f"on_{str(on).lower()}"] if isinstance(on, bool) else []
        elif isinstance(node, GraphNode) and node.kind in GETTERS:
            setter = setter_of(node)
            return self.passing(setter) if setter else []
        elif node.kind.startswith("Reroute") or node.kind in SETTERS:
            names = node.input_names()
        else:
            return None
        found = [node.origin(name) for name in names]
        return [port for port in found if port] if names else None

    def walk(self, start: list[tuple[Port | None, Scope]], kind: str) -> list[Node]:
        """Every node from which a value of a type comes, however far upstream: the nearest first.

        Muted ones end the way.
        """
        found: list[Node] = []
        seen: set[int] = set()
        nodes = deque(node for port, scope in start for node in self.sources(port, scope))
        while nodes and len(found) < MAX_WALK:
            node = nodes.popleft()
            if id(node) in seen:
                continue
            seen.add(id(node))
            found.append(node)
            if node.state != "muted":
                ways = self.passing(node)
                for port in node.upstream(kind) if ways is None else ways:
                    nodes += self.sources(port, node.scope)
        return found


def open_workflow(path: PathLike) -> Document:
    """The workflow in a file; raises WorkflowError."""
    texts = video_texts(path)  # a video may be of any size: its pictures are not read
    data = b"" if texts is not None else read_bytes(path, MAX_BYTES, WorkflowError)
    try:
        if texts is not None:
            return parse(chosen(texts, "video"))
        return parse(embedded(data) if is_picture(data) else _text(data))
    except WorkflowError as problem:
        raise WorkflowError(f"{ascii(Path(path).name)[1:-1]}: {problem}") from None


def parse(text: str) -> Document:
    """The workflow in a JSON text; raises WorkflowError."""
    return Document(*read(text))


def _text(data: bytes) -> str:
    if data[8:9] == b"{" and b'"dtype"' in data[:2000]:
        raise WorkflowError(f"This is {_what(data)}; expected a workflow saved by ComfyUI.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WorkflowError(
            f"This is {_what(data)}, neither UTF-8 text nor a picture (PNG, WebP, JPEG, AVIF) or video "
            "(MP4, WebM); "
            "expected a workflow saved by ComfyUI."
        ) from None
    if re.match(r"\s*<(!doctype|html|head|\?xml)", text[:200], re.IGNORECASE):
        raise WorkflowError(
            "This is a web page, not a workflow; download the file itself (on GitHub: Raw)."
        )
    return "\ufeff" + text if data.startswith(b"\xef\xbb\xbf") else text


def _what(data: bytes) -> str:
    """What a file is that holds no text, by its first bytes."""
    marks = ((b"GIF8", "a GIF"), (b"PK", "a zip archive"))
    if data[4:8] == b"ftyp":
        return "a HEIF picture"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "text in UTF-16 (save it as UTF-8)"
    if 0 < int.from_bytes(data[:8], "little") < 100_000_000 and data[8:9] == b"{":
        return "a file of tensors (a model or a latent)"
    return next((words for mark, words in marks if data.startswith(mark)), "binary data")


def _scopes(value: object) -> Sequence[Scope]:
    """The scopes of a workflow, the graph or the prompt itself first."""
    if isinstance(value, dict) and isinstance(value.get("nodes"), list):
        return [GraphScope(value, True), *_subgraphs(value)]
    if isinstance(value, dict):
        for prompt in (value, value.get("prompt")):
            if isinstance(prompt, dict) and any(is_api_node(entry) for entry in prompt.values()):
                return [ApiScope(prompt)]
        if isinstance(value.get("stepdistill"), int):
            raise WorkflowError(
                "This is a StepDistill record; give the workflow here, and the record as --record."
            )
        if isinstance(value.get("workflow"), dict) and "nodes" in value["workflow"]:
            return _scopes(value["workflow"])
    raise WorkflowError(
        "This is not a ComfyUI workflow: "
        "it has neither a list of nodes nor nodes with a class_type."
    )


def _subgraphs(holder: dict) -> Iterator[GraphScope]:
    """The subgraphs that are defined here, and those inside them, as some versions write them."""
    definitions = holder.get("definitions")
    entries = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield GraphScope(entry, False)
            yield from _subgraphs(entry)
