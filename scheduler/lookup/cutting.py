"""Schedules for hosts that run only a part of what they ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST_STEP = 1e-4  # of log sigma, between sigmas that never run


def filled(sigmas: Sequence[float], asked: int, drops: bool, sigma_max: float) -> list[float]:
    """`asked` + 1 strictly decreasing sigmas that become `sigmas` when the host has cut them.

    drops: it leaves out the last one above 0. What is missing then stands before, evenly in log
    sigma from sigma_max down to the first, and never runs; where there is no room it stands above.
    """
    found = [float(sigma) for sigma in sigmas]
    if drops:
        found.insert(-1, found[-2] / 2)
    missing = asked + 1 - len(found)
    if missing <= 0:
        return found
    step = math.log(sigma_max / found[0]) / missing
    if step < LEAST_STEP:
        return [*(found[0] * math.exp(LEAST_STEP * k) for k in range(missing, 0, -1)), *found]
    return [*(sigma_max * math.exp(-step * k) for k in range(missing)), *found]
