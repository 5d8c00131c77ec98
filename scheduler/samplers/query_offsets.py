"""Query offsets: the model is asked at another noise level than the sampler's own.

One number delta a step. A positive delta asks at more noise. VE: at sigma * exp(delta), with the
same x. Flow: log(s / (1 - s)) is shifted by delta and x rescaled by (1 - s') / (1 - s), so that its
clean part keeps the weight that s' belongs to; at sigma 1 there is nothing to rescale and no
offset. Source: the Timestep Aligner's idea (arXiv 2310.09469).
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..denoiser import AnyDenoiser, Denoiser, ScalarDenoiser, checked
from ..sigmas.noise_range import NoiseRange
from ..sigmas.validity import Floats

GUESS = -0.2
MOST_OFFSET = 1.5
FLOW_TOP = 0.9999
SAME_SIGMA = 1e-4  # relative: hosts hand sigmas over in float32 and through their own tables


def asked_sigma(sigma: float, offset: float, process: str) -> float:
    """The noise level that a query at `sigma` with this offset goes to."""
    if offset == 0 or (process == "flow" and sigma >= 1):
        return sigma
    if process == "flow":
        return 1 / (1 + (1 - sigma) / sigma * math.exp(-offset))
    return sigma * math.exp(offset)


def bounded_offset(sigma: float, offset: float, noise_range: NoiseRange) -> float:
    """The offset cut so that the query stays in the model's range (below 1 for flow).

    And inside MOST_OFFSET.
    """
    flow = noise_range.process == "flow"
    if flow and sigma >= 1:
        return 0.0

    def clock(s: float) -> float:  # what an offset is added to
        return math.log(s / (1 - s)) if flow else math.log(s)

    top = min(noise_range.sigma_max, FLOW_TOP) if flow else noise_range.sigma_max
    down = max(clock(noise_range.sigma_min) - clock(sigma), -MOST_OFFSET)
    up = min(max(clock(top) - clock(sigma), 0.0), MOST_OFFSET)
    return min(max(offset, down), up)


def usual_offset(sigma: float, s_next: float, sigma_min: float) -> float:
    """The guess for a step: GUESS of its length in log sigma.

    The last step counts as going to half an e-fold below sigma_min.
    """
    length = math.log(sigma / s_next) if s_next > 0 else math.log(sigma / sigma_min) + 0.5
    return GUESS * length


def guessed_offset(sigma: float, s_next: float, share: float, noise_range: NoiseRange) -> float:
    """`share` of the usual guess, kept in range."""
    guess = share * usual_offset(sigma, s_next, noise_range.sigma_min)
    return bounded_offset(sigma, guess, noise_range)


def ask(
    model: ScalarDenoiser, x: torch.Tensor, sigma: float, offset: float, process: str
) -> torch.Tensor:
    """D at the shifted noise level, of x's shape: one model call a row."""
    asked = asked_sigma(sigma, offset, process)
    if asked == sigma:
        return model(x, sigma)
    if process == "flow":
        x = x * ((1 - asked) / (1 - sigma))
    return model(x, asked)


def with_offsets(denoise: AnyDenoiser, sigmas: Floats, offsets: Floats, process: str) -> Denoiser:
    """The model as a stock sampler must see it.

    A sigma of the schedule is asked at its own offset, any other sigma untouched.
    """
    model = checked(denoise)
    known = np.asarray(sigmas[:-1], dtype=np.float64)

    def shifted(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        s = float(sigma.flatten()[0])
        if s <= 0:
            return model(x, s)
        nearest = int(np.abs(np.log(known) - math.log(s)).argmin())
        if abs(known[nearest] / s - 1) > SAME_SIGMA:
            return model(x, s)
        return ask(model, x, float(known[nearest]), float(offsets[nearest]), process)

    return shifted
