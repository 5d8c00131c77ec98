"""What is about to happen to a picture, and what happened: data, which words.py words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..lookup.selection import Selection
from ..record import Recipe
from .deciding import AT_HAND, IN_FULL, LEARN_FIRST, Decision
from .fitting import Learnt
from .situation import Situation


@dataclass(frozen=True)
class Announcement:
    """What is about to happen, as data (words.before). steps: of this picture. calls: the most that
    are made to learn. kin: whose recipe learning begins with, or ""; kin_own: of the very model's, where
    it was made and what runs; kin_calls: made where that holds. found: what draws the picture, where
    nothing is learnt before. news: what is learnt of a model that is known under these conditions
    ("at denoise 0.5", "in 8 steps"), or ""."""

    decision: Decision
    situation: Situation
    steps: int
    calls: int = 0
    improving: bool = False
    kin: str = ""
    kin_own: tuple[str, str] | None = None
    kin_calls: int = 0
    found: Selection | None = None
    news: str = ""

    def priced(self, calls: int, beside: int) -> Announcement:
        """With the most calls that are made; `beside` of them for what is no learning (its pace)."""
        spent = self.kin_calls + beside if self.kin else 0
        return replace(self, calls=calls, kin_calls=spent)


@dataclass(frozen=True)
class Outcome:
    """What happened to a picture (words.after).

    decision: what was decided. found: what it was drawn with. steps: how many. learnt: what came of
    learning, None where nothing did; problem: why not, where it was tried. kept: whether its run was
    kept as a recording. improved: whether the recipe was improved before it was drawn. stopped: whether
    the user stopped the learning after it was drawn. ready: the steps of the recipe that was there by
    then, or 0. before: the recipe that was improved. news: as of Announcement.
    """

    decision: Decision
    situation: Situation
    found: Selection
    learnt: Learnt | None = None
    problem: str = ""
    kept: bool = False
    improved: bool = False
    stopped: bool = False
    ready: int = 0
    before: Recipe | None = None
    news: str = ""

    @property
    def steps(self) -> int:
        return self.found.recipe.steps

    @property
    def in_full(self) -> bool:
        """Whether the picture was drawn in full."""
        given_up = self.decision.action == LEARN_FIRST and self.found.match is None
        return self.decision.action in (IN_FULL, AT_HAND) or given_up

    @property
    def next_steps(self) -> int:
        """How many steps the next picture takes."""
        if self.learnt is not None and self.learnt.ours:
            return self.learnt.recipe.steps
        return self.ready or self.steps

    @property
    def data(self) -> dict:
        """What programs need of it: plain data."""
        learnt = self.learnt
        return {
            "action": self.decision.action,
            "obstacle": self.decision.obstacle.code if self.decision.obstacle else None,
            "steps": self.steps,
            "next_steps": self.next_steps,
            "calls": learnt.calls if learnt is not None else 0,
            "pays_after": learnt.pays_after if learnt is not None and learnt.ours else None,
            "kept": self.kept,
            "improved": self.improved,
            "stopped": self.stopped,
            "changed": learnt is not None and learnt.changed,
            "kin": learnt.kin.data | {"title": learnt.kin_title}
            if learnt is not None and learnt.kin is not None
            else None,
            "problem": self.problem or (learnt.problem if learnt is not None else ""),
        }
