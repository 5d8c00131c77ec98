"""The space that a fit's vectors span: every state and answer as coordinates in a basis of its own row.

Inner products, and so every least-squares fit and every error, are then small dense algebra. A
latent enters once, when it is added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

MOST_ELEMENTS = 1 << 14  # of a latent that enter: a seeded choice of as many, the same in every row
SUBSET_SEED = 0
NOTHING = 1e-7  # of a vector's length: what is left of it after projection is rounding


class Span:
    """One orthonormal basis a row, grown by what is added.

    Coordinates are float64 arrays (R, dimension), scaled so that their squared length is the mean
    square per latent element; the dimension grows, and shorter arrays are widened by zeros.
    """

    def __init__(self, rows: int, elements: int, chosen: torch.Tensor | None = None):
        self.rows, self.dimension = rows, 0
        self.chosen = _chosen(elements) if chosen is None else chosen
        self._basis = np.empty((rows, 0, len(self.chosen)))

    def add(self, parts: Sequence[torch.Tensor]) -> np.ndarray:
        """(R, dimension): the coordinates of a vector, given as tensors (B, ...) whose rows together
        are all rows; its new direction joins the basis."""
        values = np.concatenate([self._taken(part) for part in parts])
        inside = self._basis[:, : self.dimension]
        coordinates = np.zeros((self.rows, self.dimension + 1))
        left = values
        for _ in range(2):  # once more for what rounding left
            along = (inside @ left[:, :, None])[:, :, 0]
            left = left - (along[:, None] @ inside)[:, 0]
            coordinates[:, :-1] += along
        rest = np.sqrt(np.square(left).sum(1))
        new = rest > NOTHING * np.sqrt(np.square(values).sum(1))
        if not new.any():
            return coordinates[:, :-1]
        coordinates[:, -1] = rest * new
        self._grow(left * (new / np.where(new, rest, 1))[:, None])
        return coordinates

    def widened(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates (..., d) in the whole dimension."""
        missing = self.dimension - coordinates.shape[-1]
        if missing == 0:
            return coordinates
        return np.pad(coordinates, [(0, 0)] * (coordinates.ndim - 1) + [(0, missing)])

    def _taken(self, part: torch.Tensor) -> np.ndarray:
        flat = part.flatten(1)
        if len(self.chosen) < flat.shape[1]:
            flat = flat[:, self.chosen.to(flat.device)]
        return flat.cpu().double().numpy() / np.sqrt(len(self.chosen))

    def _grow(self, direction: np.ndarray) -> None:
        if self._basis.shape[1] == self.dimension:
            room = np.zeros((self.rows, max(64, self.dimension), len(self.chosen)))
            self._basis = np.concatenate([self._basis, room], axis=1)
        self._basis[:, self.dimension] = direction
        self.dimension += 1


def _chosen(elements: int) -> torch.Tensor:
    """The indices, ascending, of the elements that enter; the same in every process."""
    if elements <= MOST_ELEMENTS:
        return torch.arange(elements)
    rng = np.random.Generator(np.random.PCG64(SUBSET_SEED))
    return torch.from_numpy(np.sort(rng.choice(elements, MOST_ELEMENTS, replace=False)))
