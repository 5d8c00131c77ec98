"""The workbench of one distillation: trajectory sets, and the two experiments made on them, walks
and roll-outs, each done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from ..denoiser import start_state
from ..errors import DenoiserError
from ..fit.on_policy import TrajectorySet, Walk, fitted, stock, walk, walk_with
from ..fit.polish import polish
from ..fit.refine import refine, refinement_calls
from ..samplers import sample
from ..samplers.query_offsets import ask, guessed_offset, with_offsets
from ..search.dynamic_programming import schedules_from
from ..search.gram import Gram
from ..sigmas import baselines
from .request import Job
from .resume import Shelf

EXPLODED = 1e9  # the end error of a row that did not stay finite: no candidate
SAME_START = 1e-6  # relative: hosts hand a range over in float32


class Bench:
    """sets: the recorded trajectories; gram: their inner products together; unseen: the rows (of
    all sets) that fits leave alone."""

    def __init__(
        self, job: Job, sets: list[TrajectorySet], gram: Gram, shelf: Shelf, most_steps: int
    ):
        self.job, self.sets, self.gram, self._shelf = job, sets, gram, shelf
        self.unseen = ~np.concatenate([each.fit_rows for each in sets])
        self._most_steps = most_steps
        self._ask = partial(ask, parametrisation=job.parametrisation)
        self._schedules: dict[tuple[str, str], dict[int, np.ndarray]] = {}

    def schedule(self, sampler: str, steps: int, weights: str = "contraction") -> np.ndarray:
        """The dynamic programme's schedule for a linear sampler or "distilled"."""
        key = sampler, weights
        if key not in self._schedules:
            self._schedules[key] = schedules_from(
                self.gram, sampler, self._most_steps, weights=weights
            )
        return self._schedules[key][steps]

    def stock_schedules(self, steps: int) -> dict[str, np.ndarray]:
        """The stock and published schedules that start where the model does; its noise table's top
        counts as that."""
        job, top = self.job, self.job.table.sigma_max
        found = baselines(job.table, steps, job.sigma_min, job.sigma_max)
        for sigmas in found.values():
            if abs(sigmas[0] / min(top, job.sigma_max) - 1) <= SAME_START:
                sigmas[0] = job.sigma_max
        return {name: sigmas for name, sigmas in found.items() if sigmas[0] == job.sigma_max}

    def walk(self, sampler: str, sigmas: np.ndarray, tries: int) -> Walk:
        """A fitted walk of a sampler, with its query offsets searched for."""
        stepper = fitted if sampler == "distilled" else stock(sampler)
        given = self.sets, sigmas, self._ask, stepper, self.offset, tries
        return _walk(
            sigmas,
            self._shelf.finished(
                _name("walk", sampler, sigmas, tries), lambda: self._tried(sigmas, walk, *given)
            ),
        )

    def walk_with(self, sigmas: np.ndarray, offsets: np.ndarray) -> Walk:
        """The distilled sampler's walk with these query offsets."""
        name = _name("walk_with", "distilled", sigmas, offsets)
        return _walk(
            sigmas,
            self._shelf.finished(
                name, lambda: self._tried(sigmas, walk_with, self.sets, sigmas, offsets, self._ask)
            ),
        )

    def rollout(
        self, sampler: str, sigmas: np.ndarray, offsets: np.ndarray | None = None
    ) -> np.ndarray:
        """(rows of all sets,): the end error of a stock sampler on a schedule; EXPLODED where it
        does not stay finite."""
        name = _name("rollout", sampler, sigmas, offsets)
        return np.array(
            self._shelf.finished(
                name, lambda: {"errors": self._run(sampler, sigmas, offsets).tolist()}
            )["errors"]
        )

    def refined(
        self, sampler: str, sigmas: np.ndarray, iterations: int, offsets: np.ndarray | None = None
    ) -> Walk:
        """A sampler's schedule, and its offsets where given, refined against the end point (`refine.py`)."""
        calls = refinement_calls(sampler, len(sigmas) - 1, iterations, offsets is not None) * len(
            self.unseen
        )

        def work() -> dict:
            found = refine(self.sets, sigmas, sampler, self.job.parametrisation, calls, offsets)
            shifts = np.zeros(len(sigmas) - 1) if found.offsets is None else found.offsets
            return {"sigmas": found.sigmas.tolist()} | _data(
                Walk(found.sigmas, shifts, found.coefficients, found.errors)
            )

        data = self._shelf.finished(_name("refine", sampler, sigmas, iterations, offsets), work)
        return _walk(np.array(data["sigmas"]), data)

    def polished(self, found: Walk) -> Walk:
        """A fitted walk's coefficients polished against the end point (`polish.py`)."""
        if np.any(found.errors >= EXPLODED):
            return found
        name = _name("polish", "distilled", found.sigmas, found.offsets, found.coefficients)
        return _walk(
            found.sigmas,
            self._shelf.finished(
                name, lambda: _data(polish(self.sets, found, self.job.parametrisation))
            ),
        )

    def offset(self, sigma: float, s_next: float, share: float) -> float:
        """A share of the usual query offset for a step, kept in the model's range."""
        job = self.job
        return guessed_offset(
            sigma, s_next, share, job.sigma_min, job.sigma_max, job.parametrisation
        )

    def _tried(self, sigmas: np.ndarray, experiment: Callable[..., Walk], *given: object) -> dict:
        try:
            return _data(experiment(*given))
        except (
            DenoiserError
        ):  # the teacher's queries were answered well: the walk left the model's range
            steps = len(sigmas) - 1
            return _data(
                Walk(
                    sigmas,
                    np.zeros(steps),
                    np.zeros((steps, 4)),
                    np.full(len(self.unseen), EXPLODED),
                )
            )

    def _run(self, sampler: str, sigmas: np.ndarray, offsets: np.ndarray | None) -> np.ndarray:
        errors = []
        for each in self.sets:
            model = (
                each.model
                if offsets is None
                else with_offsets(each.model, sigmas, offsets, self.job.parametrisation)
            )
            start = start_state(each.noise, float(sigmas[0]), self.job.parametrisation)
            try:
                errors.append(each.errors(sample(model, start, sigmas, sampler)))
            except DenoiserError:  # the schedule drove the sampler out of all bounds: no candidate
                errors.append(np.full(len(each.fit_rows), EXPLODED))
        return _bounded(np.concatenate(errors))


def _data(found: Walk) -> dict:
    coefficients = None if found.coefficients is None else found.coefficients.tolist()
    return {
        "offsets": found.offsets.tolist(),
        "coefficients": coefficients,
        "errors": _bounded(found.errors).tolist(),
    }


def _bounded(errors: np.ndarray) -> np.ndarray:
    return np.nan_to_num(errors, nan=EXPLODED, posinf=EXPLODED)


def _walk(sigmas: np.ndarray, data: dict) -> Walk:
    coefficients = None if data["coefficients"] is None else np.array(data["coefficients"])
    return Walk(sigmas, np.array(data["offsets"]), coefficients, np.array(data["errors"]))


def _name(kind: str, sampler: str, sigmas: np.ndarray, *rest: object) -> str:
    plain = [
        each.tolist() if isinstance(each, (np.ndarray, torch.Tensor)) else each
        for each in (sigmas, *rest)
    ]
    return f"{kind} {sampler} {len(sigmas) - 1} {hashlib.sha256(repr(plain).encode()).hexdigest()[:24]}"
