"""Stochastic samplers: equal to ComfyUI's with the same noise, and converging on one path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.errors import DenoiserError, UnknownNameError
from scheduler.record import Recipe
from scheduler.samplers.brownian import BrownianPath
from scheduler.samplers.names import ON_PATHS, STOCHASTIC, VE_ONLY, without_gpu
from scheduler.samplers.stochastic import (
    check_stochastic,
    run_on_path,
    sample_on_path,
    stochastic_calls,
)
from scheduler.sigmas import flow_table, log_snr_grid, sd_table
from tests.golden_numbers import golden
from tests.mixture import small_mixture, unit_noise
from tests.samplers.test_stock import CASES, NOISE, SCHEDULES, golden_denoiser

GOLDEN = golden("stochastic_samplers")
TABLES = {"ve": sd_table(), "flow": flow_table(3.0)}
RANGES = {"ve": (0.03, 14.6), "flow": (0.003, 1.0)}


def on(process):
    return [name for name in ON_PATHS if process == "ve" or name not in VE_ONLY]


@pytest.mark.parametrize(("process", "sampler"), [(p, s) for p in CASES for s in on(p)])
@pytest.mark.slow
def test_end_states_equal_comfyui_s_with_the_same_noise(process, sampler):
    results, model = CASES[process]
    top = TABLES[process].percent_to_sigma(1e-4)
    for case, theirs in GOLDEN[results][sampler].items():
        scheduler, steps = case.rsplit("-", 1)
        sigmas = SCHEDULES[model]["schedules"][scheduler][steps]
        path = BrownianPath(NOISE.shape, GOLDEN["seed"])
        start = NOISE * sigmas[0]
        ours = sample_on_path(golden_denoiser(process), start, sigmas, sampler, path, process, top)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def smooth(process):
    """The ideal denoiser of N(0, 1/4): no picture that a little noise would turn into another."""

    def denoise(x, sigma):
        s = sigma.double()[:, None]
        alpha = 1 - s if process == "flow" else torch.ones_like(s)
        return (alpha * x / (alpha**2 + 4 * s**2)).to(x.dtype)

    return denoise


def ends(process, sampler, steps, seed=1):
    noise = unit_noise(20, 8)
    low, high = RANGES[process]
    sigmas = log_snr_grid(low, high, steps, process)
    path = BrownianPath(noise.shape, seed)
    return sample_on_path(smooth(process), noise * high, sigmas, sampler, path, process)


def gap(one, other):
    return float((one - other).square().mean().sqrt())


@pytest.mark.slow
@pytest.mark.parametrize("process", CASES)
def test_every_sampler_comes_to_its_path_s_own_end(process):
    fine = {"er_sde": ends(process, "er_sde", 200)}
    usual = ends(process, "dpmpp_2m_sde", 200)
    for sampler in on(process):
        end = fine.get(sampler, usual)
        coarse, finer = (gap(ends(process, sampler, n), end) for n in (8, 50))
        assert finer < 0.1 and finer < coarse / 2.5, (sampler, coarse, finer)
    assert gap(ends(process, "dpmpp_2m_sde", 60, seed=2), usual) > 0.3  # another path: elsewhere
    assert gap(fine["er_sde"], usual) > 0.1  # and so is another process


def test_calls_are_what_is_stated():
    asked = []

    def denoise(x, sigma):
        asked.append(float(sigma[0]))
        return x * 0

    for sampler in ON_PATHS:
        asked.clear()
        path = BrownianPath((1, 2), 0)
        sample_on_path(denoise, torch.ones(1, 2), [4.0, 2.0, 1.0, 0.0], sampler, path, "ve")
        assert len(asked) == stochastic_calls(sampler, 3), sampler


def test_shape_dtype_and_callback():
    told = []
    path = BrownianPath((2, 3), 0)
    x = torch.ones(2, 3, dtype=torch.float64)
    end = sample_on_path(
        lambda x, sigma: x * 0.5,
        x,
        [2.0, 1.0, 0.0],
        "dpmpp_sde",
        path,
        "ve",
        callback=lambda i, x, denoised: told.append((i, tuple(denoised.shape))),
    )
    assert end.dtype == x.dtype and end.shape == x.shape
    assert told == [(0, (2, 3)), (1, (2, 3))] and bool((x == 1).all())


@pytest.mark.parametrize("sampler", ["er_sde", "dpmpp_2m_sde", "euler_ancestral", "seeds_3"])
def test_a_flow_from_pure_noise_is_finite_whatever_the_schedule(sampler):
    for sigmas in ([1.0, 0.0], [1.0, 0.99999, 0.5, 0.0], [1.0, 1e-4, 0.0]):
        noise = unit_noise(3, 8)
        path = BrownianPath(noise.shape, 0)
        end = sample_on_path(small_mixture("flow"), noise, sigmas, sampler, path, "flow", 0.9997)
        assert bool(end.isfinite().all())


def test_what_cannot_be_measured_is_refused():
    for name, process in (("euler", "ve"), ("lcm", "ve"), ("ddpm", "flow"), ("sa_solver", "flow")):
        with pytest.raises(UnknownNameError, match="use one of.*dpmpp_2m_sde"):
            check_stochastic(name, process)
    check_stochastic("ddpm", "ve")
    assert set(ON_PATHS) < set(STOCHASTIC) and set(VE_ONLY) < set(ON_PATHS)
    assert without_gpu("dpmpp_sde_gpu") == "dpmpp_sde" == without_gpu("dpmpp_sde")
    with pytest.raises(DenoiserError):
        path = BrownianPath((1, 2), 0)
        sample_on_path(
            lambda x, s: x * float("nan"), torch.ones(1, 2), [1.0, 0.0], "er_sde", path, "ve"
        )


def test_a_recipe_runs_on_the_path_of_its_seed():
    recipe = Recipe("dpmpp_2m_sde", 4, 1.0, [1.0, 0.8, 0.5, 0.2, 0.0], choice="beta")
    noise = unit_noise(2, 8)
    one, again, other = (
        run_on_path(small_mixture("flow"), noise, recipe, "flow", seed, 3.0) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=1e-3)
    path = BrownianPath(noise.shape, 1)
    top = flow_table(3.0).percent_to_sigma(1e-4)
    by_hand = sample_on_path(
        small_mixture("flow"), noise, recipe.sigmas, "dpmpp_2m_sde", path, "flow", top
    )
    assert torch.equal(one, by_hand)
