"""What the library says that a graph on the bundled checkpoints should draw: the same noise,
conditioning and latents as ComfyUI's."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from scheduler.checkpoints import Checkpoint, load_checkpoint
from scheduler.record import Recipe
from scheduler.samplers import sample
from scheduler.samplers.distilled import sample_distilled, stock_sampler
from scheduler.samplers.query_offsets import with_offsets
from scheduler.sigmas import log_snr_grid

HOST_SCALE = {
    "flow": (1.5305, 0.0609),
    "eps": (0.18215, 0.0),
}  # what ComfyUI's latent formats of SD3 and SD1.x divide by and add
CFG, DIGITS = 3.0, (3, 7)


@lru_cache
def checkpoint(kind: str) -> Checkpoint:
    """A bundled checkpoint, loaded once."""
    return load_checkpoint(kind)


def noise(kind: str, seed: int, rows: int = 2) -> torch.Tensor:
    """The unit Gaussian noise that ComfyUI draws for a seed and a batch."""
    return torch.randn(
        rows, *checkpoint(kind).latent_shape, generator=torch.Generator().manual_seed(seed)
    )


def start(kind: str, unit: torch.Tensor, sigma: float) -> torch.Tensor:
    """The state that a KSampler starts from on an empty latent: at an eps model's highest sigma it
    has the variance 1 + sigma^2."""
    model = checkpoint(kind)
    full = model.parametrisation == "ve" and math.isclose(sigma, model.sigma_max, rel_tol=1e-5)
    return unit * ((1 + sigma**2) ** 0.5 if full else sigma)


def denoiser(kind: str, digits=DIGITS, cfg: float = CFG):
    """denoise(x, sigma) -> x0 with row i asked for digits[i]."""
    return checkpoint(kind).denoiser(torch.tensor(digits), cfg)


def drawn(kind: str, recipe: Recipe, seed: int = 5) -> torch.Tensor:
    """What a recipe draws, by the library's own loops, in the model's own latents."""
    x, model, form = (
        start(kind, noise(kind, seed), recipe.sigmas[0]),
        denoiser(kind),
        checkpoint(kind).parametrisation,
    )
    if recipe.coefficients is not None:
        return sample_distilled(model, x, recipe.sigmas, recipe.coefficients, recipe.offsets, form)
    shifted = with_offsets(model, recipe.sigmas, recipe.offsets, form) if recipe.offsets else model
    return sample(shifted, x, recipe.sigmas, stock_sampler(recipe))


def plain(kind: str, sigmas, sampler: str, seed: int = 5) -> torch.Tensor:
    """What a stock sampler draws on sigmas."""
    return sample(denoiser(kind), start(kind, noise(kind, seed), float(sigmas[0])), sigmas, sampler)


@lru_cache
def teacher(kind: str, seed: int) -> torch.Tensor:
    """What the model draws with many steps."""
    model = checkpoint(kind)
    return plain(
        kind,
        log_snr_grid(model.sigma_min, model.sigma_max, 40, model.parametrisation),
        "heun",
        seed,
    )


def model_latents(kind: str, latents: np.ndarray) -> torch.Tensor:
    """Latents in the scale in which ComfyUI's graphs carry them, as the model's own."""
    scale, shift = HOST_SCALE[kind]
    return torch.from_numpy((latents - shift) * scale)


def apart(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The distance of two batches, relative to the second's size."""
    return float((found - wanted).norm() / wanted.norm())


def rms(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The error as evidence counts it: root mean square per element."""
    return float((found - wanted).square().mean().sqrt())
