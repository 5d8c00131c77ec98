"""What a Few-Step KSampler does at its first run in a place: whether the recipe that its swap promises
serves there, as far as the file tells."""

from __future__ import annotations

from dataclasses import replace

from ..lookup.differences import differences, filled
from ..lookup.key import Key
from ..lookup.made_words import CONDITIONS, condition
from ..lookup.match import at_asked_cfg
from ..lookup.model_facts import facts_of_record
from ..lookup.starts import same_start
from ..lookup.wanted import Wanted
from ..record import Recipe, Record
from ..samplers.names import DISTILLED
from .facts import SiteFacts


def learnt_at(record: Record, recipe: Recipe, facts: SiteFacts) -> str:
    """Under which conditions of the site a recipe has to be learnt still, "cfg 7 and 512x512"; "" where
    it was fitted or checked for them."""
    found = Key.of(record)
    shape = found.latent_shape
    if facts.size is not None and shape is not None:
        shape = facts.size.shape(shape[0], video=len(shape) == 4)
    key = filled(facts_of_record(record).key(facts.cfg, shape, facts.guidance), found)
    checked = at_asked_cfg(record, key, found)
    if checked is not None and any(_same(each, recipe) for each in checked.recipes):
        key = replace(key, cfg=found.cfg)
    apart = [each for each in differences(key, found) if each.code in CONDITIONS]
    return " and ".join(condition(each.code, each.here) for each in apart)


def was_fitted(record: Record, facts: SiteFacts, steps: int) -> bool:
    """Whether the record has a recipe for so many steps from the site's start, whatever it gains."""
    return fitted(record, facts, steps) is not None


def fitted(record: Record, facts: SiteFacts, steps: int) -> Recipe | None:
    """The record's recipe for so many steps from the site's start, whatever it gains."""
    model = facts_of_record(record)
    start = Wanted.of(model, DISTILLED, steps, facts.denoise or 1.0).start or model.sigma_max
    for each in record.recipes:
        alike = each.sampler == DISTILLED and each.steps == steps
        if alike and same_start(each.start_sigma, start):
            return each
    return None


def _same(one: Recipe, other: Recipe) -> bool:
    return one.sampler == other.sampler and one.sigmas[1:] == other.sigmas[1:]
