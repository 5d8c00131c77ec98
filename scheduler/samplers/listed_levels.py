"""The schedule as a model must see it that looks its step up by the noise level it is asked at.

Context windows, scheduled hooks and mean-flow models look for their sigma in the run's list of sigmas
and read on from there. A query with an offset asks at a level that is not in the list, so the list has
it in the place of its step's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .query_offsets import asked_sigma

FOUND_WITHIN = 2e-4  # relative: hosts take a level for a step's up to 1e-4
APART = 1e-3  # relative: how far another step's level is moved that would be taken for it


def listed_levels(
    sigmas: Sequence[float], offsets: Sequence[float] | None, process: str
) -> list[tuple[float, list[float]]]:
    """For each step (the level that the model is asked at, the N+1 levels to look it up in).

    Only the step's own entry differs from sigmas, and one so near to the asked level that it would be
    found in its stead.
    """
    shifts = offsets or [0.0] * (len(sigmas) - 1)
    asked = [asked_sigma(own, by, process) for own, by in zip(sigmas, shifts, strict=False)]
    return [(level, _listed(sigmas, k, level)) for k, level in enumerate(asked)]


def levels_for(
    listed: Sequence[tuple[float, list[float]]], sigma: float, tolerance: float
) -> list[float] | None:
    """The levels of the step that is asked at a sigma, or None where no step is. tolerance:
    relative."""
    if not listed or sigma <= 0:
        return None
    asked, levels = min(listed, key=lambda each: abs(each[0] - sigma))
    return levels if math.isclose(asked, sigma, rel_tol=tolerance) else None


def _listed(sigmas: Sequence[float], step: int, asked: float) -> list[float]:
    levels = [
        _kept_apart(level, asked, above=k < step) if k != step else asked
        for k, level in enumerate(sigmas)
    ]
    return levels


def _kept_apart(level: float, asked: float, above: bool) -> float:
    if not math.isclose(level, asked, rel_tol=FOUND_WITHIN):
        return level
    return asked * (1 + APART if above else 1 - APART)
