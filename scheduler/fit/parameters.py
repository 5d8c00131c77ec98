"""The numbers of a recipe that a fit may change, as one vector in units that are damped alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..record import Choice
from ..record.choice import OURS
from ..samplers.distilled import PAST, step_weights
from ..samplers.multistep import LINEAR
from ..samplers.query_offsets import FLOW_TOP, MOST_OFFSET
from ..sigmas.noise_range import NoiseRange
from .candidate import DISTILLED, Candidate
from .coefficients import MOST_COEFFICIENT

OFFSET_UNIT = 0.3  # a change of an offset that is damped like a step made longer by a factor e
COEFFICIENT_UNIT = 0.1
MOST_PAST = 4  # states and predictions that any linear rule remembers


@dataclass(frozen=True)
class Numbers:
    """P variants of one recipe: sigmas (P, N + 1), offsets (P, N), coefficients (P, N, 4) or None."""

    sigmas: np.ndarray
    offsets: np.ndarray
    coefficients: np.ndarray | None


class Parameters:
    """What is free in a candidate: the log lengths of all steps but the last, the query offsets
    where it has some, the coefficients of the distilled sampler. The first sigma stays."""

    def __init__(self, start: Candidate, noise_range: NoiseRange):
        self.start, self.noise_range = start, noise_range
        self.steps = start.steps
        self.shifted = start.offsets is not None
        self.fitted = start.coefficients is not None
        self._free = _free_coefficients(self.steps) if self.fitted else np.zeros((0, 4), bool)
        # a stock rule on uneven steps may lie beyond what is fitted, and must stay what it is
        self._most = np.full(0, MOST_COEFFICIENT)
        if start.coefficients is not None:
            self._most = np.maximum(np.abs(start.coefficients[self._free]), MOST_COEFFICIENT)

    def vector(self) -> np.ndarray:
        """(F,): the start's own numbers."""
        lengths = -np.diff(np.log(self.start.sigmas[:-1]))
        parts = [np.log(np.maximum(lengths, 1e-6))]
        if self.start.offsets is not None:
            parts.append(self.start.offsets / OFFSET_UNIT)
        if self.start.coefficients is not None:
            parts.append(self.start.coefficients[self._free] / COEFFICIENT_UNIT)
        return np.concatenate(parts)

    def anchor(self) -> np.ndarray:
        """(F,): the stock multistep rule on the start's schedule, no offsets."""
        if self.start.coefficients is None:
            return self.vector()
        stock = replace(
            self.start,
            offsets=np.zeros(self.steps) if self.shifted else None,
            coefficients=stock_coefficients(self.start.sigmas),
        )
        return Parameters(stock, self.noise_range).vector()

    @property
    def held(self) -> np.ndarray:
        """(F,) bool: the numbers that are held to the anchor, all but the lengths."""
        return np.arange(len(self.vector())) >= self.steps - 1

    def numbers(self, vectors: np.ndarray) -> Numbers:
        """P vectors (P, F) as recipes, each kept in the model's range."""
        count = len(vectors)
        sigmas = self._sigmas(vectors[:, : self.steps - 1])
        offsets = np.zeros((count, self.steps))
        place = self.steps - 1
        if self.shifted:
            wanted = vectors[:, place : place + self.steps] * OFFSET_UNIT
            offsets = bounded_offsets(sigmas[:, :-1], wanted, self.noise_range)
            place += self.steps
        if not self.fitted:
            return Numbers(sigmas, offsets, None)
        coefficients = np.zeros((count, self.steps, 4))
        values = vectors[:, place:] * COEFFICIENT_UNIT
        coefficients[:, self._free] = np.clip(values, -self._most, self._most)
        return Numbers(sigmas, offsets, coefficients)

    def candidate(self, vector: np.ndarray) -> Candidate:
        found = self.numbers(vector[None])
        offsets = found.offsets[0] if self.shifted else None
        coefficients = None if found.coefficients is None else found.coefficients[0]
        return replace(
            self.start,
            sigmas=found.sigmas[0],
            offsets=offsets,
            coefficients=coefficients,
            errors=np.empty(0),
            choice=Choice(OURS),
        )

    def _sigmas(self, logs: np.ndarray) -> np.ndarray:
        first, low = float(self.start.sigmas[0]), self.noise_range.sigma_min
        lengths = np.exp(logs)
        room = np.log(first / low)
        lengths = lengths * np.minimum(1, room / np.maximum(lengths.sum(1, keepdims=True), 1e-300))
        inner = first * np.exp(-np.cumsum(lengths, axis=1))
        ends = np.full((len(logs), 1), first), np.zeros((len(logs), 1))
        return np.concatenate([ends[0], inner, ends[1]], axis=1)


def stock_coefficients(sigmas: np.ndarray, sampler: str = "dpmpp_2m") -> np.ndarray:
    """(N, 4): a second-order stock rule as coefficients of the distilled sampler."""
    found, rule = np.zeros((len(sigmas) - 1, 4)), LINEAR[sampler]
    for k in range(1, len(sigmas) - 1):
        _, b = rule.weights(sigmas[[k + 1, k, k - 1]].tolist())
        found[k, 0] = -float(b[1])
    return found


def rule_weights(sampler: str, found: Numbers, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(a (P, m), b (P, m)): what step k multiplies its states and predictions with, the newest
    first."""
    sigmas = found.sigmas
    if sampler == DISTILLED:
        rows = found.coefficients
        assert rows is not None
        weights = step_weights(
            [rows[:, k, j] for j in range(4)], sigmas[:, k], sigmas[:, k + 1], min(k + 1, PAST)
        )
        return np.stack(weights[:1], 1), np.stack(weights[1:], 1)
    rule = LINEAR[sampler]
    seen = [sigmas[:, j] for j in range(k, max(k - rule.order, -1), -1)]
    a, b = rule.weights((sigmas[:, k + 1], *seen))
    return np.stack(a[: rule.states], 1), np.stack(b, 1)


def asked_sigmas(sigmas: np.ndarray, offsets: np.ndarray, process: str) -> np.ndarray:
    """`query_offsets.asked_sigma` of arrays."""
    if process == "flow":
        shifted = 1 / (1 + (1 - sigmas) / sigmas * np.exp(-offsets))
        return np.where((offsets == 0) | (sigmas >= 1), sigmas, shifted)
    return sigmas * np.exp(offsets)


def rescaled(x: np.ndarray, sigmas: np.ndarray, asked: np.ndarray, process: str) -> np.ndarray:
    """States (P, R, d) at P sigmas as they are shown to the model at the asked ones."""
    if process != "flow" or (asked == sigmas).all():
        return x
    return x * ((1 - asked) / np.maximum(1 - sigmas, 1 - FLOW_TOP))[:, None, None]


def bounded_offsets(sigmas: np.ndarray, offsets: np.ndarray, noise_range: NoiseRange) -> np.ndarray:
    """`query_offsets.bounded_offset` of arrays."""
    flow = noise_range.process == "flow"
    top = min(noise_range.sigma_max, FLOW_TOP) if flow else noise_range.sigma_max

    def clock(s):
        return np.log(s / np.maximum(1 - s, 1e-12)) if flow else np.log(s)

    now = clock(sigmas)
    down = np.maximum(clock(np.float64(noise_range.sigma_min)) - now, -MOST_OFFSET)
    up = np.minimum(np.maximum(clock(np.float64(top)) - now, 0.0), MOST_OFFSET)
    bounded = np.minimum(np.maximum(offsets, down), up)
    return np.where(sigmas >= 1, 0.0, bounded) if flow else bounded


def _free_coefficients(steps: int) -> np.ndarray:
    """(N, 4): a step's correction of an earlier prediction is free where it has one."""
    free = np.ones((steps, 4), bool)
    free[:1, 0] = False
    free[:2, 1] = False
    return free
