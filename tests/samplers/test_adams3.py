"""The teacher's solver: consistent weights, its order, and as near the exact end as Heun at twice
the calls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.denoiser import Checked, start_state
from scheduler.samplers import sample, sample_linear
from scheduler.samplers.adams3 import adams3_rule
from scheduler.sigmas import log_snr_grid
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}


def run(parametrisation, denoise, x, sigmas):
    return sample_linear(
        Checked(denoise), x, np.asarray(sigmas), None, adams3_rule(parametrisation)
    )


@pytest.mark.parametrize("parametrisation", RANGES)
@pytest.mark.parametrize(
    "window", [(0.5, 0.9), (0.5, 0.7, 0.9), (0.3, 0.5, 0.7, 1.0), (0.0, 0.5, 0.7, 0.9)]
)
def test_a_constant_prediction_is_integrated_exactly(parametrisation, window):
    a, b = adams3_rule(parametrisation).weights(window)
    assert float(a[0]) == pytest.approx(window[0] / window[1])
    assert float(sum(a) + sum(b)) == pytest.approx(1, abs=1e-7)


def gaussian(parametrisation, variance=0.25):
    """The ideal denoiser of N(0, variance) and its exact flow from sigma to sigma."""

    def spread(s):
        return np.sqrt(((1 - s) ** 2 if parametrisation == "flow" else 1) * variance + s**2)

    def denoise(x, sigma):
        s = float(sigma[0])
        alpha = 1 - s if parametrisation == "flow" else 1.0
        return alpha * variance / spread(s) ** 2 * x

    return denoise, spread


@pytest.mark.parametrize("parametrisation", RANGES)
def test_the_order_is_above_two(parametrisation):
    """Third order, but for the first two steps, which start it up."""
    denoise, spread = gaussian(parametrisation)
    low, high = (0.05, 0.9) if parametrisation == "flow" else (0.05, 10.0)
    errors = []
    for steps in (20, 40, 80):
        sigmas = np.append(log_snr_grid(low, high, steps + 1, parametrisation)[:-1], 0.0)
        seen, start = [], torch.ones(1, 1, dtype=torch.float64)
        sample_linear(
            Checked(denoise),
            start,
            sigmas,
            lambda i, x, d, seen=seen: seen.append(float(x)),
            adams3_rule(parametrisation),
        )
        errors.append(abs(seen[-1] - spread(low) / spread(high)))
    assert errors[2] < errors[0] / 32


@pytest.mark.parametrize("parametrisation", RANGES)
def test_as_near_the_exact_end_as_heun_at_twice_the_calls(parametrisation):
    low, high = RANGES[parametrisation]
    denoise, x = (
        small_mixture(parametrisation),
        start_state(unit_noise(8, 1, 8), high, parametrisation),
    )
    fine = sample(denoise, x, log_snr_grid(low, high, 400, parametrisation), "heun")
    grid = log_snr_grid(low, high, 50, parametrisation)
    ours, heun = (
        (run(parametrisation, denoise, x, grid) - fine).norm(),
        (sample(denoise, x, grid, "heun") - fine).norm(),
    )
    assert ours < 1.5 * heun
