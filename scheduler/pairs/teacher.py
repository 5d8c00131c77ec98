"""The pair's own many-step run: the first model down to the hand-over, the second from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import half_log_snr, start_state
from ..samplers.adams3 import adams3_rule
from ..samplers.stock import sample_linear
from ..search.gram import Gram, gram_of
from ..sigmas import log_snr_grid
from .halves import Halves

NODES = 24


@dataclass(frozen=True)
class PairTeacher:
    """gram: its inner products, whose node `boundary` is the hand-over. end: (B, ...)."""

    gram: Gram
    boundary: int
    end: torch.Tensor


def grid_through(
    sigma_min: float, sigma_max: float, hand_over: float, process: str, nodes: int = NODES
) -> tuple[np.ndarray, int]:
    """(`nodes` + 1 sigmas ending in 0, even in log SNR, the hand-over being one; its place)."""
    grid = log_snr_grid(sigma_min, sigma_max, nodes, process)
    inner = slice(1, len(grid) - 2)
    apart = np.abs(
        half_log_snr(grid[inner], process) - half_log_snr(np.array([hand_over]), process)
    )
    place = 1 + int(apart.argmin())
    grid[place] = hand_over
    kept = (np.arange(len(grid)) <= place) & (grid >= hand_over)
    kept |= (np.arange(len(grid)) > place) & (grid < hand_over)
    return grid[kept], int(kept[:place].sum())


def pair_teacher(
    halves: Halves, noise: torch.Tensor, grid: np.ndarray, boundary: int
) -> PairTeacher:
    """Record one; noise (B, ...), unit Gaussian. As many model calls a row as the grid has steps."""
    states: list[torch.Tensor] = []
    answers: list[torch.Tensor] = []

    def heard(_: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        states.append(x.flatten(1).float().cpu())
        answers.append(denoised.flatten(1).float().cpu())

    rule = adams3_rule(halves.process)
    x = start_state(noise, float(grid[0]), halves.process)
    x = sample_linear(halves.first, x, grid[: boundary + 1], heard, rule)
    end = sample_linear(halves.second, x, grid[boundary:], heard, rule)
    vectors = torch.stack([*states, end.flatten(1).float().cpu(), *answers])
    return PairTeacher(gram_of(grid, vectors), boundary, end)
