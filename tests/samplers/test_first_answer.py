"""A shared first call: the mean over seeds in place of one model call, and when it is refused."""

from __future__ import annotations

import pytest
import torch

from scheduler.errors import RecipeError
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.samplers.distilled import run_recipe
from scheduler.samplers.first_answer import SharedFirstAnswer, takes_first_answer
from tests.mixture import small_mixture, unit_noise

ROWS = [[0.0, 0.0, 0.0, 0.0], [0.3, 0.0, 0.02, -0.01], [0.2, 0.1, 0.0, 0.0]]
SIGMAS = [1.0, 0.7, 0.3, 0.0]
PROVENANCE = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 1}


def fitted(sampler="distilled", sigmas=SIGMAS, **more) -> Recipe:
    known = {"coefficients": ROWS, "offsets": [0.0, -0.1, -0.1]} | more
    return Recipe(sampler, 3, sigmas[0], sigmas, **known)


class Counting:
    """The small mixture, with what it was asked."""

    def __init__(self):
        self.denoise, self.asked = small_mixture("flow"), []

    def __call__(self, x, sigma):
        self.asked.append(float(sigma[0]))
        return self.denoise(x, sigma)


def own_first(noise):
    return small_mixture("flow")(noise, torch.ones(len(noise)))


def test_the_rows_own_answers_change_nothing_and_save_a_call():
    noise, plain, saved = unit_noise(3, 8), Counting(), Counting()
    told = []
    one = run_recipe(plain, noise, fitted(), "flow")
    other = run_recipe(
        saved,
        noise,
        fitted(),
        "flow",
        callback=lambda i, x, denoised: told.append(i),
        first_answer=own_first(noise),
    )
    assert torch.allclose(one, other) and told == [0, 1, 2]
    assert plain.asked[1:] == saved.asked and plain.asked[0] == 1.0


def test_one_answer_serves_every_row():
    noise = unit_noise(3, 8)
    answer = torch.full((8,), 0.25)
    one = run_recipe(Counting(), noise, fitted(), "flow", first_answer=answer)
    every = run_recipe(
        Counting(), noise, fitted(), "flow", first_answer=answer.expand(3, 8).double()
    )
    assert torch.equal(one, every)
    assert not torch.allclose(one, run_recipe(Counting(), noise, fitted(), "flow"), atol=1e-3)


def test_the_mean_and_its_spread_are_those_of_all_that_was_added():
    answers = 1 + 0.1 * unit_noise(7, 2, 3)
    shared = SharedFirstAnswer()
    assert shared.spread is None and shared.count == 0
    shared.add(answers[:1])
    assert shared.spread is None
    shared.add(answers[1:4])
    shared.add(answers[4:])
    assert shared.count == 7
    assert torch.allclose(shared.mean.double(), answers.mean(0), atol=1e-6)
    deviation = answers.var(0).mean().sqrt() / answers.mean(0).square().mean().sqrt()
    assert shared.spread == pytest.approx(float(deviation), rel=1e-4)
    noise = unit_noise(2, 2, 3)
    given = shared.answer_for(noise)
    assert given.shape == noise.shape and given.dtype == noise.dtype


@pytest.mark.parametrize(
    ("spread", "calls", "pays"), [(0.1, 5, True), (0.1, 6, False), (0.3, 4, False)]
)
def test_it_is_said_to_pay_where_it_was_measured_to(spread, calls, pays):
    shared = SharedFirstAnswer()
    shared.add(1 + spread * unit_noise(1, 500))
    assert not shared.pays_at(calls)  # from one answer nothing can be told
    shared.add(1 + spread * unit_noise(30, 500, seed=1))
    assert shared.spread == pytest.approx(spread, rel=0.1) and shared.pays_at(calls) == pays


def test_what_does_not_belong_to_the_mean_is_refused():
    shared = SharedFirstAnswer()
    with pytest.raises(RecipeError, match="No first answer"):
        shared.answer_for(unit_noise(1, 8))
    shared.add(unit_noise(2, 8))
    for refused in (shared.add, shared.answer_for):
        with pytest.raises(RecipeError, match="one mean for each size"):
            refused(unit_noise(2, 9))
    with pytest.raises(RecipeError, match="not finite"):
        shared.add(torch.full((1, 8), float("nan")))
    assert shared.count == 2


@pytest.mark.parametrize(
    ("recipe", "process", "takes"),
    [
        (fitted(), "flow", True),
        (fitted(offsets=None), "ve", True),
        (fitted(offsets=[-0.2, 0.0, 0.0]), "ve", False),  # asked elsewhere than the mean was
        (fitted(coefficients=None), "flow", False),
        (fitted("euler", coefficients=None), "flow", False),
    ],
)
def test_only_distilled_recipes_asked_first_at_their_start_take_one(recipe, process, takes):
    assert takes_first_answer(recipe, process) == takes
    if not takes:
        with pytest.raises(RecipeError, match="first offset is 0"):
            run_recipe(Counting(), unit_noise(1, 8), recipe, process, first_answer=torch.zeros(8))


def record(*recipes) -> Record:
    return Record(Model("flow", 0.002, 1.0), Conditions(), None, recipes, {}, PROVENANCE)


def test_a_record_samples_with_it_from_pure_noise_only():
    noise, made = unit_noise(2, 8), record(fitted(), fitted(sigmas=[0.6, 0.4, 0.2, 0.0]))
    answer = torch.zeros(8)
    one = made.sample(Counting(), noise, "distilled", 3, first_answer=answer)
    assert torch.equal(one, run_recipe(Counting(), noise, fitted(), "flow", first_answer=answer))
    with pytest.raises(RecipeError, match="depends on the picture"):
        made.sample(Counting(), noise, "distilled", 3, start_sigma=0.6, first_answer=answer)
    with pytest.raises(RecipeError, match="must be theirs"):
        made.sample(Counting(), noise, "distilled", 3, first_answer=torch.zeros(9))


def test_a_record_samples_stochastic_recipes_too():
    made = record(Recipe("er_sde", 3, 1.0, SIGMAS, choice="beta"))
    noise = unit_noise(2, 8)
    one, other = (
        made.sample(Counting(), noise, "er_sde", 3, path_seed=seed).isfinite().all()
        for seed in (0, 1)
    )
    assert bool(one) and bool(other)
    ends = [made.sample(Counting(), noise, "er_sde", 3, path_seed=seed) for seed in (0, 1)]
    assert not torch.allclose(*ends, atol=1e-3)
