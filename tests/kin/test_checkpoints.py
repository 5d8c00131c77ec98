"""On the bundled flow checkpoint: rounded and drifted weights take its recipe, so do other guidances, and
mixtures that claim to be kin are refused."""

from __future__ import annotations

import pytest
import torch

from benchmarks.kin import STEPS, interpolated, over, own_record, picture
from benchmarks.kin_subjects import (
    Tiles,
    changed,
    drawn_anew,
    facts_of,
    fp8,
    int8,
    q4,
    subject_of,
)
from benchmarks.trial import Trial
from scheduler.checkpoints import load_checkpoint
from scheduler.kin import HOLDS, REFUSE, check_kin
from scheduler.record import Recipe

SEED, ROWS = 10, 8


@pytest.fixture(scope="module")
def flow():
    torch.set_num_threads(1)
    return load_checkpoint("flow")


@pytest.fixture(scope="module")
def recipe(flow) -> Recipe:
    return own_record(subject_of(flow, "flow", 3.0), 0)[0].recipe("distilled", STEPS)


def checked(recipe, model, cfg=3.0, known=True):
    of = subject_of(model, "mine", cfg)
    run, denoise = picture(of, SEED)
    facts = facts_of(model, "mine")
    return check_kin(recipe, denoise, facts, recordings=(run,), known=known)


def drifted(weight):
    return weight + 0.05 * drawn_anew(weight)


@pytest.mark.slow
@pytest.mark.parametrize("change", [fp8, int8, q4, drifted])
def test_rounded_and_drifted_weights_take_it(flow, recipe, change):
    assert checked(recipe, changed(flow, change)).code == HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("cfg", [1.0, 5.0])
def test_it_holds_at_other_guidance(flow, recipe, cfg):
    assert checked(recipe, flow, cfg).code == HOLDS


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "variance"), [(4.0, 0.05), (0.3, 0.05), (0.1, 0.01)])
def test_strangers_are_refused_both_ways(flow, recipe, scale, variance):
    other = Tiles(flow, scale, variance)
    assert checked(recipe, other, known=False).code == REFUSE
    theirs = own_record(subject_of(other, "other", 3.0), 0)[0].recipe("distilled", STEPS)
    assert checked(theirs, flow, known=False).code == REFUSE


@pytest.mark.slow
def test_between_its_checked_ends_it_is_as_near_as_its_own(flow, recipe):
    of = subject_of(flow, "mine", 5.0)  # whose reference is short
    trial = Trial(of, ROWS)
    own = own_record(of, 0)[0].recipe("distilled", STEPS)
    assert over(trial, recipe) < 1.2 * over(trial, own) < 0.7
    half = interpolated({3.0: recipe, 7.0: recipe}, 5.0, of)
    assert over(trial, half) == pytest.approx(over(trial, recipe), rel=1e-3)
