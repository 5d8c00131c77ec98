"""A picture drawn in full, as an artist would without StepDistill: what there is to learn from."""

from __future__ import annotations

from dataclasses import replace

from ..lookup.selection import Selection, stock_selection
from ..lookup.serving import NO_RECORD, Reason
from ..lookup.wanted import Wanted
from ..samplers.names import RELATIVE
from .situation import Situation

FULL_STEPS = 24
MOST_LEARNT = 16  # steps: more would be earned back after a dozen pictures and later
# With dpmpp_2m, for the two kinds of models: of second order and deterministic, and a quarter to a
# half nearer to 80 steps than `simple` is at 24.
SCHEDULES = {"flow": "beta", "ve": "karras"}


def full_run(situation: Situation, steps: int = FULL_STEPS) -> Selection:
    """The stock run of a picture; from exactly the situation's start."""
    facts = situation.facts
    wanted = Wanted.of(facts, RELATIVE, steps, start_sigma=situation.start)
    reason = Reason(NO_RECORD, wanted)
    found = stock_selection(wanted, facts, reason, before=SCHEDULES[facts.process])
    start = situation.start_sigma
    sigmas = (start, *found.recipe.sigmas[1:])  # a table's float32 top, put where keys have it
    return replace(found, recipe=replace(found.recipe, start_sigma=start, sigmas=sigmas))
