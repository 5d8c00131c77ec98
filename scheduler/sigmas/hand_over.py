"""Two halves of one run, perhaps of two models: the second goes on exactly where the first ended."""

from __future__ import annotations

import math

import numpy as np

from ..errors import SigmaRangeError
from .validity import Sigmas, check_schedule

CLEARLY_ABOVE = 1.01  # in less room than this float32, in which hosts keep sigmas, may merge them


def continued_from(sigmas: Sigmas, handed: float) -> np.ndarray:
    """A second half's own schedule, led on from the sigma at which a latent was handed over.

    sigmas: (N+1,), what the second half would run, whatever record it comes from. handed: the last
    sigma of the first half. Returns (N+1,) float64 whose first sigma is `handed` itself, so that the
    noise in the latent is what the schedule says; the others keep their places in log sigma between
    the start and the last positive sigma, which stays (unless it lies above `handed` or within 1 %
    below: then all are scaled alike). Raises ScheduleError, and SigmaRangeError for a `handed` that
    is not a positive number.
    """
    own = check_schedule(sigmas)
    if not (math.isfinite(handed) and handed > 0):
        raise SigmaRangeError(
            f"A latent was handed over at sigma {handed}; expected a positive number: let the first "
            "half return its leftover noise."
        )
    start, end = own[0], own[-2]
    if own[0] == handed:
        return own
    if end * CLEARLY_ABOVE < handed and end < start:
        share = np.log(own[:-1] / end) / math.log(start / end)
        led = end * (handed / end) ** share
    else:
        led = own[:-1] * (handed / start)
    led[0] = handed
    return check_schedule(np.append(led, 0.0))
