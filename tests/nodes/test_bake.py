"""Bake Sigmas and Split at Sigma without ComfyUI."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.nodes.made import OFFSETS, recipe, record, solvable
from tests.nodes.pack import module

bake = module("nodes.bake")
errors = module("scheduler.errors")


@pytest.fixture(autouse=True)
def no_store(tmp_path, monkeypatch):
    """Nobody's own store is looked into."""
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))


def baked(made, sampler_name="best", steps=3, denoise=1.0):
    return bake.StepDistillBake().bake(made, sampler_name, steps, denoise)


def test_the_recipe_without_offsets_is_taken_and_its_evidence_told():
    made = record(recipe(sigmas=[1.0, 0.9, 0.4, 0.0], offsets=OFFSETS, rms=0.01), recipe(rms=0.2))
    found = baked(made, "euler")
    sigmas, text = found["result"]
    assert (
        text == "1, 0.8, 0.5, 0"
        and sigmas.dtype == torch.float32
        and sigmas.tolist() == pytest.approx([1.0, 0.8, 0.5, 0.0])
    )
    assert "0.80 of the error of the best stock choice (beta)" in found["ui"]["text"][0]


def test_best_is_the_least_measured_error_of_a_stock_sampler():
    rows = [[0.0] * 4] * 3
    made = record(
        recipe("distilled", [1.0, 0.7, 0.3, 0.0], coefficients=rows, rms=0.001),
        recipe("euler", rms=0.2),
        recipe("dpmpp_2m", [1.0, 0.85, 0.45, 0.0], rms=0.1),
        recipe("res_multistep", [1.0, 0.83, 0.43, 0.0]),
    )
    found = baked(made)
    assert found["result"][1] == "1, 0.85, 0.45, 0" and "sampler dpmpp_2m" in found["ui"]["text"][0]


def test_best_of_a_record_for_distilled_alone_is_the_best_stock_choice_it_measured():
    """Sigmas cannot carry its coefficients: no dead end, and nothing that is not said."""
    ours = recipe("distilled", [1.0, 0.7, 0.3, 0.0], coefficients=[[0.0] * 4] * 3, rms=0.001)
    stock = {"beta + dpmpp_2m": {"rms": 0.1}, "simple + dpmpp_2m": {"rms": 0.2}}
    made = record(replace(ours, evidence=ours.evidence | {"stock": stock}))
    told = baked(made)["ui"]["text"][0]
    assert "to be used with the sampler dpmpp_2m" in told and "beta" in told
    assert "its own recipes are for the sampler distilled" in told
    with pytest.raises(errors.RecipeError):
        baked(made, "euler")


def test_a_stock_pair_that_won_is_baked_for_its_sampler():
    made = record(recipe("distilled", [1.0, 0.6, 0.2, 0.0], choice="beta + dpmpp_2m", rms=0.3))
    told = baked(made)["ui"]["text"][0]
    assert "sampler dpmpp_2m (beta + dpmpp_2m, a stock schedule)" in told
    assert baked(made, "dpmpp_2m")["result"][1] == "1, 0.6, 0.2, 0"
    with pytest.raises(errors.RecipeError, match="no recipe for euler"):
        baked(made, "euler")


def test_a_start_below_the_top_has_its_own_recipe():
    start = 3 * 0.5 / (1 + 2 * 0.5)  # shift 3 at half its clock
    made = record(recipe(), recipe(sigmas=[start, 0.4, 0.2, 0.0]))
    assert baked(made, denoise=0.5)["result"][1] == "0.75, 0.4, 0.2, 0"


def test_without_a_recipe_the_sentence_says_what_there_is():
    with pytest.raises(errors.RecipeError, match=r"euler at 3 steps.*distil for the one you want"):
        baked(record(), steps=5)


def test_other_steps_are_solved_from_the_inner_products_of_the_record():
    found = baked(solvable(), steps=5, denoise=0.5)
    assert (
        len(found["result"][0]) == 6
        and found["result"][0][0] == 0.75
        and "not measured" in found["ui"]["text"][0]
    )


@pytest.mark.parametrize("denoise", [0.0, -1.0, 1.5, float("nan")])
def test_no_denoise_is_refused(denoise):
    with pytest.raises(errors.SigmaRangeError, match="denoise is"):  # one sentence with all nodes
        baked(record(), denoise=denoise)


def test_zero_steps_are_refused():
    with pytest.raises(errors.StepsError, match="at least 1"):
        baked(record(), steps=0)


@given(st.lists(st.floats(2**-20, 1.0, width=32), min_size=2, max_size=12, unique=True))
def test_the_text_is_read_by_manual_sigmas_exactly(levels):
    levels = [1.0, *(level for level in sorted(levels, reverse=True) if level < 1)]
    if any(now / following < 1 + 1e-5 for now, following in pairwise(levels)):
        return
    sigmas, text = baked(record(recipe(sigmas=[*levels, 0.0])), steps=len(levels))["result"]
    assert [float(word) for word in re.findall(r"[-+]?(?:\d*\.*\d+)", text)] == pytest.approx(
        [*levels, 0.0], rel=1e-6
    )
    assert torch.FloatTensor(
        [float(word) for word in re.findall(r"[-+]?(?:\d*\.*\d+)", text)]
    ).equal(sigmas)


schedules = st.lists(st.floats(2**-10, 80.0, width=32), min_size=2, max_size=20, unique=True).map(
    lambda s: [*sorted(s, reverse=True), 0.0]
)


@given(schedules, st.floats(0.0, 1.0))
def test_a_split_keeps_the_steps_and_meets_at_the_boundary(levels, share):
    sigma = levels[0] * (0.001 + 0.998 * share)
    boundary = torch.tensor(sigma, dtype=torch.float32)
    if boundary >= levels[0]:
        return
    high, low, _ = bake.split_at(torch.tensor(levels), sigma)
    assert (
        len(high) + len(low) == len(levels) + 1
        and high[-1] == low[0] == boundary
        and low[-1] == 0
        and high[0] == levels[0]
    )
    assert (high.diff() < 0).all() and (low.diff() < 0).all() and len(high) > 1 and len(low) > 1
    others = set(high.tolist() + low.tolist()) - {float(boundary)}
    assert others <= set(torch.tensor(levels).tolist())


def test_the_nearest_inner_sigma_is_moved():
    result = bake.StepDistillSplit().split(torch.tensor([1.0, 0.95, 0.9, 0.5, 0.2, 0.0]), 0.875)
    assert [each.tolist() for each in result["result"]] == [
        pytest.approx([1.0, 0.95, 0.875]),
        pytest.approx([0.875, 0.5, 0.2, 0.0]),
    ]
    assert "0.9 was moved" in result["ui"]["text"][0]


def test_a_schedule_that_has_the_boundary_is_cut_there():
    high, low, moved = bake.split_at(torch.tensor([1.0, 0.875, 0.5, 0.0]), 0.875)
    assert moved is None and high.tolist() == [1.0, 0.875] and low.tolist() == [0.875, 0.5, 0.0]


def test_the_given_sigmas_are_left_as_they_are():
    given_sigmas = torch.tensor([1.0, 0.9, 0.5, 0.0])
    bake.split_at(given_sigmas, 0.8)
    assert given_sigmas.tolist() == pytest.approx([1.0, 0.9, 0.5, 0.0])


@pytest.mark.parametrize(
    "levels, sigma, words",
    [
        ([1.0, 0.5, 0.0], 1.0, "low-noise expert"),
        ([0.7, 0.5, 0.0], 0.875, "low-noise expert"),
        ([1.0, 0.5, 0.0], 0.0, "high-noise expert"),
        ([1.0, 0.9, 0.88], 0.875, "high-noise expert"),
        ([1.0, 0.0], 0.5, "two steps"),
        ([], 0.5, "two steps"),
        ([0.0, 0.5, 1.0], 0.5, "strictly decrease"),
        ([1.0, float("nan"), 0.0], 0.5, "strictly decrease"),
    ],
)
def test_a_boundary_outside_is_a_sentence(levels, sigma, words):
    with pytest.raises(ValueError, match=words):
        bake.StepDistillSplit().split(torch.tensor(levels), sigma)
