"""From searches to recipes: for every sampler and step count one without offsets and, where they win,
one with them; what does not beat stock is stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..fit.candidate import DISTILLED, Candidate
from ..record import Recipe
from ..samplers.lengthened import lengthened
from .expected import evidence_of
from .guard import wins
from .searches import Search


def recipes_of(searches: Sequence[Search], samplers: Sequence[str]) -> list[Recipe]:
    """The recipes of the samplers that were asked for, of what is finished so far."""
    found: list[Recipe] = []
    for sampler in samplers:
        mine = [each for each in searches if each.wish.sampler == sampler]
        below: Candidate | None = None
        for steps in sorted({each.wish.steps for each in mine}):
            here = [each for each in mine if each.wish.steps == steps]
            for search, best in _of_one(here, sampler):
                best = _no_worse(best, below)
                below = best if sampler == DISTILLED else None
                found.append(_recipe(sampler, search, best))
    return found


def _no_worse(found: Candidate, below: Candidate | None) -> Candidate:
    """A find, or fewer steps lengthened where these came nearer on the same rows."""
    if below is None or below.coefficients is None or below.mean_error >= found.mean_error:
        return found
    assert below.offsets is not None  # it was walked
    numbers = lengthened(
        below.sigmas.tolist(), below.offsets.tolist(), below.coefficients.tolist(), found.steps
    )
    sigmas, offsets, coefficients = map(np.array, numbers)
    return replace(below, sigmas=sigmas, offsets=offsets, coefficients=coefficients)


def _recipe(sampler: str, search: Search, found: Candidate) -> Recipe:
    """A find as the record's recipe, with what the fit's own rows say of it."""
    return replace(found.recipe(sampler), evidence=evidence_of(search, found))


def _of_one(searches: Sequence[Search], sampler: str) -> list[tuple[Search, Candidate]]:
    """What stands for one sampler at one step count, and whose search found it."""
    if sampler == DISTILLED:
        return [(each, each.found) for each in searches if each.found is not None]
    plain = next((each for each in searches if not each.wish.shifted), None)
    if plain is None or plain.found is None:
        return []
    kept = [(plain, plain.found)]
    for each in searches:
        shifted = each.ours if each.wish.shifted else None
        if shifted is not None and np.any(shifted.offsets):
            if wins(shifted.errors, plain.found.errors, plain.made.unseen):
                kept.append((plain, shifted))
    return kept
