"""A distillation that was stopped inside its teacher: the next one asks only what was not asked, and
nothing of another model is used."""

from __future__ import annotations

import pytest
import torch

from scheduler import Record, distill
from tests.mixture import small_mixture

ABOUT = {
    "latent_shape": (1, 256),
    "sigma_max": 1.0,
    "sigma_min": 0.002,
    "steps": (2, 3),
    "budget": 50,
    "evidence_budget": 0,
}
STOPS = [4, *(pytest.param(calls, marks=pytest.mark.slow) for calls in (1, 12, 23))]


class Interrupted(Exception):
    """What a host raises where its user interrupts."""


class Model:
    """Independent mixtures side by side, asked at most so often; strength: tells two models apart."""

    def __init__(self, most: int = 1000, strength: float = 1.0):
        self.most, self.strength, self.asked = most, strength, 0
        self.denoise = small_mixture()

    def __call__(self, x, sigma):
        if self.asked >= self.most:
            raise Interrupted
        self.asked += len(x)
        tiles = self.denoise(x.reshape(-1, 1, 8), sigma.repeat_interleave(32))
        return self.strength * tiles.reshape(x.shape)


def distilled(folder, model: Model) -> Record:
    return distill(model, **ABOUT, resume=folder)


def stopped(folder, calls: int, **model) -> None:
    with pytest.raises(Interrupted):
        distilled(folder, Model(calls, **model))


@pytest.fixture(scope="module")
def whole():
    """(the record of a run that was not stopped, its calls)."""
    model = Model()
    return distilled(None, model), model.asked


@pytest.mark.parametrize("calls", STOPS)
@pytest.mark.slow
def test_what_was_asked_is_asked_no_more(tmp_path, whole, calls):
    record, asked = whole
    stopped(tmp_path, calls)
    again = Model()
    found = distilled(tmp_path, again)
    assert again.asked <= asked - calls + 3  # one tells the model; the teacher's two second looks
    assert found.recipes == record.recipes
    assert found.provenance["model_calls"] == record.provenance["model_calls"]


@pytest.mark.slow
def test_stopped_twice(tmp_path, whole):
    stopped(tmp_path, 6)
    stopped(tmp_path, 6)
    again = Model()
    assert distilled(tmp_path, again).recipes == whole[0].recipes
    assert again.asked <= whole[1] - 12 + 3


@pytest.mark.parametrize("calls", STOPS)
@pytest.mark.slow
def test_answers_of_another_model_are_not_used(tmp_path, whole, calls):
    stopped(tmp_path, calls, strength=0.9)
    again = Model()
    found = distilled(tmp_path, again)
    assert found.gram == whole[0].gram  # the teacher is all this model's
    assert again.asked <= ABOUT["budget"]  # what told the model is within what was said


@pytest.mark.slow
def test_answers_that_were_broken_meanwhile_are_asked_again(tmp_path, whole):
    stopped(tmp_path, 12)
    for path in tmp_path.glob("answer-*"):
        path.write_bytes(b"broken")
    assert distilled(tmp_path, Model()).recipes == whole[0].recipes


@pytest.mark.slow
def test_half_precision_goes_on_too(tmp_path):
    class Half(Model):
        def __call__(self, x, sigma):
            return super().__call__(x, sigma).to(torch.float16).float()

    alone = distilled(None, Half())
    with pytest.raises(Interrupted):
        distilled(tmp_path, Half(12))
    assert distilled(tmp_path, Half()).recipes == alone.recipes
