"""Recipes brought to another shift of a flow's clock: noise levels move along the log of s / (1 - s) by the
log of the shifts' ratio, query offsets are counted there and stay, and so do coefficients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..lookup.key import SAME_MAX, SAME_MIN, same_shift
from ..lookup.model_facts import ModelFacts
from ..record import Recipe, Record


def carried(record: Record, model: ModelFacts) -> Record | None:
    """The record with recipes for a model's range and clock; as it is where these are the same, and None
    where they cannot be met."""
    there = record.model
    if there.parametrisation != model.process:
        return None
    same_top = abs(there.sigma_max / model.sigma_max - 1) <= SAME_MAX
    if not same_top:
        return None
    if model.process != "flow" or same_shift(there.shift, model.shift):
        return record if _same_bottom(there.sigma_min, model.sigma_min) else None
    assert there.shift is not None and model.shift is not None
    ratio = model.shift / there.shift
    moved = tuple(_moved(each, ratio, model) for each in record.recipes)
    at_hand = replace(
        there, shift=model.shift, sigma_min=model.sigma_min, sigma_max=model.sigma_max
    )
    return replace(record, model=at_hand, recipes=moved, gram=None)


def shifted(sigmas, ratio: float) -> np.ndarray:
    """Flow sigmas (N,) on a clock whose shift is `ratio` times as large; 0 and 1 stay."""
    s = np.asarray(sigmas, dtype=np.float64)
    return ratio * s / (1 + (ratio - 1) * s)


def _moved(recipe: Recipe, ratio: float, model: ModelFacts) -> Recipe:
    if recipe.choice.stock:
        return recipe
    whole = recipe.start_sigma >= model.sigma_max * (1 - SAME_MAX)
    found = shifted(recipe.sigmas, ratio)
    start = model.sigma_max if whole else float(found[0])
    return replace(recipe, start_sigma=start, sigmas=(start, *found[1:].tolist()), evidence={})


def _same_bottom(there: float, here: float) -> bool:
    """Whether recipes of one never ask below the other's lowest noise level."""
    return there >= here * (1 - SAME_MIN)
