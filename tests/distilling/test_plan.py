"""The plan: what a budget buys, never more than it, and the least that works."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.distilling.effort import EFFORTS, anchors_of
from scheduler.distilling.plan import MOST_ROWS, QUALITY, budget_for, plan_for
from scheduler.distilling.tasks import distilled_task, stock_task
from scheduler.errors import BudgetError, UnknownNameError
from scheduler.record.left_out import left_out
from scheduler.samplers import SAMPLERS
from tests.examples import examples

SAMPLER_SETS = st.lists(
    st.sampled_from([*SAMPLERS, "distilled"]), min_size=1, max_size=5, unique=True
)
STEP_SETS = st.lists(st.integers(1, 40), min_size=1, max_size=12, unique=True).map(
    lambda each: tuple(sorted(each))
)
SETS, SAMPLES = st.integers(1, 20), st.none() | st.integers(1, 20)


def least_for(*asked) -> int:
    """The least that works, from the error that a budget of nothing raises."""
    samplers, steps, sets, samples = asked
    with pytest.raises(BudgetError) as told:
        plan_for(samplers, steps, 0, sets, samples)
    return int(re.search(r"least that works is (\d+)", str(told.value)).group(1))


@examples(50)
@given(SAMPLER_SETS, STEP_SETS, SETS, SAMPLES, st.floats(1, 30))
def test_cost_never_exceeds_the_budget(samplers, steps, sets, samples, times):
    budget = int(times * least_for(samplers, steps, sets, samples))
    plan = plan_for(samplers, steps, budget, sets, samples, evidence=7)
    assert 0 < plan.calls <= budget
    assert set(plan.costs) == {"teacher", *samplers} and min(plan.costs.values()) >= 0
    assert plan.costs["teacher"] == plan.effort.nodes * plan.rows * sets
    assert plan.rows == samples if samples else 1 <= plan.rows * sets < MOST_ROWS + sets
    assert {steps[0], steps[-1]} <= set(plan.anchors) <= set(steps)
    assert plan.evidence == 7 and str(plan.calls) in str(plan) and "\n" not in plan.summary


@examples(50)
@given(SAMPLER_SETS, STEP_SETS, SETS, SAMPLES)
def test_the_least_that_works_is_named(samplers, steps, sets, samples):
    least = least_for(samplers, steps, sets, samples)
    assert plan_for(samplers, steps, least, sets, samples).calls <= least
    with pytest.raises(BudgetError, match=f"least that works is {least}"):
        plan_for(samplers, steps, least - 1, sets, samples)


@examples(50)
@given(SAMPLER_SETS, STEP_SETS, SETS, st.floats(1, 20))
def test_more_budget_never_buys_less(samplers, steps, sets, times):
    budget = int(times * least_for(samplers, steps, sets, None))
    small = plan_for(samplers, steps, budget, sets)
    large = plan_for(samplers, steps, 2 * budget, sets)
    names = [effort.name for effort in EFFORTS]
    assert names.index(large.effort.name) <= names.index(small.effort.name)
    assert large.rows >= small.rows or large.effort != small.effort


@pytest.mark.parametrize("sets", [1, 2, 3, 8, 20])
def test_an_effort_needs_its_rows_of_all_sets_together(sets):
    for budget in range(500, 12_000, 250):
        plan = plan_for(("euler", "distilled"), (4, 6, 8), budget * sets, sets)
        assert plan.rows * sets >= plan.effort.least_rows


@pytest.mark.parametrize("quality", QUALITY)
def test_presets_are_whole_at_their_reference_and_less_for_less(quality):
    samplers, steps = ("euler", "dpmpp_2m", "distilled"), range(4, 13)
    assert budget_for(quality, samplers, steps) == QUALITY[quality]
    smaller = [
        budget_for(quality, samplers[:1], steps),
        budget_for(quality, samplers, [4]),
        budget_for(quality, samplers[:1], [4]),
    ]
    assert all(0.15 * QUALITY[quality] <= budget < QUALITY[quality] for budget in smaller)
    assert budget_for(quality, samplers, range(1, 30)) > QUALITY[quality]
    for n in (1, 4, 20):
        plan_for(samplers[:1], (n,), budget_for(quality, samplers[:1], (n,)))


def test_presets_rank_and_unknown_ones_are_named():
    plans = [
        plan_for(("euler", "dpmpp_2m", "distilled"), tuple(range(4, 13)), budget)
        for budget in QUALITY.values()
    ]
    assert [plan.effort.name for plan in plans] == ["lean", "good", "full"] and plans[
        0
    ].rows < plans[1].rows < plans[2].rows
    with pytest.raises(UnknownNameError, match="quick, standard, thorough"):
        budget_for("best", ("euler",), (4,))


@given(STEP_SETS, st.floats(1, 3))
def test_anchors_hold_both_ends_and_leave_no_wide_gap(steps, ratio):
    anchors = anchors_of(steps, ratio)
    assert (
        anchors[0] == steps[0]
        and anchors[-1] == steps[-1]
        and list(anchors) == sorted(set(anchors))
    )
    for n in steps:
        if n not in anchors:  # it has a neighbour on either side, and the one below is near
            below = max(each for each in anchors if each < n)
            assert n < ratio * below and any(each > n for each in anchors)
    assert anchors_of(steps, 1.0) == steps


def test_what_is_left_out_is_said():
    whole = plan_for(("distilled",), (4, 5, 6), 10**6)
    assert "full_fits" not in {each["code"] for each in whole.left_out}
    bare = plan_for(("distilled",), tuple(range(4, 13)), 150, samples=1)
    told = " ".join(map(left_out, bare.left_out))
    assert (
        "full fits only at 4, " in told
        and " 12 steps" in told
        and "two query offsets" in told
        and "1 trajectory is too few" in told
    )


def test_what_is_left_refines_and_polishes_few_steps_first():
    samplers, steps = ("distilled",), tuple(range(4, 13))
    plans = [plan_for(samplers, steps, budget, samples=4) for budget in (1000, 1400, 2200, 4000)]
    refined, polished = (
        [getattr(plan.effort, part) for plan in plans] for part in ("refine_to", "polish_to")
    )
    assert (
        refined == sorted(refined)
        and polished == sorted(polished)
        and refined[0] < refined[-1]
        and polished[0] < polished[-1]
    )
    assert all(
        to == 0 or to in plan.anchors
        for plan in plans
        for to in (plan.effort.refine_to, plan.effort.polish_to)
    )


def test_small_latents_are_neither_refined_nor_carried_over():
    small, large = (
        plan_for(("distilled",), (4, 5, 6), 4000, samples=4, elements=size).effort
        for size in (4, 4096)
    )
    assert small.refine_to == small.polish_to == 0 and afresh(small, (4, 5, 6), 4, 5)
    assert large.refine_to == large.polish_to == 6 and not afresh(large, (4, 5, 6), 4, 5)
    assert afresh(large, (4, 12), 4, 12)  # too far to carry


def afresh(effort, anchors, below, steps):
    return distilled_task(effort, anchors, below, steps).afresh


def test_eulers_offsets_are_searched_for_seldom():
    anchors = (4, 5, 6, 8, 10, 12, 16)
    good = plan_for(("euler",), anchors, 4000, samples=4).effort
    searched = [n for n in anchors if stock_task(good, "euler", anchors, n).offsets == "search"]
    assert searched == [4, 16]
    assert all(stock_task(good, "dpmpp_2m", anchors, n).offsets == "search" for n in anchors)


@pytest.mark.parametrize("samplers", [("dpmpp_2m", "uni_pc", "distilled"), ("uni_pc", "distilled")])
def test_the_plan_is_the_sum_of_what_the_tasks_cost(samplers):
    """What is made by one sampler's own task is not paid twice."""
    steps = (4, 6, 8)
    plan = plan_for(samplers, steps, 20_000)
    for name in samplers:
        fits = name == "distilled"
        tasks = plan.distilled_tasks(steps) if fits else plan.stock_tasks(name, steps)
        a_row = sum(task.calls(samplers) for task in tasks)
        assert plan.costs[name] == a_row * plan.rows * plan.sets
    alone = plan_for(samplers[:-1], steps, 20_000)
    task = next(t for t in alone.stock_tasks("uni_pc", steps) if t.offsets == "search")
    assert task.calls(["uni_pc"]) > task.calls(["uni_pc", "dpmpp_2m"])
