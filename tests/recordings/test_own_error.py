"""The estimate of a run's own error, beside the true one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.checkpoints import load_checkpoint
from scheduler.recordings import own_error, record_run
from scheduler.samplers import sample
from tests.mixture import unit_noise
from tests.recordings.made import drawn, grid, smooth


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flow", pytest.param("eps", marks=pytest.mark.slow)])
def test_it_is_near_the_true_error_on_real_networks(name):
    """Measured over more schedules and guidance: .28 to .90 for euler, .69 to 1.45 for dpmpp_2m."""
    checkpoint = load_checkpoint(name)
    process = checkpoint.parametrisation
    denoise = checkpoint.denoiser(torch.tensor([3]), 3.0)
    noise = unit_noise(1, *checkpoint.latent_shape, dtype=torch.float32)
    fine = grid(process, 80, "beta")
    true_end = sample(denoise, noise * float(fine[0]), fine, "dpmpp_2m")
    sigmas = grid(process, 25, "beta")
    ratios = []
    for sampler in ("euler", "dpmpp_2m"):
        kept = record_run(denoise, noise * float(sigmas[0]), sigmas, sampler, process)
        error = float((kept.vectors[25] - true_end).square().mean().sqrt())
        ratios.append(own_error(kept) / error)
    assert all(0.5 < ratio < 2 for ratio in ratios), ratios


@pytest.mark.parametrize("process", ["flow", "ve"])
def test_more_steps_and_a_higher_order_have_less_of_it(process):
    euler = [own_error(drawn(process, "euler", steps)) for steps in (12, 25, 50, 100)]
    assert (np.diff(euler) < 0).all()
    assert own_error(drawn(process, "dpmpp_2m", 25)) < 0.85 * euler[1]


def test_a_grid_with_several_levels_just_below_pure_noise():
    sigmas = np.append(np.append([1.0, 0.99999, 0.9998, 0.9996], np.linspace(0.995, 0.02, 20)), 0.0)
    assert own_error(smooth(sigmas, "flow")) == pytest.approx(
        own_error(smooth(sigmas[3:], "flow")), rel=0.1
    )
