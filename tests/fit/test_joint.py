"""The joint fit on the surrogate: what it expects comes true where the surrogate is right, and it
minimises what it says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.fit.joint import Pull, _Search, expected_errors, proposed
from scheduler.fit.parameters import Parameters, asked_sigmas, stock_coefficients
from scheduler.fit.student import Answers
from scheduler.sigmas.validity import check_schedule
from tests.examples import examples
from tests.fit.lab import (
    RANGES,
    ROWS,
    SIGMAS,
    a_candidate,
    answers_of,
    parts_of,
    recorded,
    sampled,
)
from tests.mixture import mixture_denoiser

ALL = np.ones(ROWS)
VARIANCE = 0.3
FREE = Pull(trust=0.0, near=0.0, path=0.0, anchor=0.0)
# the second costs as much again
OF_EACH = pytest.mark.parametrize("process", ["flow", pytest.param("ve", marks=pytest.mark.slow)])


def stock(process: str, sampler: str = DISTILLED, offsets: bool = True) -> Candidate:
    """The stock multistep rule on uneven steps, as a start."""
    sigmas = SIGMAS[process]
    shifts = np.zeros(len(sigmas) - 1) if offsets else None
    rows = stock_coefficients(sigmas) if sampler == DISTILLED else None
    return Candidate(sampler, sigmas, shifts, rows)


def exactly_known(process: str) -> Answers:
    """A Gaussian's denoiser, whose answers the surrogate knows everywhere."""
    model = mixture_denoiser(torch.zeros(1, 8), [1.0], VARIANCE, process)
    answers = answers_of(process, recorded(process, rows=3, denoise=model, nodes=80))
    answers.surrogate.variance = VARIANCE
    return answers


KINDS = [
    (DISTILLED, True),
    ("dpmpp_2m", True),
    ("dpmpp_2m", False),
    ("euler", True),
    ("lms", False),
]


@OF_EACH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_what_it_expects_comes_true_where_the_surrogate_is_right(process, kind):
    answers = exactly_known(process)
    start = answers.run(stock(process, *kind))
    found, expected = proposed(answers, start, Pull(), np.ones(3))
    ran = answers.run(found)
    assert expected == pytest.approx(ran.mean_error, rel=0.05, abs=2e-4)
    assert ran.mean_error < (1.0 if kind[0] == "lms" else 0.7) * start.mean_error
    assert found.sampler == start.sampler and found.choice.ours and not found.was_run


@OF_EACH
@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_from_what_was_seen(process, kind):
    """Every state of the true run is met on the way, off the path too: its answers are known."""
    answers = answers_of(process)
    start = answers.run(a_candidate(process, *kind))
    search = _Search(answers, start, Pull(), ALL / ROWS)
    means = search._means(search.states[None, -1])
    assert float(means[0]) == pytest.approx(start.mean_error, rel=1e-4, abs=1e-5)


def test_a_first_query_that_is_not_the_teachers_is_known_too():
    """From a lower start, and with an offset at the top."""
    answers, lower = answers_of("ve"), a_candidate("ve")
    lower = replace(lower, sigmas=0.7 * lower.sigmas)
    shifted = a_candidate("ve")
    shifted.offsets[0] = -0.3
    for candidate in (lower, shifted):
        ran = answers.run(candidate)
        np.testing.assert_allclose(expected_errors(answers, ran), ran.errors, rtol=1e-4, atol=1e-5)


@OF_EACH
def test_the_errors_that_it_expects_of_a_run_that_was_seen_are_that_runs(process):
    answers = answers_of(process, recorded(process, fit=np.arange(ROWS) < 4))
    ran = answers.run(a_candidate(process))
    before = answers.sets[0].model.calls
    np.testing.assert_allclose(expected_errors(answers, ran), ran.errors, rtol=1e-4, atol=1e-5)
    assert answers.sets[0].model.calls == before


@OF_EACH
@pytest.mark.parametrize("kind", KINDS[:3])
def test_where_nothing_holds_it_back_it_expects_a_lower_error(process, kind):
    answers = answers_of(process)
    start = answers.run(a_candidate(process, *kind))
    _, expected = proposed(answers, start, FREE, ALL)
    assert expected < start.mean_error


@OF_EACH
def test_the_gradient_is_that_of_what_is_minimised(process):
    answers = answers_of(process)
    start = answers.run(a_candidate(process))
    pull = Pull(trust=0.3, near=0.1, path=0.2, anchor=0.1)
    search = _Search(answers, start, pull, ALL / ROWS)
    rng = np.random.default_rng(0)
    at = search.start + 0.02 * rng.standard_normal(len(search.start))
    steps = 1e-4 * np.eye(len(at))
    _, gradient = search._system(np.concatenate([at[None], at + steps]))
    numeric = (search._costs(at + steps) - search._costs(at - steps)) / 2e-4
    np.testing.assert_allclose(2 * gradient, numeric, atol=5e-3 * np.abs(numeric).max())


@OF_EACH
def test_the_slopes_are_those_of_the_true_run(process):
    """The derivative of the end error in each number, against two true runs to either side."""
    answers = exactly_known(process)
    (each,) = answers.sets
    search = _Search(answers, answers.run(stock(process)), FREE, np.ones(3) / 3)
    size, nudge = len(search.start), 0.02
    steps = nudge * np.eye(size)
    slopes = (
        search._means(search._simulated(search.start + steps)[:, -1])
        - search._means(search._simulated(search.start - steps)[:, -1])
    ) / (2 * nudge)
    for k in range(0, size, 3):
        ends = [
            each.errors(sampled(each, search.parameters.candidate(search.start + way), process))
            for way in (steps[k], -steps[k])
        ]
        true = float((ends[0] - ends[1]).mean()) / (2 * nudge)
        assert slopes[k] == pytest.approx(true, rel=0.02, abs=2e-4)


@cache
def heard_already(process: str) -> Answers:
    """One and the same for all examples, which it remembers."""
    return answers_of(process)


@examples(50)
@given(
    st.sampled_from(sorted(RANGES)),
    st.integers(1, 7),
    st.integers(0, 2**32 - 1),
    st.sampled_from(KINDS),
)
def test_it_never_leaves_the_range(process, steps, seed, kind):
    (low, high), rng, (sampler, shifted) = RANGES[process], np.random.default_rng(seed), kind
    inner = np.sort(np.exp(rng.uniform(np.log(low), np.log(high), steps - 1)))[::-1]
    sigmas = np.concatenate([[high], inner, [0.0]])
    rows = stock_coefficients(sigmas) if sampler == DISTILLED else None
    answers = heard_already(process)
    start = answers.run(Candidate(sampler, sigmas, np.zeros(steps) if shifted else None, rows))
    made = proposed(answers, start, replace(Pull(), trust=1e-4, near=1e-4), ALL)
    if made is None:
        return
    found, _ = made
    check_schedule(found.sigmas)
    assert found.sigmas[0] == high and found.steps == steps
    assert steps == 1 or found.sigmas[-2] >= low * (1 - 1e-9)
    if shifted:
        asked = asked_sigmas(found.sigmas[:-1], found.offsets, process)
        assert (asked >= low * (1 - 1e-9)).all() and (asked <= high * (1 + 1e-9)).all()


# --- whose rows decide ---


def test_rows_of_no_weight_decide_nothing():
    """Their ends may lie anywhere."""
    weights = (np.arange(ROWS) < 4).astype(float)
    each, other = recorded("ve"), recorded("ve")
    other.vectors[len(other.sigmas) - 1][4:] += 5.0
    found = []
    for of in (each, other):
        answers = answers_of("ve", of)
        answers.surrogate.variance = 0.7  # the one thing that is said of all rows together
        found.append(proposed(answers, answers.run(stock("ve")), Pull(), weights)[0])
    np.testing.assert_allclose(found[0].sigmas, found[1].sigmas, rtol=1e-4)
    np.testing.assert_allclose(found[0].coefficients, found[1].coefficients, atol=1e-4)
    answers = answers_of("ve", each)
    every = proposed(answers, answers.run(stock("ve")), Pull(), ALL)[0]
    assert np.abs(every.sigmas - found[0].sigmas).max() > 1e-3


def test_only_the_share_of_a_row_counts():
    answers = answers_of("flow")
    start = answers.run(stock("flow"))
    one, ten = (proposed(answers, start, Pull(), size * ALL)[0] for size in (1, 10))
    np.testing.assert_allclose(one.sigmas, ten.sigmas, rtol=1e-9)


@OF_EACH
def test_a_row_gone_astray_does_not_decide_alone(process):
    """One row whose end no step can reach: the others are mended nearly as well as without it."""
    each = recorded(process)
    each.vectors[len(each.sigmas) - 1][0] += 20 * torch.linspace(-1, 1, 8)
    others = np.arange(ROWS) > 0
    gained = []
    for weights in (ALL, others.astype(float)):
        answers = answers_of(process, each)
        answers.surrogate.variance = 0.7
        start = answers.run(stock(process))
        ran = answers.run(proposed(answers, start, Pull(), weights)[0])
        gained.append(ran.errors[others].mean() / start.errors[others].mean())
    assert gained[1] < gained[0] < 0.75


def test_two_sets_are_as_good_as_one():
    whole = recorded("ve")
    found = []
    for sets in ([whole], parts_of(whole, slice(0, 2), slice(2, ROWS))):
        answers = answers_of("ve", *sets)
        found.append(proposed(answers, answers.run(stock("ve")), Pull(), ALL)[0])
    np.testing.assert_allclose(found[0].sigmas, found[1].sigmas, rtol=1e-3)


# --- what holds it back ---


def moved(process: str, pull: Pull) -> Candidate | None:
    answers = answers_of(process)
    made = proposed(answers, answers.run(a_candidate(process)), pull, ALL)
    return None if made is None else made[0]


@OF_EACH
def test_each_pull_holds_back_what_it_is_for(process):
    start, free = a_candidate(process), moved(process, FREE)
    near = moved(process, replace(FREE, near=1e3))
    assert np.abs(near.sigmas - start.sigmas).max() < 1e-2
    assert np.abs(near.coefficients - start.coefficients).max() < 1e-2
    anchored = moved(process, replace(FREE, anchor=1e3))
    away = [
        np.abs(each.coefficients - stock_coefficients(start.sigmas)) for each in (free, anchored)
    ]
    assert away[1].max() < 0.7 * away[0].max()
    assert np.abs(anchored.offsets).max() < 0.5 * max(np.abs(start.offsets).max(), 0.05)


@OF_EACH
@pytest.mark.parametrize("part", ["trust", "path"])
def test_states_are_held_to_the_last_run_or_to_the_teacher(process, part):
    answers = answers_of(process)
    start = answers.run(a_candidate(process))
    away = []
    for pull in (FREE, replace(FREE, **{part: 1e3})):
        search = _Search(answers, start, pull, ALL / ROWS)
        made = search.found()
        at = Parameters(made[0], answers.noise_range).vector() if made else search.start
        states = search._simulated(at[None])
        if part == "trust":
            away.append(float(search._squares(states[:, :-1] - search.states[:-1])[0]))
        else:
            away.append(float(search._squares(search._off_path(at[None], states))[0]))
    assert away[1] < 0.5 * away[0]


@pytest.mark.slow
@OF_EACH
def test_nothing_is_proposed_where_nothing_is_expected_to_be_better(process):
    answers = exactly_known(process)
    best = answers.run(stock(process))
    for _ in range(30):
        made = proposed(answers, best, Pull(), np.ones(3))
        if made is None:
            break
        best = answers.run(made[0])
    assert made is None


@OF_EACH
@pytest.mark.parametrize("kind", KINDS)
def test_one_step(process, kind):
    sampler, shifted = kind
    sigmas, offsets = np.array([RANGES[process][1], 0.0]), np.zeros(1) if shifted else None
    answers = answers_of(process)
    rows = np.zeros((1, 4)) if sampler == DISTILLED else None
    start = answers.run(Candidate(sampler, sigmas, offsets, rows))
    made = proposed(answers, start, Pull(), ALL)
    if sampler != DISTILLED and not shifted:
        assert made is None  # it has no number to change
    if sampler == DISTILLED:
        assert answers.run(made[0]).mean_error < start.mean_error


@OF_EACH
def test_a_lower_start(process):
    answers, sigmas = answers_of(process), SIGMAS[process][2:]
    start = answers.run(Candidate(DISTILLED, sigmas, np.zeros(3), stock_coefficients(sigmas)))
    found, _ = proposed(answers, start, Pull(), ALL)
    assert found.sigmas[0] == sigmas[0]
    assert answers.run(found).mean_error < start.mean_error


@pytest.mark.slow
def test_the_same_twice():
    first, second = (
        proposed(answers, answers.run(stock("ve")), Pull(), ALL)[0]
        for answers in (answers_of("ve"), answers_of("ve"))
    )
    np.testing.assert_array_equal(first.sigmas, second.sigmas)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
