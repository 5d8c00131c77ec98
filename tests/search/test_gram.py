from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import ScheduleError, SigmaRangeError
from scheduler.fit.teacher import record_teacher
from scheduler.search.gram import gram_of, interpolation, merge, row_products, with_sigmas
from scheduler.sigmas import log_snr_grid
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}


def recorded(parametrisation="flow", nodes=20, rows=4, **options):
    grid = log_snr_grid(*RANGES[parametrisation], nodes, parametrisation)
    return record_teacher(
        small_mixture(parametrisation),
        unit_noise(rows, 8),
        grid,
        parametrisation,
        keep_states=True,
        **options,
    )


def test_merged_sets_equal_one_set():
    whole = recorded(rows=6)
    vectors = torch.stack(whole.states + whole.predictions)
    parts = [gram_of(whole.sigmas, vectors[:, :2]), gram_of(whole.sigmas, vectors[:, 2:])]
    joint = merge(parts)
    np.testing.assert_allclose(joint.products, whole.gram.products, rtol=1e-12)
    assert joint.samples == 6
    np.testing.assert_allclose(joint.spread, (parts[0].spread + 3 * parts[1].spread) / 4)
    single = merge([gram_of(whole.sigmas, vectors[:, k : k + 1]) for k in range(6)])
    np.testing.assert_allclose(single.products, whole.gram.products, rtol=1e-12)
    assert not single.spread.any()


def test_merge_refuses_other_grids_and_nothing():
    with pytest.raises(ScheduleError):
        merge([recorded(nodes=20).gram, recorded(nodes=21).gram])
    with pytest.raises(ScheduleError):
        merge([])


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
def test_nodes_are_kept_to_the_bit(parametrisation):
    gram = recorded(parametrisation).gram
    np.testing.assert_array_equal(with_sigmas(gram, gram.sigmas).products, gram.products)
    kept = np.array([0, 3, 4, 11, 20])
    rows = np.concatenate([kept, 21 + kept[:-1]])
    np.testing.assert_array_equal(
        with_sigmas(gram, gram.sigmas[kept]).products, gram.products[np.ix_(rows, rows)]
    )
    np.testing.assert_allclose(with_sigmas(gram, gram.sigmas[kept]).spread, gram.spread[kept])


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
def test_between_nodes_it_is_as_near_to_a_finer_teacher_as_on_them(parametrisation):
    """A 40-node teacher, read half-way between its nodes, against one recorded there with eight
    times the nodes."""
    coarse = recorded(parametrisation, nodes=40)
    middles = np.sqrt(coarse.sigmas[:-2] * coarse.sigmas[1:-1])
    wanted = np.sort(np.append(coarse.sigmas, middles))[::-1]
    fine = record_teacher(
        small_mixture(parametrisation),
        unit_noise(4, 8),
        _cut(_cut(wanted)),
        parametrisation,
        keep_states=True,
    )
    rows = torch.from_numpy(interpolation(coarse.sigmas, wanted)) @ torch.stack(
        coarse.states + coarse.predictions
    ).flatten(1)
    states, predictions = rows[: len(wanted)], rows[len(wanted) :]
    state_errors = _rms(states[:-1] - torch.stack(fine.states[:-1:4]).flatten(1))
    prediction_errors = _rms(predictions - torch.stack(fine.predictions[::4]).flatten(1))
    assert state_errors[1:-1:2].max() <= 1.2 * state_errors[::2].max() + 1e-4
    assert prediction_errors[1:-1:2].max() <= 2.5 * prediction_errors[::2].max() + 1e-3


def _cut(grid):
    return np.concatenate(
        [np.stack([grid[:-2], np.sqrt(grid[:-2] * grid[1:-1])], axis=1).ravel(), grid[-2:]]
    )


def _rms(x):
    return x.square().mean(1).sqrt()


@given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=6, unique=True))
def test_weights_reproduce_pure_noise_and_constants(sigmas):
    """x = s n + c with D = c obeys the ODE, and both are reproduced anywhere on the grid."""
    grid = log_snr_grid(0.002, 1.0, 9, "flow")
    wanted = np.array([*sorted(sigmas, reverse=True), 0.0])
    noise, data = 1.7, -0.4
    vectors = np.concatenate([noise * grid + data, np.full(len(grid) - 1, data)])
    expected = np.concatenate([noise * wanted + data, np.full(len(wanted) - 1, data)])
    np.testing.assert_allclose(interpolation(grid, wanted) @ vectors, expected, atol=1e-11)


def test_short_grids_can_be_read_anywhere():
    for grid in ([1.0, 0.0], [1.0, 0.5, 0.0], [1.0, 0.5, 0.1, 0.0]):
        weights = interpolation(np.array(grid), np.array([0.9, 0.3, 0.01, 0.0]))
        assert np.isfinite(weights).all()
        np.testing.assert_allclose(weights[4:].sum(axis=1), 1)


def test_range_is_the_recorded_one():
    gram = recorded().gram
    with pytest.raises(SigmaRangeError):
        with_sigmas(gram, [1.5, 0.5, 0.0])
    with pytest.raises(ScheduleError):
        with_sigmas(gram, [0.5, 0.7, 0.0])


def test_row_products_are_the_same_in_pieces(monkeypatch):
    vectors = [unit_noise(3, 2, 5, seed=seed) for seed in range(4)]
    rows = np.array([True, False, True])
    whole = row_products(vectors, rows)
    flat = torch.stack(vectors).flatten(2).double().numpy()
    np.testing.assert_allclose(whole, np.einsum("vre,wre->rvw", flat, flat)[rows] / 10)
    monkeypatch.setattr("scheduler.search.gram.CHUNK", 12)
    np.testing.assert_allclose(row_products(vectors, rows), whole)
