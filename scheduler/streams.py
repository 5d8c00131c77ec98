"""Latents of several kinds in one (video and sound, packed flat): each counts as much as any other.

Sound is a hundredth of the numbers of a latent, or less: in a plain mean over all of them a fit would not
hear it. Every rule that is fitted or run here is linear and the same for all numbers of a latent, so the
latents of a distillation are weighed, number by number, such that their mean square is the mean of the
streams' own mean squares; the recipe is none the different for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from .denoiser import Denoiser
from .errors import ScheduleError


@dataclass(frozen=True)
class Streams:
    """names: what people call them ("video", "sound"). counts: how many numbers of a sample, flattened,
    each has, in this order."""

    names: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, parts: Sequence[tuple[str, int]] | None, elements: int) -> Streams | None:
        """Streams of (name, numbers) pairs; None for one alone. Raises ScheduleError unless they are
        all numbers of a sample."""
        if not parts or len(parts) < 2:
            return None
        names, counts = zip(*((str(name), int(count)) for name, count in parts), strict=True)
        if sum(counts) != elements or min(counts) < 1:
            raise ScheduleError(
                f"The streams of a latent have {sum(counts)} numbers together, and it has {elements}; "
                "name all of its parts, in their order."
            )
        return cls(names, counts)

    def weigh(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (B, ...) whose plain mean square is the mean of the streams' own."""
        return latents * self._weights(latents)

    def unweigh(self, latents: torch.Tensor) -> torch.Tensor:
        """What `weigh` was given."""
        return latents / self._weights(latents)

    def denoiser(self, denoise: Denoiser) -> Denoiser:
        """A denoiser of latents as one of weighed ones."""

        def weighed(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return self.weigh(denoise(self.unweigh(x), sigma))

        return weighed

    def errors(self, end: torch.Tensor, target: torch.Tensor) -> dict[str, np.ndarray]:
        """{name: (B,)}: the RMS distance per element of each stream, of weighed latents (B, ...)."""
        apart = self.unweigh((end - target).float()).flatten(1).split(self.counts, dim=1)
        means = [part.square().mean(1).sqrt().cpu().double().numpy() for part in apart]
        return dict(zip(self.names, means, strict=True))

    def row_errors(self, end: torch.Tensor, target: torch.Tensor) -> np.ndarray:
        """(B,): the root of the streams' mean mean square, of latents (B, ...) as they are."""
        apart = self.weigh((end - target).float()).flatten(1)
        return apart.square().mean(1).sqrt().cpu().double().numpy()

    def _weights(self, latents: torch.Tensor) -> torch.Tensor:
        return _weights(self.counts).to(latents).reshape(1, *latents.shape[1:])


def joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Errors by stream of several batches as of one; {} where one does not say."""
    names = parts[0].keys() if parts and all(parts) else ()
    return {name: np.concatenate([each[name] for each in parts]) for name in names}


def compared(ours: dict[str, np.ndarray], stock: dict[str, np.ndarray]) -> list[dict]:
    """The streams' RMS errors over rows beside stock's, as evidence keeps them."""
    return [
        {"name": name, "rms": _rms(errors), "stock_rms": _rms(stock[name])}
        for name, errors in ours.items()
        if name in stock
    ]


def _rms(errors: np.ndarray) -> float | None:
    value = float(np.sqrt(np.mean(np.square(errors))))
    return float(f"{value:.4g}") if np.isfinite(value) else None


@lru_cache(maxsize=8)
def _weights(counts: tuple[int, ...]) -> torch.Tensor:
    whole = sum(counts)
    levels = torch.tensor([(whole / (len(counts) * count)) ** 0.5 for count in counts])
    return levels.repeat_interleave(torch.tensor(counts))
