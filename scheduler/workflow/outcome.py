"""What became of each place where a workflow chooses a schedule, in words and as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from . import api_edit, graph_edit
from .protocols import Edits, Node
from .sites import label

LEARNS = "learns"
# Why a node was left, as the corpus figures count them.
CODES = {
    "by_hand": "chosen by hand, so there is nothing to put back",
    "damaged": "the file is damaged there",
    "linked": "a value comes through a link",
    "no_gain": "nothing would be gained",
    "no_model": "no model link in the same graph",
    "no_recipe": "the record has no recipe for it",
    "other_half": "the other half of its run is left, or would not meet it",
    "own_steps": "the sampler chooses its own steps",
    "partial": "a part of a schedule, or one with a start of its own",
    "step_distilled": "step-distilled",
    "unclear": "values are missing or laid out in an unknown way",
    "unknown": "a kind of node that is not known",
}


@dataclass
class Outcome:
    """What became of one node.

    action: "swapped", "baked", "put back", "already" or "left". code: of CODES, where it was left;
    LEARNS, where what is gained is still to come. text: what was done, or why not.
    """

    node: Node
    action: str
    text: str
    code: str | None = None
    notes: list[str] = field(default_factory=list)
    where: str = ""

    def __post_init__(self):
        self.where = label(self.node)  # before it becomes another kind
        self.number = self.node.id
        self.kind = self.node.kind
        self.graph = self.node.scope.name

    def leave(self, code: str, why: str) -> None:
        """The node is left after all."""
        self.action = "left"
        self.code = code
        self.text = why

    @property
    def line(self) -> str:
        """One line for people, under a heading that says the action."""
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"{self.where}: {self.text}{notes}"

    def data(self) -> dict:
        """The same for programs."""
        return {
            "node": self.number,
            "kind": self.kind,
            "subgraph": self.graph,
            "action": self.action,
            "text": self.text,
            "code": self.code,
            "notes": self.notes,
        }


class Left(Exception):
    """A node is left as it is; code: of CODES."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code = code


class Done(NamedTuple):
    """What was done to a node, as an outcome states it. code: LEARNS, or None."""

    action: str
    text: str
    notes: Sequence[str] = ()
    code: str | None = None


def tried(node: Node, action: str, change: Callable[[], Done]) -> Outcome:
    """What came of changing a node; it is left where `change` raises Left, or where it is damaged.

    action: what it is called until `change` says.
    """
    outcome = Outcome(node, action, "")
    try:
        wrong = edits(node).broken(node)
        if wrong:
            raise Left("damaged", wrong)
        done = change()
    except Left as left:
        outcome.leave(left.code, str(left))
    else:
        outcome.action = done.action
        outcome.text = done.text
        outcome.notes = list(done.notes)
        outcome.code = done.code
    return outcome


def untouched(node: Node, to: str) -> Outcome:
    """Of a node that a swap has nothing to say of. to: its target."""
    if to == "stock":
        why = "StepDistill did not change it, so there is nothing to put back"
        return Outcome(node, "left", why, "by_hand")
    return Outcome(node, "left", "it chooses no schedule", "unknown")


def edits(node: Node) -> Edits:
    """The module that changes nodes of this format."""
    return graph_edit if node.graph else api_edit
