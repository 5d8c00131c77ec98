"""UniPC (arXiv 2302.04867), data prediction, order 3, as ComfyUI runs it.

A step is: predict, call the model there, correct with the answer. In sigma-space the paper's alphas
cancel, and every predictor and corrector is a weighted sum of x and predictions. It isn't a
LinearRule: the state it goes on from is not the one the model saw.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..denoiser import ScalarDenoiser
from .multistep import combine

# The stock sampler stops here instead of at 0, where its log-SNR has no end.
LAST_SIGMA = 0.001


def sample_uni_pc(
    model: ScalarDenoiser, x: torch.Tensor, sigmas: np.ndarray, callback=None, variant: str = "bh1"
) -> torch.Tensor:
    """N steps, N model calls a sample, from x at sigmas[0].

    sigmas (N+1,) are left as they are; stock writes LAST_SIGMA into their end. The order is lowered
    at both ends, to 1 in the first and the last step, as in stock. Two cases that stock gets wrong
    are done right: with one step it returns the noise it was given, and from a sigma below
    LAST_SIGMA it steps up in noise (here: on to 0).
    """
    steps = UniPcSteps(sigmas, variant)
    for i, sigma in enumerate(sigmas[:-1].tolist()):
        denoised = model(x, sigma)
        if callback is not None:
            callback(i, x, denoised)
        x = steps.next(x, denoised)
    return x


class UniPcSteps:
    """The sampler one step at a time; sigmas (N + 1,) are taken as checked."""

    def __init__(self, sigmas: np.ndarray, variant: str = "bh1"):
        self._levels, self._variant = _levels(sigmas), variant
        self._seen: list[float] = []
        self._predictions: list[torch.Tensor] = []
        self._corrected: torch.Tensor | None = None
        self._step = 0

    def next(self, predicted: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
        """The state at the next sigma that the model is to see, from that which it saw and its answer."""
        i, levels = self._step, self._levels
        order = self._order(i)
        x = predicted
        if self._corrected is not None:
            answers = [denoised, *self._predictions[:order]]
            x = _corrected(self._corrected, levels[i], self._seen[:order], answers, self._variant)
        self._corrected = x
        self._seen = [levels[i], *self._seen[:2]]
        self._predictions = [denoised, *self._predictions[:2]]
        self._step = i + 1
        order = self._order(i + 1)
        return _predicted(
            x, levels[i + 1], self._seen[:order], self._predictions[:order], self._variant
        )

    def _order(self, step: int) -> int:
        """That of the prediction into a step's sigma: lower at both ends."""
        return min(step, 3, len(self._levels) - step)


def _levels(sigmas: np.ndarray) -> list[float]:
    """The noise levels that the weights are made of.

    Stock takes them from float32's alpha^2 = 1 / (1 + sigma^2), and hosts' pictures show it: 0.3 %
    off at 0.003, 2 % at LAST_SIGMA. So do we, unless that makes two of them equal or the last one
    0.
    """
    wanted = sigmas.copy()
    wanted[-1] = LAST_SIGMA if sigmas[-2] > LAST_SIGMA else 0.0
    kept = (1 / (1 + wanted.astype(np.float32) ** 2)).astype(np.float64)
    rounded = np.sqrt((1 - kept) / kept)
    sound = rounded[-1] > 0 and (np.diff(rounded) < 0).all()
    return (rounded if sound else wanted).tolist()


def _predicted(
    x: torch.Tensor, s_next: float, seen: list[float], predictions: list[torch.Tensor], variant: str
) -> torch.Tensor:
    """The state at s_next, of order len(seen); predictions: those at the sigmas seen."""
    if len(seen) == 1:
        return combine([s_next / seen[0], 1 - s_next / seen[0]], [x, *predictions])
    gaps, moments, scale = _order_conditions(s_next, seen, variant)
    # Order 2 by stock's shortcut: the paper's one equation would give nearly a half.
    rho = np.array([0.5]) if len(gaps) == 1 else _solve(gaps, moments[:-1])
    slopes = scale * rho / gaps
    ratio = s_next / seen[0]
    return combine([ratio, 1 - ratio + slopes.sum(), *-slopes], [x, *predictions])


def _corrected(
    x: torch.Tensor, s_next: float, seen: list[float], predictions: list[torch.Tensor], variant: str
) -> torch.Tensor:
    """The state at s_next again; predictions: the one there first, then those at the sigmas seen."""
    gaps, moments, scale = _order_conditions(s_next, seen, variant)
    points = np.append(1.0, gaps)
    rho = np.array([0.5]) if len(points) == 1 else _solve(points, moments)
    slopes = scale * rho / points
    ratio = s_next / seen[0]
    return combine([ratio, -slopes[0], 1 - ratio + slopes.sum(), *-slopes[1:]], [x, *predictions])


def _order_conditions(
    s_next: float, seen: list[float], variant: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """(r, moments, B(h)): the parts of the paper's order conditions.

    r: the distances in lambda to the past sigmas over the step h. moments: the right-hand sides.
    seen: (s_now, s_prev, ...), as many as the order.
    """
    h = math.log(seen[0] / s_next)
    scale = -h if variant == "bh1" else math.expm1(-h)
    gaps = np.array([math.log(seen[0] / s) / h for s in seen[1:]])
    moments = [-h * _phi(i + 1, -h) * math.factorial(i) / scale for i in range(1, len(seen) + 1)]
    return gaps, np.array(moments), scale


def _solve(points: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """rho with sum_k rho_k points_k^i = moments_i for i = 0, 1, ..."""
    return np.linalg.solve(np.vander(points, increasing=True).T, moments)


def _phi(k: int, z: float) -> float:
    """phi_k(z) = sum_n z^n / (n + k)!, k >= 1.

    By the recursion phi_k = (phi_{k-1} - 1 / (k - 1)!) / z from phi_0 = exp; by its series near 0,
    where that loses all digits.
    """
    if abs(z) < 0.5:
        return sum(z**n / math.factorial(n + k) for n in range(14))
    if k == 1:
        return math.expm1(z) / z
    return (_phi(k - 1, z) - 1 / math.factorial(k - 1)) / z
