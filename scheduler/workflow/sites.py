"""Where a workflow chooses a schedule.

Nodes with a scheduler of their own and nodes that make sigmas, and the samplers that they serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import WorkflowError
from ..lookup.rules import KNOWN
from .document import Document
from .kinds import TABLE, known
from .other_packs import samples, takes_sigmas, why_left
from .protocols import Node

MAX_SITES = 1000
_OURS = "it is StepDistill's own, and carries more than a schedule"
_UNKNOWN_MAKER = "it makes sigmas, but this kind of node is not known here"
_UNKNOWN_CHOOSER = (
    "it chooses a scheduler, but this kind of node is not known here; "
    "choose 'distilled' in it by hand"
)
_GROUP_NODE = "it is a group node of the old kind; convert it to a subgraph"


@dataclass
class Site:
    """A node that chooses a schedule.

    users: the sampler nodes that run it, a KSampler itself; empty where it feeds none.
    """

    node: Node
    users: list[Node] = field(default_factory=list)

    @property
    def spec(self) -> dict:
        return known(self.node.kind)


@dataclass
class Survey:
    """What was found.

    sites: in the file's order. samplers: every sampler node with the sites it takes its schedule
    from. strange: nodes that choose a schedule in a way that is not known, with the reason why they
    are left.
    """

    sites: list[Site]
    samplers: list[tuple[Node, list[Site]]]
    strange: list[tuple[Node, str]]


def survey(document: Document) -> Survey:
    """Every place where a schedule is chosen; raises WorkflowError for a thousand and more."""
    sites = {id(node): Site(node) for node in document.nodes() if _chooses(node)}
    if len(sites) > MAX_SITES:
        raise WorkflowError(
            f"This workflow has {len(sites):,} samplers and schedulers; "
            f"at most {MAX_SITES:,} are looked at."
        )
    strange: dict[int, tuple[Node, str]] = {}
    samplers = []
    for node in list(document.nodes()):
        role = known(node.kind).get("role")
        if role == "sampler":
            samplers.append((node, _served(document, node, sites, strange)))
        elif role == "few" or (role == "dropdown" and not known(node.kind).get("sigmas")):
            sites[id(node)].users.append(node)
            samplers.append((node, [sites[id(node)]]))
        elif not role and node.kind not in document.subgraphs and samples(node):
            samplers.append((node, _of_another_pack(document, node, sites, strange)))
        elif not role and node.kind not in document.subgraphs and (words := _unknown(node)):
            strange[id(node)] = (node, words)
    return Survey(list(sites.values()), samplers, list(strange.values()))


def asked(node: Node, only: Sequence[str] | None) -> bool:
    """Whether a node is one of `only`.

    By its id as text or, where ids are not unique, as "subgraph's id:its own" ("" for the graph).
    """
    if only is None or str(node.id) in only:
        return True
    subgraph = "" if node.scope.root else node.scope.data.get("id")
    return node.graph and f"{subgraph}:{node.id}" in only


def place(node: Node) -> str:
    """Where a node is, as `asked` takes it."""
    if not node.graph:
        return str(node.id)
    return f"{'' if node.scope.root else node.scope.data.get('id')}:{node.id}"


def label(node: Node) -> str:
    """A node as a sentence may name it."""
    name = node.kind if len(node.kind) != 36 or node.kind.count("-") != 4 else "subgraph"
    title = f" '{_short(node.title)}'" if node.title and node.title != name else ""
    where = f" in subgraph '{_short(node.scope.name)}'" if node.scope.name is not None else ""
    state = f" ({node.state})" if node.state else ""
    return f"node {node.id} {_short(name)}{title}{where}{state}"


def _chooses(node: Node) -> bool:
    made = (node.memory() or {}).get("made")
    return known(node.kind).get("role") in ("dropdown", "maker", "few") and not made


def _served(document: Document, node: Node, sites: dict[int, Site], strange: dict) -> list[Site]:
    """The sites that a sampler takes its sigmas from.

    What else it takes them from is noted as strange.
    """
    found = []
    makers = document.walk([(node.origin("sigmas"), node.scope)], "SIGMAS")
    for maker in makers:
        if id(maker) in sites:
            found.append(sites[id(maker)])
            sites[id(maker)].users.append(node)
        elif known(maker.kind).get("role") == "ours":
            strange[id(maker)] = (maker, _OURS)
        elif not known(maker.kind) and _makes_of_itself(maker):
            strange[id(maker)] = (maker, _UNKNOWN_MAKER)
    if not found and not any(id(maker) in strange or maker.memory() for maker in makers):
        why = "nothing that makes sigmas feeds it" if makers else "nothing feeds its sigmas"
        strange[id(node)] = (node, why)
    return found


def _of_another_pack(
    document: Document, node: Node, sites: dict[int, Site], strange: dict
) -> list[Site]:
    """The sites of a sampler of another pack, where sigmas are linked to it; else why it is left."""
    if takes_sigmas(node):
        return _served(document, node, sites, strange)
    strange[id(node)] = (node, why_left(node))
    return []


def _makes_of_itself(node: Node) -> bool:
    """Whether sigmas begin at a node of an unknown kind; a prompt does not say what nodes make."""
    return (node.makes("SIGMAS") or not node.graph) and not node.upstream("SIGMAS")


def _unknown(node: Node) -> str | None:
    """Why a node of an unknown kind looks as if it chose a schedule; None of ours, which say so
    themselves."""
    if node.kind.startswith("StepDistill"):
        return None
    if node.kind.startswith(("workflow>", "workflow/")):
        return _GROUP_NODE if _has_scheduler(node) else None
    if node.graph and _makes_of_itself(node):
        return _UNKNOWN_MAKER
    return _UNKNOWN_CHOOSER if _has_scheduler(node) else None


def _has_scheduler(node: Node) -> bool:
    """Whether one of its values is a sampler's name and another a scheduler's."""
    texts = set(node.texts())
    return not texts.isdisjoint(TABLE["schedulers"]) and not texts.isdisjoint(KNOWN)


def _short(text: object) -> str:
    text = str(text)
    return (text if text.isprintable() else ascii(text)[1:-1])[:60]
