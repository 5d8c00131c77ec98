"""The recipe that a pasted picture's parameters hold, for the pass that it was drawn in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .compact import SAME_STRENGTH, Held, held, rounded, weights_of

if TYPE_CHECKING:
    from ..scheduler.lookup.key import Key
    from ..scheduler.lookup.match import Match
    from ..scheduler.lookup.model_facts import ModelFacts
    from ..scheduler.record import Recipe, Record
    from .sampling_pass import Pass


def pasted_for(here: Pass, facts: ModelFacts, steps: int) -> Recipe | None:
    """What the parameters hold for a pass of so many steps of this model, or None: another sampler,
    strength, step count or model is looked up anew."""
    from ..scheduler.lookup.rules import rule_for

    if not here.recipes:
        return None
    serving = (here.name, *rule_for(here.name).recipes_of)
    for each in held(here.recipes):
        fits = each.recipe.steps == steps and each.weights == weights_of(facts)
        if fits and each.recipe.sampler in serving and _same_pass(each, here):
            return rounded(each.recipe, facts)
    return None


def _same_pass(each: Held, here: Pass) -> bool:
    strength = 1.0 if here.strength is None else here.strength
    return abs(each.strength - strength) <= SAME_STRENGTH


def match_of(recipe: Recipe, facts: ModelFacts, key: Key) -> Match:
    """A recipe without its record, as a match that goes before all others."""
    from ..scheduler.lookup.given import given_match

    return given_match(record_of(recipe, facts, key), key)


def record_of(recipe: Recipe, facts: ModelFacts, key: Key) -> Record:
    """The record that a bare recipe makes."""
    from ..scheduler.record import Record
    from ..scheduler.record.model import Model

    conditions = facts.conditions(key)
    model = Model.of(conditions, facts.process, facts.sigma_min, facts.sigma_max)
    return Record(model, conditions, None, (recipe,))
