"""OSS, the search of Pei, Hu and Gu (arXiv 2503.21774), as its authors run it: the reference mode.

For each number of steps and each grid point the model is evaluated at the *student's* state there,
and every later point keeps the predecessor whose Euler state lies nearest to the teacher's. A row
begins as a copy of the row before, predecessors included, which is why a path found by tracing back
may not be the one that its value belongs to; reproduced here on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import AnyDenoiser, ScalarDenoiser, checked, start_state
from ..errors import ScheduleError, StepsError
from ..sigmas.validity import Floats, Sigmas

BLOCK = 1 << 22  # elements of Euler states formed at a time
MOST_QUANTILE = 1 << 24


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
        """For each sample the grid indices from the last step's start up to the first's.

        steps: at most K (default K). Surplus steps repeat the top index. Rows depend on earlier
        ones only: these are the authors' answers for `steps` too.
        """
        rows = self.predecessors[: steps or len(self.predecessors)]
        samples = np.arange(rows.shape[2])
        node = np.zeros_like(samples)
        trace = [node := row[node, samples] for row in rows[::-1]]
        return np.stack(trace, axis=1).tolist()


def oss_schedules(
    denoise: AnyDenoiser,
    noise: torch.Tensor,
    grid: Floats,
    steps: int,
    parametrisation: str = "flow",
    free_start: bool = True,
    **options,
) -> list[list[int]]:
    """The paper's schedules, one per sample, as grid indices in the authors' own form.

    Arguments, options, errors: see `oss_search`.
    """
    found = oss_search(denoise, noise, grid, steps, parametrisation, free_start, **options)
    return found.schedules()


def oss_search(
    denoise: AnyDenoiser,
    noise: torch.Tensor,
    grid: Floats,
    steps: int,
    process: str = "flow",
    free_start: bool = True,
    shared: bool = False,
    channels: int | None = None,
    frames: int | None = None,
    on_call: Callable[[int], None] | None = None,
) -> OssSearch:
    """Run the search for unit Gaussian `noise` (B, ...) on `grid`.

    grid: N + 1 sigmas ascending from 0 to sigma_max. It spends N + steps * N model calls a sample
    (pinned: N * steps + 1), always for the whole batch at once. free_start: the first step may
    start below the top from pure noise (for "ve" scaled to that sigma, as a host would); False pins
    it at the top. shared: one path for the batch, by mean cost. channels, frames: compare only the
    first `channels` of dimension 1, and `frames` evenly spaced ones of dimension 2 (video latents).
    on_call hears the model calls so far after each evaluation. Raises ScheduleError, StepsError,
    UnknownNameError and DenoiserError.
    """
    levels = _ascending(grid)
    top = len(levels) - 1
    if not 1 <= steps <= top:
        raise StepsError(f"{steps} steps do not fit a grid with {top}; ask for 1 to {top}.")
    model = checked(denoise)
    velocity = _Velocity(model, levels, model.calls, on_call)
    scales = [_start_scale(levels, i, process) for i in range(len(levels))]
    student = torch.stack([start_state(noise, scale, process) for scale in scales])
    teacher = _euler_teacher(velocity, student[-1])
    table = _Table.empty(teacher, shared, channels, frames)
    rows = []
    for k in range(steps):
        origins = range(top, 0, -1) if k or free_start else [top]
        table.following = student.clone()
        for i in origins:
            table.relax(velocity, student[i], i)
        rows.append(table.predecessors.clone().numpy())
        student = table.following
    return OssSearch(levels, np.stack(rows), model.calls - velocity.before, teacher)


@dataclass(frozen=True)
class _Velocity:
    """The model on its grid, in the velocity form that the authors use: dx/ds = (x - D) / s."""

    model: ScalarDenoiser
    grid: np.ndarray
    before: int
    on_call: Callable[[int], None] | None

    def __call__(self, x: torch.Tensor, i: int) -> torch.Tensor:
        denoised = self.model(x, self.grid[i])
        if self.on_call is not None:
            self.on_call(self.model.calls - self.before)
        return (x - denoised) / float(self.grid[i])


@dataclass
class _Table:
    """One row of the dynamic programme: for each grid point and sample the best way there so far.

    best: (N + 1, B) least squared distances from the teacher. predecessors: (N + 1, B), where they
    came from. following: (N + 1, B, ...), the student's states there. compared: the part of the
    teacher's states that distances are measured on, by the subset (channels, frames).
    """

    best: torch.Tensor
    predecessors: torch.Tensor
    following: torch.Tensor
    compared: torch.Tensor
    subset: tuple[int | None, int | None]
    shared: bool

    @classmethod
    def empty(
        cls, teacher: torch.Tensor, shared: bool, channels: int | None, frames: int | None
    ) -> _Table:
        """Nothing is reached yet, but from the top."""
        best = torch.full(teacher.shape[:2], torch.inf, dtype=teacher.dtype, device=teacher.device)
        predecessors = torch.full(best.shape, len(teacher) - 1)
        compared = _subset(teacher, channels, frames)
        return cls(best, predecessors, teacher, compared, (channels, frames), shared)

    def relax(self, velocity: _Velocity, x: torch.Tensor, i: int) -> None:
        """Offer the Euler steps from state `x` at point i to every lower point, sample by sample."""
        slope = velocity(x, i)
        for block in torch.arange(i).split(max(1, BLOCK // x.numel())):
            places = slice(int(block[0]), int(block[-1]) + 1)
            jumps = torch.from_numpy(velocity.grid[places] - velocity.grid[i]).to(x)
            self._offer(places, i, x + jumps.reshape(-1, *[1] * x.dim()) * slope)

    def _offer(self, places: slice, i: int, states: torch.Tensor) -> None:
        """Take the states (points, B, ...) that came from point i where they are nearer."""
        misses = _subset(states, *self.subset) - self.compared[places]
        costs = misses.square().flatten(2).mean(dim=2)
        if self.shared:
            costs = costs.mean(dim=1, keepdim=True).expand_as(costs)
        better = costs < self.best[places]
        self.best[places] = torch.where(better, costs, self.best[places])
        self.predecessors[places] = self.predecessors[places].masked_fill(better.cpu(), i)
        whole = better.reshape(*better.shape, *[1] * (states.dim() - 2))
        self.following[places] = torch.where(whole, states, self.following[places])


def _euler_teacher(velocity: _Velocity, x: torch.Tensor) -> torch.Tensor:
    """(N + 1, B, ...): the Euler states at every grid point, in ascending order."""
    states = [x]
    for i in range(len(velocity.grid) - 1, 0, -1):
        x = x + float(velocity.grid[i - 1] - velocity.grid[i]) * velocity(x, i)
        states.append(x)
    return torch.stack(states[::-1])


def _start_scale(grid: np.ndarray, i: int, process: str) -> float:
    """Pure noise at point i: the authors' flow search leaves it at the top's scale."""
    return float(grid[i] if process == "ve" else grid[-1])


def _subset(x: torch.Tensor, channels: int | None, frames: int | None) -> torch.Tensor:
    """The first `channels` and evenly spaced `frames` of states (points, B, C, F, ...).

    As the authors' video search takes them.
    """
    if channels is not None:
        x = x.narrow(2, 0, min(channels, x.shape[2]))
    if frames is not None:
        count = min(frames, x.shape[3])
        chosen = torch.linspace(0, x.shape[3] - 1, count).long()
        x = x.index_select(3, chosen.to(x.device))
    return x


def _ascending(grid: Floats) -> np.ndarray:
    levels = np.asarray(grid, dtype=np.float64)
    is_list = levels.ndim == 1 and len(levels) >= 2 and np.isfinite(levels).all()
    if not is_list or levels[0] != 0 or np.any(np.diff(levels) <= 0):
        raise ScheduleError(
            "The search's grid must ascend strictly from exactly 0 to sigma_max; "
            "give two or more finite sigmas so."
        )
    return levels


def median_schedule(schedules: Sequence[Sequence[int]]) -> list[int]:
    """The authors' aggregation, index by index.

    The two middle values of all samples, averaged and rounded down.
    """
    columns = [sorted(column) for column in zip(*schedules, strict=True)]
    return [(column[len(column) // 2] + column[len(column) // 2 - 1]) // 2 for column in columns]


def oss_sigmas(indices: Sequence[int], grid: Floats) -> np.ndarray:
    """Indices in the authors' form as a descending schedule that ends in 0.

    Repeated (surplus) indices are dropped.
    """
    return np.append(np.asarray(grid, dtype=np.float64)[np.unique(indices)[::-1]], 0.0)


def amplitudes(states: Sequence[torch.Tensor] | torch.Tensor) -> np.ndarray:
    """(len(states), 2): the 5 % and 95 % quantiles of each state, averaged over its samples."""
    return np.array([_quantiles(x).mean(dim=0).tolist() for x in states])


def sample_calibrated(
    denoise: AnyDenoiser, x: torch.Tensor, sigmas: Sigmas, targets: np.ndarray
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
        sigma = float(sigmas[i])
        x = x + float(sigmas[i + 1] - sigmas[i]) / sigma * (x - model(x, sigma))
    return x


def _quantiles(x: torch.Tensor) -> torch.Tensor:
    """(B, 2): each sample's own 5 % and 95 % quantiles.

    torch takes MOST_QUANTILE values at most, so longer latents are thinned evenly.
    """
    flat = x.flatten(1)
    stride = math.ceil(flat.shape[1] / MOST_QUANTILE)
    flat = flat[:, ::stride].to(torch.promote_types(x.dtype, torch.float32))
    levels = torch.tensor([0.05, 0.95], dtype=flat.dtype, device=flat.device)
    return torch.stack([torch.quantile(row, levels) for row in flat])
