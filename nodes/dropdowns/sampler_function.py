"""The distilled sampler in the host's form: fn(model, x, sigmas, extra_args, callback, disable),
for SAMPLER values and the dropdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...scheduler.lookup.key import guidance_bucket
from ...scheduler.lookup.selection import STOCK, Selection
from ...scheduler.record import Recipe
from ...scheduler.samplers import sample
from ...scheduler.samplers.distilled import sample_distilled as run_coefficients
from ...scheduler.samplers.distilled import stock_sampler
from ...scheduler.samplers.query_offsets import with_offsets
from ..lookup import find
from ..names import DISTILLED
from ..page.log import log_once, problem
from .apply_mark import applied_of
from .issued_schedules import recognised

SAME_SIGMA = 1e-4  # relative: hosts keep sigmas in float32


def sample_distilled(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """The dropdown's sampler: the recipe that the model's record has for these sigmas; other sigmas
    run as dpmpp_2m on exactly those."""
    try:
        found = _found(model, x, sigmas)
    except Exception as error:  # a lookup must not end a run
        problem("the recipe of the sampler 'distilled' could not be looked up", error)
        found = None
    if found is None or not _serves(found, sigmas):
        return _foreign(model, x, sigmas, extra_args, callback, disable)
    return _run(found.recipe, found.table.parametrisation, model, x, extra_args, callback, disable)


def bound(found: Selection) -> Callable:
    """The sampler function of one recipe: on its own sigmas it runs the recipe, on others as dpmpp_2m."""

    def sample_distilled(model, x, sigmas, extra_args=None, callback=None, disable=None):
        if not _serves(found, sigmas):
            return _foreign(model, x, sigmas, extra_args, callback, disable)
        _tell_guidance(found, cfg_of(getattr(model, "inner_model", None)))
        return _run(
            found.recipe, found.table.parametrisation, model, x, extra_args, callback, disable
        )

    return sample_distilled


def _tell_guidance(found: Selection, cfg: float | None) -> None:
    """Say once where the recipe was made at a clearly different guidance: a SAMPLER cannot know it
    before it runs."""
    made = None if found.record is None else found.record.conditions.cfg
    if None not in (made, cfg) and guidance_bucket(made) != guidance_bucket(cfg):
        log_once(
            f"The distilled sampler's recipe was made at cfg {made:g}, and you use {cfg:g}; "
            "distil at that for the best result."
        )


def cfg_of(guider: Any) -> float | None:
    """A guider's scale (the first where it has two), or None where it does not say."""
    value = getattr(guider, "cfg1", None) or getattr(guider, "cfg", None)
    return float(value) if isinstance(value, (int, float)) else None


def _found(model: Any, x: torch.Tensor, sigmas: torch.Tensor) -> Selection | None:
    """The recipe of `distilled` for the run's steps and start; None where there is none, or the run
    stops above sigma 0."""
    if len(sigmas) < 2 or float(sigmas[-1]) != 0:
        return None
    guider = model.inner_model
    patcher = guider.model_patcher
    start = min(float(sigmas[0]), float(patcher.get_model_object("model_sampling").sigma_max))
    under = {"cfg": cfg_of(guider), "latent_shape": tuple(x.shape[1:])}
    found = find(
        patcher,
        DISTILLED,
        len(sigmas) - 1,
        start_sigma=start,
        record=applied_of(patcher).record,
        **under,
    )
    return None if found.source == STOCK else found


def _serves(found: Selection, sigmas: torch.Tensor) -> bool:
    """Whether these sigmas are the recipe's, or all of what our own scheduler entry issued for as
    many steps from the same start."""
    own = torch.tensor(found.recipe.sigmas, dtype=torch.float64)
    given = sigmas.detach().cpu().double()
    if len(own) != len(given) or not torch.isclose(own[0], given[0], rtol=SAME_SIGMA, atol=0):
        return False
    if torch.allclose(own, given, rtol=SAME_SIGMA, atol=0):
        return True
    known = recognised(sigmas)
    return known is not None and known.whole


def _foreign(model, x, sigmas, extra_args, callback, disable):
    """dpmpp_2m, the host's own, on exactly these sigmas."""
    from comfy.k_diffusion.sampling import sample_dpmpp_2m

    if len(sigmas) < 2:
        return x
    log_once(
        "the sampler 'distilled' has no coefficients for the sigmas that it was given "
        f"({len(sigmas) - 1} steps from {float(sigmas[0]):.4g}); it ran as dpmpp_2m on exactly those."
    )
    return sample_dpmpp_2m(
        model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable
    )


def _run(
    recipe: Recipe, parametrisation: str, model, x, extra_args, callback, disable
) -> torch.Tensor:
    """A recipe, by the library's own loops."""
    from comfy.model_management import throw_exception_if_processing_interrupted
    from tqdm.auto import tqdm

    extra_args = {} if extra_args is None else extra_args

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        throw_exception_if_processing_interrupted()
        return model(x, sigma, **extra_args)

    with tqdm(total=recipe.steps, disable=disable) as bar:

        def told(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
            if callback is not None:
                callback(
                    {
                        "x": x,
                        "i": i,
                        "sigma": recipe.sigmas[i],
                        "sigma_hat": recipe.sigmas[i],
                        "denoised": denoised,
                    }
                )
            bar.update()

        return _loop(recipe, parametrisation, denoise, x, told)


def _loop(
    recipe: Recipe, parametrisation: str, denoise: Callable, x: torch.Tensor, told: Callable
) -> torch.Tensor:
    sigmas: Sequence[float] = recipe.sigmas
    if recipe.coefficients is not None:
        return run_coefficients(
            denoise, x, sigmas, recipe.coefficients, recipe.offsets, parametrisation, told
        )
    model = (
        with_offsets(denoise, sigmas, recipe.offsets, parametrisation)
        if recipe.offsets
        else denoise
    )
    return sample(model, x, sigmas, stock_sampler(recipe), told)
