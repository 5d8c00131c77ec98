"""The plan: what a budget buys, never more than it, and the least that works."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.distilling.consistency import ASKED, PAIR
from scheduler.distilling.effort import EFFORTS
from scheduler.distilling.plan import CAUTIOUS, ENOUGH_RUNS, SHARES, Plan, plan_for
from scheduler.distilling.wishes import AMPLE_NUMBERS, LEAST_NUMBERS, wishes_of
from scheduler.errors import BudgetError
from scheduler.record.left_out import left_out
from scheduler.samplers import SAMPLERS
from tests.examples import examples

SAMPLER_SETS = st.lists(
    st.sampled_from([*SAMPLERS, "distilled"]), min_size=1, max_size=5, unique=True
)
STEP_SETS = st.lists(st.integers(1, 40), min_size=1, max_size=12, unique=True).map(
    lambda each: tuple(sorted(each))
)
SETS, SAMPLES, RECORDED = st.integers(1, 20), st.none() | st.integers(1, 20), st.integers(0, 4)
ELEMENTS = st.sampled_from([8, 64, 1024, 1 << 16])
HUGE = 10**7


def least_for(*asked, **more) -> int:
    """The least that works, from the error that a budget of nothing raises."""
    samplers, steps, sets, samples = asked
    with pytest.raises(BudgetError) as told:
        plan_for(samplers, steps, 0, sets, samples, **more)
    return int(re.search(r"least that works is (\d+)", str(told.value)).group(1))


def place_of(plan: Plan, shares=SHARES) -> int:
    """Where in the order of preference the plan's share stands."""
    return [(rows, nodes) for rows, nodes, _ in shares].index((plan.rows * plan.sets, plan.nodes))


@examples(50)
@given(SAMPLER_SETS, STEP_SETS, SETS, SAMPLES, ELEMENTS, RECORDED, st.floats(1, 30))
def test_cost_never_exceeds_the_budget(samplers, steps, sets, samples, elements, recorded, times):
    asked = samplers, steps, sets, samples
    more = {"elements": elements, "recorded": recorded}
    budget = int(times * least_for(*asked, **more))
    plan = plan_for(samplers, steps, budget, sets, samples, **more)
    assert 0 < plan.calls <= budget and plan.runs >= 0
    assert {"teacher", *samplers} <= set(plan.costs) and min(plan.costs.values()) >= 0
    assert plan.steps == steps and plan.sets == sets
    assert plan.rows == (recorded or samples or plan.rows) >= 1
    teacher = len(ASKED) if recorded else plan.nodes + PAIR  # what is asked again
    assert plan.costs["teacher"] == plan.rows * sets * teacher
    assert str(plan.calls) in str(plan) and "\n" not in plan.summary


@examples(50)
@given(SAMPLER_SETS, STEP_SETS, SETS, SAMPLES, ELEMENTS, RECORDED)
def test_the_least_that_works_is_named(samplers, steps, sets, samples, elements, recorded):
    more = {"elements": elements, "recorded": recorded}
    least = least_for(samplers, steps, sets, samples, **more)
    assert plan_for(samplers, steps, least, sets, samples, **more).calls <= least
    with pytest.raises(BudgetError, match=f"least that works is {least}"):
        plan_for(samplers, steps, least - 1, sets, samples, **more)


@given(SAMPLER_SETS, STEP_SETS, st.sampled_from(sorted(EFFORTS)))
def test_the_least_that_works_is_named_for_an_effort_too(samplers, steps, name):
    effort = EFFORTS[name]
    least = least_for(samplers, steps, 1, None, effort=effort)
    assert plan_for(samplers, steps, least, effort=effort).calls <= least


@examples(50)
@given(SAMPLER_SETS, STEP_SETS, st.floats(1, 40))
def test_more_budget_never_buys_less(samplers, steps, times):
    """Never a share further down; in the same one, never fewer runs."""
    budget = int(times * least_for(samplers, steps, 1, None))
    small, large = (plan_for(samplers, steps, calls) for calls in (budget, 2 * budget))
    assert place_of(large) <= place_of(small)
    if place_of(large) == place_of(small):
        assert large.runs >= small.runs
    assert large.rows >= small.rows


@pytest.mark.parametrize("shares", [SHARES, CAUTIOUS])
def test_shares_rank(shares):
    """More rows come first, with as many nodes and runs; the last has no run left after its starts."""
    for better, next_best in pairwise(shares):
        assert better > next_best and better[2] >= next_best[2]
    assert shares[-1][2] == 0


@pytest.mark.parametrize("sets", [1, 2, 3, 8, 20])
def test_a_share_has_its_rows_of_all_sets_together(sets):
    for budget in range(500, 12_000, 500):
        plan = plan_for(("euler", "distilled"), (4, 6, 8), budget * sets, sets)
        rows = [share for share, nodes, _ in SHARES if nodes == plan.nodes]
        assert plan.rows in {-(-share // sets) for share in rows}


def test_rows_that_are_given_are_kept_and_all_else_follows():
    plan = plan_for(("distilled",), (6,), 2000, samples=3)
    assert plan.rows == 3 and plan.costs["teacher"] == 3 * (plan.nodes + PAIR)


def test_recorded_rows_cost_their_questions():
    """Which tell whether they are this model's, drawn without a step cache."""
    fresh = plan_for(("distilled",), (6,), 300, samples=2)
    plan = plan_for(("distilled",), (6,), 300, recorded=2)
    assert plan.costs["teacher"] == 2 * len(ASKED) and plan.rows == 2 and plan.runs > fresh.runs


def test_all_that_is_left_goes_into_runs():
    for budget in (60, 100, 200, 1000):
        plan = plan_for(("distilled",), (6,), budget)
        a_run = wishes_of(("distilled",), (6,))[0].run
        assert budget - plan.calls < a_run * plan.rows


def test_efforts_buy_their_own_rows_and_not_those_of_a_budget():
    rich = plan_for(("distilled",), (6,), HUGE, effort=EFFORTS["instant"])
    assert rich.rows == EFFORTS["instant"].rows < plan_for(("distilled",), (6,), HUGE).rows
    assert rich.name == "instant" and plan_for(("distilled",), (6,), HUGE).name == "budget"


# --- latents of few numbers ---


def test_latents_of_few_numbers_need_more_rows_before_anything_is_refined():
    """A share comes first whose rows hold enough for all that is fitted; where none does, rows are
    all that a budget buys."""
    numbers = wishes_of(("distilled",), (6,))[0].numbers
    enough_in_four = -(-LEAST_NUMBERS * numbers // 4)
    for budget in (200, 400, 800):
        large = plan_for(("distilled",), (6,), budget, elements=1 << 16)
        four = plan_for(("distilled",), (6,), budget, elements=enough_in_four)
        tiny = plan_for(("distilled",), (6,), budget, elements=8)
        assert tiny.rows >= large.rows
        assert four.rows >= 4 or (four.rows, four.nodes, 0) in CAUTIOUS
        assert (tiny.rows, tiny.nodes, 0) in CAUTIOUS


def test_runs_go_before_rows_only_where_one_row_holds_ample_numbers():
    """Else more runs of one row fit what is that row's alone."""
    asked = ("distilled",), (6,), 200
    numbers = AMPLE_NUMBERS * wishes_of(*asked[:2])[0].numbers
    ample, scarce = (plan_for(*asked, elements=each) for each in (numbers, numbers - 1))
    assert (ample.rows, scarce.rows) == (1, 2) and ample.runs > 2 * scarce.runs
    assert (
        plan_for(("distilled",), (6,), 1000, elements=numbers).rows > 1
    )  # with runs enough for each


@pytest.mark.parametrize("missing", [0, 1])
def test_one_row_is_refined_where_it_alone_holds_enough_numbers(missing):
    """With one number less nothing is, and calls go into the teacher before they go into runs."""
    wish = wishes_of(("distilled",), (6,))[0]
    _, nodes, runs = next(share for share in SHARES if share[:2] == (1, 16))
    elements = LEAST_NUMBERS * wish.numbers - missing
    plan = plan_for(("distilled",), (6,), nodes + PAIR + wish.calls(runs), elements=elements)
    assert plan.rows == 1 and (plan.nodes == nodes) == (missing == 0)


# --- what is said ---


def made(**changes) -> Plan:
    plain = Plan("instant", 24, 1, 1, 8, (6,), {"teacher": 25, "distilled": 56})
    return replace(plain, **changes)


def test_it_pays_after_so_many_pictures():
    """The calls of plan and evidence over those that each picture saves, rounded up."""
    assert made().pays_after(6, 12) == 14  # 81 calls, 6 saved a picture
    assert made(evidence=40).pays_after(6, 12) == 21
    assert made().pays_after(6, 6) is None and made().pays_after(6, 5) is None
    assert "pays after 14 pictures" in str(made()) and "12 of stock" in str(made())


def test_it_says_what_it_will_cost():
    text = str(made(sets=2, rows=3, evidence=40))
    assert text.startswith("Plan: at most 81 model calls on 6 samples, then 40 for the evidence.")
    assert "  teacher: 25" in text.splitlines() and "  distilled: 56" in text.splitlines()
    assert "on 1 sample." in str(made())
    assert "pays" not in str(made(steps=()))


def test_a_record_keeps_the_plan():
    plan = made(sets=2, rows=3, evidence=40)
    data = plan.data
    assert data["effort"] == "instant" and data["rows"] == 6 and data["sets"] == 2
    assert data["calls"] == sum(data["costs"].values()) == 81 and data["evidence_calls"] == 40


def test_what_is_left_out_is_said():
    whole = plan_for(("distilled",), (4, 5, 6), HUGE)
    assert whole.left_out == () and "left out" not in str(whole)
    least = least_for(("distilled",), (6,), 1, None)
    bare = plan_for(("distilled",), (6,), least)
    assert bare.runs < ENOUGH_RUNS
    (told,) = map(left_out, bare.left_out)
    assert f"{bare.runs} runs of each recipe" in told and told in str(bare)


def test_a_sampler_that_is_never_refined_leaves_no_refinement_out():
    assert plan_for(("heun",), (6,), least_for(("heun",), (6,), 1, None)).left_out == ()


def test_lenders_are_paid_for():
    """uni_pc borrows its offsets from dpmpp_2m, which is fitted for it."""
    alone = plan_for(("uni_pc",), (6,), 1000)
    assert alone.costs["dpmpp_2m"] > 0
    both = plan_for(("uni_pc", "dpmpp_2m"), (6,), 1000)
    assert alone.calls == both.calls
