"""Walks the student down a schedule beside the teacher, fitting each step where the student really is (on-policy).

Every row of a trajectory set rides along in every model call; the fit uses the rows of the fit, the others show how it does unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from .coefficients import PAST, Step, error_of, fit_step
from .denoiser import Checked
from .gram import interpolation
from .linear_rules import LINEAR, combine

Asker = Callable[[Checked, torch.Tensor, float, float], torch.Tensor]  # (model, x, sigma, offset) -> D
Offer = Callable[[float, float, float], float]  # (sigma, s_next, share of the usual guess) -> a query offset that the model's range allows
SHARES = np.linspace(-1.0, 3.0, 21)  # what a secant may choose, in shares of the guess
Stepper = Callable[[np.ndarray, Sequence[float]], Step]  # (products (R, m + 2, m + 2), (s_next, s_now, s_prev, ...)) -> Step


@dataclass
class TrajectorySet:
    """One batch of the teacher's trajectories, with the model that drew it.

    sigmas: (T + 1,). vectors: (2T + 1, B, ...), x_0..x_T and D_0..D_{T-1}. fit_rows: (B,) bool, the rows that fits may use.
    """

    model: Checked
    sigmas: np.ndarray
    vectors: torch.Tensor
    fit_rows: np.ndarray
    _states: dict[float, torch.Tensor] = field(default_factory=dict)

    @property
    def end(self) -> torch.Tensor:
        """The teacher's clean latents (B, ...)."""
        return self.vectors[len(self.sigmas) - 1]

    def state(self, sigma: float) -> torch.Tensor:
        """The teacher's state (B, ...) at any sigma of its range, between nodes by `gram.interpolation`."""
        if sigma == 0:
            return self.end
        if sigma not in self._states:
            weights = interpolation(self.sigmas, np.array([min(sigma, self.sigmas[0]), 0.0]))[0]
            used = np.flatnonzero(weights)
            self._states[sigma] = combine(weights[used], [self.vectors[k] for k in used])
        return self._states[sigma]


@dataclass
class Walk:
    """A fitted recipe: sigmas (N + 1), offsets (N), coefficients (N, 4) or None for stock samplers; errors: end error of every row, RMS per element."""

    sigmas: np.ndarray
    offsets: np.ndarray
    coefficients: np.ndarray | None
    errors: np.ndarray


def fitted(products: np.ndarray, window: Sequence[float]) -> Step:
    """The distilled sampler's step: coefficients fitted to these rows."""
    return fit_step(products, window[1], window[0])


def stock(sampler: str) -> Stepper:
    """A stock sampler's step, for the linear rules that remember predictions only (euler, dpmpp_2m, res_multistep)."""
    rule = LINEAR[sampler]

    def step(products: np.ndarray, window: Sequence[float]) -> Step:
        a, b = rule.weights(window[: 1 + rule.order])
        weights = [float(a[0]), *map(float, b)]
        weights += [0.0] * (products.shape[1] - 1 - len(weights))
        return Step(weights, error_of(products.mean(0), weights))

    return step


def walk(sets: Sequence[TrajectorySet], sigmas: np.ndarray, ask_at: Asker, stepper: Stepper, offer: Offer | None = None, tries: int = 1) -> Walk:
    """Walk every set down `sigmas`; at each step keep the query offset, of those tried, whose step comes nearest the teacher.

    tries 1: the model is asked at the sampler's own sigma. 2: at the offered offset too. 3: and once more at the offset between or around these
    two that looks best while the predictions are taken as linear in it (a secant). Costs at most `tries` model calls a row and step.
    """
    lanes = [_Lane(each, each.state(float(sigmas[0]))) for each in sets]
    offsets, rows, seen = [], [], []
    for sigma, s_next in pairwise(np.asarray(sigmas).tolist()):
        seen.insert(0, sigma)
        offset, newest, step = _best_query(lanes, (s_next, *seen[:PAST]), ask_at, stepper, offer if tries > 1 else None, tries)
        for lane, prediction in zip(lanes, newest, strict=True):
            lane.advance(prediction, step.weights)
        offsets.append(offset)
        rows.append(step.coefficients)
    coefficients = None if rows[0] is None else np.array(rows)
    return Walk(np.asarray(sigmas), np.array(offsets), coefficients, np.concatenate([lane.errors() for lane in lanes]))


def _best_query(lanes: Sequence[_Lane], window: Sequence[float], ask_at: Asker, stepper: Stepper, offer: Offer | None, tries: int):
    """(offset, the lanes' predictions there, the step they give)."""
    s_next, sigma = window[:2]

    def query(offset: float):
        newest = [ask_at(lane.of.model, lane.x, sigma, offset) for lane in lanes]
        return offset, newest, stepper(_products(lanes, [newest], s_next), window)

    found = [query(0.0)]
    guess = 0.0 if offer is None else offer(sigma, s_next, 1.0)
    if guess:
        found.append(query(guess))
        share = _secant(_products(lanes, [newest for _, newest, _ in found], s_next), stepper, window) if tries > 2 else 0.0
        aimed = offer(sigma, s_next, share)
        if aimed not in (0.0, guess):
            found.append(query(aimed))
    return min(found, key=lambda each: each[2].error)


def _secant(products: np.ndarray, stepper: Stepper, window: Sequence[float]) -> float:
    """The share t of the guessed offset whose step is best if D(t) = (1 - t) D(0) + t D(1), from inner products alone.

    products: (R, m + 3, m + 3) of [x, D(0), D(1), D_1, ..., target].
    """
    size = products.shape[1]
    errors = []
    for t in SHARES:
        mix = np.delete(np.eye(size), 2, axis=0)
        mix[1, 1:3] = 1 - t, t
        errors.append(stepper(mix @ products @ mix.T, window).error)
    return float(SHARES[int(np.argmin(errors))])


def _products(lanes: Sequence[_Lane], newest: Sequence[Sequence[torch.Tensor]], s_next: float) -> np.ndarray:
    """(rows of the fit, m + 2, m + 2): mean inner products of [x, the newest prediction (or several in place of one), past..., the teacher's next]."""
    return np.concatenate([lane.products([each[k] for each in newest], s_next) for k, lane in enumerate(lanes)])


class _Lane:
    """One trajectory set on its way down: the student's state and the predictions it remembers."""

    def __init__(self, of: TrajectorySet, x: torch.Tensor):
        self.of, self.x, self.past = of, x, []

    def products(self, newest: Sequence[torch.Tensor], s_next: float) -> np.ndarray:
        vectors = [self.x, *newest, *self.past[: PAST - 1], self.of.state(s_next)]
        stack = torch.stack([vector[self.of.fit_rows].flatten(1) for vector in vectors], dim=1)
        if stack.device.type == "cpu":
            stack = stack.double()
        return (stack @ stack.mT).double().cpu().numpy() / stack.shape[-1]

    def advance(self, newest: torch.Tensor, weights: Sequence[float]) -> None:
        self.past = [newest, *self.past][:PAST]
        self.x = combine(weights, [self.x, *self.past])

    def errors(self) -> np.ndarray:
        """(B,): RMS distance per element of each row's end from the teacher's."""
        return (self.x - self.of.end).float().flatten(1).square().mean(1).sqrt().cpu().numpy()
