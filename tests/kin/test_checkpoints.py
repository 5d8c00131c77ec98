"""On the bundled flow checkpoint: rounded and drifted weights take its recipe, so do other guidances, and
mixtures that claim to be kin, whatever weights are stated for them, are refused."""

from __future__ import annotations

import pytest
import torch

from benchmarks.kin import interpolated, over
from benchmarks.kin_subjects import (
    STEPS,
    Tiles,
    changed,
    claimed,
    drawn_anew,
    facts_of,
    fp8,
    int8,
    own_record,
    picture,
    q4,
    shuffled,
    subject_of,
)
from benchmarks.trial import Trial
from scheduler.checkpoints import load_checkpoint
from scheduler.fingerprint.kinship import QUANTISED, SAME
from scheduler.kin import HOLDS, REFUSE, Kin, check_kin
from scheduler.kin.strangers import WEIGHTS
from scheduler.lookup.match import SOURCE
from scheduler.record import Record

SEED, ROWS = 10, 8


@pytest.fixture(scope="module")
def flow():
    torch.set_num_threads(1)
    return load_checkpoint("flow")


@pytest.fixture(scope="module")
def record(flow) -> Record:
    return own_record(subject_of(flow, "flow", 3.0), 0)[0]


def checked(kin_of, model, cfg=3.0):
    of = subject_of(model, "mine", cfg)
    run, denoise = picture(of, SEED)
    return check_kin(kin_of(of), denoise, STEPS, recordings=(run,))


def drifted(weight):
    return weight + 0.05 * drawn_anew(weight)


@pytest.mark.slow
@pytest.mark.parametrize("change", [fp8, int8, q4, drifted])
def test_rounded_and_drifted_weights_take_it(flow, record, change):
    found = checked(lambda of: claimed(record, of, QUANTISED), changed(flow, change))
    assert found.code == HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("cfg", [1.0, 5.0])
def test_it_holds_at_other_guidance(flow, record, cfg):
    assert checked(lambda of: Kin.of(record, facts_of(flow, "mine")), flow, cfg).code == HOLDS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "variance"), [(4.0, 0.05), (0.3, 0.05), (0.1, 0.01), (1.0, 0.05), (0.1, 1.0)]
)
def test_strangers_are_refused_both_ways_whatever_weights_are_stated(flow, record, scale, variance):
    other = Tiles(flow, scale, variance)
    theirs = own_record(subject_of(other, "other", 3.0), 0)[0]
    for each, model in ((record, other), (theirs, flow)):
        assert checked(lambda of, it=each: claimed(it, of, SAME, SOURCE), model).code == REFUSE


@pytest.mark.slow
def test_other_weights_are_refused_before_a_call(flow, record):
    other = changed(flow, shuffled)
    found = checked(lambda of: Kin.of(record, facts_of(other, "mine")), other)
    assert (found.code, found.stranger, found.calls) == (REFUSE, WEIGHTS, 0)


@pytest.mark.slow
def test_between_its_checked_ends_it_is_as_near_as_its_own(flow, record):
    recipe = record.recipe("distilled", STEPS)
    of = subject_of(flow, "mine", 5.0)  # whose reference is short
    trial = Trial(of, ROWS)
    own = own_record(of, 0)[0].recipe("distilled", STEPS)
    assert over(trial, recipe) < 1.2 * over(trial, own) < 0.7
    half = interpolated({3.0: recipe, 7.0: recipe}, 5.0, of)
    assert over(trial, half) == pytest.approx(over(trial, recipe), rel=1e-3)
