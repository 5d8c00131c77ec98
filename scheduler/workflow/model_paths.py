"""Whether the model that a schedule is made for is the one that is sampled."""

from __future__ import annotations

from .document import Document
from .facts import model_takers
from .protocols import Node
from .sites import Site, label

_MOST_NAMED = 3


def other_model(document: Document, site: Site) -> list[str]:
    """What must be said where a scheduler's own model is not the one that its sampler runs: which LoRA
    or shift it lacks, or has alone."""
    if not site.node.origin("model"):
        return []
    own = _through(document, site.node)
    for taker in model_takers(document, site):
        sampled = _through(document, taker) if taker is not site.node else own
        if set(sampled) != set(own):
            return [_told(list(own.values()), list(sampled.values()))]
    return []


def same_model(document: Document, one: list[Node], other: list[Node]) -> bool:
    """Whether nodes take one and the same model."""
    paths = [{key for node in nodes for key in _through(document, node)} for nodes in (one, other)]
    return bool(paths[0]) and paths[0] == paths[1]


def _through(document: Document, taker: Node) -> dict[int, Node]:
    """The nodes that a model comes through and that do something to it."""
    nodes = document.walk([(taker.origin("model"), taker.scope)], "MODEL")
    return {id(node): node for node in nodes if not node.state and document.passing(node) is None}


def _told(own: list[Node], sampled: list[Node]) -> str:
    lacking = [node for node in sampled if node not in own]
    alone = [node for node in own if node not in sampled]
    parts = [f"lacks {_named(lacking)}"] if lacking else []
    parts += [f"alone has {_named(alone)}"] if alone else []
    return (
        f"its model is not the one that is sampled: it {' and '.join(parts)}; "
        "link the sampler's model to it"
    )


def _named(nodes: list[Node]) -> str:
    more = f" and {len(nodes) - _MOST_NAMED} more" if len(nodes) > _MOST_NAMED else ""
    return ", ".join(label(node) for node in nodes[:_MOST_NAMED]) + more
