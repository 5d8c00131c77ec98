"""What `distill` was asked, checked before anything runs: each mistake has its own class and one
clear sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scheduler.distilling.request import (
    DISTILLABLE,
    checked_budget,
    checked_samplers,
    checked_samples,
    checked_shape,
    checked_steps,
    request_of,
)
from scheduler.errors import (
    BudgetError,
    DenoiserError,
    ScheduleError,
    SigmaRangeError,
    StepsError,
    UnknownNameError,
)


def denoise(x, sigma):
    return x


GOOD = {
    "denoise": denoise,
    "latent_shape": (4, 8, 8),
    "sigma_max": 1.0,
    "sigma_min": 0.002,
    "parametrisation": "flow",
    "samplers": ("euler", "distilled"),
    "steps": range(4, 7),
    "shift": None,
    "seed": 0,
}


def test_a_job_holds_what_was_asked():
    job = request_of(**GOOD)
    assert (
        job.denoisers == (denoise,)
        and job.steps == (4, 5, 6)
        and job.samplers == ("euler", "distilled")
    )
    several = request_of(
        **GOOD
        | {
            "denoise": [denoise] * 3,
            "samplers": ["euler", "euler"],
            "steps": [6, 4, 4],
            "latent_shape": [8],
        }
    )
    assert (
        len(several.denoisers) == 3
        and several.samplers == ("euler",)
        and several.steps == (4, 6)
        and several.latent_shape == (8,)
    )


@pytest.mark.parametrize("steps", [5, np.int64(5), [5], (5,), np.array([5]), range(5, 6)])
def test_steps_in_any_form(steps):
    assert checked_steps(steps) == (5,)


@pytest.mark.parametrize(
    "wrong, error, told",
    [
        ({"sigma_max": 0.001}, SigmaRangeError, "sigma_min < sigma_max"),
        ({"sigma_max": 0.002}, SigmaRangeError, "sigma_min < sigma_max"),
        ({"sigma_min": 0.0}, SigmaRangeError, "sigma_min"),
        ({"sigma_max": math.nan}, SigmaRangeError, "sigma_min"),
        ({"sigma_max": 14.6}, SigmaRangeError, "flow sigmas end at 1"),
        ({"parametrisation": "eps"}, UnknownNameError, "flow, ve"),
        ({"denoise": None}, DenoiserError, "callable"),
        ({"denoise": []}, DenoiserError, "callable"),
        ({"denoise": [denoise, 3]}, DenoiserError, "callable"),
        (
            {"steps": range(1, 1001), "samplers": ("euler", "dpmpp_2m")},
            StepsError,
            "at most 2000 recipes",
        ),
        ({"latent_shape": (4, 0)}, ScheduleError, "latent_shape"),
        ({"samplers": ("euler", "eular")}, UnknownNameError, ", ".join(DISTILLABLE)),
    ],
)
def test_mistakes(wrong, error, told):
    with pytest.raises(error, match=told) as caught:
        request_of(**GOOD | wrong)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("samplers", [(), "eular", ["euler", None], 5, None, [["euler"]]])
def test_unknown_samplers_are_told_all_that_there_are(samplers):
    with pytest.raises(UnknownNameError, match=", ".join(DISTILLABLE)):
        checked_samplers(samplers)


@pytest.mark.parametrize(
    "name, ode",
    [
        ("lcm", "euler"),
        ("sa_solver", "dpmpp_2m"),
        ("euler_ancestral_cfg_pp", "euler"),
    ],
)
def test_a_stochastic_sampler_that_cannot_be_measured_is_told_its_ode_sampler(name, ode):
    with pytest.raises(UnknownNameError, match=f"stochastic.*{ode!r}"):
        checked_samplers(["distilled", name])


def test_stochastic_samplers_are_taken_by_their_plain_names_and_kept_apart():
    names = checked_samplers(["er_sde", "euler", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde"])
    assert names == ("er_sde", "euler", "dpmpp_2m_sde")
    made = request_of(denoise, (1, 8), 1.0, 0.002, "flow", names, [4], 3.0, 0)
    assert made.fitted == ("euler",) and made.on_paths == ("er_sde", "dpmpp_2m_sde")
    with pytest.raises(UnknownNameError, match="'ddpm'.*euler_ancestral"):
        request_of(denoise, (1, 8), 1.0, 0.002, "flow", ["ddpm"], [4], 3.0, 0)
    assert request_of(denoise, (1, 8), 15.0, 0.02, "ve", ["ddpm"], [4], None, 0).on_paths


@pytest.mark.parametrize("steps", [0, -1, [], [4, 0], 1001, [4.5], 4.0, "4", None, [[4]]])
def test_steps_that_cannot_be(steps):
    with pytest.raises(StepsError, match="steps must be"):
        checked_steps(steps)


@pytest.mark.parametrize("shape", [(), (0,), (-4, 8), (4.0, 8), 8, None, "ab"])
def test_shapes_that_cannot_be(shape):
    with pytest.raises(ScheduleError, match="latent_shape"):
        checked_shape(shape)


@pytest.mark.parametrize("budget", [-1, 1.5, 4000.0, "4000", None, math.inf])
def test_budgets_that_cannot_be(budget):
    with pytest.raises(BudgetError, match="budget must"):
        checked_budget(budget)


@pytest.mark.parametrize("samples", [0, -3, 2.5, "8"])
def test_samples_that_cannot_be(samples):
    with pytest.raises(BudgetError, match="number of samples must"):
        checked_samples(samples)


def test_samples_may_be_left_open():
    assert (
        checked_samples(None) is None
        and checked_samples(3) == 3
        and checked_budget(np.int64(0)) == 0
    )
