"""Schedules that others searched for and published, at any number of steps.

AYS, GITS and OptimalSteps.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import UnknownNameError
from .noise_table import SD_RANGE, NoiseTable, near
from .validity import check_steps

# The range of sigmas that each table was made for.
_ANY_FLOW = None
_MADE_FOR: dict[str, tuple[float, float] | None] = {
    "ays_sd1": SD_RANGE,
    "ays_sdxl": SD_RANGE,
    "gits": SD_RANGE,
    "ays_svd": (0.002, 700.0),
    "optimal_steps_flux": _ANY_FLOW,
    "optimal_steps_wan": _ANY_FLOW,
    "optimal_steps_chroma": _ANY_FLOW,
}
PUBLISHED = tuple(_MADE_FOR)
MOST_PUBLISHED = max(Counter(_MADE_FOR.values()).values())  # that belong to any one model


def published_schedule(name: str, steps: int, coeff: float = 1.2) -> np.ndarray:
    """A published schedule, (steps+1,) float64, as ComfyUI's nodes make it.

    name: one of PUBLISHED. AYS (arXiv 2404.14507) and OptimalSteps (arXiv 2503.21774) are one table
    a model, interpolated in log sigma at other step counts. GITS (arXiv 2405.11326) has one for
    each of 2 to 20 steps and each `coeff` (0.80 to 1.50 in steps of 0.05; the other names ignore
    it); elsewhere its 20-step one is interpolated. They start where their authors did: FLUX's and
    Chroma's a little below 1. Raises UnknownNameError and StepsError.
    """
    steps = check_steps(steps)
    if name not in PUBLISHED:
        raise UnknownNameError(
            f"Published schedule {name!r} is unknown; use one of: {', '.join(PUBLISHED)}."
        )
    levels = _gits_levels(steps, coeff) if name == "gits" else _data()[name]
    # The last level is the authors' sigma_min: interpolation still leads towards it, then 0 takes
    # its place.
    return np.append(_resampled(levels, steps + 1)[:-1], 0.0)


def published_for(table: NoiseTable) -> tuple[str, ...]:
    """Names of the published schedules that were made for this table's range (to 1 %).

    The ranges are any flow's, Stable Diffusion's and SVD's.
    """

    def belongs(made_for: tuple[float, float] | None) -> bool:
        if made_for is _ANY_FLOW:
            return table.process == "flow"
        return table.process != "flow" and near((table.sigma_min, table.sigma_max), made_for)

    return tuple(name for name, made_for in _MADE_FOR.items() if belongs(made_for))


def _gits_levels(steps: int, coeff: float) -> list[float]:
    data = _data()
    rows = data["gits_indices"].get(f"{coeff:.2f}")
    if rows is None:
        known = ", ".join(data["gits_indices"])
        raise UnknownNameError(f"GITS has no table for coefficient {coeff}; use one of: {known}.")
    row = rows[steps - 2] if 2 <= steps <= 20 else rows[-1]
    return [data["gits_grid"][i] for i in row]


def _resampled(levels: list[float], count: int) -> np.ndarray:
    """`count` levels along the same curve of log sigma against position.

    The levels themselves when they are as many.
    """
    if count == len(levels):
        return np.array(levels)
    positions = np.linspace(0, len(levels) - 1, count)
    return np.exp(np.interp(positions, np.arange(len(levels)), np.log(levels)))


@cache
def _data() -> dict:
    return json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
