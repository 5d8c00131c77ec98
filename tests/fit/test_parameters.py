"""A recipe as a vector of numbers, and back: in range, and in the samplers' own terms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.fit.coefficients import MOST_COEFFICIENT
from scheduler.fit.parameters import (
    Numbers,
    Parameters,
    asked_sigmas,
    bounded_offsets,
    rescaled,
    rule_weights,
    stock_coefficients,
)
from scheduler.samplers import sample
from scheduler.samplers.distilled import PAST, sample_distilled, step_weights
from scheduler.samplers.multistep import LINEAR
from scheduler.samplers.query_offsets import asked_sigma, bounded_offset
from scheduler.sigmas.validity import check_schedule
from tests.examples import examples
from tests.fit.lab import RANGES, SIGMAS, a_candidate, range_of
from tests.mixture import small_mixture, unit_noise

PROCESSES = st.sampled_from(sorted(RANGES))
SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from([(DISTILLED, True), ("dpmpp_2m", True), ("dpmpp_2m", False)])


def made(process: str, steps: int, seed: int, kind=(DISTILLED, True)) -> Candidate:
    """A random candidate that lies in the model's range."""
    (low, high), rng, (sampler, shifted) = RANGES[process], np.random.default_rng(seed), kind
    inner = np.sort(np.exp(rng.uniform(np.log(1.01 * low), np.log(0.99 * high), steps - 1)))[::-1]
    sigmas = np.concatenate([[high], inner, [0.0]])
    offsets = rows = None
    if shifted:
        offsets = bounded_offsets(sigmas[:-1], rng.uniform(-1, 1, steps), range_of(process))
    if sampler == DISTILLED:
        rows = rng.uniform(-MOST_COEFFICIENT, MOST_COEFFICIENT, (steps, 4))
        rows[:1, 0], rows[:2, 1] = 0, 0
    return Candidate(sampler, sigmas, offsets, rows)


def parameters(candidate: Candidate, process: str) -> Parameters:
    return Parameters(candidate, range_of(process))


# --- there and back ---


@given(PROCESSES, st.integers(1, 12), SEEDS, KINDS)
def test_a_recipe_comes_back_from_its_vector(process, steps, seed, kind):
    start = made(process, steps, seed, kind)
    of = parameters(start, process)
    found = of.candidate(of.vector())
    np.testing.assert_allclose(
        found.sigmas, start.sigmas, rtol=1e-4
    )  # steps of nothing grow a little
    if start.offsets is None:
        assert found.offsets is None
    else:
        np.testing.assert_allclose(found.offsets, start.offsets, atol=1e-4)
    if start.coefficients is None:
        assert found.coefficients is None
    else:
        np.testing.assert_allclose(found.coefficients, start.coefficients, atol=1e-12)
    assert found.sampler == start.sampler and found.choice.ours and not found.was_run


@given(PROCESSES, st.integers(1, 12), SEEDS, KINDS, st.floats(0.01, 10))
def test_a_vector_comes_back_where_nothing_was_cut(process, steps, seed, kind, size):
    """Once it was cut to what the model's range allows, a vector stays as it is."""
    rng = np.random.default_rng(seed)
    of = parameters(made(process, steps, seed, kind), process)
    moved = of.vector() + size * rng.standard_normal(len(of.vector()))
    cut = of.candidate(moved)
    again = parameters(cut, process)
    twice = again.candidate(again.vector())
    np.testing.assert_allclose(twice.sigmas, cut.sigmas, rtol=1e-4)
    assert len(again.vector()) == len(moved)


@pytest.mark.parametrize("process", sorted(RANGES))
def test_every_number_of_the_distilled_sampler_is_free_that_does_something(process):
    """A step's correction of a prediction before the first is not there, nor the last step's length."""
    start = a_candidate(process)
    of, steps = parameters(start, process), start.steps
    assert len(of.vector()) == (steps - 1) + steps + 4 * steps - 3
    assert of.held.tolist() == [False] * (steps - 1) + [True] * (5 * steps - 3)
    # downwards: at the top of the range there is no room for an offset upwards
    nudged = of.numbers(of.vector() - np.eye(len(of.vector())) * 1e-3)
    own = of.numbers(of.vector()[None])
    for k in range(len(of.vector())):
        moved = [
            np.abs(getattr(nudged, part)[k] - getattr(own, part)[0]).max()
            for part in ("sigmas", "offsets", "coefficients")
        ]
        # a flow's first offset alone has nothing to move
        still = process == "flow" and k == steps - 1
        assert sum(each > 1e-6 for each in moved) == (0 if still else 1)
    assert not nudged.coefficients[:, 0, :2].any() and not nudged.coefficients[:, 1, 1].any()


def test_a_step_of_a_stock_sampler_has_its_length_and_its_offset():
    of = parameters(a_candidate("ve", "dpmpp_2m"), "ve")
    assert len(of.vector()) == 4 + 5 and of.held.sum() == 5
    assert of.numbers(of.vector()[None]).coefficients is None
    bare = parameters(a_candidate("ve", "dpmpp_2m", offsets=False), "ve")
    assert len(bare.vector()) == 4 and not bare.held.any()
    assert bare.candidate(bare.vector()).offsets is None
    assert not bare.numbers(bare.vector()[None]).offsets.any()


@given(PROCESSES, st.integers(1, 8), SEEDS, KINDS)
def test_many_vectors_at_once_are_each_on_its_own(process, steps, seed, kind):
    of = parameters(made(process, steps, seed, kind), process)
    vectors = of.vector() + np.random.default_rng(seed).standard_normal((3, len(of.vector())))
    together = of.numbers(vectors)
    for k, vector in enumerate(vectors):
        alone = of.candidate(vector)
        np.testing.assert_array_equal(together.sigmas[k], alone.sigmas)
        if alone.offsets is not None:
            np.testing.assert_array_equal(together.offsets[k], alone.offsets)
        if alone.coefficients is not None:
            np.testing.assert_array_equal(together.coefficients[k], alone.coefficients)


# --- the model's range ---


@examples(100)
@given(PROCESSES, st.integers(1, 12), SEEDS, KINDS, st.floats(0.01, 20))
def test_no_vector_leaves_the_range(process, steps, seed, kind, size):
    start = made(process, steps, seed, kind)
    of, (low, high) = parameters(start, process), RANGES[process]
    rng = np.random.default_rng(seed)
    found = of.candidate(of.vector() + size * rng.standard_normal(len(of.vector())))
    sigmas = found.sigmas
    assert sigmas[0] == start.sigmas[0] and sigmas[-1] == 0 and len(sigmas) == steps + 1
    assert (np.diff(sigmas) <= 0).all() and sigmas[-2] >= low * (1 - 1e-9)
    if found.offsets is not None:
        asked = asked_sigmas(sigmas[:-1], found.offsets, process)
        assert (asked >= low * (1 - 1e-9)).all() and (asked <= high * (1 + 1e-9)).all()
    if found.coefficients is not None:
        assert np.abs(found.coefficients).max() <= MOST_COEFFICIENT


@pytest.mark.parametrize("process", sorted(RANGES))
def test_steps_that_are_too_long_are_all_shortened_alike(process):
    of = parameters(a_candidate(process), process)
    vector = of.vector()
    vector[:4] += 2.0
    sigmas = of.candidate(vector).sigmas
    check_schedule(sigmas)
    assert sigmas[-2] == pytest.approx(RANGES[process][0])
    lengths = -np.diff(np.log(sigmas[:-1]))
    before = -np.diff(np.log(SIGMAS[process][:-1]))
    np.testing.assert_allclose(lengths / lengths.sum(), before / before.sum(), rtol=1e-9)


def test_a_stock_rule_on_uneven_steps_stays_what_it_is():
    """Its coefficients may lie beyond those that are fitted: a start that was cut would be another."""
    sigmas = np.array([14.6, 13.0, 0.5, 0.45, 0.05, 0.0])
    rows = stock_coefficients(sigmas)
    assert rows.max() > MOST_COEFFICIENT
    of = parameters(Candidate(DISTILLED, sigmas, np.zeros(5), rows), "ve")
    np.testing.assert_allclose(of.candidate(of.vector()).coefficients, rows, rtol=1e-12)
    moved = of.candidate(of.vector() + 100).coefficients
    assert (moved <= np.maximum(rows, MOST_COEFFICIENT)).all() and moved.max() == rows.max()


@given(PROCESSES, st.floats(-4, 4), st.floats(0, 1))
def test_offsets_are_asked_and_bounded_as_the_samplers_do(process, offset, place):
    """Arrays and single numbers say the same."""
    low, high = RANGES[process]
    sigma = float(np.exp(np.log(low) + place * np.log(high / low)))
    sigma = min(sigma, high)
    bounded = bounded_offset(sigma, offset, range_of(process))
    sigmas, offsets = np.array([[sigma, high]]), np.array([[offset, offset]])
    found = bounded_offsets(sigmas, offsets, range_of(process))
    assert found[0, 0] == pytest.approx(bounded, abs=1e-12)
    assert found[0, 1] == pytest.approx(bounded_offset(high, offset, range_of(process)), abs=1e-12)
    asked = asked_sigmas(sigmas, found, process)
    assert asked[0, 0] == pytest.approx(asked_sigma(sigma, bounded, process), rel=1e-12)
    assert asked[0, 1] == pytest.approx(asked_sigma(high, float(found[0, 1]), process), rel=1e-12)


def test_states_are_shown_to_the_model_as_the_samplers_show_them():
    x = np.ones((2, 3, 4))
    now, asked = np.array([0.5, 0.8]), np.array([0.4, 0.85])
    np.testing.assert_allclose(rescaled(x, now, asked, "flow")[:, 0, 0], [0.6 / 0.5, 0.15 / 0.2])
    assert rescaled(x, now, asked, "ve") is x and rescaled(x, now, now, "flow") is x


# --- the samplers' own rules ---


@given(st.sampled_from(sorted(LINEAR)), PROCESSES, st.integers(1, 8), SEEDS)
def test_weights_are_the_samplers_own(sampler, process, steps, seed):
    both = [made(process, steps, seed + k, (sampler, False)).sigmas for k in range(2)]
    found = Numbers(np.stack(both), np.zeros((2, steps)), None)
    rule = LINEAR[sampler]
    for k in range(steps):
        a, b = rule_weights(sampler, found, k)
        for p, sigmas in enumerate(both):
            window = [sigmas[k + 1], *sigmas[max(k - rule.order + 1, 0) : k + 1][::-1]]
            states, predictions = rule.weights(window)
            used = [float(w) for w in states[: rule.states]]
            np.testing.assert_allclose(a[p], used, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(b[p], [float(w) for w in predictions], rtol=1e-9, atol=1e-12)
            assert not any(float(w) for w in states[rule.states :])


@given(PROCESSES, st.integers(1, 6), SEEDS)
def test_weights_of_the_distilled_sampler_are_its_own(process, steps, seed):
    each = made(process, steps, seed)
    found = Numbers(each.sigmas[None], each.offsets[None], each.coefficients[None])
    for k in range(steps):
        a, b = rule_weights(DISTILLED, found, k)
        row, pair = each.coefficients[k].tolist(), each.sigmas[k : k + 2].tolist()
        expected = step_weights(row, *pair, min(k + 1, PAST))
        np.testing.assert_allclose([*a[0], *b[0]], expected, rtol=1e-12)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "res_multistep"])
@pytest.mark.parametrize("process", sorted(RANGES))
def test_a_stock_rule_is_a_point_of_the_distilled_family(process, sampler):
    model, sigmas = small_mixture(process), SIGMAS[process]
    x = unit_noise(3, 1, 8) * sigmas[0]
    rows = stock_coefficients(sigmas, sampler)
    ours = sample_distilled(model, x, sigmas, rows, process=process)
    np.testing.assert_allclose(ours, sample(model, x, sigmas, sampler), atol=1e-12)
    assert stock_coefficients(np.array([1.0, 0.0])).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("process", sorted(RANGES))
def test_the_anchor_is_the_stock_rule_without_offsets_on_the_same_steps(process):
    of = parameters(a_candidate(process), process)
    anchor = of.candidate(of.anchor())
    np.testing.assert_allclose(anchor.sigmas, SIGMAS[process], rtol=1e-9)
    np.testing.assert_allclose(anchor.coefficients, stock_coefficients(SIGMAS[process]), atol=1e-12)
    assert not anchor.offsets.any()
    stock = parameters(a_candidate(process, "dpmpp_2m"), process)  # which is held to nothing
    np.testing.assert_array_equal(stock.anchor(), stock.vector())


def test_coefficients_without_offsets_are_anchored_without_them_too():
    start = Candidate(DISTILLED, SIGMAS["ve"], None, a_candidate("ve").coefficients)
    of = parameters(start, "ve")
    assert len(of.anchor()) == len(of.vector())
    assert of.candidate(of.anchor()).offsets is None
