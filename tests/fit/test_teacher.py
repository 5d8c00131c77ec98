from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.denoiser import start_state
from scheduler.errors import DenoiserError, ScheduleError, Stopped, UnknownNameError
from scheduler.fit import teacher as teacher_module
from scheduler.fit.teacher import _subset, record_teacher
from scheduler.samplers import sample
from scheduler.sigmas import log_snr_grid
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}


def grid_of(parametrisation, nodes=12):
    return log_snr_grid(*RANGES[parametrisation], nodes, parametrisation)


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
@pytest.mark.parametrize("solver", ["heun", "dpmpp_2m"])
def test_records_the_sampler_it_runs(parametrisation, solver):
    denoise, noise, grid = (
        small_mixture(parametrisation),
        unit_noise(3, 2, 4),
        grid_of(parametrisation),
    )
    found = record_teacher(denoise, noise, grid, parametrisation, solver, keep_states=True)
    assert torch.equal(
        found.end, sample(denoise, start_state(noise, grid[0], parametrisation), grid, solver)
    )
    assert torch.equal(found.states[0], noise * grid[0])
    assert torch.equal(found.states[-1], found.end)
    assert torch.allclose(found.end, found.predictions[-1], atol=1e-12)
    assert (
        len(found.states) == 13
        and len(found.predictions) == 12
        and found.states[5].shape == noise.shape
    )
    assert found.model_calls == 3 * (23 if solver == "heun" else 12)


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
@pytest.mark.parametrize("solver", ["heun", "dpmpp_2m"])
@pytest.mark.slow
def test_second_order(parametrisation, solver):
    """Halving the steps divides the end error by about four."""
    denoise, noise = small_mixture(parametrisation), unit_noise(6, 8)
    end = [
        record_teacher(denoise, noise, grid_of(parametrisation, n), parametrisation, solver).end
        for n in (41, 81, 321)
    ]
    coarse, fine = ((x - end[2]).square().mean().sqrt().item() for x in end[:2])
    assert coarse / fine > 2.8


def test_products_are_means_over_samples_and_elements():
    found = record_teacher(
        small_mixture(), unit_noise(4, 8), grid_of("flow"), "flow", keep_states=True
    )
    vectors = torch.stack(found.states + found.predictions).flatten(1).numpy()
    np.testing.assert_allclose(
        found.gram.products, vectors @ vectors.T / vectors.shape[1], rtol=1e-12, atol=1e-15
    )
    assert found.gram.samples == 4


def test_spread_is_half_the_mean_squared_distance_of_pairs():
    found = record_teacher(
        small_mixture(), unit_noise(4, 8), grid_of("flow"), "flow", keep_states=True
    )
    x = found.states[7]
    pairs = [(x[i] - x[j]).square().mean().item() / 2 for i in range(4) for j in range(i)]
    assert found.gram.spread[7] == pytest.approx(np.mean(pairs), rel=1e-12)
    alone = record_teacher(small_mixture(), unit_noise(1, 8), grid_of("flow"), "flow")
    assert not alone.gram.spread.any()


def test_a_choice_of_elements_is_the_gram_of_those_elements():
    noise, grid = unit_noise(3, 2, 4), grid_of("flow")
    found = record_teacher(small_mixture(), noise, grid, "flow", keep_states=True, elements=3)
    again = record_teacher(small_mixture(), noise, grid, "flow", elements=3)
    chosen = teacher_module._subset(8, 3)
    vectors = torch.stack(
        [v.flatten(1)[:, chosen].flatten() for v in found.states + found.predictions]
    ).numpy()
    np.testing.assert_allclose(
        found.gram.products, vectors @ vectors.T / vectors.shape[1], rtol=1e-12, atol=1e-15
    )
    np.testing.assert_array_equal(found.gram.products, again.gram.products)
    assert found.states[0].shape == noise.shape and again.states is None
    assert np.linalg.eigvalsh(found.gram.products).min() > -1e-12


def test_a_set_too_large_for_the_cap_keeps_a_part_of_each_row(monkeypatch):
    monkeypatch.setattr(teacher_module, "KEEP_BYTES", 25 * 3 * 5 * 8)
    recorder = teacher_module._Recorder(unit_noise(3, 8), 12, keep_states=False, elements=None)
    assert recorder.vectors.shape == (25, 3, 5)
    assert teacher_module._Recorder(
        unit_noise(3, 8), 12, keep_states=True, elements=None
    ).vectors.shape == (25, 3, 8)


def test_float32_noise_keeps_float32_states():
    found = record_teacher(
        small_mixture(),
        unit_noise(2, 8, dtype=torch.float32),
        grid_of("flow"),
        "flow",
        keep_states=True,
    )
    assert found.end.dtype == found.states[3].dtype == torch.float32
    assert found.gram.products.dtype == np.float64


def test_rows_stay_together():
    shapes, base = set(), small_mixture()

    def denoise(x, sigma):
        shapes.add((tuple(x.shape), tuple(sigma.shape)))
        return base(x, sigma)

    record_teacher(denoise, unit_noise(5, 8), grid_of("flow"), "flow")
    assert shapes == {((5, 8), (5,))}


def test_reports_and_stops():
    heard = []

    def listen(calls):
        heard.append(calls)
        if calls >= 9:
            raise Stopped("asked to stop")

    with pytest.raises(Stopped):
        record_teacher(small_mixture(), unit_noise(3, 8), grid_of("flow"), "flow", on_call=listen)
    assert heard == [3, 6, 9]


def test_bad_input():
    noise, grid = unit_noise(2, 8), grid_of("flow")
    with pytest.raises(DenoiserError, match="sigma 1"):
        record_teacher(lambda x, s: x * float("nan"), noise, grid, "flow")
    with pytest.raises(ScheduleError):
        record_teacher(small_mixture(), noise, [1.0, 0.5, 0.5, 0.0], "flow")
    with pytest.raises(UnknownNameError, match="heun, dpmpp_2m"):
        record_teacher(small_mixture(), noise, grid, "flow", solver="lms")
    with pytest.raises(UnknownNameError):
        record_teacher(small_mixture(), noise, grid, "rf")


def test_elements_that_are_kept_are_different_ones_in_order():
    found = _subset(50, 40)
    assert found.tolist() == sorted(set(found.tolist())) and len(found) == 40
    assert found.max() < 50 and torch.equal(found, _subset(50, 40))
