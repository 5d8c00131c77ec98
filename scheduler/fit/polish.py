"""Polishes a distilled candidate's coefficients against the true end point: one damped Gauss-Newton
step, without back-propagation.

The walk fits each step to the teacher's next state, all errors alike; what an error does to the end
only the model can say. So every coefficient is nudged in turn and the run finished from there. On
learned networks this took a fifth off the held-out error, with few trajectories too; where there
are few numbers to fit to (LEAST_DATA) it fits noise and is not done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..search.gram import row_products
from ..sigmas.noise_range import NoiseRange
from .candidate import Candidate
from .coefficients import MOST_COEFFICIENT
from .gauss_newton import damped_step
from .rollout import Run, rollout
from .trajectories import TrajectorySet, fit_rows_of

NUDGE = 3e-3
UNIT = 0.05  # a change of a coefficient that is damped like any other parameter's unit
DAMPING = 0.1  # a tenth of it gains 1 % more where it helps, and loses more where rows are few
TRIALS = 2
LEAST_DATA = 32  # latent elements of all rows, for each coefficient
MOST_STEPS = 100


def polish(sets: Sequence[TrajectorySet], found: Candidate, noise_range: NoiseRange) -> Candidate:
    """The candidate with better coefficients, or as it was where no trial lowers the fit rows' mean
    error."""
    fit = fit_rows_of(sets)
    base = rollout(sets, found, noise_range, keep=True)
    if not base.ends:
        return found
    products = _products(sets, base, noise_range)
    for trial in range(TRIALS):
        step = UNIT * damped_step(products, DAMPING * 4**trial)
        changes = dict(zip(_parameters(found.steps), step.tolist(), strict=True))
        moved = _bounded(_moved(found, changes))
        known = [answers[:1] for answers in base.answers]  # no coefficient comes before them
        better = rollout(sets, moved, noise_range, known).candidate
        if better.finite and better.errors[fit].mean() < found.errors[fit].mean():
            return better
    return found


def polish_calls(steps: int) -> int:
    """The most model calls a row: the run itself, every coefficient's, and the trials; the first
    query is the teacher's."""
    nudged = sum(len(_free(k)) * (steps - 1 - k) for k in range(steps))
    return (1 + TRIALS) * (steps - 1) + 1 + nudged


def most_polished(data: int) -> int:
    """The most steps whose coefficients this many latent elements (of all rows together) are enough
    for."""
    counts = np.cumsum([len(_free(k)) for k in range(MOST_STEPS)])
    return int((LEAST_DATA * counts <= data).sum())


def _free(k: int) -> tuple[int, ...]:
    """The coefficients that step k has the predictions for, as places in [c1, c2, c3, c4]."""
    if k == 0:
        return (2, 3)
    return (0, 2, 3) if k == 1 else (0, 1, 2, 3)


def _parameters(steps: int) -> list[tuple[int, int]]:
    """Every free coefficient as (step, place)."""
    return [(k, place) for k in range(steps) for place in _free(k)]


def _products(sets: Sequence[TrajectorySet], base: Run, noise_range: NoiseRange) -> np.ndarray:
    """(fit rows, P + 1, P + 1): mean inner products of [the end's error, its derivatives by P
    coefficients, per UNIT]. A nudge at step k leaves the answers up to k as they are."""
    found = base.candidate
    columns = [[end - each.end] for each, end in zip(sets, base.ends, strict=True)]
    for k, place in _parameters(found.steps):
        nudge = {(k, place): NUDGE}
        known = [answers[: k + 1] for answers in base.answers]
        nudged = rollout(sets, _moved(found, nudge), noise_range, known)
        for column, end, other in zip(columns, base.ends, nudged.ends or base.ends, strict=True):
            column.append((other - end) * (UNIT / NUDGE))
    rows = zip(sets, columns, strict=True)
    return np.concatenate([row_products(column, each.fit_rows) for each, column in rows])


def _moved(found: Candidate, changes: Mapping[tuple[int, int], float]) -> Candidate:
    """The candidate with some coefficients changed, by (step, place)."""
    assert found.coefficients is not None  # only what was fitted is polished
    coefficients = found.coefficients.copy()
    for where, change in changes.items():
        coefficients[where] += change
    return replace(found, coefficients=coefficients)


def _bounded(found: Candidate) -> Candidate:
    assert found.coefficients is not None
    bounded = np.clip(found.coefficients, -MOST_COEFFICIENT, MOST_COEFFICIENT)
    return replace(found, coefficients=bounded)
