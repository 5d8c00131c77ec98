"""The distilled sampler as a plain function: what it equals, what it accepts, what it holds and
what it refuses."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest
import torch

from scheduler.denoiser import start_state
from scheduler.errors import DenoiserError, RecipeError, ScheduleError
from scheduler.record import Recipe
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe, sample_distilled
from tests.mixture import small_mixture, unit_noise

SIGMAS = {"flow": [1.0, 0.9, 0.7, 0.4, 0.15, 0.02, 0.0], "ve": [14.6, 6.0, 2.5, 1.0, 0.4, 0.1, 0.0]}


def zeros(sigmas):
    return [[0.0] * 4 for _ in sigmas[1:]]


def as_coefficients(sigmas):
    """dpmpp_2m in c1..c4: with r = s_next/s and step h in log sigma, its slope (1 - r) h / 2 /
    h_last is c1; the last step is Euler's."""
    rows = zeros(sigmas)
    for k in range(1, len(rows) - 1):
        h, h_last = math.log(sigmas[k] / sigmas[k + 1]), math.log(sigmas[k - 1] / sigmas[k])
        rows[k][0] = (1 - sigmas[k + 1] / sigmas[k]) * h / 2 / h_last
    return rows


@pytest.mark.parametrize("parametrisation", SIGMAS)
def test_zero_coefficients_are_euler_exactly(parametrisation):
    sigmas, denoise = SIGMAS[parametrisation], small_mixture(parametrisation)
    x = unit_noise(3, 1, 8, dtype=torch.float32) * sigmas[0]
    assert torch.equal(
        sample_distilled(denoise, x, sigmas, zeros(sigmas), None, parametrisation),
        sample(denoise, x, sigmas, "euler"),
    )


@pytest.mark.parametrize("parametrisation", SIGMAS)
def test_dpmpp_2m_is_one_of_its_points(parametrisation):
    sigmas, denoise = SIGMAS[parametrisation], small_mixture(parametrisation)
    x = unit_noise(3, 1, 8) * sigmas[0]
    found = sample_distilled(denoise, x, sigmas, as_coefficients(sigmas), None, parametrisation)
    np.testing.assert_allclose(found, sample(denoise, x, sigmas, "dpmpp_2m"), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(1, 4, 2, 1), (1, 2, 2, 2, 1), (1, 8)])
def test_narrow_states_go_through_whole_and_are_kept_wide(dtype, shape):
    sigmas, denoise, seen = SIGMAS["flow"], small_mixture("flow"), []

    def narrow(x, sigma):
        seen.append(x.dtype)
        return denoise(x, sigma)

    x = unit_noise(*shape).to(dtype)
    rows = as_coefficients(sigmas)
    found = sample_distilled(
        narrow,
        x,
        sigmas,
        rows,
        [0.0, -0.1, -0.1, -0.1, -0.1, 0.0],
        callback=lambda k, x, d: seen.append(x.dtype),
    )
    assert found.dtype == dtype and found.shape == shape and found.isfinite().all()
    assert set(seen[::2]) == {dtype} and set(seen[1::2]) == {torch.float32}
    wide = sample_distilled(denoise, x.double(), sigmas, rows, [0.0, -0.1, -0.1, -0.1, -0.1, 0.0])
    assert wide.dtype == torch.float64
    np.testing.assert_allclose(found.double(), wide, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("parametrisation", SIGMAS)
def test_one_and_two_steps(parametrisation, steps):
    sigmas = (
        [SIGMAS[parametrisation][0], 0.4, 0.0] if steps == 2 else [SIGMAS[parametrisation][0], 0.0]
    )
    denoise, x = small_mixture(parametrisation), unit_noise(1, 1, 8) * sigmas[0]
    rows = [[0.3, 0.2, 0.0, 0.1]] * steps
    found = sample_distilled(denoise, x, sigmas, rows, [0.0] * steps, parametrisation)
    if steps == 1:  # no past yet: c1 and c2 have nothing to act on
        np.testing.assert_allclose(found, 1.1 * denoise(x, torch.full((1,), sigmas[0])))
    assert found.isfinite().all()


def test_the_model_is_called_once_a_step_where_the_offsets_say():
    sigmas, offsets, seen = SIGMAS["ve"], [-0.2, 0.0, 0.3, 0.0, -0.1, 0.0], []

    def denoise(x, sigma):
        seen.append(float(sigma[0]))
        return x * 0

    steps = []
    sample_distilled(
        denoise,
        unit_noise(2, 1, 8),
        sigmas,
        zeros(sigmas),
        offsets,
        "ve",
        callback=lambda k, x, d: steps.append(k),
    )
    assert seen == pytest.approx(
        [s * math.exp(o) for s, o in zip(sigmas[:-1], offsets, strict=True)], rel=1e-6
    )
    assert steps == list(range(6))


def test_two_earlier_predictions_at_most_are_held_during_a_call():
    sigmas, answers, most = SIGMAS["flow"], [], []

    def denoise(x, sigma):
        most.append(sum(each() is not None for each in answers))
        answer = x * 0.5
        answers.append(weakref.ref(answer))
        return answer

    sample_distilled(
        denoise, unit_noise(1, 1, 8, dtype=torch.float32), sigmas, as_coefficients(sigmas)
    )
    assert max(most) <= 2


@pytest.mark.parametrize(
    "coefficients, offsets",
    [
        (zeros(range(6)), None),
        (zeros(range(8)), None),
        ([[0.0] * 3] * 6, None),
        ([[0.0] * 4] * 5 + [[0.0] * 3], None),
        (zeros(range(7)), [0.0] * 5),
        (zeros(range(7)), [[0.0]] * 6),
        ([["a"] * 4] * 6, None),
        ([[math.nan] * 4] * 6, None),
        ([], None),
    ],
)
def test_numbers_that_do_not_fit_the_schedule(coefficients, offsets):
    with pytest.raises(RecipeError, match="A schedule of 6 steps"):
        sample_distilled(
            small_mixture(), unit_noise(1, 1, 8), SIGMAS["flow"], coefficients, offsets
        )


def test_arrays_and_tensors_are_taken_as_numbers():
    sigmas, x = SIGMAS["flow"], unit_noise(1, 1, 8)
    plain = sample_distilled(
        small_mixture(), x, sigmas, as_coefficients(sigmas), [0.0, -0.1, 0, 0, 0, 0]
    )
    for kind in (np.array, lambda values: torch.tensor(values, dtype=torch.float64)):
        found = sample_distilled(
            small_mixture(),
            x,
            kind(sigmas),
            kind(as_coefficients(sigmas)),
            kind([0.0, -0.1, 0, 0, 0, 0]),
        )
        np.testing.assert_allclose(found, plain, rtol=1e-6, atol=1e-9)


def test_bad_schedules_and_denoisers():
    x = unit_noise(1, 1, 8)
    with pytest.raises(ScheduleError, match="strictly decrease"):
        sample_distilled(small_mixture(), x, [1.0, 0.5, 0.5, 0.0], zeros(range(4)))
    with pytest.raises(DenoiserError, match="at sigma 0.4"):
        sample_distilled(
            lambda x, s: x / (s[0] - 0.4), x, [1.0, torch.tensor(0.4).item(), 0.0], zeros(range(3))
        )


@pytest.mark.parametrize(
    "choice, sampler",
    [("beta + euler", "euler"), ("karras + dpmpp_2m", "dpmpp_2m"), ("ours", "dpmpp_2m")],
)
def test_a_distilled_recipe_without_coefficients_runs_its_stock_pair(choice, sampler):
    sigmas, noise = SIGMAS["flow"], unit_noise(2, 1, 8)
    recipe = Recipe("distilled", 6, 1.0, sigmas, choice=choice)
    expected = sample(small_mixture(), start_state(noise, 1.0, "flow"), sigmas, sampler)
    assert torch.equal(run_recipe(small_mixture(), noise, recipe, "flow"), expected)


def test_sampling_writes_into_nothing_it_was_given():
    sigmas, x = np.array(SIGMAS["flow"]), unit_noise(1, 1, 8)
    rows, offsets = np.array(as_coefficients(sigmas)), np.full(6, -0.1)
    copies = [each.copy() for each in (sigmas, rows, offsets)] + [x.clone()]
    sample_distilled(small_mixture(), x, sigmas, rows, offsets)
    for given, copy in zip((sigmas, rows, offsets), copies, strict=False):
        np.testing.assert_array_equal(given, copy)
    assert torch.equal(x, copies[-1])
