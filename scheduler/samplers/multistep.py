"""Samplers that are linear multistep rules, each written once.

The sampling loop runs a rule, and dynamic programming costs transitions with it.

One step of such a sampler is  x_next = sum_k a_k x_{now-k} + sum_k b_k D_{now-k}  with weights that
depend on the sigmas alone. All rules are for the ODE dx/dsigma = (x - D) / sigma, and all end as
the stock samplers do: the step to sigma 0 is x = D.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # names are read where there is no torch
    import torch

Window = Sequence[np.ndarray]  # (s_next, s_now, s_prev, ...)
Weights = tuple[list[np.ndarray], list[np.ndarray]]


@dataclass(frozen=True)
class LinearRule:
    """A sampler that uses at most `order` predictions and `states` states.

    formula: its weights when all sigmas are above 0.
    """

    name: str
    order: int
    states: int
    formula: Callable[[Window], Weights]

    def weights(self, window: Sequence[float | np.ndarray]) -> Weights:
        """(a, b): two lists of m float64 arrays, a[k] for x_{now-k} and b[k] for D_{now-k}.

        sum(a) + sum(b) = 1. window: (s_next, s_now, s_prev, ...), 1 + m numbers or arrays that
        broadcast together, with m predictions at hand, 1 <= m <= order; fewer than `order` are the
        rule's own start-up. s_next may be 0. Where the sigmas don't strictly decrease the weights
        mean nothing and may be NaN. Raises ValueError for a window of another length.
        """
        if not 2 <= len(window) <= 1 + self.order:
            raise ValueError(
                f"{self.name} takes a window of 2 to {1 + self.order} sigmas; "
                f"{len(window)} were given."
            )
        s_next, *seen = np.broadcast_arrays(*(np.asarray(s, dtype=np.float64) for s in window))
        ends = s_next == 0
        with np.errstate(all="ignore"):
            a, b = self.formula((np.where(ends, seen[0] / 2, s_next), *seen))
        # To sigma 0 the step is x = D.
        at_states = [np.where(ends, 0.0, w) for w in a]
        at_predictions = [np.where(ends, float(k == 0), w) for k, w in enumerate(b)]
        return at_states, at_predictions


def combine(weights: Sequence[float | np.ndarray], tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """sum_k weights[k] * tensors[k] as a new tensor, on the tensors' device and in their dtype.

    Terms of weight 0 are left out.
    """
    terms = [(float(w), t) for w, t in zip(weights, tensors, strict=True) if w != 0]
    if not terms:
        return tensors[0] * 0.0
    weight, tensor = terms[0]
    total = tensor * weight
    for weight, tensor in terms[1:]:
        total.add_(tensor, alpha=weight)
    return total


def _euler(window: Window) -> Weights:
    """First order; on a flow model the plain step along the velocity."""
    ratio = window[0] / window[1]
    return [ratio], [1 - ratio]


def _second_order(gain: Callable[[np.ndarray], np.ndarray]) -> Callable[[Window], Weights]:
    """Exponential integrators in lambda = -log sigma, which stock uses for flow models too.

    With h the step in lambda and h_last the one before: Euler's step plus
    gain(h) / h_last (D_now - D_prev).
    """

    def formula(window: Window) -> Weights:
        if len(window) == 2:
            return _euler(window)
        s_next, s_now, s_prev = window
        ratio = s_next / s_now
        slope = gain(np.log(s_now / s_next)) / np.log(s_prev / s_now)
        return [ratio, np.zeros_like(ratio)], [1 - ratio + slope, -slope]

    return formula


def _adams(areas: Callable[[Window], list[np.ndarray]]) -> Callable[[Window], Weights]:
    """Adams-Bashforth in sigma: x + sum_k areas_k d_{now-k}.

    The slopes d = (x - D) / sigma are written out.
    """

    def formula(window: Window) -> Weights:
        a = [area / s for area, s in zip(areas(window), window[1:], strict=True)]
        b = [-w for w in a]
        a[0] = 1 + a[0]
        return a, b

    return formula


def _constant_step_areas(window: Window) -> list[np.ndarray]:
    """The textbook coefficients for equal steps, whatever the steps are (iPNDM, arXiv 2204.13902)."""
    textbook = (
        (1.0,),
        (3 / 2, -1 / 2),
        (23 / 12, -16 / 12, 5 / 12),
        (55 / 24, -59 / 24, 37 / 24, -9 / 24),
    )
    step = window[0] - window[1]
    order = len(window) - 1
    return [step * c for c in textbook[order - 1]]


def _polynomial_areas(
    clock: Callable[[np.ndarray], np.ndarray], points: int
) -> Callable[[Window], list[np.ndarray]]:
    """Integrals over sigma, from s_now to s_next, of the Lagrange polynomials in clock(sigma).

    The polynomials go through the sigmas seen. By Gauss-Legendre quadrature: exact for `clock` =
    sigma when 2 * points >= the order.
    """
    nodes, shares = np.polynomial.legendre.leggauss(points)

    def areas(window: Window) -> list[np.ndarray]:
        s_next, s_now = window[:2]
        half = (s_next - s_now) / 2
        times = [clock(s) for s in window[1:]]
        sums = [np.zeros_like(half) for _ in times]
        for node, share in zip(nodes, shares, strict=True):
            at = clock(s_now + half * (1 + node))
            for j, total in enumerate(sums):
                total += share * lagrange(at, times, j)
        return [half * total for total in sums]

    return areas


def lagrange(at: np.ndarray, times: list[np.ndarray], j: int) -> np.ndarray:
    """The Lagrange polynomial that is 1 at times[j] and 0 at the other times."""
    value = np.ones_like(at)
    for k, time in enumerate(times):
        if k != j:
            value = value * (at - time) / (times[j] - time)
    return value


# DEIS's clock: the time t of a variance-preserving SDE, log(1 + sigma^2) = RISE t^2 / 2 + LOW t,
# over sigmas 0.002 to 80. The constants are those of the stock implementation, which finds them in
# float32.
_LOW, _RISE = -0.004715818328307364, 17.537850650940623
_STOCK_POINTS = 10_000


def _vp_rate(sigma: np.ndarray) -> np.ndarray:
    """d log(1 + sigma^2) / dt."""
    return np.sqrt(_LOW**2 + 2 * _RISE * np.log1p(sigma**2))


def _vp_time(sigma: np.ndarray) -> np.ndarray:
    return (_vp_rate(sigma) - _LOW) / _RISE


_vp_areas = _polynomial_areas(_vp_time, points=8)


def _deis_areas(window: Window) -> list[np.ndarray]:
    """tAB-DEIS (arXiv 2204.13902): polynomials in the clock's time, integrated over sigma.

    Stock sums 10,000 points of d sigma/dt L_j(t), both ends included, each for a 10,000th of the
    interval: about 1e-5 off, which is brought in here.
    """
    areas = _vp_areas(window)
    if len(areas) == 1:
        return areas  # stock's first step is a plain Euler step
    t_next, *times = (_vp_time(s) for s in window)
    at_next, at_now = (_vp_rate(s) * (1 + s**2) / (2 * s) for s in window[:2])  # d sigma / dt
    # A sum of n points over both ends is, to first order in 1 / n, the integral A plus
    # ((t_next - t_now) (f(t_next) + f(t_now)) / 2 - A) / n, with f = d sigma/dt L_j.
    ends = [at_next * lagrange(t_next, times, j) + at_now * (j == 0) for j in range(len(areas))]
    return [
        area + ((t_next - times[0]) * end / 2 - area) / _STOCK_POINTS
        for area, end in zip(areas, ends, strict=True)
    ]


def _half_step(h: np.ndarray) -> np.ndarray:
    """DPM-Solver++(2M), arXiv 2211.01095: the slope of D taken at the middle of the step."""
    return -np.expm1(-h) * h / 2


def _exact_slope(h: np.ndarray) -> np.ndarray:
    """RES multistep, arXiv 2308.02157: D linear in lambda, integrated exactly."""
    return np.expm1(-h) + h


_RULES = (
    LinearRule("euler", 1, 1, _euler),
    LinearRule("dpmpp_2m", 2, 1, _second_order(_half_step)),
    LinearRule("res_multistep", 2, 1, _second_order(_exact_slope)),
    LinearRule("lms", 4, 4, _adams(_polynomial_areas(lambda sigma: sigma, points=2))),
    LinearRule("ipndm", 4, 4, _adams(_constant_step_areas)),
    LinearRule("deis", 3, 3, _adams(_deis_areas)),
)
LINEAR = {rule.name: rule for rule in _RULES}
