"""The two models of one run, and where the first hands over to the second."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import ScalarDenoiser, start_state
from ..errors import SigmaRangeError, UnknownNameError
from ..samplers.multistep import LINEAR
from ..samplers.stock import sample_linear
from ..sigmas.noise_table import NoiseTable

# What is published. Wan 2.2: the high-noise model answers above this sigma (Wan-AI's configs,
# wan_t2v_A14B and wan_i2v_A14B: boundary). SDXL: the refiner was trained on the last 200 of 1,000
# timesteps (Podell et al., arXiv 2307.01952, section 2.5).
PUBLISHED = {"wan2.2-t2v": 0.875, "wan2.2-i2v": 0.900, "sdxl-refiner": 0.2}
SAMPLERS = tuple(LINEAR)  # each half begins with a history of its own


@dataclass(frozen=True)
class Halves:
    """first answers above `hand_over` (a sigma), second from there on. process: "flow" or "ve"."""

    first: ScalarDenoiser
    second: ScalarDenoiser
    process: str

    def run(self, noise: torch.Tensor, plan: Joint, sampler: str) -> torch.Tensor:
        """What a host draws: two sampling runs, the second with a history of its own.

        noise: (B, ...), unit Gaussian. Returns the clean latents, of the same shape.
        """
        if sampler not in SAMPLERS:
            known = ", ".join(SAMPLERS)
            raise UnknownNameError(f"Pairs run with one of: {known}; not with {sampler!r}.")
        rule, step = LINEAR[sampler], plan.step
        x = start_state(noise, float(plan.sigmas[0]), self.process)
        x = sample_linear(self.first, x, plan.sigmas[: step + 1], None, rule)
        return sample_linear(self.second, x, plan.sigmas[step:], None, rule)


@dataclass(frozen=True)
class Joint:
    """One schedule over both: sigmas (N + 1,), of which the first model runs `step` steps."""

    sigmas: np.ndarray
    step: int

    @property
    def hand_over(self) -> float:
        return float(self.sigmas[self.step])


def hand_over_sigma(given: float | str, table: NoiseTable) -> float:
    """The sigma of a hand-over: a sigma of the model's range, or a name of PUBLISHED.

    A published number is a sigma for flow models and the share of the timesteps that is left for
    the others, as each family states its own. Raises UnknownNameError and SigmaRangeError.
    """
    if isinstance(given, str):
        if given not in PUBLISHED:
            known = ", ".join(PUBLISHED)
            raise UnknownNameError(
                f"No hand-over is published under {given!r}; give a sigma, or one of: {known}."
            )
        given = as_stated(PUBLISHED[given], table)
    low, high = table.sigma_min, table.sigma_max
    if not (math.isfinite(given) and low < given < high):
        raise SigmaRangeError(
            f"The models cannot meet at sigma {given:.6g}; give one between {low:.6g} and {high:.6g}."
        )
    return float(given)


def as_stated(number: float, table: NoiseTable) -> float:
    """The sigma of a hand-over as its family states it: flow models as a sigma, the others as the
    share of the timesteps that is left (up to 1)."""
    if table.process == "flow" or number > 1:
        return float(number)
    return table.percent_to_sigma(1 - number)


def split_of(sigmas: np.ndarray, hand_over: float) -> Joint:
    """A stock schedule as users split it: the first model runs every step that begins above the
    hand-over, and each half has a step at least."""
    above = int((np.asarray(sigmas[:-1]) > hand_over).sum())
    return Joint(np.asarray(sigmas, dtype=np.float64), min(max(above, 1), len(sigmas) - 2))
