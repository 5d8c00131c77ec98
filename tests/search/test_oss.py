from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.errors import DenoiserError, ScheduleError, StepsError
from scheduler.samplers import sample
from scheduler.search.oss import (
    amplitudes,
    median_schedule,
    oss_schedules,
    oss_search,
    oss_sigmas,
    sample_calibrated,
)
from scheduler.sigmas import check_schedule
from tests.golden_numbers import golden
from tests.mixture import mixture_denoiser, small_mixture, unit_noise

CASES = golden("oss_reference")["cases"]


def problem(case):
    return mixture_denoiser(case["means"], case["weights"], case["variance"]), torch.tensor(
        case["noise"], dtype=torch.float64
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
def test_equals_the_authors_search_sample_by_sample(case):
    denoise, noise = problem(case)
    found = oss_search(denoise, noise, case["grid"], case["student_steps"])
    assert found.schedules() == case["schedules"]
    assert oss_schedules(denoise, noise, case["grid"], case["student_steps"]) == case["schedules"]
    assert median_schedule(found.schedules()) == case["median_schedule"]
    np.testing.assert_allclose(found.teacher[0].numpy(), case["teacher_end"], atol=2e-7)
    nodes = len(case["grid"]) - 1
    assert found.model_calls == len(noise) * nodes * (1 + case["student_steps"])


@pytest.mark.parametrize("case", CASES)
def test_the_schedules_end_where_the_authors_do(case):
    denoise, noise = problem(case)
    for row, indices in enumerate(case["schedules"]):
        sigmas = oss_sigmas(indices, case["grid"])
        end = sample(denoise, noise[row : row + 1], sigmas, "euler")[0]
        error = (
            (end - torch.tensor(case["teacher_end"][row], dtype=torch.float64))
            .square()
            .mean()
            .sqrt()
            .item()
        )
        assert error == pytest.approx(case["end_rms_own_schedule"][row], abs=1e-6)


def test_fewer_steps_come_out_of_the_same_search():
    denoise, noise = problem(CASES[2])
    whole = oss_search(denoise, noise, CASES[2]["grid"], 6)
    for steps in (1, 3, 6):
        assert whole.schedules(steps) == oss_schedules(denoise, noise, CASES[2]["grid"], steps)


def test_pinned_starts_at_the_top():
    denoise, noise = problem(CASES[0])
    found = oss_search(denoise, noise, CASES[0]["grid"], 5, free_start=False)
    assert all(indices[-1] == 40 for indices in found.schedules())
    assert found.model_calls == len(noise) * (40 * 5 + 1)
    assert all(
        check_schedule(oss_sigmas(indices, CASES[0]["grid"]))[0] == 1
        for indices in found.schedules()
    )


def test_shared_is_one_path_and_the_sample_itself_when_alone():
    denoise, noise = problem(CASES[0])
    shared = oss_schedules(denoise, noise, CASES[0]["grid"], 5, shared=True)
    assert all(indices == shared[0] for indices in shared)
    alone = oss_schedules(denoise, noise[:1], CASES[0]["grid"], 5)
    assert alone == oss_schedules(denoise, noise[:1], CASES[0]["grid"], 5, shared=True)


@pytest.mark.slow
def test_blocks_change_nothing(monkeypatch):
    denoise, noise = problem(CASES[0])
    monkeypatch.setattr("scheduler.search.oss.BLOCK", 1)
    assert oss_schedules(denoise, noise, CASES[0]["grid"], 6) == CASES[0]["schedules"]


def test_channels_and_frames_choose_what_is_compared():
    grid, noise, denoise = np.linspace(0, 1, 16), unit_noise(2, 2, 4, 3), small_mixture(size=24)
    whole = oss_schedules(denoise, noise, grid, 4)
    assert oss_schedules(denoise, noise, grid, 4, channels=2, frames=4) == whole
    assert oss_schedules(denoise, noise, grid, 4, channels=3, frames=9) == whole  # all there are
    assert oss_schedules(denoise, noise, grid, 4, channels=1, frames=2) != whole


def test_ve():
    grid = np.append(0.0, np.geomspace(0.03, 14.6, 20))
    for free_start in (True, False):
        for indices in oss_schedules(
            small_mixture("ve"), unit_noise(3, 8), grid, 5, "ve", free_start
        ):
            check_schedule(oss_sigmas(indices, grid))


def test_float32_and_calls():
    heard = []
    oss_schedules(
        small_mixture(),
        unit_noise(2, 8, dtype=torch.float32),
        np.linspace(0, 1, 9),
        2,
        on_call=heard.append,
    )
    assert heard == list(range(2, 2 * 8 * 3 + 1, 2))


def test_medians():
    assert median_schedule([[3, 9], [1, 8], [2, 9]]) == [
        1,
        8,
    ]  # an odd count still averages two, as the authors do
    assert median_schedule([[4, 7]]) == [4, 7]


def test_surplus_steps_are_dropped():
    np.testing.assert_array_equal(oss_sigmas([1, 3, 3], [0.0, 0.2, 0.5, 1.0]), [1.0, 0.2, 0.0])


def test_calibration_meets_the_teachers_quantiles():
    denoise, noise, grid = small_mixture(size=64), unit_noise(3, 64), np.linspace(0, 1, 11)
    teacher = oss_search(denoise, noise, grid, 1).teacher
    targets = amplitudes(teacher)
    assert targets.shape == (11, 2) and (targets[:, 0] < targets[:, 1]).all()
    seen = []

    def spy(x, sigma):
        seen.append(
            torch.quantile(x, torch.tensor([0.05, 0.95], dtype=x.dtype), dim=1).mean(1).tolist()
        )
        return denoise(x, sigma)

    chosen = [10, 6, 3]
    sample_calibrated(spy, noise, [*grid[chosen], 0.0], targets[chosen])
    np.testing.assert_allclose(seen, targets[chosen], atol=1e-9)


def test_with_targets_that_are_met_already_calibration_is_a_plain_euler_run():
    denoise, noise, sigmas = small_mixture(size=64), unit_noise(1, 64), [1.0, 0.6, 0.3, 0.0]
    states = []

    def spy(x, sigma):
        states.append(x)
        return denoise(x, sigma)

    plain = sample(spy, noise, sigmas, "euler")
    targets = amplitudes(torch.stack(states))
    end = sample_calibrated(denoise, noise, sigmas, targets)
    np.testing.assert_allclose(end.numpy(), plain.numpy(), atol=1e-9)


def test_bad_input():
    noise = unit_noise(2, 8)
    for grid in (
        [0.1, 0.5, 1.0],
        [0.0, 0.5, 0.5, 1.0],
        [1.0, 0.5, 0.0],
        [0.0],
        [0.0, float("nan"), 1.0],
    ):
        with pytest.raises(ScheduleError):
            oss_schedules(small_mixture(), noise, grid, 1)
    for steps in (0, 5):
        with pytest.raises(StepsError, match="ask for 1 to"):
            oss_schedules(small_mixture(), noise, np.linspace(0, 1, 5), steps)
    with pytest.raises(DenoiserError):
        oss_schedules(lambda x, s: x / 0, noise, np.linspace(0, 1, 5), 2)
