"""--to distilled or few, --record: the workflow carries its record as text.

And every swapped node uses that one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .document import Document
from .facts import model_takers
from .kinds import APPLY, FEW, FROM_TEXT, SIGMAS
from .outcome import Outcome, edits
from .protocols import Node, Port, Scope
from .sites import Site

TAKERS = (SIGMAS, FEW)  # they take a record themselves


@dataclass
class Carried:
    """outcomes: of the nodes that were added. missed: the nodes that no record reaches, and why."""

    outcomes: list[Outcome] = field(default_factory=list)
    missed: dict[int, str] = field(default_factory=dict)  # by the id of the object


def carry(document: Document, swapped: list[Site], text: str) -> Carried:
    """Add one node with the record to each graph, and lead each model that swapped samplers use through
    an Apply node. Nothing is added that would feed nothing."""
    carried = Carried()
    for scope in document.scopes:
        sites = [site for site in swapped if site.node.scope is scope]
        for site in sites:
            if not _reached(document, site):
                carried.missed[id(site.node)] = _why_missed(site)
        sites = [site for site in sites if id(site.node) not in carried.missed]
        if sites:
            carried.outcomes += _carry_in(document, scope, sites, text)
    return carried


def _reached(document: Document, site: Site) -> bool:
    if site.node.kind in TAKERS:
        return True
    return any(site.node in takers for _, takers in _models(document, site.node.scope, [site]))


def _why_missed(site: Site) -> str:
    how = "comes without a link (broadcast)" if site.node.origin("model") else "is not linked to it"
    return f"the record is not carried to it, for its model {how}: link a model to its input"


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
            linked = taker.scope is scope and taker.wired("model")
            port = taker.origin("model") if linked else None
            if port is not None and not edits(taker).broken(taker):
                _, known = found.setdefault((id(port.node), port.slot), (port, []))
                if taker not in known:
                    known.append(taker)
    return list(found.values())
