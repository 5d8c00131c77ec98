"""`check_kin`: whether a recipe that was made for another model, or under other conditions, serves here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ..counted import counted
from ..denoiser import Denoiser
from ..distilling.meter import Meter, Progress
from ..distilling.recordings import check_usable, grouped
from ..distilling.request import Request, checked_denoisers, request_of
from ..distilling.resume import FinishedParts
from ..errors import RecipeError
from ..lookup.model_facts import ModelFacts
from ..record import Conditions, Recipe
from ..recordings import Recording
from ..samplers.names import DISTILLED
from .finding import Kin
from .planning import plan_of_check
from .running import KinRun, wish_of
from .verdict import KinVerdict

CHECK_SEED = 3_000_017  # added to nothing else: noise that no fit of ours draws


def check_kin(
    kin: Kin,
    denoise: Denoiser,
    steps: int,
    latent_shape: Sequence[int] | None = None,
    recordings: Sequence[Recording] = (),
    start: float | None = None,
    sampler: str = DISTILLED,
    seed: int = CHECK_SEED,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> KinVerdict:
    """Run a kin's recipe beside the best-ranked stock pairs, and beside a quick fit, on noise that it was
    not made on, and judge it; a stranger's is refused and not run (strangers.py).

    kin: of `find_kin`, or `Kin.of` for a record that somebody names. denoise: the model at hand under its
    own guidance and prompt, as for `distill`. steps, start, sampler: which recipe, as for `Kin.recipe`.
    recordings: runs that the model drew (one is enough), the truth that costs nothing: 23 model calls at
    N = 6. Without: a short teacher of its own, 38 calls, on noise of this seed; latent_shape is needed then.
    Nothing is kept anywhere. Raises RecipeError where the kin has no such recipe, RecordingError (another
    model's run), DenoiserError, SigmaRangeError, ScheduleError and Stopped.
    """
    recipe = recipe_of(kin, steps, start, sampler)
    shape = recordings[0].latent_shape if latent_shape is None and recordings else latent_shape
    runs, denoisers = (
        grouped(recordings, checked_denoisers(denoise)) if recordings else ((), denoise)
    )
    request = request_to_check(recipe, denoisers, kin.model, shape or (), seed)
    check_usable(request, runs)
    plan = plan_of_check(request, wish_of(recipe), runs)
    meter = Meter(plan.calls, progress, should_stop)
    parts = FinishedParts(None, (), lambda: meter.done)
    about = Conditions(latent_shape=request.latent_shape, shift=kin.model.shift)
    run = KinRun(request, about, plan, meter, parts, torch.device(device), None, runs)
    run.kin, run.recipe = kin, recipe
    verdict = run.check()
    return replace(verdict, calls=meter.done)


def recipe_of(kin: Kin, steps: int, start: float | None = None, sampler: str = DISTILLED) -> Recipe:
    """A kin's recipe; raises RecipeError where it has none."""
    recipe = kin.recipe(steps, start, sampler)
    if recipe is None:
        raise RecipeError(
            f"The record of {kin.title} has no recipe for {counted(steps)} of this model from there; "
            "distil anew."
        )
    return recipe


def request_to_check(
    recipe: Recipe,
    denoise: Denoiser | Sequence[Denoiser],
    facts: ModelFacts,
    latent_shape: Sequence[int],
    seed: int = 0,
) -> Request:
    """What is asked of the model at hand for one recipe."""
    return request_of(
        denoise,
        latent_shape,
        facts.sigma_max,
        facts.sigma_min,
        facts.process,
        samplers=recipe.sampler,
        steps=recipe.steps,
        shift=facts.shift,
        seed=seed,
        start_sigma=recipe.start_sigma,
        noise_scale=facts.noise_scale,
        streams=facts.streams,
    )
