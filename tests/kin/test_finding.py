"""Which records are kin: by their weights, nearest first; never a stranger's, never its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler.fingerprint.kinship import QUANTISED, RELATED, SAME
from scheduler.kin import find_kin
from scheduler.kin.carrying import carried, shifted
from scheduler.sigmas import flow_table
from tests.kin.relatives import known, print_of
from tests.learning.studio import SHAPE


def of_shift(shift: float):
    table = flow_table(shift)
    return known(shift=shift, table=table, sigma_min=table.sigma_min)


@pytest.mark.parametrize(
    ("fingerprint", "kind"),
    [
        (print_of(0.1), RELATED),
        (print_of(dtype=torch.float8_e4m3fn), QUANTISED),
        (print_of(dtype=torch.float16), SAME),
    ],
)
def test_a_related_model_is_found(taught, fingerprint, kind):
    model = known("Mine", fingerprint)
    (kin,) = find_kin(taught, model, model.key(5.0, SHAPE))
    assert kin.kinship == kind and kin.title == "Base"
    assert kin.recipe(6).coefficients is not None and kin.recipe(5) is None


def test_a_lora_makes_kin_of_the_same_weights(taught):
    model = known(patches=({"name": "lora", "strength": 0.8},))
    (kin,) = find_kin(taught, model, model.key(3.0, SHAPE))
    assert kin.kinship == SAME and [each.code for each in kin.differences] == ["patch_missing"]


def test_strangers_and_its_own_record_are_no_kin(taught):
    stranger = known("Other", print_of(seed=7))
    assert find_kin(taught, stranger, stranger.key(3.0, SHAPE)) == []
    assert find_kin(taught, known(), known().key(3.0, SHAPE)) == []
    unknown = replace(known(), fingerprint=None)
    assert find_kin(taught, unknown, unknown.key(3.0, SHAPE)) == []


def test_the_nearest_comes_first(taught, learnt):
    mine = print_of(0.1)
    other = replace(
        learnt, model=replace(learnt.model, name="Mine", fingerprint=mine.id, samples=mine.samples)
    )
    taught.put(other)
    model = known("Mine", mine)
    found = find_kin(taught, model, model.key(7.0, SHAPE))
    assert [each.title for each in found] == ["Mine", "Base"]


def test_a_shift_moves_noise_levels_and_nothing_else(learnt):
    recipe = learnt.recipe("distilled", 6)
    moved = carried(learnt, of_shift(6.0)).recipe("distilled", 6)
    assert moved.offsets == recipe.offsets and moved.coefficients == recipe.coefficients
    odds = [s / (1 - s) for s in moved.sigmas[1:-1]]
    before = [s / (1 - s) for s in recipe.sigmas[1:-1]]
    assert odds == pytest.approx([2 * each for each in before])
    assert moved.sigmas[0] == recipe.sigmas[0] and moved.sigmas[-1] == 0
    assert shifted([0.0, 1.0], 5.0).tolist() == [0.0, 1.0]


def test_another_kind_of_noise_cannot_be_met(learnt):
    assert carried(learnt, known(process="ve")) is None
    assert carried(learnt, known(sigma_max=0.9)) is None
