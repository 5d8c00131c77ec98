"""From searches to recipes: for every sampler and step count one without offsets and, where they win,
one with them; what does not beat stock is stock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..fit.candidate import DISTILLED, Candidate
from ..record import Recipe
from .guard import wins
from .searches import Search


def recipes_of(searches: Sequence[Search], samplers: Sequence[str]) -> list[Recipe]:
    """The recipes of the samplers that were asked for, of what is finished so far."""
    found: list[Recipe] = []
    for sampler in samplers:
        mine = [each for each in searches if each.wish.sampler == sampler]
        for steps in sorted({each.wish.steps for each in mine}):
            here = [each for each in mine if each.wish.steps == steps]
            found += [each.recipe(sampler) for each in _of_one(here, sampler)]
    return found


def _of_one(searches: Sequence[Search], sampler: str) -> list[Candidate]:
    """What stands for one sampler at one step count."""
    if sampler == DISTILLED:
        return [each.found for each in searches if each.found is not None]
    plain = next((each.found for each in searches if not each.wish.shifted), None)
    shifted = next((each.ours for each in searches if each.wish.shifted), None)
    if plain is None:
        return []
    if shifted is None or not np.any(shifted.offsets):
        return [plain]
    unseen = searches[0].made.unseen
    return [plain, shifted] if wins(shifted.errors, plain.errors, unseen) else [plain]
