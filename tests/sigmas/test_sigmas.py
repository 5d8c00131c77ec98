"""Schedules: equal to ComfyUI's own numbers, and valid for every table and every number of steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.denoiser import half_log_snr
from scheduler.errors import ScheduleError, SigmaRangeError, StepsError, UnknownNameError
from scheduler.sigmas import (
    PUBLISHED,
    STOCK,
    NoiseTable,
    baselines,
    check_schedule,
    edm_table,
    flow_table,
    flux_table,
    log_snr_grid,
    published_for,
    published_schedule,
    sd_table,
    stock_schedule,
    strictly_decreasing,
    table_for,
    tails,
    truncate,
)
from tests.golden_numbers import golden, numbers_of

GOLDEN = golden("stock_schedules")
TABLES = {"sd_eps": sd_table(), "flow_shift3": flow_table(3.0), "flux_mu1_15": flux_table(1.15)}

steps_up_to_60 = st.integers(1, 60)
tables = st.one_of(
    st.just(sd_table()),
    st.just(NoiseTable(sd_table().sigmas[::37])),
    st.floats(0.3, 20).map(flow_table),
    st.floats(-1, 3).map(flux_table),
    st.floats(1, 10).map(lambda shift: flow_table(shift, timesteps=2)),
    st.tuples(st.floats(1e-4, 0.5), st.floats(1, 800)).map(lambda ends: edm_table(*ends)),
    st.sets(st.floats(1e-3, 100), min_size=2, max_size=9)
    .map(sorted)
    .filter(lambda s: min(np.diff(np.log(s))) > 1e-6)
    .map(NoiseTable),
)


def assert_valid(sigmas, steps):
    assert sigmas.dtype == np.float64 and sigmas.shape == (steps + 1,)
    assert np.isfinite(sigmas).all() and (np.diff(sigmas) < 0).all() and sigmas[-1] == 0


@pytest.mark.parametrize("model", GOLDEN["models"])
def test_noise_tables_equal_comfyui_s(model):
    table, theirs = TABLES[model], GOLDEN["models"][model]
    assert len(table.sigmas) == theirs["table_length"]
    indices = [int(i) for i in theirs["table_sample"]]
    np.testing.assert_allclose(
        table.sigmas[indices], list(theirs["table_sample"].values()), rtol=1e-6
    )
    np.testing.assert_allclose(
        [table.sigma_min, table.sigma_max], [theirs["sigma_min"], theirs["sigma_max"]], rtol=1e-6
    )


@pytest.mark.parametrize("name", STOCK)
@pytest.mark.parametrize("model", GOLDEN["models"])
def test_stock_schedules_equal_comfyui_s(model, name):
    known = GOLDEN["models"][model]["schedules"]
    for steps, theirs in numbers_of(name, known, "stock_schedules").items():
        ours = stock_schedule(name, TABLES[model], int(steps))
        assert_valid(ours, int(steps))
        if np.isfinite(theirs).all():  # kl_optimal at one step is NaN there
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("family", GOLDEN["tables"])
def test_published_schedules_equal_comfyui_s(family):
    for variant, by_steps in GOLDEN["tables"][family].items():
        for steps, theirs in by_steps.items():
            if family == "gits":
                ours = published_schedule("gits", int(steps), coeff=float(variant))
            else:
                ours = published_schedule(f"{family}_{variant.lower()}", int(steps))
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_kl_optimal_at_one_step_is_one_step_from_the_top():
    for table in TABLES.values():
        assert stock_schedule("kl_optimal", table, 1).tolist() == [table.sigma_max, 0]


@given(tables, st.sampled_from(STOCK), steps_up_to_60)
def test_every_stock_schedule_is_valid(table, name, steps):
    sigmas = stock_schedule(name, table, steps)
    assert_valid(sigmas, steps)
    if name == "ddim_uniform":  # starts where ComfyUI's does: on the table, perhaps below its top
        assert sigmas[0] <= table.sigma_max
    else:
        assert sigmas[0] == table.sigma_max


@given(st.sampled_from(PUBLISHED), steps_up_to_60)
def test_every_published_schedule_is_valid(name, steps):
    assert_valid(published_schedule(name, steps), steps)


@given(st.integers(16, 30).map(lambda twentieths: twentieths / 20), steps_up_to_60)
def test_gits_is_valid_for_every_coefficient(coeff, steps):
    assert_valid(published_schedule("gits", steps, coeff), steps)


@given(tables, steps_up_to_60, st.floats(0, 0.3), st.floats(0, 0.3))
def test_baselines_stay_in_range(table, steps, cut_low, cut_high):
    span = np.log(table.sigma_max / table.sigma_min)
    low, high = table.sigma_min * np.exp(cut_low * span), table.sigma_max * np.exp(-cut_high * span)
    found = baselines(table, steps, low, high)
    assert set(STOCK) <= set(found)
    for sigmas in found.values():
        assert_valid(sigmas, steps)
        assert sigmas[0] <= high * (1 + 1e-12) and sigmas[-2] >= low * (1 - 1e-12)


def test_baselines_are_the_schedules_themselves_where_nothing_is_out_of_range():
    found = baselines(sd_table(), 8)
    assert set(found) == {*STOCK, "ays_sd1", "ays_sdxl", "gits"}
    np.testing.assert_array_equal(found["karras"], stock_schedule("karras", sd_table(), 8))
    np.testing.assert_allclose(found["ays_sd1"], published_schedule("ays_sd1", 8), rtol=1e-6)


def test_published_schedules_belong_to_their_range():
    assert published_for(sd_table()) == ("ays_sd1", "ays_sdxl", "gits")
    assert published_for(edm_table(0.002, 700)) == ("ays_svd",)
    assert published_for(flow_table(3)) == (
        "optimal_steps_flux",
        "optimal_steps_wan",
        "optimal_steps_chroma",
    )
    assert published_for(edm_table(0.01, 80)) == ()


def test_table_for_a_range():
    assert (
        len(table_for(0.0292, 14.6, "ve").sigmas) == 1000
        and table_for(0.0292, 14.6, "ve").sigma_max == sd_table().sigma_max
    )
    assert table_for(0.01, 80, "ve").sigma_max == pytest.approx(80)
    assert table_for(0.001, 1, "flow").shift == 1 and table_for(0.001, 1, "flow", 3).shift == 3


@given(tables, st.floats(0.001, 0.999))
def test_percent_runs_from_the_top_down(table, percent):
    assert table.percent_to_sigma(0) == table.sigma_max and table.percent_to_sigma(1) == 0
    assert 0 < table.percent_to_sigma(percent) <= table.sigma_max * (1 + 1e-12)


def test_clocks():
    sd = sd_table()
    np.testing.assert_allclose(
        sd.sigma(sd.timestep(sd.sigmas[[0, 500, 999]])), sd.sigmas[[0, 500, 999]]
    )
    assert sd.timestep(sd.sigma_max) == 999 and sd.percent_to_sigma(0.5) == pytest.approx(
        sd.sigma(499.5)
    )
    assert flow_table(3).percent_to_sigma(0.5) == pytest.approx(0.75)
    assert (
        flow_table(3).timestep(0.75) == 750
        and flow_table(3).sigma(500) == 0.75
        and flux_table(1.15).timestep(0.75) == 0.75
    )
    edm = edm_table(0.002, 80)
    np.testing.assert_allclose(edm.sigma(edm.timestep(np.array([0.01, 3.0]))), [0.01, 3.0])
    assert edm.percent_to_sigma(0.5) == pytest.approx(0.4)


@given(st.floats(1e-4, 0.1), st.floats(0.5, 1), st.integers(2, 200))
def test_flow_grid(low, high, nodes):
    grid = log_snr_grid(low, high, nodes, "flow")
    assert_valid(grid, nodes)
    assert grid[0] == high and grid[-2] == low
    gaps = np.diff(half_log_snr(grid[1:-1], "flow"))
    np.testing.assert_allclose(gaps, gaps.mean() if len(gaps) else 0, rtol=1e-6)


@given(st.floats(1e-4, 0.1), st.floats(0.5, 1000), st.integers(2, 200))
def test_ve_grid(low, high, nodes):
    grid = log_snr_grid(low, high, nodes, "ve")
    assert_valid(grid, nodes)
    assert grid[0] == high and grid[-2] == low
    np.testing.assert_allclose(
        np.diff(np.log(grid[:-1])), np.log(low / high) / (nodes - 1), rtol=1e-6
    )


@pytest.mark.parametrize("parametrisation", ["flow", "ve"])
def test_a_grid_of_one_node_starts_at_the_top(parametrisation):
    assert log_snr_grid(0.01, 1.0, 1, parametrisation).tolist() == [1.0, 0.0]


@given(st.lists(st.sampled_from([0.01, 0.1, 1.0, 5.0, 10.0]), min_size=2, max_size=30))
def test_ties_are_spread_between_the_points_that_stay(values):
    sigmas = sorted(values, reverse=True)
    if len(set(sigmas)) == 1:
        with pytest.raises(ScheduleError):
            strictly_decreasing([*sigmas, 0])
        return
    spread = strictly_decreasing([*sigmas, 0])
    assert_valid(spread, len(sigmas))
    assert spread[0] == sigmas[0] and spread[-2] == sigmas[-1]
    assert set(sigmas) <= set(spread)


def test_truncate_by_noise_level():
    assert truncate([10, 5, 1, 0], 7).tolist() == [7, 5, 1, 0]
    assert truncate([10, 5, 1, 0], 5).tolist() == [5, 1, 0]
    assert truncate([10, 5, 1, 0], 10).tolist() == [10, 5, 1, 0]
    assert truncate([10, 5, 1, 0], 0.5).tolist() == [0.5, 0]
    for start in (11, 0, -1, float("nan")):
        with pytest.raises(SigmaRangeError):
            truncate([10, 5, 1, 0], start)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "sigmas",
    [
        [1.0],
        [],
        [[1.0, 0.0]],
        [1.0, 1.0, 0.0],
        [1.0, 2.0, 0.0],
        [1.0, 0.5],
        [NAN, 0.0],
        [INF, 0.0],
        [-1.0, 0.0],
        "abc",
        None,
        3.0,
    ],
)
def test_invalid_schedules_are_refused(sigmas):
    with pytest.raises(ScheduleError):
        check_schedule(sigmas)


def test_check_schedule_copies_tensors_and_arrays():
    given_array = np.array([2.0, 1.0, 0.0])
    checked = check_schedule(given_array)
    checked[0] = 9
    assert given_array[0] == 2
    assert check_schedule(torch.tensor([2.0, 1.0, 0.0], dtype=torch.float16)).tolist() == [2, 1, 0]


def test_mistakes_have_their_own_errors():
    with pytest.raises(UnknownNameError, match="use one of.*karras"):
        stock_schedule("karas", sd_table(), 5)
    with pytest.raises(UnknownNameError, match="use one of.*ays_sd1"):
        published_schedule("ays", 5)
    with pytest.raises(UnknownNameError, match="use one of.*1.20"):
        published_schedule("gits", 5, 1.23)
    for steps in (0, -3, 2.5, "4"):
        with pytest.raises(StepsError):
            stock_schedule("karras", sd_table(), steps)
    for low, high, kind in (
        (1, 0.1, "ve"),
        (0, 1, "ve"),
        (1, float("inf"), "ve"),
        (0.1, 1.5, "flow"),
        (float("nan"), 1, "ve"),
    ):
        with pytest.raises(SigmaRangeError):
            table_for(low, high, kind)
    with pytest.raises(SigmaRangeError):
        log_snr_grid(0.9995, 1.0, 5, "flow")
    with pytest.raises(SigmaRangeError):
        NoiseTable(np.array([3.0, 2.0, 1.0]))


@pytest.mark.parametrize("denoise", [0.002, 0.004, 0.01, 0.0123, 0.3, 0.7])
@pytest.mark.parametrize("steps", [1, 2, 6, 16])
def test_every_start_above_the_least_noise_has_all_stock_tails(denoise, steps):
    """Of low ones the last steps may all lie at the start, equal but for float32."""
    table = flow_table(3.0)
    start = table.percent_to_sigma(1 - denoise)
    for sigmas in tails(table, steps, start).values():
        assert len(sigmas) == steps + 1 and sigmas[0] == start and (np.diff(sigmas) < 0).all()
