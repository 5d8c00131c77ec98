"""A picture as it was drawn before, where no record fitted for just this says it."""

from __future__ import annotations

from collections.abc import Sequence

from ..lookup.selection import Selection, select, stock_selection
from ..lookup.serving import REFUSED, Reason
from ..lookup.shelves import Shelf
from .choosing import OfItsKind
from .deciding import AS_BEFORE, AS_FOUND, DRAWN_SO, Obstacle
from .full_run import SCHEDULES
from .outcome import Outcome
from .recipe_name import recipe_name
from .situation import AT_THE_BEND, Situation

IN_FULL = "in full"
SAID = "This workflow says so."
STOCK_, RECIPE_ = "stock ", "recipe "  # with a schedule's name, and with a recipe's


def how_drawn(outcome: Outcome) -> str:
    """How a picture was drawn, as a text to draw it so again by; "" where its record says it."""
    recipe = outcome.found.recipe
    if outcome.in_full:
        return IN_FULL
    if outcome.decision.action != AS_FOUND:
        return ""
    return (
        f"{STOCK_}{recipe.choice.schedule}"
        if outcome.found.match is None
        else f"{RECIPE_}{recipe_name(recipe)}"
    )


def drawn_before() -> Obstacle:
    """Why such a picture is drawn as it is."""
    return Obstacle(AS_BEFORE, f"{DRAWN_SO.rstrip('.')}; another seed takes what is best by now.")


def drawn_so(situation: Situation, how: str, carried: Sequence[Shelf]) -> Selection | None:
    """What a text says that a picture was drawn with, from the records that its graph carries; None
    where it says nothing, or cannot be had again."""
    if situation.steps == AT_THE_BEND:
        return None
    if how.startswith(STOCK_):
        return _stock(situation, how.removeprefix(STOCK_))
    if not how.startswith(RECIPE_):
        return None
    shelves = [OfItsKind(each, situation) for each in carried]
    found = select(situation.wanted, situation.facts, situation.key, None, shelves)
    same = found.match is not None and recipe_name(found.recipe) == how.removeprefix(RECIPE_)
    return found if same else None


def _stock(situation: Situation, schedule: str) -> Selection | None:
    wanted, facts = situation.wanted, situation.facts
    reason, usual = Reason(REFUSED, wanted, sentence=SAID), SCHEDULES[facts.process]
    for before in (None, schedule):
        found = stock_selection(wanted, facts, reason, before=before, usual=usual)
        if found.recipe.choice.schedule == schedule:
            return found
    return None
