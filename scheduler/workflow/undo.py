"""Puts back what was swapped or baked, from the notes inside the workflow itself."""

from __future__ import annotations

from collections.abc import Sequence

from .document import Document, Node
from .kinds import ENTRY, known
from .outcome import Left, Outcome, edits
from .sites import asked, survey


def put_back(
    document: Document, only: Sequence[str] | None = None, but: str | None = None
) -> list[Outcome]:
    """Put back every node that has a note; of `only` these (ids as text), and none that was changed to `but`.

    Says what is ours and has no note.
    """
    everything = only is None and but is None
    done = _take_out(document, "moved") if everything else []
    noted = [
        node for node in document.nodes() if "was" in (node.memory() or {}) and asked(node, only)
    ]
    outcomes = {
        id(node): restore(node)
        for node in reversed(noted)
        if but is None or node.memory().get("to") != but
    }
    if everything:
        _take_out(document, "made")
    for scope in document.scopes:
        if scope.nodes:
            edits(scope.nodes[0]).unsettle(scope)
    by_hand = [
        site.node
        for site in survey(document).sites
        if id(site.node) not in outcomes and asked(site.node, only)
    ]
    return (
        done
        + list(reversed(outcomes.values()))
        + [_by_hand(node) for node in by_hand if _is_ours(node)]
    )


def restore(node: Node) -> Outcome:
    """Put one node back."""
    outcome = Outcome(node, "put back", "")
    try:
        outcome.text, outcome.notes = _restored(node, node.memory())
    except Left as left:
        outcome.action, outcome.code, outcome.text = "left", left.code, str(left)
    return outcome


def _restored(node: Node, memory: dict) -> tuple[str, list[str]]:
    wrong = edits(node).broken(node)
    if wrong:
        raise Left("damaged", wrong)
    if "kept" not in memory:
        return _dropdown_back(node, memory), []
    if not edits(node).sound(memory):
        raise Left("damaged", "its note of what it was is damaged")
    made = [
        port.node
        for port in (node.origin(name) for name in ("sampler", "sigmas"))
        if port and port.node and _was_made(port.node)
    ]
    lost = edits(node).untype(node, memory)
    for helper in made:
        edits(helper).remove(helper)
    return f"{node.kind} again", lost


def _dropdown_back(node: Node, memory: dict) -> str:
    name, was = known(node.kind).get("scheduler"), memory["was"]
    scheduler = was.get(name) if isinstance(was, dict) and name else None
    if not isinstance(scheduler, str):
        raise Left("damaged", "its note of what it was is damaged")
    now = node.value(name)
    edits(node).forget(node)
    if now != ENTRY:
        return f"its scheduler had been changed to '{now}' since, and stays"
    node.set(name, scheduler)
    return f"scheduler {scheduler} again"


def _take_out(document: Document, mark: str) -> list[Outcome]:
    """Take out the nodes that a swap added: those that a model was led through ("moved"), then
    those that feed nothing any more."""
    outcomes = []
    for node in reversed([node for node in document.nodes() if mark in (node.memory() or {})]):
        if edits(node).broken(node) or not (mark == "made" or edits(node).sound(node.memory())):
            continue
        if mark == "moved":
            edits(node).unroute(node, node.memory()["moved"])
        outcome = Outcome(node, "put back", "taken out again")
        outcomes += [outcome] if edits(node).remove(node) else []
    return outcomes


def _by_hand(node: Node) -> Outcome:
    return Outcome(
        node, "left", "it has no note of what it was before: choose a scheduler by hand", "by_hand"
    )


def _is_ours(node: Node) -> bool:
    spec = known(node.kind)
    return node.kind.startswith("StepDistill") or (
        "scheduler" in spec and node.value(spec["scheduler"]) == ENTRY
    )


def _was_made(node: Node) -> bool:
    return bool((node.memory() or {}).get("made"))
