"""Walks the student down a schedule beside the teacher, and fits each step on the way (on-policy).

Each step is fitted where the student really is. Every row of a trajectory set rides along in every
model call; the fit uses the rows of the fit, the others show how it does unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch

from ..samplers.distilled import PAST
from ..samplers.multistep import LINEAR, combine
from ..samplers.query_offsets import ask, guessed_offset
from ..search.gram import row_products
from ..sigmas.noise_range import NoiseRange
from .candidate import DISTILLED, Candidate
from .coefficients import Step, error_of, fit_step
from .trajectories import TrajectorySet

SHARES = np.linspace(-1.0, 3.0, 21)  # what a secant may choose, in shares of the usual offset
# (mean inner products of [x, D_0, ..., target] by row, (s_next, s_now, s_prev, ...)) -> the step
Stepper = Callable[[np.ndarray, Sequence[float]], Step]


def walk(
    sets: Sequence[TrajectorySet],
    sampler: str,
    sigmas: np.ndarray,
    noise_range: NoiseRange,
    tries: int = 1,
    offsets: np.ndarray | None = None,
) -> tuple[Candidate, list[torch.Tensor]]:
    """(the candidate, each set's end (B, ...)): every set walked down `sigmas` (N + 1,).

    sampler: "distilled", whose coefficients are fitted on the way, or a linear rule that remembers
    predictions only. offsets: the query offsets (N,), one model call a row and step; None: at each
    step the one, of those tried, whose step comes nearest the teacher. tries 1: the model is asked
    at the sampler's own sigma. 2: at the usual offset too. 3: and once more where a secant through
    these two expects the best step. Costs at most `tries` model calls a row and step; the first query
    at the start is the teacher's own and free. Raises DenoiserError.
    """
    stepper = stepper_of(sampler)
    lanes = [_Lane(each, each.state(float(sigmas[0]))) for each in sets]
    found: list[float] = []
    rows: list[np.ndarray | None] = []
    seen: list[float] = []
    for k, (sigma, s_next) in enumerate(pairwise(np.asarray(sigmas).tolist())):
        seen.insert(0, sigma)
        query = _Query(lanes, (s_next, *seen[:PAST]), stepper, noise_range)
        if offsets is None:
            query.search(tries)
        else:
            query.at(float(offsets[k]))
        offset, newest, step = query.best()
        for lane, prediction in zip(lanes, newest, strict=True):
            lane.advance(prediction, step.weights)
        found.append(offset)
        rows.append(step.coefficients)
    coefficients = np.array(rows) if sampler == DISTILLED else None
    errors = np.concatenate([lane.of.errors(lane.x) for lane in lanes])
    walked = Candidate(sampler, np.asarray(sigmas), np.array(found), coefficients)
    return walked.measured(errors), [lane.x for lane in lanes]


def stepper_of(sampler: str) -> Stepper:
    """How a sampler steps: the distilled one by coefficients fitted to the rows, others by their rule."""
    if sampler == DISTILLED:
        return lambda products, window: fit_step(products, window[1], window[0])
    rule = LINEAR[sampler]

    def step(products: np.ndarray, window: Sequence[float]) -> Step:
        a, b = rule.weights(window[: 1 + rule.order])
        weights = [float(a[0]), *map(float, b)]
        weights += [0.0] * (products.shape[1] - 1 - len(weights))
        return Step(weights, error_of(products.mean(0), weights))

    return step


class _Query:
    """The queries of one step: what the model answered at each offset tried, and the step that each
    would give. window: (s_next, s_now, s_prev, ...)."""

    def __init__(
        self,
        lanes: Sequence[_Lane],
        window: Sequence[float],
        stepper: Stepper,
        noise_range: NoiseRange,
    ):
        self.lanes, self.window, self.stepper = lanes, window, stepper
        self.noise_range = noise_range
        self.targets = [lane.of.state(window[0]) for lane in lanes]
        self.tried: list[tuple[float, list[torch.Tensor], Step]] = []

    def at(self, offset: float) -> None:
        """Ask every lane's model at this offset."""
        sigma, process = self.window[1], self.noise_range.process
        newest = [ask(lane.of.model, lane.x, sigma, offset, process) for lane in self.lanes]
        self.tried.append((offset, newest, self.stepper(self._products([newest]), self.window)))

    def search(self, tries: int) -> None:
        """Ask at no offset, the usual one, and the secant's, as far as `tries` allows."""
        first, guess = self._offset(0.0), self._offset(1.0)
        self.at(first)
        if tries > 1 and guess != first:
            self.at(guess)
        if tries > 2 and guess != first == 0:
            products = self._products([newest for _, newest, _ in self.tried])
            aimed = self._offset(secant(products, self.stepper, self.window))
            if aimed not in (first, guess):
                self.at(aimed)

    def best(self) -> tuple[float, list[torch.Tensor], Step]:
        return min(self.tried, key=lambda each: each[2].error)

    def _offset(self, share: float) -> float:
        """A share of the usual offset for this step, kept in the model's range."""
        s_next, sigma = self.window[:2]
        return guessed_offset(sigma, s_next, share, self.noise_range)

    def _products(self, newest: Sequence[Sequence[torch.Tensor]]) -> np.ndarray:
        lanes = enumerate(self.lanes)
        parts = [lane.products([each[k] for each in newest], self.targets[k]) for k, lane in lanes]
        return np.concatenate(parts)


def secant(products: np.ndarray, stepper: Stepper, window: Sequence[float]) -> float:
    """The share t of the usual offset whose step is best if D(t) = (1 - t) D(0) + t D(1), from inner
    products alone.

    products: (R, m + 3, m + 3) of [x, D(0), D(1), D_1, ..., target].
    """
    size = products.shape[1]
    errors = []
    for t in SHARES:
        mix = np.delete(np.eye(size), 2, axis=0)
        mix[1, 1:3] = 1 - t, t
        errors.append(stepper(mix @ products @ mix.T, window).error)
    return float(SHARES[int(np.argmin(errors))])


class _Lane:
    """One trajectory set on its way down: the student's state and the predictions it remembers."""

    def __init__(self, of: TrajectorySet, x: torch.Tensor):
        self.of, self.x = of, x
        self.past: list[torch.Tensor] = []

    def products(self, newest: Sequence[torch.Tensor], target: torch.Tensor) -> np.ndarray:
        """(rows of the fit, m + 2, m + 2): mean inner products of [x, the newest prediction (or
        several in its place), past..., target]."""
        return row_products([self.x, *newest, *self.past[: PAST - 1], target], self.of.fit_rows)

    def advance(self, newest: torch.Tensor, weights: Sequence[float]) -> None:
        self.past = [newest, *self.past][:PAST]
        self.x = combine(weights, [self.x, *self.past])
