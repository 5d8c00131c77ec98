"""A recipe run as a sampler function of k-diffusion's form, which ComfyUI and the WebUIs share."""

from __future__ import annotations

from collections import deque
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
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """A recipe from x (B, ...) at its first sigma to the clean latent, with the host's callback and bar.

    callback: told of each step as k-diffusion tells it. disable: no bar in the console. mask: to x's
    shape, 1 where the picture is drawn and 0 where the host's model answers with the original, which
    fitted coefficients would scale there; it stays as it was answered. Raises RecipeError and
    DenoiserError.
    """
    from tqdm.auto import tqdm

    answers = deque[torch.Tensor](maxlen=1)
    with tqdm(total=recipe.steps, disable=disable) as bar:

        def told(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
            if callback is not None:
                sigma = recipe.sigmas[i]
                step = {"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised}
                callback(step)
            answers.append(denoised)
            bar.update()

        end = run_from(denoise, x, recipe, process, told)
    if mask is None or recipe.coefficients is None:
        return end
    return torch.lerp(answers[0], end, mask.to(end))


def same_sigmas(recipe: Recipe, sigmas: torch.Tensor) -> bool:
    """Whether a run's sigmas are a recipe's, up to what hosts round."""
    own = torch.tensor(recipe.sigmas, dtype=torch.float64)
    given = sigmas.detach().cpu().double()
    return own.shape == given.shape and torch.allclose(own, given, rtol=SAME_SIGMA, atol=0)
