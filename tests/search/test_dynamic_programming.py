from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import SigmaRangeError, StepsError, UnknownNameError
from scheduler.fit.teacher import record_teacher
from scheduler.samplers import LINEAR
from scheduler.search.boss_gits import boss_paths, error_lengths, gits_paths
from scheduler.search.dynamic_programming import (
    NODE_WEIGHTS,
    node_weights,
    pair_costs,
    schedules_from,
    solve,
    solve_pairs,
    step_costs,
)
from scheduler.sigmas import check_schedule, log_snr_grid
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}


def recorded(parametrisation="flow", nodes=10):
    grid = log_snr_grid(*RANGES[parametrisation], nodes, parametrisation)
    return record_teacher(
        small_mixture(parametrisation), unit_noise(4, 8), grid, parametrisation, keep_states=True
    )


def path_value(path, first, pairs=None, weights=None, coeff=1.0):
    """What the recursion minimises: each step's weighted cost, every later one times coeff once more."""
    weights = np.ones(len(first)) if weights is None else weights
    total = 0.0
    for k in range(len(path) - 2, -1, -1):
        cost = (
            first[path[k], path[k + 1]]
            if k == 0 or pairs is None
            else pairs[path[k - 1], path[k], path[k + 1]]
        )
        total = cost * weights[path[k + 1]] + coeff * total
    return total


def every_path(start, last, steps):
    return [(start, *middle, last) for middle in combinations(range(start + 1, last), steps - 1)]


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
@pytest.mark.parametrize("sampler", LINEAR)
def test_costs_equal_those_of_the_states(sampler, parametrisation):
    found, rule = recorded(parametrisation), LINEAR[sampler]
    x, d, s = (
        [v.numpy() for v in found.states],
        [v.numpy() for v in found.predictions],
        found.sigmas,
    )
    scale = found.gram.products.max()

    def direct(j, *history):
        a, b = rule.weights(tuple(s[n] for n in (j, *history)))
        step = sum(w * x[n] for w, n in zip(a, history, strict=True)) + sum(
            w * d[n] for w, n in zip(b, history, strict=True)
        )
        return np.square(step - x[j]).mean()

    one = step_costs(found.gram, rule)
    for i, j in combinations(range(len(s)), 2):
        assert one[i, j] == pytest.approx(direct(j, i), rel=1e-9, abs=1e-14 * scale)
        assert one[j, i] == np.inf
    if rule.order > 1:
        two = pair_costs(found.gram, rule)
        for h, i, j in combinations(range(len(s)), 3):
            # the terms of an extrapolation cancel: what float64 leaves of them is no error of the cost
            size = (
                sum(np.abs(w) for part in rule.weights((s[j], s[i], s[h])) for w in part) ** 2 + 1
            )
            assert two[h, i, j] == pytest.approx(
                direct(j, i, h), rel=1e-9, abs=1e-14 * scale * float(size)
            )
        assert np.isinf(two).sum() == two.size - len(list(combinations(range(len(s)), 3)))


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("coeff", [1.0, 1.15])
def test_solve_equals_brute_force(start, coeff):
    gram = recorded(nodes=7).gram
    first, weights = step_costs(gram, LINEAR["euler"]), node_weights(gram, "straight")
    for path in solve(first, 7 - start, start, weights, coeff):
        best = min(
            every_path(start, 7, len(path) - 1),
            key=lambda p: path_value(p, first, None, weights, coeff),
        )
        assert tuple(path) == best


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ipndm", "deis"])
def test_solve_pairs_equals_brute_force(start, sampler):
    gram, rule = recorded("ve", nodes=7).gram, LINEAR[sampler]
    first, pairs, weights = (
        step_costs(gram, rule),
        pair_costs(gram, rule),
        node_weights(gram, "variance"),
    )
    for path in solve_pairs(first, pairs, 7 - start, start, weights, 1.1):
        best = min(
            every_path(start, 7, len(path) - 1),
            key=lambda p: path_value(p, first, pairs, weights, 1.1),
        )
        assert tuple(path) == best


@given(st.data(), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_paths_of_any_costs_are_paths(data, last, seed):
    rng = np.random.default_rng(seed)
    start = data.draw(st.integers(0, last - 1))
    first, pairs = rng.random((last + 1,) * 2), rng.random((last + 1,) * 3)
    first[np.tril_indices(last + 1)] = np.inf
    h, i, j = np.indices(pairs.shape)
    pairs[(h >= i) | (i >= j)] = np.inf
    for paths in (
        solve(first, last - start, start),
        solve_pairs(first, pairs, last - start, start),
    ):
        assert [len(path) - 1 for path in paths] == list(range(1, last - start + 1))
        for path in paths:
            assert path[0] == start and path[-1] == last and (np.diff(path) > 0).all()
    for path in solve(first, last - start, start):
        best = min(path_value(p, first) for p in every_path(start, last, len(path) - 1))
        assert path_value(path, first) == pytest.approx(best, rel=1e-12)


@given(st.lists(st.floats(0.01, 10), min_size=3, max_size=12))
def test_more_steps_never_cost_more_where_a_cut_step_is_cheaper(gaps):
    """c = length squared obeys c[i, k] + c[k, j] <= c[i, j]."""
    places = np.concatenate([[0], np.cumsum(gaps)])
    costs = np.where(places > places[:, None], (places - places[:, None]) ** 2, np.inf)
    values = [path_value(path, costs) for path in solve(costs, len(gaps))]
    assert all(b <= a for a, b in zip(values, values[1:], strict=False))


def test_steps_must_fit_the_grid():
    gram = recorded(nodes=6).gram
    first = step_costs(gram, LINEAR["euler"])
    for steps, start in ((0, 0), (7, 0), (5, 2)):
        with pytest.raises(StepsError):
            solve(first, steps, start)
        with pytest.raises(StepsError):
            solve_pairs(first, pair_costs(gram, LINEAR["dpmpp_2m"]), steps, start)


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
def test_node_weights(parametrisation):
    gram = recorded(parametrisation).gram
    for kind in NODE_WEIGHTS:
        weights = node_weights(gram, kind)
        assert weights.shape == (11,) and (weights > 0).all() and np.isfinite(weights).all()
    assert node_weights(gram, "contraction")[-1] == 1
    assert (node_weights(gram) == 1).all()
    np.testing.assert_allclose(node_weights(gram, "variance"), 1 / (1 + gram.sigmas**2))
    np.testing.assert_allclose(node_weights(gram, "straight"), 1 / (1 + gram.sigmas) ** 2)
    with pytest.raises(UnknownNameError, match="none, contraction, variance, straight"):
        node_weights(gram, "gains")


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
@pytest.mark.parametrize("sampler", LINEAR)
@pytest.mark.slow
def test_schedules_of_every_length_are_valid(sampler, parametrisation):
    gram = recorded(parametrisation, nodes=8).gram
    for start in (None, gram.sigmas[4], 0.37 * gram.sigmas[0]):
        found = schedules_from(gram, sampler, 20, start)
        assert list(found) == list(range(1, 21))
        for n, sigmas in found.items():
            assert len(check_schedule(sigmas)) == n + 1
            assert sigmas[0] == (gram.sigmas[0] if start is None else start)


@pytest.mark.parametrize("sampler", ["euler", pytest.param("dpmpp_2m", marks=pytest.mark.slow)])
def test_far_more_steps_than_nodes(sampler):
    gram = recorded(nodes=10).gram
    few = schedules_from(gram, sampler, 5)
    for n in (400, 1100):
        found = schedules_from(gram, sampler, n)
        assert len(check_schedule(found[n])) == n + 1 and list(found) == list(range(1, n + 1))
        assert all(np.array_equal(found[k], few[k]) for k in few)
    tiny = schedules_from(gram, sampler, 5, gram.sigmas[-2] / 2)
    assert len(check_schedule(tiny[5])) == 6


def test_a_schedule_does_not_depend_on_how_many_were_asked_for():
    gram = recorded(nodes=12).gram
    few, many = schedules_from(gram, "dpmpp_2m", 9), schedules_from(gram, "dpmpp_2m", 25)
    assert all(np.array_equal(few[n], many[n]) for n in few)


def test_schedules_refuse():
    gram = recorded(nodes=6).gram
    with pytest.raises(UnknownNameError, match="linear"):
        schedules_from(gram, "heun", 4)
    with pytest.raises(UnknownNameError):
        schedules_from(gram, "magic", 4)
    with pytest.raises(StepsError):
        schedules_from(gram, "euler", 0)
    for start in (0.0, -1.0, 1.01, float("nan")):
        with pytest.raises(SigmaRangeError, match=f"first sigma {gram.sigmas[0]:.6g};"):
            schedules_from(gram, "euler", 4, start)


def test_boss_and_gits():
    found = recorded(nodes=8)
    lengths = error_lengths(found, "l1")
    ratio = found.sigmas[5] / found.sigmas[2]
    step = ratio * found.states[2] + (1 - ratio) * found.predictions[2]
    assert lengths[2, 5] == pytest.approx((step - found.states[5]).abs().mean().item())
    np.testing.assert_array_equal(
        boss_paths(found.gram, 3)[2], solve(step_costs(found.gram, LINEAR["euler"]), 3)[2]
    )
    for norm in ("l1", "l2"):
        costs = error_lengths(found, norm)
        for path in gits_paths(found, 5, norm=norm):
            best = min(path_value(p, costs, coeff=1.15) for p in every_path(0, 8, len(path) - 1))
            assert path_value(path, costs, coeff=1.15) == pytest.approx(best)
    assert [len(path) for path in gits_paths(found.gram, 5)] == [2, 3, 4, 5, 6]
    for wrong in ("l1", "dev"):
        with pytest.raises(UnknownNameError):
            gits_paths(found.gram, 5, norm=wrong)
