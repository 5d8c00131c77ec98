"""The noise that a model knows: which process, and from which sigma to which."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoiseRange:
    """process: "flow" (x = (1 - s) x0 + s n) or "ve" (x = x0 + s n). Between sigma_min and sigma_max
    the model may be asked."""

    process: str
    sigma_min: float
    sigma_max: float
    noise_scale: float = 1.0  # standard deviation of the noise at sigma 1
