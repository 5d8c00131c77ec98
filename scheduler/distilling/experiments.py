"""The trajectories of one distillation, and what is run on them from one start."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ..fit.candidate import DISTILLED, Candidate
from ..fit.rollout import rollout
from ..fit.student import Answers
from ..fit.trajectories import TrajectorySet, fit_rows_of
from ..record import SAME_START
from ..samplers.multistep import LINEAR
from ..search.dynamic_programming import schedules_from
from ..search.gram import Gram
from ..sigmas import baselines, tails
from .guard import ranked
from .request import Request


class Experiments:
    """sets: the recorded trajectories; gram: their inner products together; unseen: the rows (of
    all sets) that fits leave alone. start_sigma: where recipes begin. ends_error: RMS, how far the ends
    that are imitated lie from the true ones; 0 for a teacher's, which count as the truth."""

    def __init__(
        self,
        request: Request,
        sets: list[TrajectorySet],
        gram: Gram,
        most_steps: int,
        ends_error: float = 0.0,
    ):
        self.request, self.sets, self.gram, self.ends_error = request, sets, gram, ends_error
        self.unseen = ~fit_rows_of(sets)
        self.start_sigma = request.start_sigma
        self._most_steps = most_steps
        self._schedules: dict[tuple[str, str], dict[int, np.ndarray]] = {}
        self._stock: dict[int, dict[str, np.ndarray]] = {}
        self._ranked: dict[tuple[str, int], list[str]] = {}

    @cached_property
    def answers(self) -> Answers:
        """All that is asked of the model from here on, and was."""
        return Answers(self.sets, self.request.noise_range)

    @property
    def numbers(self) -> int:
        """Latent elements of all rows of the fit."""
        return int((~self.unseen).sum()) * math.prod(self.request.latent_shape)

    def schedule(self, sampler: str, steps: int, weights: str = "contraction") -> np.ndarray:
        """The dynamic programme's schedule for a linear sampler or "distilled"."""
        key = sampler, weights
        if key not in self._schedules:
            self._schedules[key] = schedules_from(
                self.gram, sampler, self._most_steps, self.start_sigma, weights
            )
        return self._schedules[key][steps]

    def stock_schedules(self, steps: int) -> dict[str, np.ndarray]:
        """The stock and published schedules from this start; the noise table's top counts as the
        model's."""
        if steps not in self._stock:
            self._stock[steps] = self._stock_schedules(steps)
        return self._stock[steps]

    def _stock_schedules(self, steps: int) -> dict[str, np.ndarray]:
        request = self.request
        if self.start_sigma < request.sigma_max:
            return tails(request.table, steps, self.start_sigma, request.sigma_min)
        top = min(request.table.sigma_max, self.start_sigma)
        found = baselines(request.table, steps, request.sigma_min, self.start_sigma)
        for sigmas in found.values():
            if abs(sigmas[0] / top - 1) <= SAME_START:
                sigmas[0] = self.start_sigma
        return {name: each for name, each in found.items() if each[0] == self.start_sigma}

    def ranked(self, sampler: str, steps: int) -> list[str]:
        """The stock schedules' names, best first by the inner products."""
        key = sampler, steps
        if key not in self._ranked:
            schedules = self.stock_schedules(steps)
            self._ranked[key] = ranked(self.gram, sampler, schedules, self.start_sigma)
        return self._ranked[key]

    def run(self, candidate: Candidate) -> Candidate:
        """A candidate with its end errors; of linear samplers every answer is kept."""
        if candidate.sampler == DISTILLED or candidate.sampler in LINEAR:
            return self.answers.run(candidate)
        return rollout(self.sets, candidate, self.request.noise_range)
