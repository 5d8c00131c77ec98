"""Puts back what was swapped or baked, from the notes inside the workflow itself."""

from __future__ import annotations

from collections.abc import Sequence

from .document import Document
from .kinds import ENTRY, known
from .outcome import Done, Left, Outcome, edits, tried
from .protocols import Node
from .sites import asked, survey


def put_back(
    document: Document, only: Sequence[str] | None = None, but: str | None = None
) -> list[Outcome]:
    """Put back every node that has a note.

    only: of these (ids as text). but: none that was changed to that. Says what is ours and has no
    note.
    """
    everything = only is None and but is None
    done = _take_out(document, "moved") if everything else []
    noted = [node for node in document.nodes() if "was" in _note(node) and asked(node, only)]
    outcomes = {
        id(node): restore(node)
        for node in reversed(noted)
        if but is None or _note(node).get("to") != but
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
    done += reversed(outcomes.values())
    done += [_by_hand(node) for node in by_hand if _is_ours(node)]
    return done


def restore(node: Node) -> Outcome:
    """Put one node back."""
    return tried(node, "put back", lambda: _restored(node, _note(node)))


def _note(node: Node) -> dict:
    return node.memory() or {}


def _restored(node: Node, memory: dict) -> Done:
    if "kept" not in memory:
        return Done("put back", _dropdown_back(node, memory))
    if not edits(node).sound(memory):
        raise Left("damaged", "its note of what it was is damaged")
    ports = [node.origin(name) for name in ("sampler", "sigmas")]
    helpers = [port.node for port in ports if port and port.node]
    made = [helper for helper in helpers if _note(helper).get("made")]
    lost = edits(node).untype(node, memory)
    for helper in made:
        edits(helper).remove(helper)
    return Done("put back", f"{node.kind} again", lost)


def _dropdown_back(node: Node, memory: dict) -> str:
    name = known(node.kind).get("scheduler")
    was = memory["was"]
    scheduler = was.get(name) if isinstance(was, dict) else None
    if name is None or not isinstance(scheduler, str):
        raise Left("damaged", "its note of what it was is damaged")
    now = node.value(name)
    edits(node).forget(node)
    if now != ENTRY:
        return f"its scheduler had been changed to '{now}' since, and stays"
    node.set(name, scheduler)
    return f"scheduler {scheduler} again"


def _take_out(document: Document, mark: str) -> list[Outcome]:
    """Take out the nodes that a swap added.

    Those that a model was led through ("moved"), or those that feed nothing any more ("made").
    """
    outcomes = []
    for node in reversed([node for node in document.nodes() if mark in _note(node)]):
        edit = edits(node)
        note = _note(node)
        if edit.broken(node) or not (mark == "made" or edit.sound(note)):
            continue
        if mark == "moved":
            edit.unroute(node, note["moved"])
        outcome = Outcome(node, "put back", "taken out again")
        if edit.remove(node):
            outcomes.append(outcome)
    return outcomes


def _by_hand(node: Node) -> Outcome:
    why = "it has no note of what it was before: choose a scheduler by hand"
    return Outcome(node, "left", why, "by_hand")


def _is_ours(node: Node) -> bool:
    if node.kind.startswith("StepDistill"):
        return True
    spec = known(node.kind)
    return "scheduler" in spec and node.value(spec["scheduler"]) == ENTRY
