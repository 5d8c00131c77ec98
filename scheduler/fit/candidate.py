"""A candidate: the numbers that a sampler would run with, and what they were found to do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..record import Choice, Recipe
from ..record.choice import OURS

DISTILLED = "distilled"  # the sampler whose coefficients are fitted
EXPLODED = 1e9  # the end error of a row that did not stay finite


@dataclass(frozen=True)
class Candidate:
    """sampler: the one that runs it. sigmas: (N + 1,). offsets: (N,) query offsets, or None.
    coefficients: (N, 4) of the distilled sampler; None for others, and where they are fitted anew in
    every run. errors: (R,), the end error of every row of all sets, EXPLODED at most; None until it
    was run."""

    sampler: str
    sigmas: np.ndarray
    offsets: np.ndarray | None = None
    coefficients: np.ndarray | None = None
    errors: np.ndarray | None = None
    choice: Choice = Choice(OURS)

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def finite(self) -> bool:
        """Whether every row arrived."""
        return self.errors is not None and bool((self.errors < EXPLODED).all())

    @property
    def mean_error(self) -> float:
        """Over rows: a norm objective, so that one row gone astray doesn't decide alone."""
        return float(self.errors.mean())

    def measured(self, errors: np.ndarray) -> Candidate:
        """The candidate with the errors of a run; those that are not finite count as EXPLODED."""
        bounded = np.nan_to_num(errors, nan=EXPLODED, posinf=EXPLODED)
        return replace(self, errors=np.minimum(bounded, EXPLODED))

    def recipe(self, sampler: str) -> Recipe:
        """The candidate as the recipe that a record holds, for a sampler."""
        start = float(self.sigmas[0])
        numbers = (self.sigmas, self.offsets, self.coefficients)
        return Recipe(sampler, self.steps, start, *numbers, self.choice)
