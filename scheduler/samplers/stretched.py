"""A recipe of the distilled sampler from a start near its own: its noise levels pulled apart, or closer
together, evenly in log-SNR down to the last, which stays; coefficients and query offsets as they are.

Measured on both bundled checkpoints (`python -m benchmarks.near_starts`): as good as one fitted from
there for a start as far above its own as denoise .1 is, and little worse for one half as far below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..denoiser import half_log_snr, sigma_at

# In half log-SNR; of the usual models denoise .1 is .33 to .55.
MOST_ABOVE, MOST_BELOW = 0.55, 0.25


def is_near(start: float, own: float, process: str) -> bool:
    """Whether a recipe from its `own` first sigma may serve from `start`, both below a flow's 1."""
    here, there = half_log_snr([start, own], process)
    return -MOST_BELOW <= float(there - here) <= MOST_ABOVE


def stretched(sigmas: Sequence[float], start: float, process: str) -> tuple[float, ...]:
    """The N + 1 sigmas from another start. sigmas: strictly decreasing to 0; start: above the last that is
    not 0, and below a flow's 1. Raises ValueError for one that is not above it."""
    levels = half_log_snr(sigmas[:-1], process)
    if start <= sigmas[-2]:
        raise ValueError(f"{start:g} is not above the last sigma {sigmas[-2]:g}.")
    (first,) = half_log_snr([start], process)
    left = (levels[-1] - levels) / (levels[-1] - levels[0]) if len(levels) > 1 else np.ones(1)
    moved = sigma_at(levels + (first - levels[0]) * left, process)
    return (float(start), *moved[1:].tolist(), 0.0)
