"""A recipe run as a sampler function of k-diffusion's form, which ComfyUI and the WebUIs share."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..denoiser import AnyDenoiser
from .distilled import run_from
from .names import Recipe

SAME_SIGMA = 1e-4  # relative: hosts keep sigmas in float32


def run_in_host(
    recipe: Recipe,
    process: str,
    denoise: AnyDenoiser,
    x: torch.Tensor,
    callback: Callable[[dict], object] | None = None,
    disable: bool | None = None,
) -> torch.Tensor:
    """A recipe from x (B, ...) at its first sigma to the clean latent, with the host's callback and bar.

    callback: told of each step as k-diffusion tells it. disable: no bar in the console. Raises
    RecipeError and DenoiserError.
    """
    from tqdm.auto import tqdm

    with tqdm(total=recipe.steps, disable=disable) as bar:

        def told(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
            if callback is not None:
                sigma = recipe.sigmas[i]
                step = {"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised}
                callback(step)
            bar.update()

        return run_from(denoise, x, recipe, process, told)


def same_sigmas(recipe: Recipe, sigmas: torch.Tensor) -> bool:
    """Whether a run's sigmas are a recipe's, up to what hosts round."""
    own = torch.tensor(recipe.sigmas, dtype=torch.float64)
    given = sigmas.detach().cpu().double()
    return own.shape == given.shape and torch.allclose(own, given, rtol=SAME_SIGMA, atol=0)
