"""The teacher-only searches of BOSS (arXiv 2312.16414) and GITS (arXiv 2405.11326): one Euler cost
matrix, one recursion."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import UnknownNameError
from ..fit.teacher import Teacher
from ..samplers import LINEAR
from .dynamic_programming import solve, step_costs
from .gram import Gram

GITS_COEFF = 1.15


def boss_paths(gram: Gram, most_steps: int) -> list[np.ndarray]:
    """BOSS: squared Euler errors, simply added. paths[n - 1] holds n + 1 node numbers, n = 1..most_steps."""
    return solve(step_costs(gram, LINEAR["euler"]), most_steps)


def gits_paths(
    teacher: Teacher | Gram, most_steps: int, coeff: float = GITS_COEFF, norm: str = "l2"
) -> list[np.ndarray]:
    """GITS: L1 or L2 lengths of Euler errors, the rest of a path weighing `coeff` times its first
    step.

    A teacher that kept its states gives each sample's own length, averaged over samples, as the
    authors do; inner products alone give the root of the mean square (L2 only). Raises
    UnknownNameError for another norm, or for L1 without states.
    """
    states = getattr(teacher, "states", None)
    if norm not in ("l1", "l2") or (norm == "l1" and states is None):
        raise UnknownNameError(
            f"GITS cannot use norm {norm!r} here; use 'l2', or 'l1' with a teacher recorded with keep_states=True."
        )
    if states is not None:
        return solve(error_lengths(teacher, norm), most_steps, coeff=coeff)
    gram = teacher.gram if isinstance(teacher, Teacher) else teacher
    return solve(np.sqrt(step_costs(gram, LINEAR["euler"])), most_steps, coeff=coeff)


def error_lengths(teacher: Teacher, norm: str) -> np.ndarray:
    """(T + 1, T + 1): mean over samples of the Euler error's root mean square ("l2") or mean
    absolute value ("l1"); inf where j <= i."""
    sigmas, last = teacher.sigmas, len(teacher.sigmas) - 1
    lengths = np.full((last + 1, last + 1), np.inf)
    for i in range(last):
        x, denoised = teacher.states[i].double(), teacher.predictions[i].double()
        for j in range(i + 1, last + 1):
            error = denoised + (sigmas[j] / sigmas[i]) * (x - denoised) - teacher.states[j]
            lengths[i, j] = _length(error.flatten(1), norm)
    return lengths


def _length(error: torch.Tensor, norm: str) -> float:
    rows = error.abs().mean(dim=1) if norm == "l1" else error.square().mean(dim=1).sqrt()
    return float(rows.mean())
