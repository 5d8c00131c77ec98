"""What is wanted, recipe by recipe, and what each may cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.distilling.wishes import (
    BORROWS_OFFSETS,
    GUARDS,
    NONLINEAR_GUARDS,
    WITH_OFFSETS,
    Wish,
    wishes_of,
)
from scheduler.samplers import SAMPLERS, model_calls
from scheduler.samplers.multistep import LINEAR

NAMES = st.lists(st.sampled_from([*SAMPLERS, "distilled"]), min_size=1, max_size=5, unique=True)
STEPS = st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True).map(sorted)


@given(NAMES, STEPS)
def test_every_sampler_has_its_recipes_once_few_steps_first(samplers, steps):
    found = wishes_of(samplers, steps)
    assert len(found) == len(set(found))
    for sampler in samplers:
        takes = sampler in WITH_OFFSETS or sampler in BORROWS_OFFSETS
        for shifted, wanted in (
            (False, sampler != "distilled"),
            (True, takes or sampler == "distilled"),
        ):
            mine = [each.steps for each in found if each == Wish(sampler, each.steps, shifted)]
            assert mine == (list(steps) if wanted else [])


@given(NAMES, STEPS)
def test_whoever_borrows_offsets_has_a_lender_at_each_step_count(samplers, steps):
    found = wishes_of(samplers, steps)
    for each in found:
        if each.shifted and each.sampler in BORROWS_OFFSETS:
            assert Wish(BORROWS_OFFSETS[each.sampler], each.steps, True) in found
    strangers = {each.sampler for each in found} - set(samplers)
    assert strangers <= {BORROWS_OFFSETS[each] for each in samplers if each in BORROWS_OFFSETS}


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("sampler", [*SAMPLERS, "distilled"])
def test_a_run_costs_its_queries_but_for_the_teachers_own(sampler, steps):
    wish = Wish(sampler, steps, sampler == "distilled")
    plain = steps if sampler == "distilled" else model_calls(sampler, steps)
    assert wish.run == plain - 1
    assert wish.refined == (sampler in LINEAR or sampler == "distilled")


@given(st.sampled_from([*SAMPLERS, "distilled"]), st.integers(1, 40), st.booleans())
def test_runs_after_the_starts_are_paid_for_where_there_are_any(sampler, steps, shifted):
    wish = Wish(sampler, steps, shifted)
    assert wish.calls(0) >= wish.run * wish.starts > -1
    assert wish.calls(3) - wish.calls(0) == 3 * wish.run * wish.refined


def test_more_is_started_from_where_less_can_be_refined():
    assert Wish("distilled", 6, True).starts == 3
    assert Wish("dpmpp_2m", 6, False).starts == GUARDS + 1
    assert Wish("uni_pc", 6, False).starts == NONLINEAR_GUARDS + 1
    assert Wish("dpmpp_2m", 6, True).starts == Wish("uni_pc", 6, True).starts == 1


@pytest.mark.parametrize(
    "wish, numbers",
    [
        (Wish("distilled", 6, True), 30),
        (Wish("dpmpp_2m", 6, True), 12),
        (Wish("dpmpp_2m", 6, False), 6),
    ],
)
def test_how_many_numbers_are_fitted(wish, numbers):
    """Lengths, offsets, and four coefficients a step."""
    assert wish.numbers == numbers
