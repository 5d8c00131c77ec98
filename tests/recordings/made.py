"""Runs to record: a small mixture's, exact and quick, by our samplers and by steps written out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch

from scheduler.recordings import Recording, record_run
from scheduler.sigmas import flow_table, sd_table, stock_schedule
from tests.mixture import small_mixture, unit_noise

SHAPE = (4, 8, 8)
TABLES = {"flow": flow_table(3.0), "ve": sd_table()}


def model(process: str):
    return small_mixture(process, math.prod(SHAPE))


def grid(process: str, steps: int = 25, schedule: str = "beta") -> np.ndarray:
    return stock_schedule(schedule, TABLES[process], steps)


def drawn(
    process: str = "ve",
    sampler: str = "dpmpp_2m",
    steps: int = 25,
    rows: int = 2,
    noise_seed: int = 0,
    schedule: str = "beta",
    **about,
) -> Recording:
    """A recording of the mixture."""
    sigmas = grid(process, steps, schedule)
    noise = unit_noise(rows, *SHAPE, seed=noise_seed, dtype=torch.float32)
    return record_run(model(process), noise * float(sigmas[0]), sigmas, sampler, process, **about)


def ancestral(process: str, sigmas: np.ndarray, eta: float, rows: int = 1) -> Recording:
    """Euler ancestral as k-diffusion has it (VE), written out; a step of its kind for flow too."""
    denoise, noise = model(process), torch.Generator().manual_seed(1)
    recording = Recording(SHAPE, process, "euler_ancestral")
    x = unit_noise(rows, *SHAPE, dtype=torch.float32) * float(sigmas[0])
    for sigma, s_next in pairwise(sigmas.tolist()):
        denoised = denoise(x, torch.full((rows,), sigma))
        recording.step(x, sigma, denoised)
        up = min(s_next, eta * math.sqrt(s_next**2 * (sigma**2 - s_next**2) / sigma**2))
        down = math.sqrt(s_next**2 - up**2)
        x = down / sigma * x + (1 - down / sigma) * denoised
        x = x + up * torch.randn(x.shape, generator=noise)
    recording.finish(x)
    return recording


def smooth(sigmas: np.ndarray, process: str = "ve", shape=(1, *SHAPE)) -> Recording:
    """A made-up run on any grid, without a model: its answers drift a little with the noise level."""
    generator = torch.Generator().manual_seed(0)
    picture, drift, noise = (torch.randn(shape, generator=generator) for _ in range(3))
    recording = Recording(shape[1:], process)
    x = noise * float(sigmas[0])
    for sigma, s_next in pairwise(sigmas.tolist()):
        denoised = picture + drift * sigma / (1 + sigma)
        recording.step(x, sigma, denoised)
        x = s_next / sigma * x + (1 - s_next / sigma) * denoised
    recording.finish(x)
    return recording
