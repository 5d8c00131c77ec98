"""A model's own noise levels: its discrete sigma table and its clock.

As ComfyUI's ModelSampling classes define them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..denoiser import check_process
from ..errors import SigmaRangeError

SD_RANGE = (0.029167158, 14.614641)

OneOrMany = float | np.ndarray  # a number, or an array of them that is treated alike


def check_range(sigma_min: float, sigma_max: float, process: str) -> None:
    """Raise SigmaRangeError unless 0 < sigma_min < sigma_max, both finite (for flow: at most 1)."""
    check_process(process)
    if not (0 < sigma_min < sigma_max < math.inf):
        raise SigmaRangeError(
            f"The range between sigma_min {sigma_min:.6g} and sigma_max {sigma_max:.6g} "
            "is not usable; 0 < sigma_min < sigma_max must hold, both finite."
        )
    if process == "flow" and sigma_max > 1:
        raise SigmaRangeError(
            f"sigma_max is {sigma_max:.6g} but flow sigmas end at 1; "
            "pass sigma_max <= 1 or the process 've'."
        )


@dataclass(frozen=True, eq=False)
class NoiseTable:
    """A discrete noise table whose clock is the index into it (ComfyUI's ModelSamplingDiscrete).

    sigmas: (L,) float64, ascending, positive. process: "ve" or "flow". shift: a flow's time
    shift, else None. Raises SigmaRangeError for a table that is not ascending or outside the
    process's range.
    """

    sigmas: np.ndarray
    process: str = "ve"
    shift: float | None = None

    def __post_init__(self):
        sigmas = np.array(self.sigmas, dtype=np.float64)
        if sigmas.ndim != 1 or len(sigmas) < 2 or not (np.diff(sigmas) > 0).all():
            raise SigmaRangeError(
                "A noise table must be one strictly ascending list of at least two sigmas."
            )
        sigmas.flags.writeable = False
        object.__setattr__(self, "sigmas", sigmas)
        check_range(self.sigma_min, self.sigma_max, self.process)

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def timestep(self, sigma: OneOrMany) -> np.ndarray:
        """The clock's time of one sigma or of an array of them.

        Here the index of the nearest sigma in log space.
        """
        distance = np.abs(np.log(sigma)[..., None] - np.log(self.sigmas))
        return distance.argmin(axis=-1).astype(np.float64)

    def sigma(self, timestep: OneOrMany) -> np.ndarray:
        """The sigma at one time or at an array of them.

        Here, between table entries, by interpolation in log sigma.
        """
        return np.exp(np.interp(timestep, np.arange(len(self.sigmas)), np.log(self.sigmas)))

    def percent_to_sigma(self, percent: float) -> float:
        """The sigma once `percent` (0 to 1) of the clock has run.

        sigma_max at 0, where ComfyUI's VE tables answer 1e9 ("everything").
        """
        if percent <= 0:
            return self.sigma_max
        if percent >= 1:
            return 0.0
        return float(self._sigma_left(1 - percent))

    def _sigma_left(self, fraction: float) -> OneOrMany:
        return self.sigma(fraction * 999.0)  # ComfyUI's constant, whatever the table's length


@dataclass(frozen=True, eq=False)
class FlowTable(NoiseTable):
    """A rectified flow's table: sigma = shift t / (1 + (shift - 1) t) at time t, 0 to 1.

    As ComfyUI's ModelSamplingDiscreteFlow and -Flux. multiplier: how many timesteps the clock
    counts to: 1000 in SD3's kind, 1 in Flux's.
    """

    shift: float = 1.0
    multiplier: float = 1000.0

    def timestep(self, sigma: OneOrMany) -> np.ndarray:
        # As in the hosts: of the sigma itself, shifted though it is.
        return np.asarray(sigma, dtype=np.float64) * self.multiplier

    def sigma(self, timestep: OneOrMany) -> np.ndarray:
        return _shifted(np.asarray(timestep, dtype=np.float64) / self.multiplier, self.shift)

    def _sigma_left(self, fraction: float) -> OneOrMany:
        return _shifted(fraction, self.shift)


class LogTable(NoiseTable):
    """A continuous VE range, evenly spaced in log sigma (ComfyUI's ModelSamplingContinuousEDM)."""

    def timestep(self, sigma: OneOrMany) -> np.ndarray:
        return 0.25 * np.log(sigma)

    def sigma(self, timestep: OneOrMany) -> np.ndarray:
        return np.exp(4 * np.asarray(timestep, dtype=np.float64))

    def _sigma_left(self, fraction: float) -> OneOrMany:
        return self.sigma_min ** (1 - fraction) * self.sigma_max**fraction


def sd_table() -> NoiseTable:
    """Stable Diffusion's 1000 levels: square roots of beta evenly spaced ("scaled linear").

    beta runs from 0.00085 to 0.012.
    """
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    kept = np.cumprod(1 - betas)
    return NoiseTable(np.sqrt((1 - kept) / kept), "ve")


def flow_table(shift: float = 1.0, timesteps: int = 1000, multiplier: float = 1000.0) -> FlowTable:
    """A flow model's table: the times 1/timesteps ... 1, shifted (SD3: 3, Wan: 8).

    Raises SigmaRangeError unless shift > 0.
    """
    if not 0 < shift < math.inf:
        raise SigmaRangeError(f"The shift is {shift!r}; it must be a positive, finite number.")
    sigmas = _shifted(np.arange(1, timesteps + 1) / timesteps, shift)
    return FlowTable(sigmas, "flow", float(shift), multiplier)


def flux_table(mu: float) -> FlowTable:
    """Flux's table for its mu (1.15 in ComfyUI): the flow table of shift e^mu, in 10,000 levels."""
    return flow_table(math.exp(mu), timesteps=10_000, multiplier=1.0)


def edm_table(sigma_min: float, sigma_max: float) -> NoiseTable:
    """1000 levels evenly spaced in log sigma, as ComfyUI uses for EDM and SVD models."""
    check_range(sigma_min, sigma_max, "ve")
    sigmas = np.geomspace(sigma_min, sigma_max, 1000)
    return LogTable(sigmas, "ve")


def table_for(
    sigma_min: float, sigma_max: float, process: str, shift: float | None = None
) -> NoiseTable:
    """The table that best describes a denoiser of which only the range is known.

    Flow: `flow_table(shift or 1)`. VE: Stable Diffusion's when the range is its to 1 %, else
    `edm_table`. Raises SigmaRangeError.
    """
    check_range(sigma_min, sigma_max, process)
    if process == "flow":
        return flow_table(1.0 if shift is None else shift)
    if near((sigma_min, sigma_max), SD_RANGE):
        return sd_table()
    return edm_table(sigma_min, sigma_max)


def near(values: tuple[float, ...], others: tuple[float, ...]) -> bool:
    """Whether the values equal the others to 1 %."""
    return all(abs(v / o - 1) <= 0.01 for v, o in zip(values, others, strict=True))


def _shifted(t: np.ndarray | float, shift: float) -> np.ndarray:
    return np.minimum(shift * t / (1 + (shift - 1) * t), 1.0)  # rounding may lead an ulp beyond
