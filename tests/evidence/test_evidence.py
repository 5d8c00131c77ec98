"""Held-out evidence: what it counts, what it compares, what it says, and how it keeps to its budget."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler import evidence
from scheduler.denoiser import start_state
from scheduler.errors import DenoiserError, Stopped
from scheduler.evidence import plan as evidence_plan
from scheduler.evidence import verdicts
from scheduler.fit.teacher import record_teacher
from scheduler.record import Conditions, Model, Recipe, Record, now
from scheduler.samplers import sample
from scheduler.search.dynamic_programming import schedules_from
from scheduler.sigmas import baselines, log_snr_grid, table_for

LOW, HIGH = 0.03, 1.0
TABLE = table_for(LOW, HIGH, "flow", 3.0)
SHAPE = (3, 4)
SPREAD = torch.linspace(0.3, 2.0, 12).reshape(
    SHAPE
)  # a Gaussian whose elements differ in width: its flow isn't a straight line


def ideal(x, sigma):
    """E[x0 | x] of that Gaussian, with a mean of 1, for a flow."""
    s = sigma.reshape(-1, 1, 1).to(x)
    gain = SPREAD**2 * (1 - s) / ((1 - s) ** 2 * SPREAD**2 + s**2)
    return 1 + gain * (x - (1 - s))


def noise(rows, seed=1):
    return torch.randn(rows, *SHAPE, generator=torch.Generator().manual_seed(seed))


def recipes(samplers=("euler", "dpmpp_2m"), steps=(2, 3, 4)):
    gram = record_teacher(ideal, noise(6, 0), log_snr_grid(LOW, HIGH, 20, "flow"), "flow").gram
    return [
        Recipe(sampler, n, HIGH, schedules_from(gram, sampler, max(steps))[n])
        for sampler in samplers
        for n in steps
    ]


def measured(wanted, rows=5, budget=10**6, denoise=ideal, **options):
    return evidence.measure(
        denoise, noise(rows), wanted, TABLE, "flow", budget=budget, sigma_min=LOW, **options
    )


# Pure functions of errors


def test_summary_holds_rms_median_and_share_of_other_pictures():
    found = verdicts.summarised(np.array([3.0, 4.0, 0.0, 0.0]), apart=3.5)
    assert found == {"rms": 2.5, "median": 1.5, "different": 0.25}
    assert verdicts.summarised(np.array([math.inf, 1.0]))["rms"] is None


def test_another_picture_is_half_the_typical_distance_away():
    assert verdicts.picture_distance(np.array([[0.0, 0.0], [2.0, 2.0]])) == pytest.approx(1.0)
    assert verdicts.picture_distance(np.zeros((1, 2))) is None


def test_paired_ratio_of_proportional_errors_is_sure():
    theirs = np.array([1.0, 2.0, 3.0])
    assert verdicts.paired_ratio(theirs / 2, theirs) == (
        pytest.approx(0.5),
        pytest.approx(0.0, abs=1e-12),
    )
    assert verdicts.paired_ratio(theirs[:1], theirs[:1]) == (1.0, None)
    assert verdicts.paired_ratio(np.zeros(3), theirs) == (None, None)
    assert verdicts.paired_ratio(theirs, np.array([1.0, math.inf, 1.0])) == (None, None)


@given(st.integers(0, 10**6))
def test_paired_ratio_turned_round_is_its_inverse_with_the_same_margin(seed):
    ours, theirs = np.random.default_rng(seed).lognormal(size=(2, 8))
    (ratio, margin), (back, same) = (
        verdicts.paired_ratio(ours, theirs),
        verdicts.paired_ratio(theirs, ours),
    )
    assert ratio * back == pytest.approx(1) and margin == pytest.approx(same)


def test_margin_covers_the_truth_about_as_often_as_it_says():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(400):
        common = rng.lognormal(sigma=0.3, size=12)
        ours, theirs = (
            common * rng.lognormal(sigma=0.2, size=12),
            common * rng.lognormal(sigma=0.2, size=12),
        )
        ratio, margin = verdicts.paired_ratio(ours, theirs)  # in truth 1
        inside += abs(math.log(ratio)) <= margin
    assert 0.90 < inside / 400 < 0.99


@pytest.mark.parametrize(("freedom", "point"), [(3, 3.182), (5, 2.571), (9, 2.262), (30, 2.042)])
def test_students_points(freedom, point):
    assert verdicts._student(freedom) == pytest.approx(point, rel=0.01)


def test_outcome_asks_for_certainty_and_for_a_difference_that_matters():
    assert verdicts.outcome(0.5, 0.1) == "better"
    assert verdicts.outcome(2.0, 0.1) == "worse"
    assert verdicts.outcome(0.9, 0.2) == "equal"
    assert verdicts.outcome(0.99, 0.0) == "equal"
    assert verdicts.outcome(0.5, None) == verdicts.outcome(None, None) == "equal"


def test_equal_steps():
    curve = {4: 0.4, 8: 0.2, 16: 0.1}
    assert verdicts.equal_steps(0.4, curve) == 4
    assert verdicts.equal_steps(0.2, curve) == 8
    assert (
        verdicts.equal_steps(0.31, curve) == 6
    )  # 0.4 * 4 / 6 = 0.267 is not above it, 0.32 at 5 is
    assert verdicts.equal_steps(5.0, curve) == 4
    assert verdicts.equal_steps(0.05, curve) is None
    assert verdicts.equal_steps(None, curve) is None
    assert verdicts.equal_steps(0.3, {4: None, 8: 0.2}) == 8


def test_knee_is_where_the_curve_bends():
    assert verdicts.knee({1: 1.0, 2: 0.5, 3: 0.1, 4: 0.09, 5: 0.08, 6: 0.07}) == 3
    assert verdicts.knee({1: 1.0, 2: 0.5}) is None
    assert verdicts.knee({1: 1.0, 2: 1.0, 3: 1.0}) == 1
    assert verdicts.knee({1: None, 2: 1.0, 3: 0.1, 4: 0.09}) == 3


# Measuring


def test_errors_are_the_distance_from_a_fine_teacher():
    found = measured(recipes())
    grid = log_snr_grid(LOW, HIGH, 100, "flow")
    end = sample(ideal, start_state(noise(5), 1.0, "flow"), grid, "heun")
    for recipe in found.recipes:
        errors = (
            (sample(ideal, noise(5), recipe.sigmas, recipe.sampler) - end)
            .flatten(1)
            .square()
            .mean(1)
            .sqrt()
        )
        assert recipe.evidence["rms"] == pytest.approx(
            float(errors.square().mean().sqrt()), rel=1e-3
        )
        assert recipe.evidence["median"] == pytest.approx(
            float(errors.double().quantile(0.5)), rel=1e-3
        )
        assert recipe.evidence["samples"] == 5


def test_every_baseline_stands_beside_every_recipe_at_equal_calls():
    for recipe in measured(recipes()).recipes:
        stock = recipe.evidence["stock"]
        assert set(stock) == set(baselines(TABLE, recipe.steps, LOW, HIGH))
        best = recipe.evidence["best_stock"]
        assert stock[best]["rms"] == min(each["rms"] for each in stock.values())
        assert recipe.evidence["ratio"] == pytest.approx(
            recipe.evidence["rms"] / stock[best]["rms"], rel=1e-4
        )
        assert recipe.evidence["model_calls"] == recipe.steps


def test_the_record_accepts_it_and_reads_it_again():
    wanted = recipes() + [Recipe("euler", 3, HIGH, recipes()[1].sigmas, offsets=[0.0, -0.1, -0.1])]
    wanted.append(Recipe("distilled", 3, HIGH, wanted[1].sigmas, coefficients=np.zeros((3, 4))))
    found = measured(wanted)
    conditions = Conditions(latent_shape=SHAPE)
    provenance = {"version": "0.1.0", "created": now(), "model_calls": 1}
    record = Record(
        Model.of(conditions, "flow", LOW, HIGH),
        conditions,
        None,
        tuple(found.recipes),
        found.summary,
        provenance,
    )
    again = Record.from_json(record.to_json())
    assert set(again.evidence["curve"]) == {"euler", "euler+offsets", "dpmpp_2m", "distilled"}
    assert again.evidence["seeds"] == 5 and again.evidence["rows"] == {"held_out": 5}
    assert again.evidence == record.evidence and again.evidence["recommendation"]["steps"]
    assert again.recipes[0].evidence["rms"] == found.recipes[0].evidence["rms"]


def test_the_distilled_sampler_meets_stock_pairs_at_no_more_calls():
    recipe = Recipe(
        "distilled", 4, HIGH, recipes(("euler",), (4,))[0].sigmas, coefficients=np.zeros((4, 4))
    )
    found = measured([recipe]).recipes[0].evidence
    pairs = {label.split(" + ")[1] for label in found["stock"]}
    assert pairs == set(evidence_plan.PAIR_SAMPLERS)
    assert (
        found["rms"] == measured(recipes(("euler",), (4,))).recipes[0].evidence["rms"]
    )  # no coefficients: Euler's own steps


def test_calls_are_counted_row_by_row_and_no_stock_run_is_done_twice():
    asked = Counter()

    def counting(x, sigma):
        asked["calls"] += len(x)
        return ideal(x, sigma)

    wanted = recipes(("euler",), (3,))
    one = measured(wanted, denoise=counting)
    assert one.model_calls == asked["calls"]
    twin = Recipe("euler", 3, HIGH, wanted[0].sigmas, offsets=[0.0, 0.1, 0.1])
    both = measured([*wanted, twin])
    assert both.model_calls == one.model_calls + 5 * 3  # the twin's own run and nothing else


@pytest.mark.parametrize(
    "budget",
    [1500, 3000, 20_000, *(pytest.param(n, marks=pytest.mark.slow) for n in (2000, 5000, 8000))],
)
@pytest.mark.slow
def test_it_keeps_to_its_budget_and_says_what_it_leaves_out(budget):
    wanted = recipes(steps=(2, 3, 4, 5, 6))
    found = measured(wanted, budget=budget)
    assert found.model_calls <= budget
    done = {recipe.steps for recipe in found.recipes if recipe.evidence}
    left = {recipe.steps for recipe in wanted} - done
    said = {entry["code"]: entry for entry in found.left_out}
    assert set(said.get("step_counts", {}).get("steps", ())) == left
    assert all(entry["budget"] == budget for entry in found.left_out)
    for recipe in found.recipes:
        if recipe.evidence:  # stock schedules are never left out
            assert set(recipe.evidence["stock"]) == set(baselines(TABLE, recipe.steps, LOW, HIGH))


def test_fewer_pairs_before_fewer_step_counts():
    wanted = [
        Recipe(
            "distilled",
            n,
            HIGH,
            recipes(steps=(2, 3, 4))[n - 2].sigmas,
            coefficients=np.zeros((n, 4)),
        )
        for n in (2, 3, 4)
    ]
    plan = evidence_plan.plan_evidence(wanted, 1, 450, replace(evidence.WHOLE, schedules=12))
    assert plan.steps == (2, 3, 4) and plan.pairs == ("euler", "dpmpp_2m", "uni_pc")
    assert plan.left_out == ({"code": "stock_pairs", "samplers": ["res_multistep", "heun"]},)


def test_budgets_stand_in_order_and_are_enough():
    wanted = recipes(steps=(2, 3, 4, 5, 6, 7))
    asked = ("euler", "dpmpp_2m"), (2, 3, 4, 5, 6, 7)
    least, default, full = (
        budget(*asked, 5)
        for budget in (evidence.least_budget, evidence.default_budget, evidence.full_budget)
    )
    assert least < default < full
    assert evidence_plan.plan_evidence(wanted, 5, 50) is None
    assert len(evidence_plan.plan_evidence(wanted, 5, least).steps) == 1
    assert len(evidence_plan.plan_evidence(wanted, 5, default).steps) >= 5
    assert evidence_plan.plan_evidence(wanted, 5, full).left_out == ()
    assert measured(wanted, budget=None).model_calls <= default


def test_too_small_a_budget_measures_nothing_and_says_the_least():
    found = measured(recipes(), budget=100)
    assert found.model_calls == 0 and not any(recipe.evidence for recipe in found.recipes)
    least = evidence.least_budget(("euler", "dpmpp_2m"), (2, 3, 4), 5)
    assert found.left_out == [{"code": "too_small", "budget": 100, "least": least}]
    assert measured(recipes(), budget=0).left_out == []
    assert measured([]).recipes == []


def test_a_stock_recipe_is_known_for_what_it_is():
    sigmas = baselines(TABLE, 4, LOW, HIGH)
    ratings = (
        measured([Recipe("euler", 4, HIGH, sigmas["simple"], choice="simple")]).recipes[0].evidence
    )
    best = ratings["best_stock"]
    if sigmas[best][0] == HIGH:
        again = measured([Recipe("euler", 4, HIGH, sigmas[best], choice=best)]).recipes[0].evidence
        assert (
            again["ratio"] == 1 and again["verdict"] == "stock" and again["equals_stock_steps"] == 4
        )


def test_a_lower_start_is_not_measured_and_that_is_said():
    low = Recipe("euler", 2, 0.5, [0.5, 0.2, 0.0])
    found = measured([*recipes(), low])
    assert found.recipes[-1].evidence == {} and found.left_out == [{"code": "lower_starts"}]


def test_one_row_is_measured_without_claims():
    for recipe in measured(recipes(), rows=1).recipes:
        assert "different" not in recipe.evidence and recipe.evidence["margin"] is None
        assert verdicts.outcome(recipe.evidence["ratio"], None) == "equal"


def test_a_run_that_leaves_the_models_range_counts_as_infinite():
    def fragile(x, sigma):
        return ideal(x, sigma) if x.abs().max() < 50 else torch.full_like(x, torch.nan)

    wild = Recipe("distilled", 4, HIGH, recipes()[2].sigmas, coefficients=np.full((4, 4), 9.0))
    found = measured([wild], denoise=fragile).recipes[0].evidence
    assert found["rms"] is None and found["ratio"] is None


def test_a_broken_model_is_refused():
    with pytest.raises(DenoiserError, match="NaN"):
        measured(recipes(), denoise=lambda x, sigma: x * torch.nan)


def test_a_listener_hears_every_call_and_may_stop():
    heard = []
    found = measured(recipes(), on_call=heard.append)
    assert heard == sorted(heard) and heard[-1] == found.model_calls

    def stop(calls):
        raise Stopped("enough")

    with pytest.raises(Stopped):
        measured(recipes(), on_call=stop)


def test_stock_is_followed_beyond_our_steps():
    found = measured(recipes())
    curve = found.summary["stock_curve"]["dpmpp_2m"]
    assert min(curve) == 2 and all(steps <= 8 for steps in curve)
    for recipe in found.recipes:
        equal, error = recipe.evidence["equals_stock_steps"], recipe.evidence["rms"]
        known = found.summary["stock_curve"][recipe.sampler]
        if equal in known:
            assert known[equal] <= error * (1 + 1e-5)


def test_the_recommendation_may_be_stock():
    bad = [
        Recipe("euler", n, HIGH, [1.0, *np.geomspace(0.05, 0.03, n - 1), 0.0]) for n in (3, 4, 5)
    ]
    found = measured(bad)
    advice = found.summary["recommendation"]
    stock = {
        label: errors["rms"]
        for recipe in found.recipes
        if recipe.steps == advice["steps"]
        for label, errors in recipe.evidence["stock"].items()
    }
    best = min(stock, key=stock.get)
    assert advice["stock"] == {"schedule": best, "sampler": "euler"} and "sampler" not in advice


def test_the_recommendation_is_a_recipe_where_one_is_clearly_better():
    found = measured(recipes(("dpmpp_2m",), (4,)))
    assert found.recipes[0].evidence["verdict"] == "better"
    advice = {"steps": 4, "sampler": "dpmpp_2m", "offsets": False}
    assert found.summary["recommendation"] == advice


@pytest.mark.slow
def test_finished_runs_are_not_done_again_unless_the_model_changed():
    kept: dict[str, dict] = {}

    def finished(name, work):
        if name not in kept:
            kept[name] = work()
        return kept[name]

    wanted = recipes() + [Recipe("euler", 3, HIGH, recipes()[1].sigmas, offsets=[0.0, -0.1, -0.1])]
    first, again = (measured(wanted, finished=finished) for _ in range(2))
    assert again.recipes == first.recipes and again.summary == first.summary
    reference = (
        199 * 5
    )  # drawn anew, to know the model by; so are the few stock runs longer than ours
    assert reference <= again.model_calls < first.model_calls / 1.5
    other = measured(wanted, finished=finished, denoise=lambda x, sigma: 0.9 * ideal(x, sigma))
    assert other.recipes[0].evidence["rms"] != first.recipes[0].evidence["rms"]
