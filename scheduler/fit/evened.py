"""Schedules whose steps don't differ too much: uni_pc and dpmpp_2m explode on uneven ones."""

from __future__ import annotations

import numpy as np

CAP = 3.0  # neighbouring steps in log sigma differ by this factor at most


def evened(sigmas: np.ndarray, cap: float = CAP) -> np.ndarray:
    """(N + 1,): the schedule with the same ends whose neighbouring steps differ by a factor `cap`
    at most in log sigma: the long ones cut, then all stretched alike."""
    gaps = -np.diff(np.log(sigmas[:-1]))
    if len(gaps) < 2:
        return sigmas
    places = np.arange(len(gaps))
    cut = (gaps * cap ** np.abs(places[:, None] - places)).min(axis=1)
    gaps = cut * gaps.sum() / cut.sum()
    return np.concatenate([sigmas[:1], sigmas[0] * np.exp(-np.cumsum(gaps)), sigmas[-1:]])
