"""Fewer steps than a step-distilled model's own run, at its own noise levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler import distill
from scheduler.checkpoints import load_checkpoint
from scheduler.distilling.own_run import distill_own_run
from scheduler.errors import BudgetError, ScheduleError, SigmaRangeError, StepsError, Stopped
from scheduler.lookup.given import select_from
from scheduler.record import Conditions, Record
from scheduler.record.verdict_words import recommendation
from scheduler.rows import noise_for
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import flow_table, stock_schedule

OWN = stock_schedule("simple", flow_table(3.0), 8)
FLOW = load_checkpoint("flow")
ABOUT = {
    "latent_shape": FLOW.latent_shape,
    "sigma_max": FLOW.sigma_max,
    "sigma_min": FLOW.sigma_min,
    "conditions": Conditions(cfg=1.0, shift=3.0),
}


class Model:
    """The bundled flow checkpoint: what it was asked for, and at which sigmas."""

    def __init__(self):
        self.asked: list[float] = []

    def __call__(self, x, sigma):
        self.asked += sigma.tolist()
        return FLOW.denoiser(torch.full((len(x),), 3))(x, sigma)


@pytest.fixture(scope="module")
def made() -> tuple[Record, Model]:
    model = Model()
    return distill_own_run(model, sigmas=OWN, steps=[4, 5], samples=2, **ABOUT), model


@pytest.mark.slow
def test_it_comes_nearer_to_the_own_run_than_stock_on_noise_that_it_has_not_seen(made):
    record, _ = made
    denoise = FLOW.denoiser(torch.arange(8) % 10)
    noise = noise_for(FLOW.latent_shape, 8, 77, torch.device("cpu"))
    end = sample(denoise, noise, OWN, "euler")
    for steps in (4, 5):
        recipe = record.recipe("distilled", steps)
        ours = run_recipe(denoise, noise, recipe, "flow")
        stock = sample(denoise, noise, stock_schedule("simple", flow_table(3.0), steps), "euler")
        assert recipe.choice.ours
        assert (ours - end).norm() < 0.5 * (stock - end).norm()


@pytest.mark.slow
def test_ours_asks_at_the_models_own_levels_alone(made):
    record, _ = made
    for recipe in record.recipes:
        assert set(recipe.sigmas) <= set(OWN.tolist()) and not any(recipe.offsets)


@pytest.mark.slow
def test_the_record_says_whose_run_it_is_and_what_it_cost(made):
    record, model = made
    assert record.teacher["grid"] == "own" and record.teacher["solver"] == "euler"
    assert record.provenance["model_calls"] == len(model.asked)
    assert record.provenance["plans"][0]["calls"] >= len(model.asked)
    assert Record.from_json(record.to_json()) == record


def test_other_step_counts_and_samplers_are_never_solved_from_so_few_levels(made):
    record, _ = made
    for sampler, steps in (("distilled", 3), ("distilled", 12), ("dpmpp_2m", 5)):
        found = select_from(record, sampler, steps)
        assert found.recipe.steps == steps and np.isfinite(found.recipe.sigmas).all()
        assert not found.recipe.choice.ours or sampler == "distilled"


@pytest.mark.parametrize(
    ("change", "problem", "says"),
    [
        ({"steps": 8}, StepsError, "has 8 steps already"),
        ({"steps": [4, 9]}, StepsError, "not for 9"),
        ({"sigmas": [1.0, 0.5, 0.0], "steps": 1}, StepsError, "none can be left out"),
        ({"sigmas": [1.0, 0.5, 0.7, 0.0]}, ScheduleError, "strictly decrease"),
        ({"sigmas": [14.6, 5.0, 2.0, 1.0, 0.0], "steps": 3}, SigmaRangeError, "cannot start at"),
        ({"budget": 10}, BudgetError, "the least that works"),
    ],
)
def test_mistakes_are_told_before_a_call(change, problem, says):
    model = Model()
    with pytest.raises(problem, match=says):
        distill_own_run(model, **{"sigmas": OWN, "steps": 5, **ABOUT, **change})
    assert not model.asked


def test_a_stop_leaves_the_record_as_it_stood():
    model, kept = Model(), []
    with pytest.raises(Stopped) as stop:
        distill_own_run(
            model, sigmas=OWN, steps=4, samples=1, **ABOUT,
            on_record=kept.append, should_stop=lambda: bool(kept),
        )  # fmt: skip
    assert stop.value.record is not None and stop.value.record.recipe("distilled", 4).steps == 4


@pytest.mark.slow
def test_a_budget_is_kept():
    model = Model()
    record = distill_own_run(model, sigmas=OWN, steps=5, budget=60, samples=1, **ABOUT)
    assert len(model.asked) <= 60 and record.recipe("distilled", 5).choice.ours


def at_once(x, sigma):
    """A model that answers with the one of eight pictures that is nearest, whatever the noise."""
    pictures = torch.randn(8, *x.shape[1:], generator=torch.Generator().manual_seed(1)).to(x)
    nearest = (x.flatten(1) @ pictures.flatten(1).T).argmax(1)
    return pictures[nearest]


@pytest.mark.slow
def test_a_model_that_answers_at_once_is_known_by_its_first_answer():
    """As it is said where a record is shown; of an ordinary model nothing is."""
    about = {name: each for name, each in ABOUT.items() if name != "latent_shape"}
    told = {}
    for name, model in (("at once", at_once), ("ordinary", Model())):
        record = distill(model, FLOW.latent_shape, **about, steps=2, budget=40)
        told[name] = "a picture already" in recommendation(record)
    assert told == {"at once": True, "ordinary": False}


@pytest.mark.parametrize("prompts, told", [(1, True), (3, False)])
@pytest.mark.slow
def test_a_spread_over_seeds_is_recorded_of_one_prompt_alone(prompts, told):
    about = ABOUT | {"conditions": Conditions(cfg=1.0, shift=3.0, prompts=prompts)}
    made = distill(Model(), **about, steps=2, budget=120)
    first = made.provenance["stages"][0]["first_answer"]
    assert ("spread" in first) == told and "error" in first


@pytest.mark.parametrize("answer", [at_once, lambda x, sigma: torch.zeros_like(x)])
def test_where_stock_makes_no_error_nothing_is_to_be_gained(answer):
    about = {name: each for name, each in ABOUT.items() if name != "latent_shape"}
    records = [
        distill(answer, (4, 4, 4), **about, steps=[2, 5]),
        distill_own_run(answer, (4, 4, 4), OWN, [4, 5], **about),
    ]
    for recipe in [each for record in records for each in record.recipes]:
        assert recipe.choice.stock and recipe.evidence["rms"] == 0
