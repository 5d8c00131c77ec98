"""Which nodes a user means: by id, by the page's name of a node in a subgraph (88:6), a whole subgraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import WorkflowError
from .document import Document
from .protocols import Node
from .sites import asked, label, place, survey

_MOST_LISTED = 12


def named(document: Document, only: Sequence[str] | None) -> list[str] | None:
    """The places (see sites.place) of the nodes that are meant, of a sampler also those that make its
    sigmas; None for all. Raises WorkflowError for a name of none."""
    if only is None:
        return None
    found: dict[str, None] = {}
    for name in only:
        nodes = list(_nodes(document, name))
        if not nodes:
            raise WorkflowError(
                f"There is no node {ascii(name)[1:-1][:60]} here; {_told(document)}."
            )
        found |= {place(node): None for node in nodes}
    for node, sites in survey(document).samplers:
        if asked(node, list(found)):
            found |= {place(site.node): None for site in sites}
    return list(found)


def shared(document: Document, only: Sequence[str] | None) -> str:
    """What must be said of nodes that were named in one use of a subgraph and stand in several."""
    nodes = [node for node in document.nodes() if only is not None and asked(node, only)]
    counts = {node.scope.name: len(document.instances_of(node.scope)) for node in nodes}
    several = [f"'{name}' ({count} times)" for name, count in counts.items() if count > 1]
    if not several:
        return ""
    return f"A subgraph is one for all its uses, so each changes: {', '.join(several)}."


def _nodes(document: Document, name: str) -> Iterator[Node]:
    for node in document.nodes():
        if asked(node, [name]):
            yield node
            yield from _inside(document, node, set())
    yield from _at_path(document, name.split(":"))


def _at_path(document: Document, parts: list[str]) -> Iterator[Node]:
    """The node that the page names by the nodes which lead to it: 88:6, 88:12:6."""
    scope = document.scopes[0]
    for last, part in enumerate(parts, 1):
        node = next((each for each in scope.nodes if str(each.id) == part), None)
        if node is None or len(parts) < 2:
            return
        if last == len(parts):
            yield node
            yield from _inside(document, node, set())
        elif node.kind in document.subgraphs:
            scope = document.subgraphs[node.kind]
        else:
            return


def _inside(document: Document, node: Node, seen: set[str]) -> Iterator[Node]:
    """Every node of the subgraph that a node stands for."""
    if node.kind not in document.subgraphs or node.kind in seen:
        return
    seen.add(node.kind)
    for each in document.subgraphs[node.kind].nodes:
        yield each
        yield from _inside(document, each, seen)


def _told(document: Document) -> str:
    found = survey(document)
    nodes = [site.node for site in found.sites] + [node for node, _ in found.strange]
    if not nodes:
        return "nothing in it chooses a schedule"
    names = [f"{_page_name(document, node)} ({label(node)})" for node in nodes[:_MOST_LISTED]]
    more = f" and {len(nodes) - _MOST_LISTED} more" if len(nodes) > _MOST_LISTED else ""
    return f"what chooses a schedule: {', '.join(names)}{more}"


def _page_name(document: Document, node: Node) -> str:
    """The name by which the page knows a node, of the first use where it has several."""
    parts = [str(node.id)]
    scope = node.scope
    while not scope.root and len(parts) < 20:
        instances = document.instances_of(scope)
        if not instances:
            break
        parts.insert(0, str(instances[0].id))
        scope = instances[0].scope
    return ":".join(parts)
