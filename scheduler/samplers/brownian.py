"""Brownian motion that is one path however finely it is asked for: the noise of stochastic samplers.

A coarse and a fine run that take their noise from one path can be compared. Time is cut into cells
[2^j, 2^(j+1)), whose increments are independent; inside a cell values are made by halving it again
and again, each midpoint from the two ends by the Brownian bridge. Every normal number is drawn from a
seed of its own place, so that nothing depends on what was asked before, or is kept.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch

FIRST_CELL = -48  # times below 2^FIRST_CELL count as 0
DEPTH = 20  # halvings of a cell: times are rounded to 2^-DEPTH of it
_PARTS = 1 << DEPTH

Place = tuple[int, int]  # a cell, and how many of its _PARTS have gone by


class BrownianPath:
    """B(t), t >= 0, B(0) = 0, for latents of one shape (B, ...).

    shape: with the rows. seed: of the path. device: where increments are handed out; all numbers
    are drawn on the CPU, and equal on every device. scale: of every increment, 1 in a Brownian
    motion proper.
    """

    def __init__(
        self,
        shape: Sequence[int],
        seed: int,
        device: str | torch.device = "cpu",
        scale: float | torch.Tensor = 1.0,
    ):
        self.shape, self.seed, self.device = tuple(shape), seed, torch.device(device)
        self.scale = scale
        # Runs go one way: the last place, and the midpoints above it, are asked for again.
        self._last: tuple[Place, torch.Tensor] | None = None
        self._midpoints: dict[Place, torch.Tensor] = {}

    def noise(self, start: float, end: float) -> torch.Tensor:
        """(B(end) - B(start)) / sqrt(end - start): unit Gaussian, float32, for 0 <= start < end.

        Increments of one path over intervals that touch add up. Zeros where the two are one time.
        """
        places = place_of(start), place_of(end)
        length = time_of(places[1]) - time_of(places[0])
        if length <= 0:
            return torch.zeros(self.shape, device=self.device)
        return (self._between(*places) / math.sqrt(length)).to(self.device)

    def increment(self, start: float, end: float) -> torch.Tensor:
        """B(end) - B(start), float32, for 0 <= start <= end, both rounded as `place_of` does."""
        return self._between(place_of(start), place_of(end)).to(self.device)

    def _between(self, first: Place, last: Place) -> torch.Tensor:
        total = -self._part(first)
        for cell in range(first[0], last[0]):
            total += self._whole(cell)
        return total + self._part(last)

    def _whole(self, cell: int) -> torch.Tensor:
        """The increment over a cell; the first begins at 0."""
        return math.sqrt(_length(cell)) * self._normal((cell, 0))

    def _part(self, place: Place) -> torch.Tensor:
        """The increment from a cell's beginning to a place in it."""
        if self._last is not None and self._last[0] == place:
            return self._last[1]
        cell, wanted = place
        low, high = 0, _PARTS
        found, above = torch.zeros(self.shape), self._whole(cell)
        seen = {}
        below = found
        while wanted not in (low, high):
            middle = (low + high) // 2
            known = self._midpoints.get((cell, middle))
            if known is None:
                deviation = math.sqrt((high - low) / _PARTS * _length(cell)) / 2
                known = (below + above) / 2 + deviation * self._normal((cell, middle))
            seen[cell, middle] = known
            if wanted < middle:
                high, above = middle, known
            else:
                low, below = middle, known
        found = below if wanted == low else above
        self._midpoints, self._last = seen, (place, found)
        return found

    def _normal(self, place: Place) -> torch.Tensor:
        digest = hashlib.blake2b(repr((self.seed, place)).encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
        return self.scale * torch.randn(self.shape, generator=generator)


def place_of(time: float) -> Place:
    """The place nearest to a time."""
    if time < 2.0**FIRST_CELL:
        return FIRST_CELL - 1, 0
    mantissa, exponent = math.frexp(time)  # time = mantissa 2^exponent, mantissa in [1/2, 1)
    parts = round((2 * mantissa - 1) * _PARTS)
    return (exponent, 0) if parts == _PARTS else (exponent - 1, parts)


def time_of(place: Place) -> float:
    """The time of a place."""
    cell, parts = place
    return 0.0 if cell < FIRST_CELL else _length(cell) * (1 + parts / _PARTS)


def _length(cell: int) -> float:
    """How long a cell is; the one before FIRST_CELL goes from 0 to there."""
    return 2.0 ** max(cell, FIRST_CELL)
