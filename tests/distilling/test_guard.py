"""The guard: what counts as winning, and which stock schedules it looks at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scheduler.distilling.guard import MARGIN, SEEN_MARGIN, ranked, wins
from scheduler.fit.teacher import record_teacher
from scheduler.samplers.multistep import LINEAR
from scheduler.search.dynamic_programming import node_weights, pair_costs, step_costs
from scheduler.search.gram import with_sigmas
from scheduler.sigmas import baselines, flow_table, log_snr_grid, sd_table
from tests.mixture import small_mixture, unit_noise

errors = arrays.arrays(np.float64, 8, elements=st.floats(1e-6, 1e3))
some = arrays.arrays(np.bool_, 8)
ALL, NONE = np.ones(8, bool), np.zeros(8, bool)


@given(errors, errors, some, st.booleans())
def test_never_both_and_never_against_oneself(a, b, unseen, fitted):
    assert not (wins(a, b, unseen, fitted) and wins(b, a, unseen, fitted))
    assert not wins(a, a, unseen, fitted)


@given(errors, errors, some, st.floats(0.2, 5))
def test_units_do_not_matter(a, b, unseen, scale):
    ratio = np.log(a / b)
    near = (
        abs(ratio.mean() - np.log1p(-MARGIN)) < 1e-6
        or abs(ratio.mean() - np.log1p(-SEEN_MARGIN)) < 1e-6
    )
    if not near and abs(ratio[unseen].mean() if unseen.any() else 1) > 1e-6:
        assert wins(a, b, unseen) == wins(scale * a, scale * b, unseen)


@given(errors, errors, some, st.floats(0.01, 1))
def test_smaller_errors_never_lose_a_win(a, b, unseen, factor):
    if wins(a, b, unseen):
        assert wins(factor * a, b, unseen)


def test_the_margin_is_wider_where_every_row_was_fitted():
    theirs = np.linspace(0.1, 0.2, 8)
    for share, unseen, fitted, won in (
        (1 - MARGIN - 0.01, ALL, True, True),
        (1 - MARGIN + 0.01, ALL, True, False),
        (1 - MARGIN - 0.01, NONE, True, False),
        (1 - MARGIN - 0.01, NONE, False, True),
        (1 - SEEN_MARGIN - 0.01, NONE, True, True),
    ):
        assert wins(share * theirs, theirs, unseen, fitted) == won


def test_rows_that_no_fit_has_seen_and_rows_gone_astray_decide():
    theirs, few, enough = np.full(8, 0.1), np.arange(8) > 5, np.arange(8) > 4
    assert not wins(np.where(enough, 0.101, 0.01), theirs, enough)
    assert wins(np.where(few, 0.101, 0.01), theirs, few)  # two rows are no veto
    assert not wins(
        np.array([0.01] * 7 + [1.0]), theirs, NONE
    )  # one far astray raises the mean above theirs
    assert wins(
        np.array([0.01] * 7 + [0.5]), theirs, NONE
    )  # less far, it would raise the RMS alone


def test_three_unseen_rows_are_enough_to_judge_and_two_are_not():
    theirs, three, two = np.full(13, 0.1), np.arange(13) > 9, np.arange(13) > 10
    lost_there = np.where(three, 0.101, 0.01)  # won in ten rows of thirteen, and by far
    assert not wins(lost_there, theirs, three)
    assert wins(lost_there, theirs, two)
    by_a_tenth = 0.9 * theirs  # more than MARGIN, less than SEEN_MARGIN
    assert wins(by_a_tenth, theirs, three)
    assert not wins(by_a_tenth, theirs, two)


def test_where_none_are_unseen_three_rows_of_four_must_be_won():
    theirs = np.full(4, 0.1)
    assert not wins(np.array([0.01, 0.01, 0.11, 0.11]), theirs, np.zeros(4, bool))
    assert wins(np.array([0.01, 0.01, 0.05, 0.11]), theirs, np.zeros(4, bool))


def test_a_tie_is_no_win():
    theirs, half_won = np.ones(8), np.array([0.5] * 4 + [1.0] * 4)
    assert wins(half_won, theirs, np.arange(8) > 2)
    assert not wins(half_won, theirs, np.arange(8) > 3)  # equal on all that no fit has seen
    assert not wins(half_won, theirs, NONE, fitted=False)  # won in half of the rows, not in all
    equal_means = np.array([0.5, 0.5, 0.5, 2.5])
    assert not wins(equal_means, np.ones(4), np.zeros(4, bool))
    assert wins(0.99 * equal_means, np.ones(4), np.zeros(4, bool))


def test_a_stock_run_that_came_to_nothing_in_one_row_is_not_beaten_by_that_row_alone():
    theirs = np.array([np.inf] + [0.1] * 7)
    assert not wins(np.full(8, 3.0), theirs, ALL)
    assert wins(np.full(8, 1.0), theirs, ALL)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_errors_that_are_not_finite(bad):
    fine, broken = np.full(8, 0.1), np.array([0.1] * 7 + [bad])
    assert not wins(broken, fine, NONE) and not wins(broken, broken, NONE)
    assert wins(fine * 0.5, broken, NONE)


@pytest.fixture(scope="module", params=["flow", "ve"])
def gram(request):
    low, high = (0.002, 1.0) if request.param == "flow" else (0.0291671, 14.6146)
    grid = log_snr_grid(low, high, 24, request.param)
    return record_teacher(
        small_mixture(request.param), unit_noise(4, 1, 8), grid, request.param, "adams3"
    ).gram


def table_of(gram):
    return flow_table() if gram.sigmas[0] == 1 else sd_table()


def test_schedules_with_other_starts_are_left_out(gram):
    top = float(gram.sigmas[0])
    schedules = {
        name: np.array([top * share, top / 3, 0])
        for name, share in (("here", 1), ("below", 0.9), ("above", 1.1))
    }
    assert ranked(gram, "euler", schedules) == ["here"]
    assert ranked(gram, "euler", {"a rounding away": np.array([top * (1 + 1e-8), top / 3, 0])}) == [
        "a rounding away"
    ]


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "lms", "heun", "uni_pc"])
def test_the_ranking_is_by_the_one_step_errors_along_the_teacher(gram, sampler):
    found = baselines(table_of(gram), 6, gram.sigmas[-2], gram.sigmas[0])
    schedules = {name: each for name, each in found.items() if each[0] == gram.sigmas[0]}
    rule, totals = LINEAR.get(sampler, LINEAR["dpmpp_2m"]), {}
    for name, sigmas in schedules.items():
        here = with_sigmas(gram, sigmas)
        first, pairs = step_costs(here, rule), pair_costs(here, rule) if rule.order > 1 else None
        costs = [first[0, 1]] + [
            first[k, k + 1] if pairs is None else pairs[k - 1, k, k + 1] for k in range(1, 6)
        ]
        totals[name] = np.sqrt(np.array(costs) * node_weights(here, "contraction")[1:]).sum()
    found = ranked(gram, sampler, schedules)
    assert [totals[name] for name in found] == pytest.approx(sorted(totals.values()))


@pytest.mark.parametrize("steps", [1, 2, 60, pytest.param(1000, marks=pytest.mark.slow)])
def test_any_number_of_steps_is_ranked(gram, steps):
    names = ranked(
        gram, "dpmpp_2m", baselines(table_of(gram), steps, gram.sigmas[-2], gram.sigmas[0])
    )
    assert names and len(set(names)) == len(names)
