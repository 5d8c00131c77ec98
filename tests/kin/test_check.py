"""A kin's recipe beside stock on one picture, or in a few calls: it holds, is a start, or is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler.errors import DenoiserError, RecipeError, RecordingError
from scheduler.kin import HOLDS, REFINE, REFUSE, Kin, check_kin
from scheduler.kin.judging import code_of
from scheduler.kin.planning import calls_of_check
from scheduler.record import Recipe
from tests.kin.relatives import DISTANT, FINETUNE, STRANGERS, drawn, known, mosaic, print_of
from tests.learning.studio import SHAPE

MOST = 40  # calls of a check at N = 6


@pytest.mark.parametrize(
    ("over_stock", "over_walk", "claimed", "known"),
    [
        (0.4, 9.0, HOLDS, HOLDS),
        (0.55, 1.1, HOLDS, HOLDS),
        (0.55, 1.3, REFINE, HOLDS),
        (0.55, 2.5, REFUSE, HOLDS),
        (0.7, 1.4, REFINE, HOLDS),
        (0.7, 1.6, REFUSE, REFINE),
        (0.7, 1.0, REFINE, HOLDS),
        (0.8, 1.0, REFINE, REFINE),
        (0.8, 2.0, REFUSE, REFUSE),
        (0.85, 0.1, REFUSE, REFUSE),
        (float("nan"), 0.1, REFUSE, REFUSE),
        (0.5, None, HOLDS, HOLDS),
        (0.65, None, REFINE, HOLDS),
    ],
)
def test_the_bounds_are_wider_for_the_very_weights(over_stock, over_walk, claimed, known):
    assert code_of(over_stock, over_walk) == claimed
    assert code_of(over_stock, over_walk, known=True) == known


class Counted:
    def __init__(self, denoise):
        self.denoise, self.calls = denoise, 0

    def __call__(self, x, sigma):
        self.calls += len(x)
        return self.denoise(x, sigma)


def claimed(learnt, recipe=None) -> Kin:
    """The base's record as a finetune's kin, another recipe in it."""
    record = learnt if recipe is None else replace(learnt, recipes=(recipe,))
    return Kin.of(record, known("Mine", print_of(0.1)))


@pytest.fixture
def kin(learnt):
    return claimed(learnt)


@pytest.mark.parametrize(("how", "seed", "code"), [(FINETUNE, 1, HOLDS), (DISTANT, 5, REFINE)])
@pytest.mark.slow
def test_on_one_recording(kin, how, seed, code):
    denoise = Counted(mosaic(4, **how))
    found = check_kin(kin, denoise, 6, recordings=(drawn(denoise.denoise, seed),))
    assert found.code == code and found.rows == 1
    assert found.error < found.stock_error and found.stock.endswith("dpmpp_2m")
    assert denoise.calls == found.calls == calls_of_check(6, 1) <= MOST


@pytest.mark.parametrize("how", STRANGERS)
@pytest.mark.slow
def test_one_that_draws_otherwise_is_refused_whatever_its_weights_say(kin, how):
    denoise = mosaic(4, **how)
    for truth in ({"recordings": (drawn(denoise),)}, {"latent_shape": SHAPE}):
        found = check_kin(kin, denoise, 6, **truth)
        assert found.code == REFUSE and (found.ratio is None or found.ratio > 1)
        assert found.words.startswith("It is refused here")


@pytest.mark.slow
def test_without_a_recording_a_short_teacher_is_run(kin):
    denoise = Counted(mosaic(4, **FINETUNE))
    found = check_kin(kin, denoise, 6, SHAPE)
    assert found.code == HOLDS and denoise.calls == found.calls == calls_of_check(6) <= MOST
    assert found.words == (
        f"It holds here: {found.ratio:.2f} of the error of {found.stock} on one picture."
    )


def test_a_recipe_that_explodes_is_refused(learnt):
    wild = tuple((8.0, -8.0, 8.0, 8.0) for _ in range(6))
    recipe = replace(learnt.recipe("distilled", 6), coefficients=wild)
    assert check_kin(claimed(learnt, recipe), mosaic(4), 6, SHAPE).code == REFUSE


def test_a_recipe_of_a_stock_sampler_is_checked_too(learnt):
    sigmas = learnt.recipe("distilled", 6).sigmas
    plain = Recipe("euler", 6, sigmas[0], sigmas)
    found = check_kin(claimed(learnt, plain), mosaic(4), 6, SHAPE, sampler="euler")
    assert found.code in (HOLDS, REFINE, REFUSE) and "+" not in found.stock


def test_what_it_has_no_recipe_for_cannot_be_checked(kin):
    with pytest.raises(RecipeError, match="has no recipe for 5 steps"):
        check_kin(kin, mosaic(4), 5, SHAPE)


def test_another_models_picture_is_no_truth(kin):
    with pytest.raises(RecordingError, match="drawn by another model"):
        check_kin(kin, mosaic(4, scale=2.0), 6, recordings=(drawn(mosaic(4)),))


def test_a_broken_model_is_said_so(kin):
    with pytest.raises(DenoiserError):
        check_kin(kin, lambda x, sigma: torch.full_like(x, torch.nan), 6, SHAPE)
