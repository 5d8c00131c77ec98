"""The teacher's trajectories that fits are made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import ScalarDenoiser
from ..rows import row_errors
from ..samplers.multistep import combine
from ..search.gram import interpolation
from ..streams import Streams


@dataclass
class TrajectorySet:
    """One batch of the teacher's trajectories, with the model that drew it.

    noise: (B, ...), unit Gaussian, on the model's device. sigmas: (T + 1,). vectors: 2T + 1 tensors
    (B, ...), x_0..x_T and D_0..D_{T-1}, on any device. fit_rows: (B,) bool, the rows that fits may
    use. streams: of latents that were weighed for them.
    """

    model: ScalarDenoiser
    noise: torch.Tensor
    sigmas: np.ndarray
    vectors: Sequence[torch.Tensor]
    fit_rows: np.ndarray
    streams: Streams | None = None

    @property
    def end(self) -> torch.Tensor:
        """The teacher's clean latents (B, ...)."""
        return self.vectors[len(self.sigmas) - 1].to(self.noise.device)

    @property
    def first_answer(self) -> torch.Tensor:
        """What the model said at the teacher's start (B, ...)."""
        return self.vectors[len(self.sigmas)].to(self.noise)

    def errors(self, end: torch.Tensor) -> np.ndarray:
        """(B,): RMS distance per element of each row from the teacher's end."""
        return row_errors(end, self.end)

    def by_stream(self, end: torch.Tensor) -> dict[str, np.ndarray]:
        """The same of each stream by itself; {} for latents of one kind."""
        return {} if self.streams is None else self.streams.errors(end, self.end)

    def state(self, sigma: float) -> torch.Tensor:
        """The teacher's state (B, ...) at any sigma of its range, interpolated between its nodes."""
        if sigma == 0:
            return self.end
        weights = interpolation(self.sigmas, np.array([min(sigma, self.sigmas[0]), 0.0]))[0]
        used = np.flatnonzero(weights).tolist()
        return combine(weights[used], [self.vectors[k] for k in used]).to(self.noise.device)


def fit_rows_of(sets: Sequence[TrajectorySet]) -> np.ndarray:
    """(R,) bool: which of the rows of all sets fits may use."""
    return np.concatenate([each.fit_rows for each in sets])
