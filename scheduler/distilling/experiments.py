"""The experiments of one distillation on its trajectory sets: walks, roll-outs, refinements, each
made once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import DenoiserError
from ..fit.candidate import DISTILLED, EXPLODED, Candidate
from ..fit.on_policy import walk
from ..fit.polish import polish
from ..fit.refine import refine, refinement_calls
from ..fit.rollout import rollout
from ..fit.trajectories import TrajectorySet, fit_rows_of
from ..record import SAME_START
from ..search.dynamic_programming import schedules_from
from ..search.gram import Gram
from ..sigmas import baselines
from .request import Request
from .resume import FinishedParts


class Experiments:
    """sets: the recorded trajectories; gram: their inner products together; unseen: the rows (of
    all sets) that fits leave alone. Results are kept on the parts."""

    def __init__(
        self,
        request: Request,
        sets: list[TrajectorySet],
        gram: Gram,
        parts: FinishedParts,
        most_steps: int,
    ):
        self.request, self.sets, self.gram = request, sets, gram
        self.unseen = ~fit_rows_of(sets)
        self._parts = parts
        self._most_steps = most_steps
        self._schedules: dict[tuple[str, str], dict[int, np.ndarray]] = {}

    def schedule(self, sampler: str, steps: int, weights: str = "contraction") -> np.ndarray:
        """The dynamic programme's schedule for a linear sampler or "distilled"."""
        key = sampler, weights
        if key not in self._schedules:
            found = schedules_from(self.gram, sampler, self._most_steps, weights=weights)
            self._schedules[key] = found
        return self._schedules[key][steps]

    def stock_schedules(self, steps: int) -> dict[str, np.ndarray]:
        """The stock and published schedules that start where the model does; its noise table's top
        counts as that."""
        request = self.request
        top = min(request.table.sigma_max, request.sigma_max)
        found = baselines(request.table, steps, request.sigma_min, request.sigma_max)
        for sigmas in found.values():
            if abs(sigmas[0] / top - 1) <= SAME_START:
                sigmas[0] = request.sigma_max
        return {name: sigmas for name, sigmas in found.items() if sigmas[0] == request.sigma_max}

    def walk(
        self, sampler: str, sigmas: np.ndarray, tries: int = 1, offsets: np.ndarray | None = None
    ) -> Candidate:
        """A fitted walk of a sampler, with these query offsets, or searched for with so many tries
        a step."""
        start = Candidate(sampler, sigmas, offsets)

        def work() -> Candidate:
            try:
                return walk(self.sets, sampler, sigmas, self.request.noise_range, tries, offsets)[0]
            except DenoiserError:  # the teacher was answered well: the walk left the model's range
                steps = start.steps
                coefficients = np.zeros((steps, 4)) if sampler == DISTILLED else None
                nothing = replace(start, offsets=np.zeros(steps), coefficients=coefficients)
                return nothing.measured(np.full(len(self.unseen), EXPLODED))

        return self._once("walk", start, work, tries)

    def run(self, candidate: Candidate) -> Candidate:
        """A candidate with its end errors."""
        return self._once("run", candidate, lambda: self._rolled_out(candidate))

    def refined(self, start: Candidate, iterations: int) -> Candidate:
        """A candidate's schedule, and its offsets where it has some, refined against the end point."""
        offsets = start.offsets is not None
        a_row = refinement_calls(start.sampler, start.steps, iterations, offsets)
        calls = a_row * len(self.unseen)

        def work() -> Candidate:
            return refine(self.sets, start, self.request.noise_range.process, calls)

        return self._once("refine", start, work, iterations)

    def polished(self, found: Candidate) -> Candidate:
        """A fitted walk's coefficients polished against the end point."""
        if not found.finite:
            return found
        return self._once(
            "polish", found, lambda: polish(self.sets, found, self.request.noise_range)
        )

    def _rolled_out(self, candidate: Candidate) -> Candidate:
        return rollout(self.sets, candidate, self.request.noise_range).candidate

    def _once(
        self, kind: str, start: Candidate, work: Callable[[], Candidate], *how: object
    ) -> Candidate:
        """The result of an experiment on a candidate, made now or found on the parts."""
        kept = self._parts.finished(_name(kind, start, *how), lambda: _data(work()))
        return replace(
            start,
            sigmas=np.array(kept["sigmas"]),
            offsets=_array(kept["offsets"]),
            coefficients=_array(kept["coefficients"]),
            errors=np.array(kept["errors"]),
        )


def _data(found: Candidate) -> dict:
    names = "sigmas", "offsets", "coefficients", "errors"
    return {name: _plain(getattr(found, name)) for name in names}


def _array(values: Sequence | None) -> np.ndarray | None:
    return None if values is None else np.array(values)


def _plain(array: np.ndarray | None) -> list | None:
    return None if array is None else array.tolist()


def _name(kind: str, start: Candidate, *how: object) -> str:
    """Names an experiment by all that it depends on, but for what the key of the parts says."""
    numbers = [_plain(array) for array in (start.sigmas, start.offsets, start.coefficients)]
    digest = hashlib.sha256(repr([*numbers, *how]).encode()).hexdigest()[:24]
    return f"{kind} {start.sampler} {start.steps} {digest}"
