"""What is recommended, number by number, and what a comparison holds."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.evidence.plan import PAIR_SAMPLERS, equal_calls_steps, plan_evidence
from scheduler.evidence.verdicts import (
    compared,
    paired_ratio,
    picture_distance,
    recommendation,
)
from scheduler.record import Recipe

STOCK = {"karras": {"rms": 0.2}, "beta": {"rms": 0.3}}


def recipe(steps=4, sampler="euler", rms=0.1, **found) -> Recipe:
    """Ours, at half of the error of the best stock choice, and surely so."""
    usual = {"best_stock": "karras", "stock": STOCK, "ratio": 0.5, "margin": 0.1}
    sigmas = [1.0, *[0.5 / (k + 1) for k in range(steps - 1)], 0.0]
    evidence = {"rms": rms} | usual | found
    return Recipe(sampler, steps, 1.0, sigmas, evidence=evidence)


def test_the_curve_that_is_lower_where_all_were_measured_is_followed():
    """euler is lower at 4 and 6; what dpmpp_2m does at 12, where the other was not run, doesn't count."""
    curves = {"dpmpp_2m": {4: 0.1, 6: 0.09, 12: 0.001}, "euler": {4: 0.08, 6: 0.07}}
    every = [recipe(n, sampler, curve[n]) for sampler, curve in curves.items() for n in (4, 6)]
    found = recommendation(every, curves, {"dpmpp_2m": 12, "euler": 4})
    assert found == {"steps": 4, "sampler": "euler", "offsets": False, "at_knee": True}


def test_where_no_step_count_is_shared_all_of_each_curve_counts():
    curves = {"euler": {4: 0.1}, "dpmpp_2m": {6: 0.05}}
    every = [recipe(4), recipe(6, "dpmpp_2m", 0.05)]
    assert recommendation(every, curves, {"euler": None, "dpmpp_2m": None})["steps"] == 6


def test_fewer_steps_that_are_as_good_come_first():
    every = [recipe(4, rms=0.05), recipe(6, rms=0.05), recipe(5, rms=0.06)]
    found = recommendation(every, {"euler": {4: 0.05, 5: 0.06, 6: 0.05}}, {"euler": 6})
    assert found == {"steps": 4, "sampler": "euler", "offsets": False}


def test_what_has_no_stock_beside_it_is_not_recommended():
    alone = recipe(4, rms=0.01, best_stock=None, stock={}, ratio=None, margin=None)
    assert recommendation([alone], {"euler": {4: 0.01}}, {"euler": None}) == {}
    found = recommendation([alone, recipe(6)], {"euler": {4: 0.01, 6: 0.1}}, {"euler": 6})
    assert found["steps"] == 6 and found["sampler"] == "euler"


@pytest.mark.parametrize("least, recommended", [(0.1, "stock"), (0.11, "sampler")])
def test_ours_is_better_than_any_stock_run_there_or_stock_is_taken(least, recommended):
    """A sampler's best stock run may beat another sampler's recipe; equal is not better."""
    other = recipe(4, "heun", 0.3, stock={"simple": {"rms": least}}, ratio=1.5, best_stock="simple")
    curves = {"euler": {4: 0.1}, "heun": {4: 0.3}}
    found = recommendation([recipe(4), other], curves, {"euler": 4, "heun": 4})
    assert recommended in found
    if recommended == "stock":
        assert found["stock"] == {"schedule": "simple", "sampler": "heun"}


def test_a_doubtful_gain_is_none():
    doubtful = recipe(4, ratio=0.95, margin=0.2)
    assert "stock" in recommendation([doubtful], {"euler": {4: 0.1}}, {"euler": 4})


def test_one_step_count_speaks_for_no_other():
    """Nothing is gained where the curve bends; at 8 steps ours has .74 of stock's error."""
    here = recipe(6, rms=0.2, ratio=1.0)
    more = recipe(8, rms=0.1, ratio=0.74, stock={"karras": {"rms": 0.135}})
    curves = {"euler": {6: 0.2, 8: 0.1}}
    found = recommendation([here, more], curves, {"euler": 6})
    assert found == {"steps": 8, "sampler": "euler", "offsets": False}
    fewer = recipe(4, rms=0.25)  # clearly better than stock at 4, and worse than stock at 6
    found = recommendation([fewer, here], {"euler": {4: 0.25, 6: 0.2}}, {"euler": 6})
    assert found["stock"]["schedule"] == "karras" and found["steps"] == 6


def test_a_comparison_holds_both_sides_and_the_share_of_other_pictures():
    ours, theirs = (
        np.array([0.1, 0.3]),
        {"beta": np.array([0.2, 0.6]), "simple": np.array([1.0, 1.0])},
    )
    found = compared(recipe(), ours, theirs, 0.25, 4)
    assert found["different"] == 0.5 and found["stock"]["beta"]["different"] == 0.5
    assert (found["samples"], found["model_calls"], found["best_stock"]) == (2, 4, "beta")
    assert found["ratio"] == pytest.approx(0.5)
    assert "different" not in compared(recipe(), ours, theirs, None, 4)


@pytest.mark.parametrize("sampler, calls, steps", [("euler", 7, 7), ("heun", 7, 4), ("heun", 8, 4)])
def test_steps_of_equal_calls(sampler, calls, steps):
    assert equal_calls_steps(sampler, calls) == steps


def test_the_margin_is_students_times_the_standard_error_of_the_log_ratio():
    ours, theirs = np.array([0.1, 0.3, 0.2, 0.4]), np.array([0.3, 0.2, 0.5, 0.4])
    mine, others = ours**2 / np.mean(ours**2), theirs**2 / np.mean(theirs**2)
    spread = np.std((mine - others) / 2, ddof=1) / 2  # a half: the root of four rows
    ratio, margin = paired_ratio(ours, theirs)
    assert ratio == pytest.approx(np.sqrt(np.mean(ours**2) / np.mean(theirs**2)))
    out = [np.delete(np.arange(4), k) for k in range(4)]
    logs = [np.log(np.mean(ours[each] ** 2) / np.mean(theirs[each] ** 2)) / 2 for each in out]
    jackknife = np.sqrt(3 / 4 * np.sum((logs - np.mean(logs)) ** 2))
    assert jackknife > spread and margin == pytest.approx(3.182 * jackknife, rel=0.01)


def test_one_row_that_decides_makes_the_margin_wide():
    rng = np.random.default_rng(0)
    ours, theirs = 0.1 + 0.01 * rng.random(8), 0.2 + 0.01 * rng.random(8)
    _, plain = paired_ratio(ours, theirs)
    _, wide = paired_ratio(np.append(ours[1:], 2.0), theirs)
    assert plain < 0.1 and wide > 1


def test_two_rows_have_a_margin_and_one_has_none():
    assert paired_ratio(np.array([0.1, 0.3]), np.array([0.2, 0.3]))[1] > 0
    assert paired_ratio(np.array([0.1]), np.array([0.2])) == (pytest.approx(0.5), None)


def test_pictures_are_apart_by_half_their_distance_wherever_they_are():
    ends = np.array([[0.0, 0.0], [2.0, 2.0]])
    for moved in (0.0, 1.0, -5.0):
        assert picture_distance(ends + moved) == pytest.approx(1.0)


def test_stock_pairs_are_given_up_one_by_one():
    wanted = [recipe(n, "distilled") for n in (2, 3, 4)]
    plans = [plan_evidence(wanted, 1, budget) for budget in range(300, 1200, 5)]
    kept = {len(plan.pairs) for plan in plans if plan and plan.steps == (2, 3, 4)}
    assert kept == set(range(2, len(PAIR_SAMPLERS) + 1))
