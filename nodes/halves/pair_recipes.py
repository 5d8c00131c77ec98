"""The recipe that a pair was distilled with, for a KSampler that runs one half of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...scheduler.lookup.match import STORE
from ...scheduler.lookup.model_facts import ModelFacts
from ...scheduler.record import Recipe, Record
from ...scheduler.record.pair_half import FIRST, SECOND, hand_over_step
from ..host.picture_records import attach
from .asked_part import Part

SAME_SIGMA = 1e-3  # a hand-over, where the run may have been marked


def half_asked(part: Part | None, steps: int) -> str | None:
    """Which half of a run of `steps` a sampler draws, or None for a whole run."""
    if part is None:
        return None
    if part.goes_on and 0 < part.first < steps:
        return SECOND
    ends = part.last is not None and part.last < steps and not part.finishes
    return FIRST if ends and not part.goes_on and part.first == 0 else None


def pair_record(
    facts: ModelFacts, part: Part | None, sampler: str | None, steps: int, handed: float | None
) -> Record | None:
    """The record of this half whose recipe hands over at just this step, and, of a second half, at the
    sigma where the latent was left; the nearest by its conditions, or None."""
    half = half_asked(part, steps)
    if half is None or part is None or sampler is None:
        return None
    step = part.first if half == SECOND else part.last
    patch: dict[str, Any] = {"name": half, "strength": 1.0}
    key = replace(facts, patches=(*facts.patches, patch)).key()
    for shelf in _shelves():
        for match in shelf.matches(key):
            recipe = _recipe(match.record, sampler, steps)
            if not match.allowed or recipe is None or hand_over_step(recipe) != step:
                continue
            if half == FIRST or handed is None or _near(recipe.sigmas[step], handed):
                if match.place == STORE:
                    attach(match.record, match.name)
                return match.record
    return None


def _recipe(record: Record, sampler: str, steps: int) -> Recipe | None:
    return next(
        (
            each
            for each in record.recipes
            if (each.sampler, each.steps) == (sampler, steps) and each.offsets is None
        ),
        None,
    )


def _near(one: float, other: float) -> bool:
    return abs(one / other - 1) <= SAME_SIGMA


def _shelves() -> tuple:
    from ..host.store import store
    from ..host.workflow_records import WorkflowRecords

    return store(), WorkflowRecords()
