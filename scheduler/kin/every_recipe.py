"""All recipes of a record checked on one model at once: from one teacher's seed, each beside stock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..denoiser import Denoiser
from ..distilling.meter import Progress
from ..errors import RecipeError
from ..lookup.model_facts import ModelFacts
from ..record import Recipe, Record
from ..record.cfg_range import with_check
from ..samplers.names import DISTILLED
from .carrying import carried
from .checking import check_kin
from .finding import Kin
from .verdict import KinVerdict

Checked = tuple[Recipe, KinVerdict]


def check_record(
    kin: Kin,
    denoise: Denoiser,
    latent_shape: Sequence[int],
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Checked]:
    """Every recipe of `distilled` that is ours, from the model's top, with what a check of it found on the
    model at hand. kin: of `Kin.of`. Raises RecipeError where there is none that the model could run, and
    what `check_kin` raises."""
    there = carried(kin.record, kin.model)
    mine = [each for each in there.recipes if _ours(each, kin.model)] if there is not None else []
    if not mine:
        raise RecipeError(
            "This record has no recipe of the sampler 'distilled' that this model could run from the top of "
            "its noise: there is nothing to check."
        )

    def verdict(recipe: Recipe) -> KinVerdict:
        return check_kin(
            kin,
            denoise,
            recipe.steps,
            latent_shape,
            device=device,
            progress=progress,
            should_stop=should_stop,
        )

    return [(each, verdict(each)) for each in mine]


def noted(record: Record, cfg: float, found: Sequence[Checked]) -> Record:
    """The record of the same weights with its checks at a cfg."""
    for recipe, verdict in found:
        known = record.recipe(recipe.sampler, recipe.steps, recipe.start_sigma)
        record = with_check(record, known, cfg, verdict.data)
    return record


def _ours(recipe: Recipe, facts: ModelFacts) -> bool:
    whole = recipe.start_sigma >= facts.sigma_max * (1 - 1e-4)
    return recipe.sampler == DISTILLED and recipe.choice.ours and whole
