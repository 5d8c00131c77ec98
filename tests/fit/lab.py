"""What the tests of fits share: recorded trajectories of a small mixture, and a count of what is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from scheduler.denoiser import Checked
from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.fit.student import Answers
from scheduler.fit.teacher import record_teacher
from scheduler.fit.trajectories import TrajectorySet
from scheduler.samplers import sample
from scheduler.samplers.distilled import sample_distilled
from scheduler.samplers.query_offsets import with_offsets
from scheduler.sigmas import log_snr_grid
from scheduler.sigmas.noise_range import NoiseRange
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}
SIGMAS = {
    "flow": np.array([1.0, 0.9, 0.7, 0.4, 0.15, 0.0]),
    "ve": np.array([14.6, 5.0, 2.0, 0.8, 0.25, 0.0]),
}
ROWS = 6
SHAPE = (1, 8)


def mosaic(process: str) -> Callable:
    """The mixture's denoiser on every eight numbers of a latent on their own: a large picture of many
    parts, as images are."""
    exact = small_mixture(process)

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        parts = x.reshape(-1, 8)
        return exact(parts, sigma.repeat_interleave(len(parts) // len(x))).reshape(x.shape)

    return denoise


def range_of(process: str) -> NoiseRange:
    return NoiseRange(process, *RANGES[process])


def recorded(
    process: str,
    rows: int = ROWS,
    seed: int = 0,
    denoise: Callable | None = None,
    fit: np.ndarray | None = None,
    nodes: int = 30,
    shape: tuple[int, ...] = SHAPE,
    drawn_by: Callable | None = None,
) -> TrajectorySet:
    """`rows` trajectories of a denoiser, or of the one that they were drawn by; fits may use them all
    unless told otherwise. Its model counts calls."""
    noise = unit_noise(rows, *shape, seed=seed, dtype=torch.float32)
    grid = log_snr_grid(*RANGES[process], nodes, process)
    drawn_by = drawn_by or denoise
    if drawn_by is None:
        vectors = [vector.clone() for vector in _drawn(process, rows, seed, nodes, shape)]
    else:
        vectors = _vectors(drawn_by, noise, grid, process)
    model = Checked(denoise or small_mixture(process))
    return TrajectorySet(model, noise, grid, vectors, np.ones(rows, bool) if fit is None else fit)


@cache
def _drawn(process: str, rows: int, seed: int, nodes: int, shape: tuple[int, ...]):
    """The mixture's own, drawn once."""
    noise = unit_noise(rows, *shape, seed=seed, dtype=torch.float32)
    grid = log_snr_grid(*RANGES[process], nodes, process)
    return _vectors(small_mixture(process), noise, grid, process)


def _vectors(denoise: Callable, noise: torch.Tensor, grid: np.ndarray, process: str):
    return record_teacher(denoise, noise, grid, process, "adams3", keep_states=True).vectors


def parts_of(whole: TrajectorySet, *places: slice) -> list[TrajectorySet]:
    """The rows of one set as sets of their own."""
    return [
        TrajectorySet(
            Checked(whole.model.denoise),
            whole.noise[rows],
            whole.sigmas,
            [vector[rows] for vector in whole.vectors],
            whole.fit_rows[rows],
        )
        for rows in places
    ]


def answers_of(process: str, *sets: TrajectorySet) -> Answers:
    return Answers(list(sets) or [recorded(process)], range_of(process))


def sampled(each: TrajectorySet, candidate: Candidate, process: str) -> torch.Tensor:
    """The end (B, ...) of a candidate as the samplers themselves run it."""
    x, sigmas = each.state(float(candidate.sigmas[0])).to(each.noise), candidate.sigmas
    if candidate.sampler == DISTILLED:
        numbers = candidate.coefficients, candidate.offsets, process
        return sample_distilled(each.model, x, sigmas, *numbers)
    model = each.model
    if candidate.offsets is not None:
        model = with_offsets(model, sigmas, candidate.offsets, process)
    return sample(model, x, sigmas, candidate.sampler)


def a_candidate(
    process: str, sampler: str = DISTILLED, offsets: bool = True, seed: int = 0
) -> Candidate:
    """Five steps with small random numbers: what any fit might propose."""
    rng, sigmas = np.random.default_rng(seed), SIGMAS[process]
    steps = len(sigmas) - 1
    shifts = rng.uniform(-0.2, 0.1, steps) * (np.arange(steps) > 0) if offsets else None
    rows = None
    if sampler == DISTILLED:
        rows = rng.uniform(-0.1, 0.2, (steps, 4))
        rows[0, :2], rows[1, 1] = 0, 0
    return Candidate(sampler, sigmas, shifts, rows)
