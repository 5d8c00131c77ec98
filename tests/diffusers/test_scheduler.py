"""The scheduler class: a whole call of a pipeline draws what the library's own run of the recipe draws."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

from scheduler.diffusers import StepDistillScheduler, facts_of_pipeline
from scheduler.errors import RecipeError, ScheduleError, SigmaRangeError
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.samplers.distilled import run_recipe
from tests.diffusers.cases import NAMES, case

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import

STEPS = 4
ROWS = [[0.0, 0.0, 0.0, 0.02], [0.3, 0.0, 0.01, -0.02], [0.2, -0.05, 0.02, 0.0], [0.1, 0.02, 0, 0]]


def record_for(pipe, recipes=None) -> Record:
    """A record with numbers made up for a pipeline's noise: one recipe each of several samplers."""
    facts = facts_of_pipeline(pipe)
    top = facts.sigma_max
    shares = [1.0, 0.8, 0.45, 0.15]
    sigmas = [top * share if facts.process == "flow" else top**share for share in shares]
    offsets = [0.0, -0.2, 0.15, -0.3]
    found = recipes or [
        Recipe("distilled", STEPS, top, [*sigmas, 0.0], offsets, ROWS),
        *(
            Recipe(sampler, STEPS, top, [*sigmas, 0.0], offsets)
            for sampler in ("euler", "dpmpp_2m", "uni_pc")
        ),
    ]
    model = Model(
        facts.process, facts.sigma_min, top, prediction=facts.prediction, shift=facts.shift
    )
    provenance = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 1}
    return Record(model, Conditions(), None, found, {}, provenance)


def noise_like(pipe, call) -> torch.Tensor:
    shape = pipe(**call, num_inference_steps=1, output_type="latent")[0].shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def drawn(pipe, call, noise, steps=STEPS):
    return pipe(**call, num_inference_steps=steps, latents=noise, output_type="latent")[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_draws_what_the_library_runs(name):
    pipe, call, reference = case(name)
    record = record_for(pipe)
    noise = noise_like(pipe, call)
    for sampler in ("distilled", "dpmpp_2m", "uni_pc", "euler"):
        pipe.scheduler = StepDistillScheduler.from_record(record, reference.stock, sampler)
        found = drawn(pipe, call, noise)
        recipe = record.recipe(sampler, STEPS)
        expected = run_recipe(reference.denoise, noise, recipe, record.model.parametrisation)
        error = (found - expected).abs().max() / expected.abs().max()
        assert error < 1e-5, sampler


def sd_with_ours(**about):
    """(pipeline, its call, the record) of a pipeline that runs our scheduler."""
    pipe, call, reference = case("sd")
    record = record_for(pipe, **about)
    pipe.scheduler = StepDistillScheduler.from_record(record, reference.stock)
    return pipe, call, record


def test_the_fitted_numbers_matter():
    """What the equality above would not notice: a recipe run as its stock relative."""
    pipe, call, record = sd_with_ours()
    noise = noise_like(pipe, call)
    ours = drawn(pipe, call, noise)
    stock = pipe.scheduler.from_config(pipe.scheduler.config, sampler="dpmpp_2m")
    pipe.scheduler = stock
    assert (drawn(pipe, call, noise) - ours).abs().max() > 1e-2


def test_a_saved_pipeline_draws_the_same(tmp_path):
    from diffusers import DiffusionPipeline

    pipe, call, record = sd_with_ours()
    noise = noise_like(pipe, call)
    expected = drawn(pipe, call, noise)
    pipe.save_pretrained(tmp_path / "saved")
    again = DiffusionPipeline.from_pretrained(tmp_path / "saved")
    again.set_progress_bar_config(disable=True)
    assert isinstance(again.scheduler, StepDistillScheduler)
    assert again.scheduler.record == record
    assert torch.equal(drawn(again, call, noise), expected)


def test_saved_alone_and_made_from_its_configuration(tmp_path):
    pipe, _, record = sd_with_ours()
    pipe.scheduler.save_pretrained(tmp_path)
    loaded = StepDistillScheduler.from_pretrained(tmp_path)
    copied = StepDistillScheduler.from_config(pipe.scheduler.config)
    for each in (loaded, copied):
        assert each.record == record
        each.set_timesteps(STEPS)
        pipe.scheduler.set_timesteps(STEPS)
        assert torch.equal(each.timesteps, pipe.scheduler.timesteps)


def test_a_stock_scheduler_comes_back_from_its_configuration():
    from diffusers import EulerDiscreteScheduler

    pipe, _, _ = sd_with_ours()
    stock = case("sd")[2].stock
    again = StepDistillScheduler.from_config(pipe.scheduler.config)
    back = EulerDiscreteScheduler.from_config(again.config)
    for each in (back, stock):
        each.set_timesteps(7)
    assert torch.equal(back.timesteps, stock.timesteps)
    assert back.config.steps_offset == stock.config.steps_offset


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (2, 4, 3, 5, 7), (1, 16, 4)])
def test_shapes_and_dtypes_are_kept(dtype, shape):
    pipe, _, _ = sd_with_ours()
    scheduler = pipe.scheduler
    scheduler.set_timesteps(STEPS)
    assert len(scheduler.timesteps) == STEPS and len(scheduler.sigmas) == STEPS + 1
    assert float(scheduler.sigmas[-1]) == 0
    x = torch.randn(shape, dtype=torch.float32).to(dtype)
    for time in scheduler.timesteps:
        fed = scheduler.scale_model_input(x, time)
        assert fed.dtype == dtype
        out = scheduler.step(torch.zeros_like(fed), time, x)
        assert out.prev_sample.dtype == dtype and out.prev_sample.shape == shape
        x = out.prev_sample
    with pytest.raises(ScheduleError):
        scheduler.step(x, 0, x)


def test_two_pictures_in_a_row_are_the_same():
    pipe, call, _ = sd_with_ours()
    noise = noise_like(pipe, call)
    assert torch.equal(drawn(pipe, call, noise), drawn(pipe, call, noise))


def test_what_a_callback_changes_counts():
    pipe, call, _ = sd_with_ours()
    noise = noise_like(pipe, call)

    def doubled(pipe, i, time, given):
        return {"latents": given["latents"] * 1.5} if i == 1 else {}

    def in_place(pipe, i, time, given):
        if i == 1:
            given["latents"].mul_(1.5)
        return {}

    plain = drawn(pipe, call, noise)
    for callback in (doubled, in_place):
        found = drawn(pipe, call | {"callback_on_step_end": callback}, noise)
        assert (found - plain).abs().max() > 1e-2
    one = drawn(pipe, call | {"callback_on_step_end": doubled}, noise)
    other = drawn(pipe, call | {"callback_on_step_end": in_place}, noise)
    assert torch.allclose(one, other, atol=1e-4)


def test_without_a_record_nothing_is_guessed():
    scheduler = StepDistillScheduler.from_config(case("sd")[2].stock.config)
    with pytest.raises(RecipeError, match="from_record"):
        scheduler.set_timesteps(4)


def test_a_record_of_other_noise_is_refused():
    flow, _, other = case("sd3")
    sd, _, reference = case("sd")
    with pytest.raises(SigmaRangeError):
        StepDistillScheduler.from_record(record_for(flow), reference.stock)
    with pytest.raises(SigmaRangeError):
        StepDistillScheduler.from_record(record_for(sd), other.stock)


def test_sigmas_of_ones_own_are_refused_and_the_usual_ones_count_as_steps():
    pipe, _, reference = case("flux")
    scheduler = StepDistillScheduler.from_record(record_for(pipe), reference.stock)
    for usual in (np.linspace(1, 1 / STEPS, STEPS), np.linspace(1, 0, STEPS + 1)[:-1]):
        scheduler.set_timesteps(sigmas=usual, mu=0.7)
        assert scheduler.num_inference_steps == STEPS
    with pytest.raises(ScheduleError, match="leave `sigmas` out"):
        scheduler.set_timesteps(sigmas=[1.0, 0.9, 0.5, 0.1], mu=0.7)


def test_steps_that_the_record_lacks_run_as_what_stands_in_and_say_so(caplog):
    import logging

    pipe, call, _ = sd_with_ours()
    logger = logging.getLogger("diffusers")
    logger.propagate = True
    try:
        drawn(pipe, call, noise_like(pipe, call), steps=9)
    finally:
        logger.propagate = False
    assert pipe.scheduler.recipe.steps == 9
    assert "StepDistill" in caplog.text


def test_image_to_image_begins_later_and_says_so():
    from diffusers import StableDiffusionImg2ImgPipeline

    pipe, call, record = sd_with_ours()
    other = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    heard = []

    def listen(pipe, i, time, given):
        heard.append(float(time))
        return {}

    found = other(
        **call, image=picture, strength=0.5, num_inference_steps=STEPS, output_type="latent",
        generator=torch.Generator().manual_seed(4), callback_on_step_end=listen,
    )[0]  # fmt: skip
    assert found.isfinite().all()
    recipe = record.recipe("distilled", STEPS)
    noise = other.scheduler.noise
    assert heard == pytest.approx([noise.timestep(each) for each in recipe.sigmas[2:4]], abs=1e-3)


def test_configuration_is_plain_data():
    pipe, _, record = sd_with_ours()
    text = pipe.scheduler.to_json_string()
    assert json.loads(text)["record"]["recipes"][0]["sampler"] == "distilled"
