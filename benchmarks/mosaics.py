"""Mosaics: many independent pictures in one sample, so that a row holds as many numbers as a real latent
does, and they differ from each other as parts of one picture do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.beds import Bed
from scheduler.checkpoints import Checkpoint

BLOCKS = 16
LEAST_NUMBERS = 1024  # of one sample


@dataclass(frozen=True)
class Mosaic:
    """A model whose sample is `blocks` samples of another one, along the channels, each of its own
    class."""

    model: Checkpoint | Bed
    blocks: int

    @property
    def parametrisation(self) -> str:
        return self.model.parametrisation

    @property
    def sigma_min(self) -> float:
        return self.model.sigma_min

    @property
    def sigma_max(self) -> float:
        return self.model.sigma_max

    @property
    def shift(self) -> float | None:
        return self.model.shift

    @property
    def latent_shape(self) -> tuple[int, ...]:
        channels, *rest = self.model.latent_shape
        return (self.blocks * channels, *rest)

    def denoiser(self, classes: torch.Tensor, cfg: float = 1.0) -> Callable:
        """denoise(x, sigma) for rows (B, ...) whose blocks have these classes (B * blocks,)."""
        inner = self.model.denoiser(classes, cfg)

        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            parts = x.reshape(len(x) * self.blocks, *self.model.latent_shape)
            return inner(parts, sigma.repeat_interleave(self.blocks)).reshape(x.shape)

        return denoise


def mosaic_of(model: Checkpoint | Bed) -> Mosaic:
    """BLOCKS blocks, or as many as LEAST_NUMBERS need."""
    numbers = int(torch.Size(model.latent_shape).numel())
    return Mosaic(model, max(BLOCKS, -(-LEAST_NUMBERS // numbers)))
