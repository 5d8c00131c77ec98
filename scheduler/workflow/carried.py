"""--to distilled or few, --record: the workflow carries its record as text.

And every swapped node uses that one.
"""

from __future__ import annotations

from .document import Document
from .facts import model_takers
from .kinds import APPLY, FEW, FROM_TEXT, SIGMAS
from .outcome import Outcome, edits
from .protocols import Node, Port, Scope
from .sites import Site

TAKERS = (SIGMAS, FEW)  # they take a record themselves


def carry(document: Document, swapped: list[Site], text: str) -> list[Outcome]:
    """Add one node with the record to each graph.

    And lead each model that swapped samplers use through an Apply node.
    """
    outcomes = []
    for scope in document.scopes:
        sites = [site for site in swapped if site.node.scope is scope]
        if sites:
            outcomes += _carry_in(document, scope, sites, text)
    return outcomes


def _carry_in(document: Document, scope: Scope, sites: list[Site], text: str) -> list[Outcome]:
    near = sites[0].node
    edit = edits(near)
    source = edit.add(scope, FROM_TEXT, {"text": text}, near, (-680, -220))
    edit.remember(source, {"made": True})
    outcomes = [Outcome(source, "swapped", "added: it carries the record")]
    for site in sites:
        if site.node.kind in TAKERS and not site.node.linked("record"):
            edit.connect(site.node, "record", Port(source, 0))
    for port, takers in _models(document, scope, sites):
        apply = edit.add(scope, APPLY, {"use_offsets": True}, takers[0], (-340, -160))
        moved = [edit.redirect(taker, "model", Port(apply, 0)) for taker in takers]
        edit.connect(apply, "model", port)
        edit.connect(apply, "record", Port(source, 0))
        edit.remember(apply, {"moved": moved})
        done = "added: it gives the model the record's schedules"
        outcomes.append(Outcome(apply, "swapped", done))
    return outcomes


def _models(document: Document, scope: Scope, sites: list[Site]) -> list[tuple[Port, list[Node]]]:
    """Every port that a swapped node with a dropdown, or its sampler, has its model from.

    With all that take it there.
    """
    found: dict[tuple[int, int], tuple[Port, list[Node]]] = {}
    for site in sites:
        takers = [] if site.node.kind in TAKERS else [site.node, *model_takers(document, site)]
        for taker in takers:
            port = taker.origin("model") if taker.scope is scope else None
            if port is not None and not edits(taker).broken(taker):
                _, known = found.setdefault((id(port.node), port.slot), (port, []))
                if taker not in known:
                    known.append(taker)
    return list(found.values())
