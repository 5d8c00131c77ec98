"""A picture drawn in full, as an artist would without StepDistill: what there is to learn from."""

from __future__ import annotations

from dataclasses import replace

from ..lookup.makers_run import EULER as OWN_SAMPLER
from ..lookup.rules import rule_for
from ..lookup.selection import STOCK, Selection, stock_selection
from ..lookup.serving import NO_RECORD, Reason
from ..lookup.stand_in import BEFORE, StandIn
from ..lookup.wanted import Wanted
from ..record import Choice, Recipe
from ..record.choice import PUBLISHED
from ..samplers.names import RELATIVE
from .situation import Situation

FULL_STEPS = 24
MOST_LEARNT = 16  # steps: more would be earned back after a dozen pictures and later
# With dpmpp_2m, for the two kinds of models: of second order and deterministic, and a quarter to a
# half nearer to 80 steps than `simple` is at 24.
SCHEDULES = {"flow": "beta", "ve": "karras"}


def few_of(own: int) -> int:
    """How many steps to try for, where a step-distilled model's own run has so many: 5 of 8, 3 of 4."""
    return max(own - max(1, own * 3 // 8), 1)


def full_run(situation: Situation, steps: int = FULL_STEPS) -> Selection:
    """The stock run of a picture, of a step-distilled model its maker's own; from exactly the
    situation's start."""
    if situation.own_sigmas:
        return _own_run(situation)
    facts = situation.facts
    wanted = Wanted.of(facts, RELATIVE, steps, start_sigma=situation.start)
    reason = Reason(NO_RECORD, wanted)
    found = stock_selection(wanted, facts, reason, before=SCHEDULES[facts.process])
    start = situation.start_sigma
    sigmas = (start, *found.recipe.sigmas[1:])  # a table's float32 top, put where keys have it
    return replace(found, recipe=replace(found.recipe, start_sigma=start, sigmas=sigmas))


def _own_run(situation: Situation) -> Selection:
    sigmas = (situation.start_sigma, *situation.own_sigmas[1:])
    recipe = Recipe(OWN_SAMPLER, len(sigmas) - 1, sigmas[0], sigmas, choice=Choice(PUBLISHED))
    wanted = Wanted.of(situation.facts, OWN_SAMPLER, recipe.steps)
    instead = StandIn(BEFORE, PUBLISHED)
    facts, reason = situation.facts, Reason(NO_RECORD, wanted)
    rule = rule_for(OWN_SAMPLER)
    return Selection(wanted, rule, recipe, STOCK, facts, stand_in=instead, reason=reason)
