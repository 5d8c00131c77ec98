"""Walks the student down a schedule beside the teacher, fitting each step where the student really
is (on-policy).

Every row of a trajectory set rides along in every model call; the fit uses the rows of the fit, the
others show how it does unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ..denoiser import Checked
from ..samplers.multistep import LINEAR, combine
from ..search.gram import interpolation, row_products
from .coefficients import PAST, Step, error_of, fit_step

Asker = Callable[
    [Checked, torch.Tensor, float, float], torch.Tensor
]  # (model, x, sigma, offset) -> D
Offer = Callable[
    [float, float, float], float
]  # (sigma, s_next, share of the usual guess) -> an offset that the model's range allows
SHARES = np.linspace(-1.0, 3.0, 21)  # what a secant may choose, in shares of the guess
Stepper = Callable[
    [np.ndarray, Sequence[float]], Step
]  # (products (R, m + 2, m + 2), (s_next, s_now, s_prev, ...)) -> Step


@dataclass
class TrajectorySet:
    """One batch of the teacher's trajectories, with the model that drew it.

    noise: (B, ...), unit Gaussian, on the model's device. sigmas: (T + 1,). vectors: 2T + 1 tensors
    (B, ...), x_0..x_T and D_0..D_{T-1}, on any device. fit_rows: (B,) bool, the rows that fits may
    use.
    """

    model: Checked
    noise: torch.Tensor
    sigmas: np.ndarray
    vectors: Sequence[torch.Tensor]
    fit_rows: np.ndarray

    @property
    def end(self) -> torch.Tensor:
        """The teacher's clean latents (B, ...)."""
        return self.vectors[len(self.sigmas) - 1].to(self.noise.device)

    def errors(self, end: torch.Tensor) -> np.ndarray:
        """(B,): RMS distance per element of each row from the teacher's end."""
        return (end - self.end).float().flatten(1).square().mean(1).sqrt().double().cpu().numpy()

    def state(self, sigma: float) -> torch.Tensor:
        """The teacher's state (B, ...) at any sigma of its range, between nodes by `gram.interpolation`."""
        if sigma == 0:
            return self.end
        weights = interpolation(self.sigmas, np.array([min(sigma, self.sigmas[0]), 0.0]))[0]
        used = np.flatnonzero(weights)
        return combine(weights[used], [self.vectors[k] for k in used]).to(self.noise.device)


@dataclass
class Walk:
    """A fitted recipe: sigmas (N + 1), offsets (N), coefficients (N, 4) or None for stock samplers;
    errors: each row's, RMS per element; ends: where each set's rows arrived (B, ...), only as long
    as it is fresh."""

    sigmas: np.ndarray
    offsets: np.ndarray
    coefficients: np.ndarray | None
    errors: np.ndarray
    ends: Sequence[torch.Tensor] = ()


def fitted(products: np.ndarray, window: Sequence[float]) -> Step:
    """The distilled sampler's step: coefficients fitted to these rows."""
    return fit_step(products, window[1], window[0])


def stock(sampler: str) -> Stepper:
    """A stock sampler's step, for the linear rules that remember predictions only (euler, dpmpp_2m,
    res_multistep)."""
    rule = LINEAR[sampler]

    def step(products: np.ndarray, window: Sequence[float]) -> Step:
        a, b = rule.weights(window[: 1 + rule.order])
        weights = [float(a[0]), *map(float, b)]
        weights += [0.0] * (products.shape[1] - 1 - len(weights))
        return Step(weights, error_of(products.mean(0), weights))

    return step


def walk(
    sets: Sequence[TrajectorySet],
    sigmas: np.ndarray,
    ask_at: Asker,
    stepper: Stepper,
    offer: Offer,
    tries: int = 1,
) -> Walk:
    """Walk every set down `sigmas`; at each step keep the query offset, of those tried, whose step
    comes nearest the teacher.

    tries 1: the model is asked at the sampler's own sigma. 2: at the offered offset too. 3: and
    once more where a secant through these two expects the best step. Costs at most `tries` model
    calls a row and step; the first query at the start is the teacher's own and free.
    """
    lanes = [_Lane(each, each.state(float(sigmas[0]))) for each in sets]
    offsets, rows, seen = [], [], []
    for sigma, s_next in pairwise(np.asarray(sigmas).tolist()):
        seen.insert(0, sigma)
        query = _Query(lanes, (s_next, *seen[:PAST]), ask_at, stepper)
        query.search(offer, tries)
        offset, newest, step = query.best()
        for lane, prediction in zip(lanes, newest, strict=True):
            lane.advance(prediction, step.weights)
        offsets.append(offset)
        rows.append(step.coefficients)
    coefficients = None if rows[0] is None else np.array(rows)
    errors = np.concatenate([lane.of.errors(lane.x) for lane in lanes])
    return Walk(
        np.asarray(sigmas), np.array(offsets), coefficients, errors, [lane.x for lane in lanes]
    )


def walk_with(
    sets: Sequence[TrajectorySet], sigmas: np.ndarray, offsets: Sequence[float], ask_at: Asker
) -> Walk:
    """The distilled sampler's walk with these offsets: one model call a row and step."""
    given = dict(zip(np.asarray(sigmas).tolist(), map(float, offsets), strict=False))
    return walk(sets, sigmas, ask_at, fitted, lambda sigma, s_next, share: given[sigma])


class _Query:
    """The queries of one step: what the model answered at each offset tried, and the step that each
    would give."""

    def __init__(
        self, lanes: Sequence[_Lane], window: Sequence[float], ask_at: Asker, stepper: Stepper
    ):
        self.lanes, self.window, self.ask_at, self.stepper = lanes, window, ask_at, stepper
        self.targets = [lane.of.state(window[0]) for lane in lanes]
        self.tried: list[tuple[float, list[torch.Tensor], Step]] = []

    def at(self, offset: float) -> None:
        newest = [self.ask_at(lane.of.model, lane.x, self.window[1], offset) for lane in self.lanes]
        self.tried.append((offset, newest, self.stepper(self._products([newest]), self.window)))

    def search(self, offer: Offer, tries: int) -> None:
        s_next, sigma = self.window[:2]
        first, guess = offer(sigma, s_next, 0.0), offer(sigma, s_next, 1.0)
        self.at(first)
        if tries > 1 and guess != first:
            self.at(guess)
        if tries > 2 and guess != first == 0:
            aimed = offer(
                sigma,
                s_next,
                _secant(
                    self._products([newest for _, newest, _ in self.tried]),
                    self.stepper,
                    self.window,
                ),
            )
            if aimed not in (first, guess):
                self.at(aimed)

    def best(self) -> tuple[float, list[torch.Tensor], Step]:
        return min(self.tried, key=lambda each: each[2].error)

    def _products(self, newest: Sequence[Sequence[torch.Tensor]]) -> np.ndarray:
        return np.concatenate(
            [
                lane.products([each[k] for each in newest], self.targets[k])
                for k, lane in enumerate(self.lanes)
            ]
        )


def _secant(products: np.ndarray, stepper: Stepper, window: Sequence[float]) -> float:
    """The share t of the guessed offset whose step is best if D(t) = (1 - t) D(0) + t D(1), from
    inner products alone.

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
        self.of, self.x, self.past = of, x, []

    def products(self, newest: Sequence[torch.Tensor], target: torch.Tensor) -> np.ndarray:
        """(rows of the fit, m + 2, m + 2): mean inner products of [x, the newest prediction (or
        several in its place), past..., target]."""
        return row_products([self.x, *newest, *self.past[: PAST - 1], target], self.of.fit_rows)

    def advance(self, newest: torch.Tensor, weights: Sequence[float]) -> None:
        self.past = [newest, *self.past][:PAST]
        self.x = combine(weights, [self.x, *self.past])
