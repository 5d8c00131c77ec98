"""The teacher-only searches of BOSS (arXiv 2312.16414) and GITS (arXiv 2405.11326).

One Euler cost matrix, one recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from ..errors import UnknownNameError
from ..samplers import LINEAR
from .dynamic_programming import solve, step_costs
from .gram import Gram

GITS_COEFF = 1.15


class Trajectory(Protocol):
    """A recorded teacher (`fit.teacher.Teacher`), which may have kept its states."""

    @property
    def sigmas(self) -> np.ndarray: ...
    @property
    def gram(self) -> Gram: ...
    @property
    def states(self) -> Sequence[torch.Tensor] | None: ...
    @property
    def predictions(self) -> Sequence[torch.Tensor] | None: ...


def boss_paths(gram: Gram, most_steps: int) -> list[np.ndarray]:
    """BOSS: squared Euler errors, simply added.

    Returns paths: paths[n - 1] holds n + 1 node numbers, n = 1..most_steps.
    """
    return solve(step_costs(gram, LINEAR["euler"]), most_steps)


def gits_paths(
    teacher: Trajectory | Gram, most_steps: int, coeff: float = GITS_COEFF, norm: str = "l2"
) -> list[np.ndarray]:
    """GITS: L1 or L2 lengths of Euler errors.

    The rest of a path weighs `coeff` times its first step. A teacher that kept its states gives
    each sample's own length, averaged over samples, as the authors do; inner products alone give
    the root of the mean square (L2 only). Raises UnknownNameError for another norm, or for L1
    without states.
    """
    kept = None if isinstance(teacher, Gram) or teacher.states is None else teacher
    if norm not in ("l1", "l2") or (norm == "l1" and kept is None):
        raise UnknownNameError(
            f"GITS cannot use norm {norm!r} here; use 'l2', "
            "or 'l1' with a teacher recorded with keep_states=True."
        )
    if kept is not None:
        return solve(error_lengths(kept, norm), most_steps, coeff=coeff)
    gram = teacher if isinstance(teacher, Gram) else teacher.gram
    return solve(np.sqrt(step_costs(gram, LINEAR["euler"])), most_steps, coeff=coeff)


def error_lengths(teacher: Trajectory, norm: str) -> np.ndarray:
    """(T + 1, T + 1): the Euler error's length for each step i -> j, a mean over samples.

    "l2": root mean square; "l1": mean absolute value; inf where j <= i. The teacher has kept its
    states.
    """
    sigmas, states, predictions = teacher.sigmas, teacher.states, teacher.predictions
    assert states is not None and predictions is not None
    last = len(sigmas) - 1
    lengths = np.full((last + 1, last + 1), np.inf)
    for i in range(last):
        x = states[i].double()
        denoised = predictions[i].double()
        for j in range(i + 1, last + 1):
            error = denoised + (sigmas[j] / sigmas[i]) * (x - denoised) - states[j]
            lengths[i, j] = _length(error.flatten(1), norm)
    return lengths


def _length(error: torch.Tensor, norm: str) -> float:
    if norm == "l1":
        return float(error.abs().mean(dim=1).mean())
    return float(error.square().mean(dim=1).sqrt().mean())
