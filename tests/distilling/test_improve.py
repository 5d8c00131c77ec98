"""What goes on from a record, and what is learnt from runs that were made anyway."""

from __future__ import annotations

import pytest
import torch

from scheduler import Conditions, Record, distill, improve
from scheduler.denoiser import start_state
from scheduler.errors import BudgetError, RecordError, RecordingError, Stopped
from scheduler.recordings import record_run
from scheduler.rows import noise_for
from scheduler.sigmas import stock_schedule, table_for
from tests.mixture import mixture_denoiser, small_mixture, unit_noise

SHAPE, LOW = (1, 256), 0.002
ABOUT = {"latent_shape": SHAPE, "sigma_max": 1.0, "sigma_min": LOW, "parametrisation": "flow"}


class Model:
    """Independent mixtures of eight numbers, side by side, that count their calls."""

    def __init__(self, denoise=None):
        self.denoise, self.calls = denoise or small_mixture("flow"), 0

    def __call__(self, x, sigma):
        self.calls += len(x)
        blocks = x.reshape(-1, 1, 8)
        return self.denoise(blocks, sigma.repeat_interleave(32)).reshape(x.shape)


def drawn(model=None, seed=5, steps=25, start=None):
    """A run of dpmpp_2m as a host makes it."""
    sigmas = stock_schedule("beta", table_for(LOW, 1.0, "flow"), steps)
    if start is not None:
        sigmas = sigmas[sigmas <= start]
    noise = noise_for(SHAPE, 1, seed, torch.device("cpu"))
    x = start_state(noise, float(sigmas[0]), "flow")
    return record_run(model or Model(), x, sigmas, "dpmpp_2m", "flow", seed=seed)


@pytest.fixture(scope="module")
def record() -> Record:
    return distill(Model(), **ABOUT, steps=4, conditions=Conditions(cfg=1.0))


@pytest.mark.slow
def test_a_step_count_is_added_for_its_own_calls_and_the_rest_stays(record):
    before, model = record.to_json(), Model()
    better = improve(record, model, budget=90, steps=5)
    assert record.to_json() == before and 0 < model.calls <= 90
    assert better.recipe("distilled", 4) == record.recipe("distilled", 4)
    assert better.recipe("distilled", 5).choice == "ours"
    old, new = record.provenance, better.provenance
    assert new["model_calls"] == old["model_calls"] + model.calls
    assert new["plans"][0]["steps"] == [5] and new["plans"][1:] == old["plans"]
    assert new["stages"][: len(old["stages"])] == old["stages"]
    assert Record.from_json(better.to_json()) == better


@pytest.mark.slow
def test_another_start_brings_its_own_numbers(record):
    better = improve(record, Model(), budget=50, start_sigma=0.6)
    lower = better.recipe("distilled", 6, start_sigma=0.6)
    assert lower.sigmas[0] == 0.6 and lower.steps == 6
    assert lower.choice.stock or len(lower.coefficients) == 6
    assert better.recipe("distilled", 4) == record.recipe("distilled", 4)


@pytest.mark.slow
def test_what_nothing_beats_stays_as_it_is(record):
    again = improve(record, Model(), budget=60, steps=4)
    kept, was = again.recipe("distilled", 4), record.recipe("distilled", 4)
    assert kept == was or kept.evidence["verdict"] == "seen" and kept.sigmas != was.sigmas


@pytest.mark.slow
def test_new_rows_are_others_than_the_record_was_made_on(record):
    better = improve(record, Model(), budget=60, steps=4)
    seeds = [each["seed"] for each in better.provenance["stages"] if "seed" in each]
    assert len(seeds) == len(set(seeds)) == 2


def test_mistakes(record):
    with pytest.raises(BudgetError, match="the least that works is"):
        improve(record, Model(), budget=3)
    bare = Record(record.model, Conditions(), record.teacher, record.recipes, {}, record.provenance)
    with pytest.raises(RecordError, match="shape of its latents"):
        improve(bare, Model())


def test_stopped_before_anything_is_better_it_hands_the_record_back(record):
    with pytest.raises(Stopped) as stop:
        improve(record, Model(), steps=5, should_stop=lambda: True)
    assert stop.value.record == record


@pytest.mark.slow
def test_a_record_is_usable_after_the_first_recipe_and_a_stop_carries_it():
    heard = []
    with pytest.raises(Stopped) as stop:
        distill(Model(), **ABOUT, steps=4, on_record=heard.append, should_stop=lambda: bool(heard))
    assert stop.value.record is heard[0] and len(heard) == 1
    assert Record.from_json(heard[0].to_json()).recipe("distilled", 4).steps == 4


@pytest.mark.slow
def test_a_picture_that_was_drawn_is_the_teacher():
    run, model = drawn(), Model()
    made = distill(model, **ABOUT, steps=4, recordings=[run])
    assert model.calls == made.provenance["model_calls"] < 25 + 1 + 4 * 11
    assert made.teacher == {"solver": "dpmpp_2m", "nodes": 25, "grid": "recorded", "samples": 1}
    told = made.provenance["stages"][0]["recordings"][0]
    assert told["sampler"] == "dpmpp_2m" and told["steps"] == 25 and told["own_error"] > 0
    end = made.sample(Model(), run.noise, "distilled", 4)
    apart = float((end - run.vectors[25]).square().mean().sqrt())
    assert apart == pytest.approx(made.recipe("distilled", 4).evidence["rms"], rel=0.02)


@pytest.mark.slow
def test_pictures_of_several_grids_and_prompts_are_learnt_from_together(record):
    runs = [drawn(seed=1), drawn(seed=2, steps=20)]
    made = improve(record, [Model(), Model()], budget=60, recordings=runs, steps=5)
    assert made.recipe("distilled", 5).sigmas[0] == 1.0
    with pytest.raises(RecordingError, match="2 recordings and 3 denoisers"):
        improve(record, [Model()] * 3, recordings=runs)


@pytest.mark.slow
def test_a_run_from_a_lower_start_gives_recipes_from_there():
    run = drawn(start=0.7, steps=40)
    made = distill(Model(), **ABOUT, steps=4, budget=30, recordings=[run])
    assert (
        made.recipes[0].sigmas[0] == pytest.approx(run.start_sigma, rel=1e-6)
        and run.start_sigma < 0.7
    )


def test_another_models_run_is_refused_after_one_question():
    other = Model(mixture_denoiser(unit_noise(3, 8, seed=9), [0.5, 0.3, 0.2], 0.05, "flow"))
    model = Model()
    with pytest.raises(RecordingError, match="another model, prompt or guidance"):
        distill(model, **ABOUT, steps=4, recordings=[drawn(other)])
    assert model.calls == 1


@pytest.mark.parametrize(
    ("budget", "used"), [(75, 1), pytest.param(400, 3, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_few_calls_go_into_runs_of_one_picture_before_rows_of_several(budget, used):
    """A latent of ample numbers: of three pictures as many are fitted to as there are calls for."""
    model = Model()
    shape = (16, 64)

    def wide(x, sigma):
        return model(x.reshape(-1, 1, 256), sigma.repeat_interleave(4)).reshape(x.shape)

    sigmas = stock_schedule("beta", table_for(LOW, 1.0, "flow"), 25)
    pictures = [
        record_run(wide, noise_for(shape, 1, seed, torch.device("cpu")), sigmas, "dpmpp_2m", "flow")
        for seed in range(3)
    ]
    about = {**ABOUT, "latent_shape": shape}
    made = distill(wide, **about, steps=6, recordings=pictures, budget=budget)
    assert made.teacher["samples"] == used == len(made.provenance["stages"][0]["recordings"])


@pytest.mark.parametrize("skips", [2, 3])
def test_a_run_that_was_drawn_with_a_step_cache_is_refused(skips):
    class Cached(Model):
        """Answers from memory between every so many calls."""

        asked, kept = 0, None

        def __call__(self, x, sigma):
            self.asked += 1
            if self.asked % skips != 1:
                return x + self.kept
            denoised = super().__call__(x, sigma)
            self.kept = denoised - x
            return denoised

    model = Model()
    with pytest.raises(RecordingError, match="answers some steps from memory"):
        distill(model, **ABOUT, steps=4, recordings=[drawn(Cached())])
    assert model.calls <= 3
