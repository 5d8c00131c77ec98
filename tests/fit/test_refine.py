"""Refinement against the true end point: never worse, within budget, cap and range, whatever the
sampler or the model does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.denoiser import Checked
from scheduler.errors import BudgetError, ScheduleError, UnknownNameError
from scheduler.fit import refine as module
from scheduler.fit.candidate import EXPLODED, Candidate
from scheduler.fit.on_policy import walk
from scheduler.fit.refine import CAP, LEAST_DATA, evened, most_refined, refinement_calls
from scheduler.fit.teacher import record_teacher
from scheduler.fit.trajectories import TrajectorySet
from scheduler.samplers import sample
from scheduler.samplers.query_offsets import with_offsets
from scheduler.sigmas import log_snr_grid
from scheduler.sigmas.noise_range import NoiseRange
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}
ROWS = 6


def trajectories(parametrisation="ve", rows=ROWS, seed=0, denoise=None, fitted=None):
    low, high = RANGES[parametrisation]
    noise, exact = unit_noise(rows, 8, seed=seed), small_mixture(parametrisation)
    teacher = record_teacher(
        exact,
        noise,
        log_snr_grid(low, high, 30, parametrisation),
        parametrisation,
        keep_states=True,
    )
    used = np.arange(rows) < (rows if fitted is None else fitted)
    return TrajectorySet(
        Checked(denoise or exact),
        noise,
        teacher.sigmas,
        [*teacher.states, *teacher.predictions],
        used,
    )


def straight(steps, parametrisation="ve"):
    low, high = RANGES[parametrisation]
    return np.append(np.geomspace(high, 2 * low, steps), 0.0)


def refine(sets, sigmas, sampler, parametrisation, calls, offsets=None):
    start = Candidate(sampler, sigmas, offsets)
    return module.refine(sets, start, parametrisation, calls)


def errors_of(each, sampler, sigmas, parametrisation, offsets=None):
    model = (
        each.model.denoise
        if offsets is None
        else with_offsets(each.model.denoise, sigmas, offsets, parametrisation)
    )
    return each.errors(sample(model, each.noise * sigmas[0], sigmas, sampler))


@pytest.mark.parametrize("parametrisation", ["ve", "flow"])
@pytest.mark.parametrize(
    "sampler", ["euler", "dpmpp_2m", "res_multistep", "uni_pc", "heun", "ipndm"]
)
def test_it_improves_and_reports_what_a_plain_roll_out_gives(sampler, parametrisation):
    each, start = trajectories(parametrisation), straight(5, parametrisation)
    found = refine([each], start, sampler, parametrisation, 10_000)
    np.testing.assert_allclose(
        found.errors, errors_of(each, sampler, found.sigmas, parametrisation), rtol=1e-5, atol=1e-9
    )
    assert found.errors.mean() < 0.95 * errors_of(each, sampler, start, parametrisation).mean()
    assert found.offsets is None


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "uni_pc", "heun"])
@pytest.mark.parametrize("offsets", [None, np.zeros(5)])
@pytest.mark.parametrize(
    "calls",
    [30, 31, 181, 1001, *(pytest.param(n, marks=pytest.mark.slow) for n in (100, 180, 500))],
)
def test_no_call_above_the_budget(sampler, offsets, calls):
    each = trajectories()
    if sampler == "heun":
        calls += 24
    refine([each], straight(5), sampler, "ve", calls, offsets)
    assert 0 < each.model.calls <= calls


def test_one_roll_out_costs_one_call_less_a_step_than_a_plain_one_and_less_is_refused():
    each = trajectories()
    refine([each], straight(5), "dpmpp_2m", "ve", 4 * ROWS)
    assert each.model.calls == 4 * ROWS
    with pytest.raises(BudgetError, match="24 model calls and 23 were given"):
        refine([each], straight(5), "dpmpp_2m", "ve", 4 * ROWS - 1)


@pytest.mark.parametrize("offsets", [None, np.zeros(5)])
def test_the_calls_of_one_iteration_cover_one(offsets):
    each, start = trajectories(), straight(5)
    calls = ROWS * refinement_calls("dpmpp_2m", 5, 1, offsets is not None)
    found = refine([each], start, "dpmpp_2m", "ve", calls, offsets)
    assert found.errors.mean() < errors_of(each, "dpmpp_2m", start, "ve").mean()
    assert each.model.calls <= calls


@pytest.mark.parametrize("parametrisation", ["ve", "flow"])
@pytest.mark.parametrize("steps", [2, 3, 4, 9])
def test_the_schedule_is_valid_pinned_in_range_and_capped(steps, parametrisation):
    each, start = trajectories(parametrisation), straight(steps, parametrisation)
    sigmas = refine([each], start, "dpmpp_2m", parametrisation, 5_000).sigmas
    gaps = -np.diff(np.log(sigmas[:-1]))
    assert len(sigmas) == steps + 1 and sigmas[0] == start[0] and sigmas[-1] == 0
    assert (np.diff(sigmas) < 0).all() and sigmas[-2] >= each.sigmas[-2] * (1 - 1e-12)
    assert (gaps[1:] / gaps[:-1] <= CAP * (1 + 1e-9)).all() and (
        gaps[:-1] / gaps[1:] <= CAP * (1 + 1e-9)
    ).all()


def test_a_start_beyond_the_cap_is_evened_or_kept():
    start = np.array([14.6, 14.0, 0.2, 0.19, 0.05, 0.0])
    each = trajectories()
    found = refine([each], start, "uni_pc", "ve", 2_000)
    gaps = -np.diff(np.log(found.sigmas[:-1]))
    assert found.errors.mean() < errors_of(each, "uni_pc", start, "ve").mean()
    assert max(gaps[1:] / gaps[:-1]) <= CAP * (1 + 1e-9) and max(gaps[:-1] / gaps[1:]) <= CAP * (
        1 + 1e-9
    )


def test_only_the_rows_of_the_fit_decide():
    whole, part = trajectories(), trajectories(fitted=3)
    part.vectors = [vector.clone() for vector in part.vectors]
    part.vectors[len(part.sigmas) - 1][3:] += 100.0
    clean = trajectories(fitted=3)
    found, expected = (refine([each], straight(5), "dpmpp_2m", "ve", 600) for each in (part, clean))
    np.testing.assert_array_equal(found.sigmas, expected.sigmas)
    assert not np.array_equal(
        found.sigmas, refine([whole], straight(5), "dpmpp_2m", "ve", 600).sigmas
    )
    assert len(found.errors) == ROWS and (found.errors[3:] > 50).all()


def test_each_success_halves_the_damping_and_each_failed_trial_quadruples_it(monkeypatch):
    dampings, step = [], module.damped_step
    monkeypatch.setattr(module._Search, "affords", lambda self, calls: True)

    def listening(products, damping, most):
        dampings.append(damping)
        zero = len(dampings) > 2  # two that may be better, then none
        return step(products, damping, most) * (not zero)

    monkeypatch.setattr(module, "damped_step", listening)
    refine([trajectories()], straight(5), "euler", "ve", 10**6)
    first = module.DAMPING
    assert dampings == [first, first / 2, first / 4, first]


def test_the_range_is_what_all_teachers_share():
    each, narrow = trajectories(), trajectories()
    narrow.sigmas = np.append(narrow.sigmas[:-2], 0.0)
    shared = module._Search([each, narrow], "ve", 0).noise_range
    assert (shared.sigma_min, shared.sigma_max) == (narrow.sigmas[-2], each.sigmas[0])


def test_the_same_twice_and_two_sets_as_one():
    twice = [trajectories(), trajectories()]
    both = [refine([each], straight(5), "dpmpp_2m", "ve", 800) for each in twice]
    np.testing.assert_array_equal(both[0].sigmas, both[1].sigmas)
    whole = trajectories()
    halves = [
        TrajectorySet(
            Checked(whole.model.denoise),
            whole.noise[rows],
            whole.sigmas,
            [v[rows] for v in whole.vectors],
            np.ones(3, bool),
        )
        for rows in (slice(0, 3), slice(3, 6))
    ]
    split = refine(halves, straight(5), "dpmpp_2m", "ve", 800)
    np.testing.assert_allclose(split.sigmas, both[0].sigmas, rtol=1e-6)
    assert sum(each.model.calls for each in halves) == twice[0].model.calls


def test_one_step_returns_the_start():
    each = trajectories()
    found = refine([each], [14.6, 0.0], "dpmpp_2m", "ve", 100)
    np.testing.assert_array_equal(found.sigmas, [14.6, 0.0])
    assert each.model.calls == 0 and found.finite


@pytest.mark.parametrize("parametrisation", ["ve", "flow"])
def test_offsets_are_refined_too_and_stay_in_range(parametrisation):
    each, start = trajectories(parametrisation), straight(4, parametrisation)
    plain = refine([each], start, "euler", parametrisation, 5_000)
    found = refine([each], start, "euler", parametrisation, 5_000, np.zeros(4))
    assert found.errors.mean() < plain.errors.mean() and np.any(found.offsets)
    low, high = RANGES[parametrisation]
    np.testing.assert_allclose(
        found.errors,
        errors_of(each, "euler", found.sigmas, parametrisation, found.offsets),
        rtol=1e-5,
        atol=1e-9,
    )
    if parametrisation == "ve":
        asked = found.sigmas[:-1] * np.exp(found.offsets)
        assert (asked >= low * (1 - 1e-9)).all() and (asked <= high * (1 + 1e-9)).all()
    else:
        assert found.offsets[0] == 0  # nothing to shift at sigma 1


def test_a_model_that_breaks_on_some_schedules_is_survived():
    exact, start = small_mixture("ve"), straight(5)

    def brittle(x, sigma):
        return exact(x, sigma) * (np.nan if 1.5 < float(sigma[0]) < start[2] * 0.99 else 1.0)

    each = trajectories(denoise=brittle)
    found = refine([each], start, "dpmpp_2m", "ve", 3_000)
    assert found.finite
    assert found.errors.mean() <= errors_of(each, "dpmpp_2m", start, "ve").mean()


def test_a_model_that_always_breaks_returns_the_start_as_infinitely_bad():
    each = trajectories(denoise=lambda x, sigma: torch.full_like(x, np.nan))
    found = refine([each], straight(5), "dpmpp_2m", "ve", 3_000)
    np.testing.assert_array_equal(found.sigmas, straight(5))
    assert (found.errors == EXPLODED).all() and each.model.calls <= 3_000


def test_an_exploding_start_falls_back_to_equal_steps():
    exact, low = small_mixture("ve"), straight(5)[3]

    def brittle(x, sigma):
        return exact(x, sigma) * (np.nan if 0.5 * low < float(sigma[0]) < 0.9 * low else 1.0)

    start = straight(5)
    start[3] = 0.8 * low
    found = refine([trajectories(denoise=brittle)], start, "dpmpp_2m", "ve", 3_000)
    assert found.finite and found.sigmas[0] == start[0]


def test_bad_input_is_refused():
    each = trajectories()
    with pytest.raises(ScheduleError):
        refine([each], [14.6, 1.0, 2.0, 0.0], "dpmpp_2m", "ve", 1_000)
    with pytest.raises(UnknownNameError, match="euler"):
        refine([each], straight(4), "euler_ancestral", "ve", 1_000)


def test_float32_latents_of_an_image_shape():
    exact = small_mixture("flow")
    noise = unit_noise(4, 2, 2, 2, dtype=torch.float32)
    teacher = record_teacher(
        exact, noise, log_snr_grid(0.002, 1.0, 20, "flow"), "flow", keep_states=True
    )
    each = TrajectorySet(
        Checked(exact),
        noise,
        teacher.sigmas,
        [*teacher.states, *teacher.predictions],
        np.ones(4, bool),
    )
    start = straight(4, "flow")
    assert (
        refine([each], start, "dpmpp_2m", "flow", 1_000).errors.mean()
        < errors_of(each, "dpmpp_2m", start, "flow").mean()
    )


@pytest.mark.parametrize("parametrisation", ["ve", "flow"])
def test_the_distilled_sampler_is_refined_with_its_coefficients(parametrisation):
    each = trajectories(parametrisation)
    start = straight(5, parametrisation)
    calls = ROWS * refinement_calls("distilled", 5, 2, offsets=True)
    found = refine([each], start, "distilled", parametrisation, calls, np.zeros(5))
    spent, noise_range = each.model.calls, NoiseRange(parametrisation, *RANGES[parametrisation])
    assert spent <= calls
    before, _ = walk([each], "distilled", start, noise_range, offsets=np.zeros(5))
    again, _ = walk([each], "distilled", found.sigmas, noise_range, offsets=found.offsets)
    assert found.errors[each.fit_rows].mean() < before.errors[each.fit_rows].mean()
    np.testing.assert_allclose(again.coefficients, found.coefficients, atol=1e-9)
    np.testing.assert_allclose(again.errors, found.errors, rtol=1e-5)


def test_evened_steps():
    uneven = np.array([10.0, 9.9, 1.0, 0.9, 0.05, 0.0])
    found = evened(uneven, 2.0)
    gaps = -np.diff(np.log(found[:-1]))
    assert found[0] == 10.0 and found[-2] == pytest.approx(0.05) and found[-1] == 0
    assert np.all(gaps[1:] / gaps[:-1] <= 2.0 + 1e-9) and np.all(gaps[:-1] / gaps[1:] <= 2.0 + 1e-9)
    for short in ([5.0, 0.0], [5.0, 1.0, 0.0]):
        np.testing.assert_allclose(evened(np.array(short), 2.0), short)


def test_how_many_steps_there_is_data_for():
    assert [most_refined(LEAST_DATA * count) for count in (0, 1, 2, 3, 7)] == [0, 1, 1, 2, 4]
