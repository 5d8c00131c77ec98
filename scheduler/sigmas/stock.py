"""ComfyUI's stock schedules for any noise table, the evidence's baselines, the teacher's grid.

All in float64 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..denoiser import half_log_snr, sigma_at
from ..errors import SigmaRangeError, UnknownNameError
from .noise_table import NoiseTable, check_range
from .published import MOST_PUBLISHED, published_for, published_schedule
from .validity import check_schedule, check_steps, strictly_decreasing

# Where a flow grid's even spacing begins: nearer to pure noise predictions hardly change, and nodes
# there are missed further down.
FLOW_CEILING = 0.995
# Below this ComfyUI takes a table's own end for zero and adds none.
_ZERO = 1e-5


def stock_schedule(name: str, table: NoiseTable, steps: int) -> np.ndarray:
    """One of ComfyUI's stock schedules (STOCK) for a noise table: (steps+1,) float64, always valid.

    As ComfyUI makes it wherever that has `steps` steps and strictly decreases; so `ddim_uniform`
    starts below sigma_max, as there. Else repaired: kl_optimal's NaN at one step is sigma_max;
    sigmas that `simple`, `beta` and others repeat (or drop) where the table runs out of levels are
    spread in log sigma; ddim_uniform, where it would have another number of steps, gets `steps`
    levels evenly spaced over the part of the table that it covers. Raises UnknownNameError and
    StepsError.
    """
    if name not in _MAKERS:
        raise UnknownNameError(
            f"Stock schedule {name!r} is unknown; use one of: {', '.join(STOCK)}."
        )
    steps = check_steps(steps)
    positive = _MAKERS[name](table, steps)
    for end in (table.sigma_min, table.sigma_max):  # made free of rounding
        positive[np.abs(positive - end) <= 1e-9 * end] = end
    return strictly_decreasing(np.append(positive, 0.0))


def baselines(
    table: NoiseTable, steps: int, sigma_min: float | None = None, sigma_max: float | None = None
) -> dict[str, np.ndarray]:
    """Every schedule that the evidence compares with: name -> (steps+1,) float64.

    All stock ones and the published ones that belong to the table, clipped into [sigma_min,
    sigma_max], ties that this makes spread. The range is the table's; give the denoiser's own where
    it is narrower. Raises SigmaRangeError and StepsError.
    """
    low = sigma_min or table.sigma_min
    high = sigma_max or table.sigma_max
    check_range(low, high, table.process)
    found = {name: stock_schedule(name, table, steps) for name in STOCK}
    found |= {name: published_schedule(name, steps) for name in published_for(table)}
    return {name: _clipped(sigmas, low, high) for name, sigmas in found.items()}


MOST_LONGER = 4  # times as many steps: how far a schedule is lengthened to find a tail


def tails(
    table: NoiseTable, steps: int, start: float, sigma_min: float | None = None
) -> dict[str, np.ndarray]:
    """Every stock schedule for a run that begins below the table's top (denoise < 1): name ->
    (steps + 1,) float64 from exactly `start`.

    As hosts make them: the last `steps` steps of a longer schedule, of that length whose tail
    begins nearest to `start`. Raises SigmaRangeError and StepsError.
    """
    low = sigma_min or table.sigma_min
    check_range(low, start, table.process)
    found = {}
    for name in STOCK:
        longer = (stock_schedule(name, table, n) for n in _lengths(steps))
        ends = [sigmas[-steps - 1 :] for sigmas in longer]
        best = min(ends, key=lambda each: abs(np.log(each[0] / start)))
        best[0] = start
        found[name] = _clipped(best, low, start)
    return found


def _lengths(steps: int) -> list[int]:
    return sorted({steps + round(k * steps / 8) for k in range(8 * (MOST_LONGER - 1) + 1)})


def log_snr_grid(sigma_min: float, sigma_max: float, nodes: int, process: str) -> np.ndarray:
    """The teacher's grid: `nodes` sigmas uniform in half-log-SNR, then 0.

    (nodes+1,) float64, from sigma_max to sigma_min. At a flow's sigma 1 the log-SNR has no bottom,
    so flow grids are uniform from min(sigma_max, FLOW_CEILING) down, and then their first sigma is
    put back to sigma_max: the first interval is wider, the others equal. Raises SigmaRangeError and
    StepsError.
    """
    check_range(sigma_min, sigma_max, process)
    nodes = check_steps(nodes)
    ceiling = min(sigma_max, FLOW_CEILING) if process == "flow" else sigma_max
    if sigma_min >= ceiling:
        raise SigmaRangeError(
            f"sigma_min is {sigma_min:.6g}; a grid for a flow model needs it below {ceiling:.6g}."
        )
    top, bottom = half_log_snr([ceiling, sigma_min], process)
    grid = np.append(sigma_at(np.linspace(top, bottom, nodes), process), 0.0)
    grid[-2] = sigma_min  # exactly, free of rounding
    grid[0] = sigma_max
    return check_schedule(grid)


def _clipped(sigmas: np.ndarray, low: float, high: float) -> np.ndarray:
    positive = np.clip(sigmas[:-1], low, high)
    # Equal as `strictly_decreasing` has it: where hosts keep them, in float32.
    if len(positive) > 1 and np.float32(positive[0]) == np.float32(positive[-1]):
        # All of it lies on one side of the range: take the whole range.
        positive[[0, -1]] = high, low
    return strictly_decreasing(np.append(positive, 0.0))


# Each maker below gives the `steps` positive sigmas of ComfyUI's schedule of that name, ties and all.


def _simple(table: NoiseTable, steps: int) -> np.ndarray:
    stride = len(table.sigmas) / steps
    return table.sigmas[[-1 - int(i * stride) for i in range(steps)]]


def _normal(table: NoiseTable, steps: int) -> np.ndarray:
    first = table.timestep(table.sigma_max)
    last = table.timestep(table.sigma_min)
    count = steps + 1 if table.sigma(last) < _ZERO else steps
    return table.sigma(np.linspace(first, last, count))[:steps]


def _sgm_uniform(table: NoiseTable, steps: int) -> np.ndarray:
    first = table.timestep(table.sigma_max)
    last = table.timestep(table.sigma_min)
    return table.sigma(np.linspace(first, last, steps + 1)[:-1])


def _ddim_uniform(table: NoiseTable, steps: int) -> np.ndarray:
    zero_ended = table.sigmas[1] < _ZERO
    stride = max(len(table.sigmas) // (steps + zero_ended), 1)
    indices = np.arange(1, len(table.sigmas), stride)[::-1]
    indices = indices[:-1] if zero_ended and len(indices) > 1 else indices
    if len(indices) != steps:
        indices = np.linspace(indices[0], indices[-1] if len(indices) > 1 else 0, steps)
    return np.exp(np.interp(indices, np.arange(len(table.sigmas)), np.log(table.sigmas)))


def _beta(table: NoiseTable, steps: int) -> np.ndarray:
    """Quantiles of Beta(0.6, 0.6) along the table (arXiv 2407.12173)."""
    quantiles = _beta_quantiles(1 - np.linspace(0, 1, steps, endpoint=False))
    return table.sigmas[np.rint(quantiles * (len(table.sigmas) - 1)).astype(int)]


def _beta_quantiles(shares: np.ndarray, a: float = 0.6) -> np.ndarray:
    """Where Beta(a, a) has these shares of its mass to the left: (n,) -> (n,), to 1e-15.

    Written out so as not to need scipy. Up to 1/2 by Newton's method on the series of the
    incomplete beta function (DLMF 8.17.7), in u = x^a, where it is nearly linear; by symmetry
    beyond.
    """
    # B(x; a, a) = x^a sum_n (1 - a)_n / n! x^n / (a + n)
    k = np.arange(1, 60)
    series = np.append(1, np.cumprod(1 - a / k)) / (a + np.append(0, k))

    def mass(u: np.ndarray | float) -> np.ndarray:
        return u * np.polynomial.polynomial.polyval(u ** (1 / a), series)

    tails = np.minimum(shares, 1 - shares)
    targets = 2 * tails * mass(0.5**a)  # half of the whole mass lies below 1/2
    u = a * targets
    for _ in range(8):  # d mass / du = (1 - x)^(a - 1) / a
        u = u - (mass(u) - targets) * a * (1 - u ** (1 / a)) ** (1 - a)
    x = np.where(tails == 0.5, 0.5, u ** (1 / a))
    return np.where(shares <= 0.5, x, 1 - x)


def _linear_quadratic(table: NoiseTable, steps: int) -> np.ndarray:
    """Genmo Mochi's: half of the steps go linearly to 0.025 below the top.

    The rest goes along a parabola that joins without a kink.
    """
    threshold = 0.025
    linear = max(steps // 2, 1)
    quadratic = steps - linear
    i = np.arange(steps)
    slope = threshold / linear
    # drop(i) = slope i + bend (i - linear)^2 beyond the joint, with drop(steps) = 1
    bend = (1 - slope * steps) / max(quadratic, 1) ** 2
    drop = slope * i + bend * np.maximum(i - linear, 0) ** 2
    return table.sigma_max * (1 - drop)


def _from_range(
    ramp: Callable[[float, float, np.ndarray], np.ndarray],
) -> Callable[[NoiseTable, int], np.ndarray]:
    """A maker that knows only the range: ramp(sigma_min, sigma_max, u) with u from 0 to 1."""
    return lambda table, steps: ramp(table.sigma_min, table.sigma_max, np.linspace(0, 1, steps))


def _karras(low: float, high: float, u: np.ndarray) -> np.ndarray:
    """Evenly spaced in sigma^(1/7) (arXiv 2206.00364, equation 5)."""
    return (high ** (1 / 7) + u * (low ** (1 / 7) - high ** (1 / 7))) ** 7


def _exponential(low: float, high: float, u: np.ndarray) -> np.ndarray:
    """Evenly spaced in log sigma."""
    return high * (low / high) ** u


def _kl_optimal(low: float, high: float, u: np.ndarray) -> np.ndarray:
    """Evenly spaced in arctan sigma (AYS, arXiv 2404.14507, appendix)."""
    return np.tan(u * np.arctan(low) + (1 - u) * np.arctan(high))


_MAKERS: dict[str, Callable[[NoiseTable, int], np.ndarray]] = {
    "simple": _simple,
    "sgm_uniform": _sgm_uniform,
    "karras": _from_range(_karras),
    "exponential": _from_range(_exponential),
    "ddim_uniform": _ddim_uniform,
    "beta": _beta,
    "normal": _normal,
    "linear_quadratic": _linear_quadratic,
    "kl_optimal": _from_range(_kl_optimal),
}
STOCK = tuple(_MAKERS)
MOST_BASELINES = len(STOCK) + MOST_PUBLISHED
