"""Carries a fitted recipe to another step count: the next fit starts near its end, for one walk
instead of a search."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ..samplers.query_offsets import guessed_offset, usual_offset
from ..sigmas.noise_range import NoiseRange

LEAST_GAP = 0.02  # in log sigma, between carried nodes: a warp never folds


def share_curve(
    noise_range: NoiseRange, sigmas: np.ndarray, offsets: np.ndarray
) -> Callable[[float], float]:
    """sigma -> share of the usual query offset, between the recipe's own steps by log sigma.

    A flow's sigma 1, where no offset is possible, says nothing of what lies below it.
    """
    steps = zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), offsets.tolist(), strict=True)
    points = [
        (math.log(s), offset / usual_offset(s, n, noise_range.sigma_min))
        for s, n, offset in steps
        if noise_range.process == "ve" or s < 1
    ]
    if not points:
        return lambda sigma: 0.0
    places, shares = np.array(points[::-1]).T
    return lambda sigma: float(np.interp(math.log(sigma), places, shares))


def carried_schedule(
    found: np.ndarray, before: np.ndarray, fresh: np.ndarray, sigma_min: float
) -> np.ndarray:
    """`fresh`, the dynamic programme's schedule (N + 1), moved as `found` (M + 1) was moved from
    the programme's `before` (M + 1).

    How far a node was moved is counted in the steps around it, and read at the same fraction of the
    way.
    """
    if len(found) < 3 or len(fresh) < 3:
        return fresh
    moved = (np.log(found[:-1]) - np.log(before[:-1])) / _spacing(before)
    here, there = np.linspace(0, 1, len(fresh) - 1), np.linspace(0, 1, len(found) - 1)
    logs = np.log(fresh[:-1]) + np.interp(here, there, moved) * _spacing(fresh)
    logs[0] = math.log(fresh[0])
    room = LEAST_GAP * np.arange(len(logs))
    inner = np.exp(np.minimum.accumulate(np.maximum(logs, math.log(sigma_min)) + room) - room)[1:]
    if inner[-1] < sigma_min * (1 - 1e-9):  # so many steps that the least gaps leave no room
        return fresh
    return np.concatenate([fresh[:1], inner, [0.0]])


def carried_offsets(
    noise_range: NoiseRange, found: np.ndarray, offsets: np.ndarray, sigmas: np.ndarray
) -> np.ndarray:
    """(N,): the query offsets that `found` has, in shares of the usual ones, on another schedule (N + 1)."""
    share, steps = share_curve(noise_range, found, offsets), pairwise(sigmas.tolist())
    return np.array([guessed_offset(s, s_next, share(s), noise_range) for s, s_next in steps])


def _spacing(sigmas: np.ndarray) -> np.ndarray:
    """(N,): the length in log sigma of the steps around each node but the last 0."""
    return np.abs(np.gradient(np.log(sigmas[:-1])))
