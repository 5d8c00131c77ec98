"""A kin's recipe beside stock on one picture, or in a few calls: it holds, is a start, or is refused."""

from __future__ import annotations

import pytest
import torch

from scheduler.errors import DenoiserError, RecordingError
from scheduler.kin import HOLDS, REFINE, REFUSE, check_kin
from scheduler.kin.judging import code_of
from scheduler.kin.planning import calls_of_check
from tests.kin.relatives import DISTANT, FINETUNE, STRANGERS, drawn, known, mosaic
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


@pytest.fixture
def recipe(learnt):
    return learnt.recipe("distilled", 6)


@pytest.mark.parametrize(("how", "code"), [(FINETUNE, HOLDS), (DISTANT, REFINE)])
def test_on_one_recording(recipe, how, code):
    denoise = Counted(mosaic(4, **how))
    found = check_kin(recipe, denoise, known(), recordings=(drawn(denoise.denoise, 1),))
    assert found.code == code and found.rows == 1
    assert found.error < found.stock_error and found.stock.endswith("dpmpp_2m")
    assert denoise.calls == found.calls == calls_of_check(6, 1) <= MOST


@pytest.mark.parametrize("how", STRANGERS)
def test_a_stranger_is_refused_whatever_it_is_checked_on(recipe, how):
    denoise = mosaic(4, **how)
    for truth in ({"recordings": (drawn(denoise),)}, {"latent_shape": SHAPE}):
        found = check_kin(recipe, denoise, known(), **truth)
        assert found.code == REFUSE and found.ratio > 1
        assert found.words.startswith("It is refused here: ")


def test_without_a_recording_a_short_teacher_is_run(recipe):
    denoise = Counted(mosaic(4, **FINETUNE))
    found = check_kin(recipe, denoise, known(), SHAPE)
    assert found.code == HOLDS and denoise.calls == found.calls == calls_of_check(6) <= MOST
    assert found.words == (
        f"It holds here: {found.ratio:.2f} of the error of {found.stock} on one picture."
    )


def test_a_recipe_that_explodes_is_refused(recipe):
    from dataclasses import replace

    wild = tuple((8.0, -8.0, 8.0, 8.0) for _ in range(6))
    found = check_kin(replace(recipe, coefficients=wild), mosaic(4), known(), SHAPE)
    assert found.code == REFUSE


def test_a_recipe_of_a_stock_sampler_is_checked_too(recipe):
    from scheduler.record import Recipe

    sigmas = recipe.sigmas
    plain = Recipe("euler", 6, sigmas[0], sigmas)
    found = check_kin(plain, mosaic(4), known(), SHAPE)
    assert found.code in (HOLDS, REFINE, REFUSE) and "+" not in found.stock


def test_another_models_picture_is_no_truth(recipe):
    with pytest.raises(RecordingError, match="drawn by another model"):
        check_kin(recipe, mosaic(4, scale=2.0), known(), recordings=(drawn(mosaic(4)),))


def test_a_broken_model_is_said_so(recipe):
    with pytest.raises(DenoiserError):
        check_kin(recipe, lambda x, sigma: torch.full_like(x, torch.nan), known(), SHAPE)
