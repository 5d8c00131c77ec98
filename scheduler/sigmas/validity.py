"""What makes a schedule valid: N+1 finite sigmas, strictly decreasing, ending in exactly 0."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
import torch

from ..errors import ScheduleError, SigmaRangeError, StepsError

Floats = Sequence[float] | np.ndarray  # numbers as a caller may hold them
Sigmas = Floats | torch.Tensor


def check_steps(steps: int, least: int = 1) -> int:
    """`steps` as a Python int; raises StepsError unless it is a whole number of at least `least`."""
    try:
        steps = operator.index(steps)
    except TypeError:
        raise StepsError(
            f"The number of steps is {steps!r}; it must be a whole number of at least {least}."
        ) from None
    if steps < least:
        raise StepsError(f"The number of steps is {steps}; it must be at least {least}.")
    return steps


def check_schedule(sigmas: Sigmas) -> np.ndarray:
    """A float64 copy, shape (N+1,), of a valid schedule; raises ScheduleError for any other."""
    array = _as_float64(sigmas)
    if array.ndim != 1 or len(array) < 2:
        raise ScheduleError(
            f"A schedule of shape {array.shape} was given; "
            "it must be one list of at least two sigmas."
        )
    if not np.isfinite(array).all():
        raise ScheduleError(
            "The schedule holds NaN or infinite sigmas; every sigma must be a finite number."
        )
    if array[-1] != 0:
        raise ScheduleError(
            f"The schedule ends in {array[-1]:.6g}; its last sigma must be exactly 0."
        )
    rises = np.flatnonzero(np.diff(array) >= 0)
    if len(rises):
        i = int(rises[0])
        raise ScheduleError(
            f"Sigmas must strictly decrease; number {i + 1} ({array[i + 1]:.6g}) "
            f"is not below number {i} ({array[i]:.6g})."
        )
    return array


def strictly_decreasing(sigmas: Sigmas) -> np.ndarray:
    """The schedule with its ties spread.

    It keeps its length, its first and last positive sigma, and its 0 at the end. sigmas: (N+1,),
    positive but for the last. The first sigma of each run of equal ones stays where
    it is (in the last run the last one); the others move, evenly in log sigma, towards the next
    that stays. A sigma above an earlier one counts as equal to that. Raises ScheduleError when
    there is no room: all positive sigmas are equal, not positive or not finite.
    """
    array = _as_float64(sigmas)
    positive = np.minimum.accumulate(array[:-1])
    if len(positive) == 0 or not (np.isfinite(positive).all() and positive[-1] > 0):
        raise ScheduleError(
            "The schedule's sigmas before the last must be positive, finite numbers."
        )
    # Equal where hosts keep them, in float32, is equal here.
    fixed = np.r_[0, 1 + np.flatnonzero(np.diff(positive.astype(np.float32)))]
    if len(fixed) == 1 < len(positive):
        raise ScheduleError(
            f"All sigmas before the last are {positive[0]:.6g}; "
            "at least two must differ for the others to be spread."
        )
    fixed[-1] = len(positive) - 1
    tied = np.ones(len(positive), dtype=bool)
    tied[fixed] = False
    if tied.any():
        places = np.flatnonzero(tied)
        positive[tied] = np.exp(np.interp(places, fixed, np.log(positive[fixed])))
    return check_schedule(np.append(positive, 0.0))


def truncate(sigmas: Sigmas, start_sigma: float) -> np.ndarray:
    """The part of a schedule from one noise level down.

    Returns `start_sigma`, then every sigma clearly below it (by more than 1e-6 of it): (M+1,) with
    M <= N. Raises SigmaRangeError unless 0 < start_sigma <= the schedule's first sigma.
    """
    array = check_schedule(sigmas)
    if not 0 < start_sigma <= array[0] * (1 + 1e-6):
        raise SigmaRangeError(
            f"The start sigma is {start_sigma:.6g}; "
            f"it must lie above 0 and not above the first sigma {array[0]:.6g}."
        )
    return np.append(float(start_sigma), array[array < start_sigma * (1 - 1e-6)])


def _as_float64(sigmas: Sigmas) -> np.ndarray:
    if isinstance(sigmas, np.ndarray) and sigmas.dtype == np.float64:
        return sigmas.copy()
    try:
        return torch.as_tensor(sigmas, dtype=torch.float64, device="cpu").detach().clone().numpy()
    except (TypeError, ValueError, RuntimeError):
        raise ScheduleError(
            f"A {type(sigmas).__name__} was given as a schedule; "
            "it must be a list, array or tensor of numbers."
        ) from None
