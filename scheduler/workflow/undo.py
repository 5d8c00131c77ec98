"""Puts back what was swapped or baked, from the notes inside the workflow itself."""

from __future__ import annotations

from collections.abc import Sequence

from .document import Document
from .facts import model_takers, selectors_of
from .kinds import ENTRY, FEW, known
from .outcome import Done, Left, Outcome, edits, tried
from .protocols import Node
from .sites import asked, survey


def put_back(
    document: Document, only: Sequence[str] | None = None, but: str | None = None
) -> list[Outcome]:
    """Put back every node that has a note, and take out what was added for them alone.

    only: of these (ids as text). but: none that was changed to that. Says what is ours and has no
    note.
    """
    everything = only is None and but is None
    chosen = [node for node in document.nodes() if asked(node, only)]
    chosen += [each for each in _companions(document, only) if each not in chosen]
    noted = [node for node in chosen if "was" in _note(node)]
    back = [node for node in noted if but is None or _note(node).get("to") != but]
    staying = [node for node in document.nodes() if "was" in _note(node) and node not in back]
    done = _take_out(document, "moved", staying) if back or everything else []
    outcomes = {id(node): restore(node, but) for node in reversed(back)}
    if back or everything:
        done += _take_out(document, "made", staying)
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


def _companions(document: Document, only: Sequence[str] | None) -> list[Node]:
    """The nodes that choose a sampler for the nodes asked for."""
    if only is None:
        return []
    sites = [site for site in survey(document).sites if asked(site.node, only)]
    return [node for site in sites for node in selectors_of(document, site)]


def restore(node: Node, but: str | None = None) -> Outcome:
    """Put one node back, as far as its notes go: few steps that were baked had been something before.

    but: as of `put_back`.
    """

    def change() -> Done:
        done = _restored(node, _note(node))
        while "was" in _note(node) and (but is None or _note(node).get("to") != but):
            again = _restored(node, _note(node))
            done = Done("put back", again.text, (*done.notes, *again.notes))
        return done

    return tried(node, "put back", change)


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
    was = memory["was"]
    name = known(node.kind).get("scheduler")
    set_to = memory.get("now", {name: ENTRY})
    if (
        not isinstance(was, dict)
        or not isinstance(set_to, dict)
        or not was
        or set(was) != set(set_to)
    ):
        raise Left("damaged", "its note of what it was is damaged")
    now = {each: node.value(each) for each in was}
    edits(node).forget(node)
    said = []
    for each, before in was.items():
        if now[each] == set_to[each]:
            node.set(each, before)
            said.append(f"{_SAID.get(each, each)} {before} again")
        else:
            said.append(
                f"its {_SAID.get(each, each)} had been changed to '{now[each]}' since, and stays"
            )
    return ", ".join(said)


_SAID = {"sampler_name": "sampler"}


def _take_out(document: Document, mark: str, staying: list[Node]) -> list[Outcome]:
    """Take out the nodes that a swap added and that none of the swapped ones that stay needs.

    Those that a model was led through ("moved"), or those that feed nothing any more ("made").
    """
    outcomes = []
    needed = _takers(document, staying) if mark == "moved" else []
    for node in reversed([node for node in document.nodes() if mark in _note(node)]):
        edit = edits(node)
        note = _note(node)
        if edit.broken(node) or not (mark == "made" or edit.sound(note)):
            continue
        if mark == "moved":
            edit.unroute(node, note["moved"], needed)
        outcome = Outcome(node, "put back", "taken out again")
        if edit.remove(node):
            outcomes.append(outcome)
    return outcomes


def _takers(document: Document, nodes: list[Node]) -> list[Node]:
    """Nodes that were swapped, and those that take the model for them."""
    sites = [site for site in survey(document).sites if site.node in nodes]
    return [*nodes, *(taker for site in sites for taker in model_takers(document, site))]


def _by_hand(node: Node) -> Outcome:
    why = "it has no note of what it was before: choose a scheduler by hand"
    if node.kind == FEW:
        why = "it was put there by hand, so there is nothing before it: put a KSampler in its place"
    return Outcome(node, "left", why, "by_hand")


def _is_ours(node: Node) -> bool:
    if node.kind.startswith("StepDistill"):
        return True
    spec = known(node.kind)
    return "scheduler" in spec and node.value(spec["scheduler"]) == ENTRY
