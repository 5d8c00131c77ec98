"""All gaps of a joint schedule against the end of the pair's own run.

Levenberg-Marquardt on the logarithms of the gaps in log sigma: measured once by nudging each,
afterwards updated from every true run (Broyden, Math. Comp. 19, 1965).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .halves import Joint

NUDGE = 0.1
TRIALS = 5
MOST_MOVE = 0.7  # of a gap's logarithm at a time
TRUST, LEAST_TRUST, MOST_TRUST = 0.03, 1e-4, 1e2

Ends = Callable[[Joint], torch.Tensor]


@dataclass(frozen=True)
class Gaps:
    """A joint schedule as free numbers: the logarithms of the gaps, and, where a range is searched,
    of the hand-over. low, high: that range, equal where the hand-over is given."""

    top: float
    step: int
    low: float
    high: float

    def numbers(self, joint: Joint) -> np.ndarray:
        gaps = np.log(joint.sigmas[:-2] / joint.sigmas[1:-1])
        return np.append(np.log(gaps), math.log(joint.hand_over))

    def joint(self, numbers: np.ndarray) -> Joint:
        """The first half's gaps are scaled so that they end at the hand-over."""
        sigma = min(max(math.exp(numbers[-1]), self.low), self.high)
        gaps = np.exp(numbers[:-1])
        upper = gaps[: self.step] * (math.log(self.top / sigma) / gaps[: self.step].sum())
        logs = math.log(self.top) - np.cumsum(np.append(upper, gaps[self.step :]))
        sigmas = np.concatenate([[self.top], np.exp(logs), [0.0]])
        sigmas[self.step] = sigma
        return Joint(sigmas, self.step)


def descend(
    start: Joint, ends: Ends, target: torch.Tensor, low: float, high: float, trials: int = TRIALS
) -> list[Joint]:
    """The schedules that were tried, each better than the last on these rows; the start is first.

    ends: draws the rows with a schedule. target: (B, ...), the pair's own run. low, high: where the
    hand-over may lie. Costs as many runs as there are free gaps, and `trials` more.
    """
    gaps = Gaps(float(start.sigmas[0]), start.step, low, high)
    numbers = gaps.numbers(start)
    free = _free(gaps, len(numbers))
    if not free:
        return [start]
    off = _vector(ends(start) - target)
    slopes = []
    for k in free:
        moved = numbers.copy()
        moved[k] += NUDGE if k < len(numbers) - 1 else -NUDGE / 2
        slopes.append((_vector(ends(gaps.joint(moved)) - target) - off) / (moved[k] - numbers[k]))
    slope, trust, found = np.stack(slopes, axis=1), TRUST, [start]
    for _ in range(trials):
        move = _proposed(slope, off, trust)
        tried = numbers.copy()
        tried[free] += move
        joint = gaps.joint(tried)
        there = _vector(ends(joint) - target)
        slope = slope + np.outer(there - off - slope @ move, move) / max(move @ move, 1e-12)
        if there @ there < off @ off:
            numbers, off, trust = tried, there, max(trust / 4, LEAST_TRUST)
            found.append(joint)
        else:
            trust = min(trust * 6, MOST_TRUST)
    return found


def _free(gaps: Gaps, count: int) -> list[int]:
    """The numbers that move the schedule."""
    upper = list(range(gaps.step)) if gaps.step > 1 else []
    lower = list(range(gaps.step, count - 1))
    return upper + lower + ([count - 1] if gaps.low < gaps.high else [])


def _proposed(slope: np.ndarray, off: np.ndarray, trust: float) -> np.ndarray:
    products = slope.T @ slope
    scale = max(float(np.trace(products)) / len(products), 1e-30)
    move = np.linalg.solve(products + trust * scale * np.eye(len(products)), -slope.T @ off)
    return np.clip(move, -MOST_MOVE, MOST_MOVE)


def _vector(x: torch.Tensor) -> np.ndarray:
    return x.detach().cpu().double().flatten().numpy()
