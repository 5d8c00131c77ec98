"""OSS, the search of Pei, Hu and Gu (arXiv 2503.21774), as its authors run it: the reference mode.

For each number of steps and each grid point the model is evaluated at the *student's* state there,
and every later point keeps the predecessor whose Euler state lies nearest to the teacher's. A row
begins as a copy of the row before, predecessors included, which is why a path found by tracing back
may not be the one that its value belongs to; reproduced here on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import Checked, Denoiser, checked, start_state
from ..errors import ScheduleError, StepsError

BLOCK = 1 << 22  # elements of Euler states formed at a time


@dataclass(frozen=True)
class OssSearch:
    """What one search found.

    grid: (N + 1,) ascending from 0. predecessors: (K, N + 1, B) grid indices, row k for k + 1
    steps. model_calls: what the search cost, the teacher's N calls a sample included. teacher: (N +
    1, B, ...), the Euler teacher's states at the grid points.
    """

    grid: np.ndarray
    predecessors: np.ndarray
    model_calls: int
    teacher: torch.Tensor

    def schedules(self, steps: int | None = None) -> list[list[int]]:
        """For each sample the grid indices from the last step's start up to the first's, for
        `steps` <= K (default K).

        Surplus steps repeat the top index. Rows depend on earlier ones only: these are the authors'
        answers for `steps` too.
        """
        rows, node = (
            self.predecessors[: steps or len(self.predecessors)],
            np.zeros(self.predecessors.shape[2], dtype=np.int64),
        )
        trace = [node := row[node, np.arange(len(node))] for row in rows[::-1]]
        return np.stack(trace, axis=1).tolist()


def oss_schedules(
    denoise: Denoiser,
    noise: torch.Tensor,
    grid,
    steps: int,
    parametrisation: str = "flow",
    free_start: bool = True,
    **options,
) -> list[list[int]]:
    """The paper's schedules, one per sample, as grid indices in the authors' own form; arguments,
    options, errors: see `oss_search`."""
    return oss_search(
        denoise, noise, grid, steps, parametrisation, free_start, **options
    ).schedules()


def oss_search(
    denoise: Denoiser,
    noise: torch.Tensor,
    grid,
    steps: int,
    parametrisation: str = "flow",
    free_start: bool = True,
    shared: bool = False,
    channels: int | None = None,
    frames: int | None = None,
    on_call: Callable[[int], None] | None = None,
) -> OssSearch:
    """Run the search for unit Gaussian `noise` (B, ...) on `grid` (N + 1 sigmas ascending from 0 to
    sigma_max).

    It spends N + steps * N model calls a sample (pinned: N * steps + 1), always for the whole batch
    at once. free_start: the first step may start below the top from pure noise (for "ve" scaled to
    that sigma, as a host would); False pins it at the top. shared: one path for the batch, by mean
    cost. channels, frames: compare only the first `channels` of dimension 1, and `frames` evenly
    spaced ones of dimension 2 (video latents). on_call hears the model calls so far after each
    evaluation. Raises ScheduleError, StepsError, UnknownNameError and DenoiserError.
    """
    grid = _ascending(grid)
    if not 1 <= steps <= len(grid) - 1:
        raise StepsError(
            f"{steps} steps do not fit a grid with {len(grid) - 1}; ask for 1 to {len(grid) - 1}."
        )
    model = checked(denoise)
    walk = _Walk(model, grid, model.calls, on_call)
    student = torch.stack(
        [
            start_state(noise, _start_scale(grid, i, parametrisation), parametrisation)
            for i in range(len(grid))
        ]
    )
    teacher, rows = _euler_teacher(walk, student[-1]), []
    compared = _subset(teacher, channels, frames)
    best = torch.full(student.shape[:2], torch.inf, dtype=noise.dtype, device=noise.device)
    predecessors = torch.full(best.shape, len(grid) - 1)
    for k in range(steps):
        origins = range(len(grid) - 1, 0, -1) if k or free_start else [len(grid) - 1]
        following = student.clone()
        for i in origins:
            _relax(
                walk,
                student[i],
                i,
                compared,
                best,
                predecessors,
                following,
                shared,
                (channels, frames),
            )
        rows.append(predecessors.clone().numpy())
        student = following
    return OssSearch(grid, np.stack(rows), model.calls - walk.before, teacher)


@dataclass(frozen=True)
class _Walk:
    """The model on its grid, in the velocity form that the authors use: dx/ds = (x - D) / s."""

    model: Checked
    grid: np.ndarray
    before: int
    on_call: Callable[[int], None] | None

    def velocity(self, x: torch.Tensor, i: int) -> torch.Tensor:
        denoised = self.model(x, self.grid[i])
        if self.on_call is not None:
            self.on_call(self.model.calls - self.before)
        return (x - denoised) / float(self.grid[i])


def _relax(walk, x, i, compared, best, predecessors, following, shared, subset) -> None:
    """Offer the Euler steps from state `x` at point i to every lower point, sample by sample; in
    place on the four row arrays."""
    velocity = walk.velocity(x, i)
    for block in torch.arange(i).split(max(1, BLOCK // x.numel())):
        places = slice(int(block[0]), int(block[-1]) + 1)
        jumps = torch.from_numpy(walk.grid[places] - walk.grid[i]).to(x).reshape(-1, *[1] * x.dim())
        states = x + jumps * velocity
        costs = (_subset(states, *subset) - compared[places]).square().flatten(2).mean(dim=2)
        if shared:
            costs = costs.mean(dim=1, keepdim=True).expand_as(costs)
        better = costs < best[places]
        best[places] = torch.where(better, costs, best[places])
        predecessors[places] = predecessors[places].masked_fill(better.cpu(), i)
        following[places] = torch.where(
            better.reshape(*better.shape, *[1] * (x.dim() - 1)), states, following[places]
        )


def _euler_teacher(walk: _Walk, x: torch.Tensor) -> torch.Tensor:
    """(N + 1, B, ...): the Euler states at every grid point, in ascending order."""
    states = [x]
    for i in range(len(walk.grid) - 1, 0, -1):
        x = x + float(walk.grid[i - 1] - walk.grid[i]) * walk.velocity(x, i)
        states.append(x)
    return torch.stack(states[::-1])


def _start_scale(grid: np.ndarray, i: int, parametrisation: str) -> float:
    """Pure noise at point i: the authors' flow search leaves it at the top's scale."""
    return float(grid[i] if parametrisation == "ve" else grid[-1])


def _subset(x: torch.Tensor, channels: int | None, frames: int | None) -> torch.Tensor:
    """The first `channels` and evenly spaced `frames` of states (points, B, C, F, ...), as the
    authors' video search takes them."""
    if channels is not None:
        x = x.narrow(2, 0, min(channels, x.shape[2]))
    if frames is not None:
        x = x.index_select(
            3, torch.linspace(0, x.shape[3] - 1, min(frames, x.shape[3])).long().to(x.device)
        )
    return x


def _ascending(grid) -> np.ndarray:
    grid = np.asarray(grid, dtype=np.float64)
    if (
        grid.ndim != 1
        or len(grid) < 2
        or not np.isfinite(grid).all()
        or grid[0] != 0
        or np.any(np.diff(grid) <= 0)
    ):
        raise ScheduleError(
            "The search's grid must ascend strictly from exactly 0 to sigma_max; give two or more finite sigmas so."
        )
    return grid


def median_schedule(schedules: Sequence[Sequence[int]]) -> list[int]:
    """The authors' aggregation: index by index the two middle values of all samples, averaged and
    rounded down."""
    columns = [sorted(column) for column in zip(*schedules, strict=True)]
    return [(column[len(column) // 2] + column[len(column) // 2 - 1]) // 2 for column in columns]


def oss_sigmas(indices: Sequence[int], grid) -> np.ndarray:
    """Indices in the authors' form as a descending schedule that ends in 0; repeated (surplus)
    indices are dropped."""
    return np.append(np.asarray(grid, dtype=np.float64)[np.unique(indices)[::-1]], 0.0)


def amplitudes(states: Sequence[torch.Tensor] | torch.Tensor) -> np.ndarray:
    """(len(states), 2): the 5 % and 95 % quantiles of each state, averaged over its samples."""
    return np.array([_quantiles(x).mean(dim=0).tolist() for x in states])


def sample_calibrated(
    denoise: Denoiser, x: torch.Tensor, sigmas, targets: np.ndarray
) -> torch.Tensor:
    """Euler down `sigmas` (N + 1) with the paper's amplitude calibration.

    Before each step every sample is scaled and shifted so that its 5 % and 95 % quantiles are
    `targets`[i] (N rows, the teacher's `amplitudes` at those sigmas). x is already scaled to
    sigmas[0]. N model calls a sample.
    """
    model = checked(denoise)
    for i in range(len(sigmas) - 1):
        low, high = _quantiles(x).to(x).reshape(len(x), 2, *[1] * (x.dim() - 1)).unbind(1)
        gain = float(targets[i][1] - targets[i][0]) / (high - low)
        x = gain * (x - low) + float(targets[i][0])
        x = x + float(sigmas[i + 1] - sigmas[i]) / float(sigmas[i]) * (
            x - model(x, float(sigmas[i]))
        )
    return x


def _quantiles(x: torch.Tensor) -> torch.Tensor:
    """(B, 2): each sample's own 5 % and 95 % quantiles; torch takes 2^24 values at most, so longer
    latents are thinned evenly."""
    flat = x.flatten(1)
    flat = flat[:, :: -(-flat.shape[1] // (1 << 24))].to(
        torch.promote_types(x.dtype, torch.float32)
    )
    levels = torch.tensor([0.05, 0.95], dtype=flat.dtype, device=flat.device)
    return torch.stack([torch.quantile(row, levels) for row in flat])
