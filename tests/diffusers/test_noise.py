"""The noise that a scheduler's configuration states, and keys that are the UIs' own; no pipeline is run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from scheduler.diffusers.latents import layout_of
from scheduler.diffusers.noise import PipelineNoise, noise_of
from scheduler.diffusers.recipe_run import RecipeRun
from scheduler.errors import SigmaRangeError
from scheduler.record import Recipe
from scheduler.samplers.stepping import steps_of
from scheduler.sigmas.noise_table import flow_table, flux_table, sd_table

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
DYNAMIC = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}


def test_stable_diffusions_levels_are_the_uis():
    noise = noise_of(SD)
    assert (noise.process, noise.prediction, noise.shift) == ("ve", "eps", None)
    assert np.array_equal(noise.table.sigmas, sd_table().sigmas)
    assert noise_of(SD | {"prediction_type": "v_prediction"}).prediction == "v"


def test_timesteps_stand_between_entries_by_log_sigma():
    noise = noise_of(SD)
    low, high = noise.table.sigmas[500:502]
    assert noise.timestep(float(low)) == pytest.approx(500)
    assert noise.timestep(math.sqrt(low * high)) == pytest.approx(500.5)
    for time in (0.0, 17.25, 500.0, 999.0):
        assert noise.timestep(noise.sigma(time)) == pytest.approx(time, abs=1e-6)
    assert noise.sigma(999.0) == noise.table.sigma_max


def test_zero_terminal_snr_ends_where_the_uis_do():
    noise = noise_of(SD | {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"})
    assert noise.table.sigma_max == pytest.approx(4518.75, rel=1e-4)


@pytest.mark.parametrize(
    ("config", "name", "table"),
    [
        ({"shift": 3.0}, "FlowMatchEulerDiscreteScheduler", flow_table(3.0)),
        ({"flow_shift": 5.0, "use_flow_sigmas": True}, "UniPCMultistepScheduler", flow_table(5.0)),
        ({"prediction_type": "flow_prediction", "flow_shift": 3.0}, "", flow_table(3.0)),
        (DYNAMIC | {"shift": 3.0}, "FlowMatchEulerDiscreteScheduler", flux_table(1.15)),
        (DYNAMIC | {"max_shift": 0.9}, "FlowMatchEulerDiscreteScheduler", flux_table(0.9)),
    ],
)
def test_a_flows_table_is_the_uis(config, name, table):
    noise = noise_of(config, name)
    assert noise.process == "flow" and noise.shift == pytest.approx(table.shift)
    assert noise.table.sigma_min == pytest.approx(table.sigma_min)
    assert noise.table.sigma_max == 1.0 and noise.timestep(0.5) == 500.0


def test_a_nominal_mu_goes_before_the_configurations():
    config = DYNAMIC | {"max_shift": 0.9}
    assert noise_of(config, "FlowMatchEulerDiscreteScheduler", 1.15).shift == pytest.approx(
        math.exp(1.15)
    )
    linear = DYNAMIC | {"time_shift_type": "linear", "max_shift": 2.0}
    assert noise_of(linear, "FlowMatchEulerDiscreteScheduler").shift == pytest.approx(2.0)


def test_a_continuous_clock_is_a_quarter_of_log_sigma():
    noise = noise_of({"timestep_type": "continuous", "prediction_type": "v_prediction"})
    assert (noise.table.sigma_min, noise.table.sigma_max) == pytest.approx((0.002, 700.0))
    assert noise.timestep(math.e) == pytest.approx(0.25)
    assert noise.sigma(0.25) == pytest.approx(math.e)


@pytest.mark.parametrize(
    ("config", "name"),
    [({"prediction_type": "odd"}, ""), ({}, "EDMEulerScheduler"), ({"beta_schedule": "odd"}, "")],
)
def test_an_unknown_kind_is_a_sentence(config, name):
    with pytest.raises(SigmaRangeError, match="not known"):
        noise_of(config, name)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow_prediction"])
def test_an_answer_means_the_latent_that_it_was_made_of(prediction):
    noise = noise_of(SD | {"prediction_type": prediction})
    drawn = torch.Generator().manual_seed(0)
    clean, unit = torch.randn(2, 1, 4, generator=drawn, dtype=torch.float64)
    sigma = 0.6
    x = noise.noisy(clean, unit, sigma)
    alpha = 1 / math.sqrt(sigma**2 + 1)
    answers = {
        "epsilon": unit,
        "v_prediction": alpha * unit - alpha * sigma * clean,
        "sample": clean,
        "flow_prediction": unit - clean,
    }
    assert torch.allclose(noise.denoised(answers[prediction], x, sigma), clean)


def run_of(process: str) -> tuple[RecipeRun, PipelineNoise, Recipe]:
    flow = process == "flow"
    noise = noise_of({"shift": 3.0}, "FlowMatchX") if flow else noise_of(SD)
    sigmas = (1.0, 0.6, 0.3, 0.0) if flow else (14.0, 4.0, 1.0, 0.0)
    rows = [[0.0, 0.0, 0.0, 0.02], [0.3, 0.0, 0.01, -0.02], [0.2, -0.05, 0.02, 0.0]]
    recipe = Recipe("distilled", 3, sigmas[0], sigmas, (0.0, -0.3, -0.2), rows)
    return RecipeRun(recipe, noise), noise, recipe


@pytest.mark.parametrize("process", ["flow", "ve"])
def test_half_precision_rounds_what_is_handed_over_and_not_the_state(process):
    run, noise, recipe = run_of(process)
    drawn = torch.Generator().manual_seed(0)
    sample = torch.randn(1, 4, 3, generator=drawn).half()
    state, steps = sample.float(), steps_of(recipe)
    for asked in run.asked:
        answer = torch.randn(sample.shape, generator=drawn).half()
        state = steps.next(state, noise.denoised(answer.float(), sample.float(), asked))
        sample, _ = run.step(answer, sample)
        assert sample.dtype == torch.float16
    assert run.over and torch.equal(sample, state.half())


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("process", ["flow", "ve"])
def test_a_state_that_somebody_changed_is_the_state(process, in_place):
    run, noise, recipe = run_of(process)
    drawn = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 3, generator=drawn)
    first, second = torch.randn(2, 1, 4, 3, generator=drawn)
    handed, denoised = run.step(first, x)
    if in_place:
        handed.mul_(1.5)
    else:
        handed = handed * 1.5
    found, _ = run.step(second, handed)
    steps = steps_of(recipe)
    own = steps.next(x, denoised) * 1.5
    ratio = [1.0, 1.0]
    if process == "flow":
        pairs = zip(run.asked[1:], recipe.sigmas[1:3], strict=True)
        ratio = [(1 - asked) / (1 - sigma) for asked, sigma in pairs]
    answered = noise.denoised(second, own * ratio[0], run.asked[1])
    assert torch.allclose(found, steps.next(own, answered) * ratio[1], atol=1e-6)


def test_latents_in_patches_turn_back():
    x = torch.randn(2, 4, 6, 8)
    layout = layout_of((12, 16), 48, 64, 8)
    assert layout.shape == (4, 6, 8)
    assert torch.equal(layout.unpacked(layout.packed(x)), x)
    assert (
        not layout_of((13, 16), 48, 64, 8).patched and not layout_of((4, 6, 8), 48, 64, 8).patched
    )
