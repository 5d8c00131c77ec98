"""Sigmas as the decimals that ComfyUI's ManualSigmas node reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..errors import ScheduleError


def baked(sigmas: Sequence[float]) -> str:
    """Decimals separated by ", ": no exponents, which ManualSigmas would misread, and strictly
    decreasing in float32, as it reads them.

    Seven significant digits, or more where neighbours need them. Raises ScheduleError when float32
    cannot tell two sigmas apart.
    """
    for digits in range(7, 18):
        words = [_decimal(sigma, digits) for sigma in sigmas]
        read = np.array([float(word) for word in words], dtype=np.float32)
        if all(following < now for now, following in pairwise(read.tolist())):
            return ", ".join(words)
    raise ScheduleError(
        "Two sigmas of this recipe are the same number in float32, so no host can run it; "
        "ask for fewer steps."
    )


def _decimal(sigma: float, digits: int) -> str:
    if sigma == 0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(sigma)), 0)
    text = f"{sigma:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
