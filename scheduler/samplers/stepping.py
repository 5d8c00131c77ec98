"""A recipe one step at a time, for hosts that keep the loop to themselves; the arithmetic is the loops'."""

from __future__ import annotations

from typing import Protocol

import torch

from ..errors import RecipeError
from ..sigmas.validity import check_schedule
from .distilled import DistilledSteps
from .multistep import LINEAR
from .names import DISTILLED, Recipe, stock_sampler
from .stock import LinearSteps
from .uni_pc import UniPcSteps

VARIANTS = {"uni_pc": "bh1", "uni_pc_bh2": "bh2"}


class Steps(Protocol):
    """One run of a sampler that asks the model once a step.

    next(x (B, ...), denoised (B, ...)) is the state that the model sees at the next sigma; after the
    last step it is the clean latent.
    """

    def next(self, x: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor: ...


def steps_of(recipe: Recipe) -> Steps:
    """A new run of a recipe. Raises RecipeError for a sampler that asks more than once a step, or
    that adds noise."""
    if recipe.sampler == DISTILLED and recipe.coefficients is not None:
        return DistilledSteps(recipe.sigmas, recipe.coefficients)
    sampler, sigmas = stock_sampler(recipe), check_schedule(recipe.sigmas)
    if sampler in LINEAR:
        return LinearSteps(LINEAR[sampler], sigmas)
    if sampler in VARIANTS:
        return UniPcSteps(sigmas, VARIANTS[sampler])
    raise RecipeError(
        f"The sampler {sampler!r} does not ask the model once a step without adding noise; "
        f"take 'distilled' or one of: {', '.join((*LINEAR, *VARIANTS))}."
    )
