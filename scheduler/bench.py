"""The workbench of one distillation: trajectory sets, and the two experiments made on them, walks and roll-outs, each done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from .denoiser import start_state
from .dynamic_programming import schedules_from
from .errors import DenoiserError
from .gram import Gram
from .job import Job
from .offsets import ask, guessed_offset, with_offsets
from .samplers import sample
from .shelf import Shelf
from .walk import TrajectorySet, Walk, fitted, stock, walk

Share = Callable[[float], float]  # sigma -> share of the usual query offset


class Bench:
    """sets: the recorded trajectories; gram: their inner products together; unseen: the rows (of all sets) that fits leave alone."""

    def __init__(self, job: Job, sets: list[TrajectorySet], gram: Gram, shelf: Shelf, most_steps: int):
        self.job, self.sets, self.gram, self._shelf = job, sets, gram, shelf
        self.unseen = ~np.concatenate([each.fit_rows for each in sets])
        self._most_steps = most_steps
        self._schedules: dict[tuple[str, str], dict[int, np.ndarray]] = {}

    def schedule(self, sampler: str, steps: int, weights: str = "none") -> np.ndarray:
        """The dynamic programme's schedule for a linear sampler or "distilled"."""
        key = sampler, weights
        if key not in self._schedules:
            self._schedules[key] = schedules_from(self.gram, sampler, self._most_steps, weights=weights)
        return self._schedules[key][steps]

    def walk(self, sampler: str, sigmas: np.ndarray, tries: int, share: Share | None = None) -> Walk:
        """A fitted walk of a sampler; with `share`, at known query offsets instead of tried ones."""
        stepper = fitted if sampler == "distilled" else stock(sampler)
        asker = partial(ask, parametrisation=self.job.parametrisation)
        found = self._shelf.finished(
            _name("walk", sampler, sigmas, tries, None if share is None else [share(float(s)) for s in sigmas[:-1]]),
            lambda: _data(walk(self.sets, sigmas, asker, stepper, self.offset, tries, share)),
        )
        return _walk(sigmas, found)

    def rollout(self, sampler: str, sigmas: np.ndarray, offsets: np.ndarray | None = None) -> np.ndarray:
        """(rows of all sets,): the end error of a stock sampler on a schedule; inf where it explodes."""
        found = self._shelf.finished(_name("rollout", sampler, sigmas, offsets), lambda: {"errors": self._run(sampler, sigmas, offsets).tolist()})
        return np.array(found["errors"])

    def offset(self, sigma: float, s_next: float, share: float) -> float:
        """A share of the usual query offset for a step, kept in the model's range."""
        job = self.job
        return guessed_offset(sigma, s_next, share, job.sigma_min, job.sigma_max, job.parametrisation)

    def offsets(self, sigmas: np.ndarray, share: Share) -> np.ndarray:
        """The query offsets of a whole schedule at known shares."""
        return np.array([self.offset(s, n, share(s)) for s, n in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True)])

    def _run(self, sampler: str, sigmas: np.ndarray, offsets: np.ndarray | None) -> np.ndarray:
        errors = []
        for each in self.sets:
            model = each.model if offsets is None else with_offsets(each.model, sigmas, offsets, self.job.parametrisation)
            start = start_state(each.noise, float(sigmas[0]), self.job.parametrisation)
            try:
                errors.append(each.errors(sample(model, start, sigmas, sampler)))
            except DenoiserError:  # the schedule drove the sampler out of all bounds: no candidate
                errors.append(np.full(len(each.fit_rows), 1e9))
        return np.concatenate(errors)


def _data(found: Walk) -> dict:
    coefficients = None if found.coefficients is None else found.coefficients.tolist()
    return {"offsets": found.offsets.tolist(), "coefficients": coefficients, "errors": found.errors.tolist()}


def _walk(sigmas: np.ndarray, data: dict) -> Walk:
    coefficients = None if data["coefficients"] is None else np.array(data["coefficients"])
    return Walk(sigmas, np.array(data["offsets"]), coefficients, np.array(data["errors"]))


def _name(kind: str, sampler: str, sigmas: np.ndarray, *rest: object) -> str:
    plain = [each.tolist() if isinstance(each, (np.ndarray, torch.Tensor)) else each for each in (sigmas, *rest)]
    return f"{kind} {sampler} {len(sigmas) - 1} {hashlib.sha256(repr(plain).encode()).hexdigest()[:24]}"
