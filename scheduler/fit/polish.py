"""Polishes a distilled recipe's coefficients against the true end point: one damped Gauss-Newton
step, without back-propagation.

The walk fits each step to the teacher's next state, all errors alike; what an error does to the end
only the model can say. So every coefficient is nudged in turn and the run finished from there. On
learned networks this took a fifth off the held-out error, with few trajectories too; where there
are few numbers to fit to (LEAST_DATA) it fits noise and is not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from ..denoiser import start_state
from ..errors import DenoiserError
from ..samplers.multistep import combine
from ..samplers.query_offsets import ask
from ..search.gram import row_products
from .coefficients import MOST_COEFFICIENT, PAST, step_weights
from .on_policy import TrajectorySet, Walk

NUDGE = 3e-3
UNIT = 0.05  # a change of a coefficient that is damped like any other parameter's unit
DAMPING = 0.1  # a tenth of it gains 1 % more where it helps, and loses more where rows are few
TRIALS = 2
LEAST_DATA = 32  # latent elements of all rows, for each coefficient
MOST_STEPS = 100


def polish_calls(steps: int) -> int:
    """The most model calls a row: the run itself, every coefficient's, and the trials; the first
    query is the teacher's."""
    return (
        (1 + TRIALS) * (steps - 1) + 1 + sum(len(_free(k)) * (steps - 1 - k) for k in range(steps))
    )


def most_polished(data: int) -> int:
    """The most steps whose coefficients this many latent elements (of all rows together) are enough for."""
    counts = np.cumsum([len(_free(k)) for k in range(MOST_STEPS)])
    return int((LEAST_DATA * counts <= data).sum())


def polish(sets: Sequence[TrajectorySet], found: Walk, parametrisation: str) -> Walk:
    """The walk with better coefficients, or as it was where no trial lowers the fit rows' mean error."""
    runs = [_Run(each, found, parametrisation) for each in sets]
    fit = np.concatenate([each.fit_rows for each in sets])
    normal, right, scale = _normal_equations(runs, found)
    for trial in range(TRIALS):
        damped = normal + DAMPING * 4**trial * scale * np.eye(len(normal))
        changes = -UNIT * np.linalg.solve(damped, right)
        coefficients = found.coefficients.copy()
        for (k, place), change in zip(_parameters(found), changes, strict=True):
            coefficients[k, place] = np.clip(
                coefficients[k, place] + change, -MOST_COEFFICIENT, MOST_COEFFICIENT
            )
        try:
            errors = np.concatenate([run.of.errors(run.finish(0, coefficients)) for run in runs])
        except DenoiserError:  # too long a step: the next is damped more
            continue
        if errors[fit].mean() < found.errors[fit].mean():
            return Walk(found.sigmas, found.offsets, coefficients, errors)
    return found


def _free(k: int) -> tuple[int, ...]:
    """The coefficients that step k has the predictions for, as places in [c1, c2, c3, c4]."""
    return (2, 3) if k == 0 else (0, 2, 3) if k == 1 else (0, 1, 2, 3)


def _parameters(found: Walk) -> list[tuple[int, int]]:
    return [(k, place) for k in range(len(found.sigmas) - 1) for place in _free(k)]


def _normal_equations(runs: Sequence[_Run], found: Walk) -> tuple[np.ndarray, np.ndarray, float]:
    """(J'J, J'r, sum of norms) over the fit rows, J per UNIT, each row weighted by 1 / norm: the
    mean of the norms is what falls."""
    count = len(_parameters(found))
    normal, right, scale = np.zeros((count, count)), np.zeros(count), 0.0
    for run in runs:
        columns = [run.end - run.of.end]
        for k, place in _parameters(found):
            nudged = found.coefficients.copy()
            nudged[k, place] += NUDGE
            columns.append((run.finish(k, nudged) - run.end) * (UNIT / NUDGE))
        for products in row_products(columns, run.of.fit_rows):
            norm = max(float(np.sqrt(products[0, 0])), 1e-12)
            normal, right, scale = (
                normal + products[1:, 1:] / norm,
                right + products[1:, 0] / norm,
                scale + norm,
            )
    return normal, right, scale


class _Run:
    """One set's run of a recipe: the state and the predictions at every step, so that it can be
    finished from any of them."""

    def __init__(self, of: TrajectorySet, found: Walk, parametrisation: str):
        self.of, self.found, self.parametrisation = of, found, parametrisation
        self.states: list[torch.Tensor] = []
        self.pasts: list[list[torch.Tensor]] = []
        self.end = self.finish(0, found.coefficients, record=True)

    def finish(self, first: int, coefficients: np.ndarray, record: bool = False) -> torch.Tensor:
        """The end of the run with these coefficients, which differ from the recorded run's from
        step `first` on."""
        sigmas = self.found.sigmas.tolist()
        x = (
            self.states[first]
            if self.states
            else start_state(self.of.noise, sigmas[0], self.parametrisation)
        )
        past = self.pasts[first][1:] if self.pasts else []
        for k, (sigma, s_next) in list(enumerate(pairwise(sigmas)))[first:]:
            known = self.pasts[k][0] if self.pasts and k == first else None
            newest = (
                ask(self.of.model, x, sigma, float(self.found.offsets[k]), self.parametrisation)
                if known is None
                else known
            )
            past = [newest, *past][:PAST]
            if record:
                self.states.append(x)
                self.pasts.append(past)
            x = combine(step_weights(coefficients[k], sigma, s_next, len(past)), [x, *past])
        return x
