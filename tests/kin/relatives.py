"""A model and its kin, as small as can be: mosaics of mixtures whose weights' samples say how they are
related, and strangers that claim to be."""

from __future__ import annotations

from dataclasses import replace

import torch

from scheduler.denoiser import start_state
from scheduler.fingerprint import Fingerprint, fingerprint_tensors
from scheduler.learning.full_run import full_run
from scheduler.lookup.model_facts import ModelFacts
from scheduler.recordings import Recording, record_run
from scheduler.rows import noise_for
from tests.learning.studio import SHAPE, Studio, facts, situation
from tests.mixture import mixture_denoiser
from tests.weights import weights

# How the ends of a model lie: what a finetune moves, and strangers whose recipes lose.
BASE: dict = {}
FINETUNE = {"moved": 0.1}
DISTANT = {"moved": 0.8}  # on the picture of seed 5 it is but a start
STRANGERS = ({"scale": 4.0}, {"scale": 0.1, "variance": 0.01})


def mosaic(digit: int = 3, moved: float = 0.0, variance: float = 0.05, scale: float = 1.0):
    """denoise(x (B, 16, 8, 8), sigma (B,)) of the studio's model with other means or variance."""
    means, others = (
        torch.randn(5, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in (5, 99)
    )
    likely = torch.rand(5, generator=torch.Generator().manual_seed(digit)) + 0.1
    ends = scale * means + moved * others
    denoise = mixture_denoiser(ends, likely / likely.sum(), variance)

    def of_tiles(x, sigma):
        tiles = x.reshape(-1, 8)
        return denoise(tiles, sigma.repeat_interleave(len(tiles) // len(x))).reshape(x.shape)

    return of_tiles


def drawn(denoise, seed: int = 11) -> Recording:
    """A picture of a model, drawn in full."""
    found = full_run(situation())
    noise = noise_for(SHAPE, 1, seed, torch.device("cpu"))
    x = start_state(noise, found.recipe.sigmas[0], "flow")
    return record_run(denoise, x, found.recipe.sigmas, "dpmpp_2m", "flow")


def print_of(moved: float = 0.0, dtype=torch.float32, seed: int = 0) -> Fingerprint:
    """Of a model's weights: moved by so much of their spread, or cast."""
    found = weights(seed)
    generator = torch.Generator().manual_seed(1)
    for name, tensor in found.items():
        noise = torch.randn(tensor.shape, generator=generator) * tensor.std()
        found[name] = (tensor + moved * noise).to(dtype)
    return fingerprint_tensors(found)


def known(name: str = "Base", fingerprint: Fingerprint | None = None, **changes) -> ModelFacts:
    return facts(fingerprint=fingerprint or print_of(), name=name, **changes)


def studio(how: dict, seed: int = 0, digit: int = 3) -> Studio:
    """A host that draws with such a model."""
    host = Studio(seed=seed, digit=digit)
    host.denoise = mosaic(digit, **how)
    return host


def of(model: ModelFacts, cfg: float = 3.0, steps: int = 6):
    """A picture's situation on a model."""
    from scheduler.learning.situation import Situation

    return Situation.of(model, model.key(cfg, SHAPE), steps)


def of_other_weights(model: ModelFacts, moved: float, name: str) -> ModelFacts:
    return replace(model, fingerprint=print_of(moved), name=name)
