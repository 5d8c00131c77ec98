"""A candidate: the numbers that a sampler would run with, and what they were found to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..record import Choice, Recipe
from ..record.choice import OURS

DISTILLED = "distilled"  # the sampler whose coefficients are fitted
EXPLODED = 1e9  # the end error of a row that did not stay finite


def candidate_of(recipe: Recipe, start_sigma: float | None = None) -> Candidate:
    """A recipe as a candidate that was not run. start_sigma: put in its first sigma's place, which hosts
    round."""
    sigmas = np.array(recipe.sigmas)
    if start_sigma is not None:
        sigmas[0] = start_sigma
    offsets = None if recipe.offsets is None else np.array(recipe.offsets)
    rows = None if recipe.coefficients is None else np.array(recipe.coefficients)
    return Candidate(recipe.sampler, sigmas, offsets, rows)


@dataclass(frozen=True)
class Candidate:
    """sampler: the one that runs it. sigmas: (N + 1,). offsets: (N,) query offsets, or None.
    coefficients: (N, 4) of the distilled sampler; None for others, and where they are fitted anew in
    every run. errors: (R,), the end error of every row of all sets, EXPLODED at most; empty until it
    was run."""

    sampler: str
    sigmas: np.ndarray
    offsets: np.ndarray | None = None
    coefficients: np.ndarray | None = None
    errors: np.ndarray = field(default_factory=lambda: np.empty(0))
    choice: Choice = Choice(OURS)
    by_stream: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def was_run(self) -> bool:
        """Whether its errors are known."""
        return len(self.errors) > 0

    @property
    def finite(self) -> bool:
        """Whether every row arrived."""
        return self.was_run and bool((self.errors < EXPLODED).all())

    @property
    def mean_error(self) -> float:
        """Over rows: a norm objective, so that one row gone astray doesn't decide alone."""
        return float(self.errors.mean())

    def measured(
        self, errors: np.ndarray, by_stream: dict[str, np.ndarray] | None = None
    ) -> Candidate:
        """The candidate with the errors of a run, and perhaps of each stream of its latents; those that
        are not finite count as EXPLODED."""
        bounded = np.nan_to_num(errors, nan=EXPLODED, posinf=EXPLODED)
        bounded = np.minimum(bounded, EXPLODED)
        return replace(self, errors=bounded, by_stream=by_stream or {})

    def recipe(self, sampler: str) -> Recipe:
        """The candidate as the recipe that a record holds, for a sampler."""
        sigmas = tuple(self.sigmas.tolist())
        offsets = None if self.offsets is None else tuple(self.offsets.tolist())
        rows = None
        if self.coefficients is not None:
            rows = tuple(tuple(row) for row in self.coefficients.tolist())
        return Recipe(sampler, self.steps, sigmas[0], sigmas, offsets, rows, self.choice)
