"""Everything jointly against the end point: log gaps, offsets and coefficients, by damped Gauss-Newton
on the surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .candidate import Candidate
from .parameters import MOST_PAST, Parameters, asked_sigmas, rescaled, rule_weights
from .student import Answers

NUDGE = 1e-4  # of every number in its unit: on the surrogate in float64 nothing drowns
ROUNDING = 1e-14  # of the square of the end
ITERATIONS = 6
ENOUGH = 1e-3  # a share gained below which an iteration was the last
DAMPING, LEAST_DAMPING = 1e-2, 1e-6
DAMPINGS = 5  # tried at once, each four times the one before
MOST_CHANGE = 1.0  # of any number, in its unit, in one iteration


@dataclass(frozen=True)
class Pull:
    """What holds a step back, as weights beside the squared end error. trust: of the squared change
    of the states, beyond which the surrogate is not believed. near: of the squared change of the
    numbers, in their units and in shares of the squared error. path: of the squared distance of
    the states from the teacher's path, between "each step fitted on its own" (large) and free (0).
    anchor: of the squared distance from the stock multistep rule without offsets."""

    trust: float = 0.05
    near: float = 1e-2
    path: float = 3e-2
    anchor: float = 3e-3


def proposed(
    answers: Answers, best: Candidate, pull: Pull, weights: np.ndarray
) -> tuple[Candidate, float] | None:
    """(a candidate that the surrogate expects to be better than `best`, the mean error it expects);
    None where it expects that of none.

    weights: (R,), the share of each row in the objective; 0 for rows that the fit must not see.
    """
    return _Search(answers, best, pull, weights / weights.sum()).found()


def expected_errors(answers: Answers, candidate: Candidate) -> np.ndarray:
    """(R,): the end errors that the surrogate expects of a linear candidate; no model call."""
    search = _Search(answers, candidate, Pull(), answers.fit / answers.fit.sum())
    return np.sqrt(np.square(search.states[-1] - search.end).sum(-1))


class _Search:
    def __init__(self, answers: Answers, best: Candidate, pull: Pull, weights: np.ndarray):
        self.answers, self.sampler, self.pull = answers, best.sampler, pull
        self.parameters = Parameters(best, answers.noise_range)
        self.weights, self.by_row = weights, np.sqrt(weights)[:, None]
        self.start, self.anchor = self.parameters.vector(), self.parameters.anchor()
        self.held = self.parameters.held.astype(float)
        self.as_teacher = answers.starts_as_teacher(float(best.sigmas[0]))
        self.end = answers.surrogate.end
        self.states = self._simulated(self.start[None])[0]
        self.scale = float(self._means(self.states[None, -1])[0]) ** 2

    def found(self) -> tuple[Candidate, float] | None:
        at, damping = self.start, DAMPING
        for _ in range(ITERATIONS):
            better = self._iterated(at, damping)
            if better is None:
                break
            at, damping, gain = better
            if gain < ENOUGH:
                break
        if at is self.start:
            return None
        end = self._simulated(at[None])[:, -1]
        return self.parameters.candidate(at), float(self._means(end)[0])

    @property
    def _exact(self) -> bool:
        """Whether the start is as near to the end as float32 tells."""
        whole = float(np.square(self.end).sum(-1) @ self.weights)
        return self.scale <= ROUNDING * whole

    def _iterated(self, at: np.ndarray, damping: float) -> tuple[np.ndarray, float, float] | None:
        """(the next point, its damping, the share gained), or None where nothing is better."""
        size = len(at)
        if size == 0 or self._exact:  # one step of a stock sampler
            return None
        nudged = at + NUDGE * np.concatenate([np.zeros((1, size)), np.eye(size)])
        normal, gradient = self._system(nudged)
        dampings = damping * 4.0 ** np.arange(DAMPINGS)
        systems = normal + (dampings * self.scale)[:, None, None] * np.eye(size)
        right = np.broadcast_to(gradient, (DAMPINGS, size))[..., None]
        steps = -np.linalg.solve(systems, right)[..., 0]
        steps /= np.maximum(1, np.abs(steps).max(1, keepdims=True) / MOST_CHANGE)
        points = np.concatenate([at[None], at + steps])
        here, *costs = self._costs(points)
        for cost, point, tried in zip(costs, points[1:], dampings.tolist(), strict=True):
            if cost < here:
                return point, max(tried / 3, LEAST_DAMPING), float(1 - cost / here)
        return None

    def _system(self, nudged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the normal matrix, the gradient) at the first of P points (P, F); the others are each
        nudged in one number."""
        states = self._simulated(nudged)
        normal = self.scale * np.diag(self.pull.near + self.pull.anchor * self.held)
        gradient = self.scale * self.pull.near * (nudged[0] - self.start)
        gradient += self.scale * self.pull.anchor * self.held * (nudged[0] - self.anchor)
        for weight, residuals in (
            (1.0, self._by_error(states[:, -1] - self.end)),
            (self.pull.trust, (states[:, :-1] - self.states[:-1]) * self.by_row),
            (self.pull.path, self._off_path(nudged, states) * self.by_row),
        ):
            flat = residuals.reshape(len(nudged), -1)
            slopes = (flat[1:] - flat[0]) / NUDGE
            normal += weight * slopes @ slopes.T
            gradient += weight * slopes @ flat[0]
        return normal, gradient

    def _by_error(self, misses: np.ndarray) -> np.ndarray:
        """Misses (P, R, d) weighted so that a row counts by its error, not by its square: one gone
        astray must not decide alone."""
        norms = np.sqrt(np.square(misses[0]).sum(-1))
        mean = float(norms @ self.weights)
        return (
            misses * np.sqrt(self.weights * mean / np.maximum(norms, 0.01 * mean + 1e-30))[:, None]
        )

    def _costs(self, points: np.ndarray) -> np.ndarray:
        """(P,): what is minimised, at P points (P, F)."""
        states = self._simulated(points)
        moved = states[:, :-1] - self.states[:-1]
        away = np.square(points - self.start).sum(1)
        held = np.square(points - self.anchor) @ self.held
        return (
            self._means(states[:, -1]) ** 2
            + self.pull.trust * self._squares(moved)
            + self.pull.path * self._squares(self._off_path(points, states))
            + self.scale * (self.pull.near * away + self.pull.anchor * held)
        )

    def _off_path(self, points: np.ndarray, states: np.ndarray) -> np.ndarray:
        """(P, N - 1, R, d): the states between, less the teacher's at their sigmas."""
        sigmas = self.parameters.numbers(points).sigmas[:, 1:-1]
        path = self.answers.surrogate.state(sigmas.ravel())
        return states[:, :-1] - path.reshape(states[:, :-1].shape)

    def _squares(self, vectors: np.ndarray) -> np.ndarray:
        """(P,) from (P, N, R, d): the sum over steps of the rows' mean squares."""
        return (np.square(vectors).sum(-1) @ self.weights).sum(1)

    def _means(self, ends: np.ndarray) -> np.ndarray:
        """(P,): the mean over rows of the RMS errors of ends (P, R, d)."""
        return np.sqrt(np.square(ends - self.end).sum(-1)) @ self.weights

    def _simulated(self, points: np.ndarray) -> np.ndarray:
        """(P, N, R, d): the states after each step, as the surrogate expects them."""
        found, process = self.parameters.numbers(points), self.answers.process
        asked = asked_sigmas(found.sigmas[:, :-1], found.offsets, process)
        x = np.repeat(self.answers.surrogate.state(found.sigmas[:1, 0]), len(points), 0)
        states: list[np.ndarray] = []
        predictions: list[np.ndarray] = []
        before: list[np.ndarray] = []
        for k in range(self.parameters.steps):
            newest = self._answer(k, x, found.sigmas[:, k], asked[:, k])
            predictions = [newest, *predictions][:MOST_PAST]
            before = [x, *before][:MOST_PAST]
            a, b = rule_weights(self.sampler, found, k)
            x = _combined(a, before) + _combined(b, predictions)
            states.append(x)
        return np.stack(states, 1)

    def _answer(self, k: int, x: np.ndarray, sigmas: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """The surrogate's answers (P, R, d) at step k; the first may be the teacher's own."""
        if k == 0 and self.as_teacher and (asked == sigmas).all():
            return np.broadcast_to(self.answers.surrogate.first[None], x.shape)
        return self.answers.surrogate.answer(
            rescaled(x, sigmas, asked, self.answers.process), asked
        )


def _combined(weights: np.ndarray, vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Weights (P, m) over the first m vectors (P, R, d)."""
    total = np.zeros_like(vectors[0])
    for weight, each in zip(weights.T, vectors, strict=False):
        total += weight[:, None, None] * each
    return total
