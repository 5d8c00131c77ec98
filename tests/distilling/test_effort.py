"""Efforts: what each is worth, and what it costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.distilling.effort import EFFORTS, NAMES, budget_for, effort_named
from scheduler.distilling.plan import plan_for
from scheduler.distilling.wishes import LEAST_NUMBERS, wishes_of
from scheduler.errors import UnknownNameError
from scheduler.samplers import SAMPLERS

SAMPLER_SETS = st.lists(
    st.sampled_from([*SAMPLERS, "distilled"]), min_size=1, max_size=5, unique=True
)
STEP_SETS = st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True).map(
    lambda each: tuple(sorted(each))
)
LARGE = LEAST_NUMBERS * 5 * 40  # latent elements, enough for any number that is fitted


def test_efforts_rank():
    efforts = [EFFORTS[name] for name in ("instant", "standard", "thorough")]
    assert NAMES == tuple(each.name for each in efforts)
    for part in ("rows", "runs", "evidence_rows", "every"):
        values = [getattr(each, part) for each in efforts]
        assert values == sorted(values) and values[0] < values[-1]


def test_a_former_name_is_understood_and_another_is_not():
    assert effort_named("quick") is EFFORTS["instant"]
    assert budget_for("quick", ("distilled",), (6,)) == budget_for("instant", ("distilled",), (6,))
    for ask in (effort_named, lambda name: budget_for(name, ("euler",), (4,))):
        with pytest.raises(UnknownNameError, match="instant, standard, thorough"):
            ask("best")


@given(SAMPLER_SETS, STEP_SETS, st.integers(1, 20), st.sampled_from(NAMES))
def test_an_effort_affords_its_own_plan(samplers, steps, sets, name):
    effort = EFFORTS[name]
    budget = budget_for(name, samplers, steps, sets)
    plan = plan_for(samplers, steps, budget, sets, elements=LARGE, effort=effort)
    assert plan.name == name and plan.calls <= budget
    assert plan.rows * sets >= effort.rows and plan.nodes == effort.nodes
    if any(wish.refined and wish.run for wish in wishes_of(samplers, steps)):
        assert plan.runs >= effort.runs


@given(SAMPLER_SETS, STEP_SETS, st.integers(1, 8))
def test_a_harder_effort_costs_more_and_so_does_asking_for_more(samplers, steps, recorded):
    costs = [budget_for(name, samplers, steps) for name in NAMES]
    assert costs == sorted(costs) and costs[0] < costs[1] < costs[2]
    longer = (*steps, steps[-1] + 1)
    assert budget_for("instant", samplers, longer) > costs[0]
    on_recorded = budget_for("instant", samplers, steps, recorded=recorded)
    assert on_recorded < budget_for("instant", samplers, steps, recorded)  # no teacher to pay for


def test_instant_is_a_few_tens_of_calls():
    """One prompt, one step count: the default."""
    costs = [budget_for("instant", ("distilled",), (n,)) for n in (4, 6, 8)]
    assert costs == sorted(costs) and costs[0] >= 40 and costs[-1] <= 120
