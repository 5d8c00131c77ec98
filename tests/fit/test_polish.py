"""The polish of a distilled recipe against the end point."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.denoiser import Checked
from scheduler.fit import polish as module
from scheduler.fit.on_policy import walk
from scheduler.fit.polish import LEAST_DATA, most_polished, polish, polish_calls
from scheduler.fit.teacher import record_teacher
from scheduler.fit.trajectories import TrajectorySet
from scheduler.samplers.distilled import sample_distilled
from scheduler.search.dynamic_programming import schedules_from
from scheduler.sigmas import log_snr_grid
from scheduler.sigmas.noise_range import NoiseRange
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.0291671, 14.6146)}


@pytest.fixture(scope="module", params=["flow", "ve"])
def case(request):
    """(set, walk, noise range) for five steps on 24 trajectories of a small mixture."""
    parametrisation = request.param
    low, high = RANGES[parametrisation]
    noise, denoise = unit_noise(24, 1, 8), small_mixture(parametrisation)
    teacher = record_teacher(
        denoise,
        noise,
        log_snr_grid(low, high, 30, parametrisation),
        parametrisation,
        "adams3",
        keep_states=True,
    )
    of = TrajectorySet(
        Checked(denoise),
        noise,
        teacher.sigmas,
        teacher.states + teacher.predictions,
        np.arange(24) < 20,
    )
    sigmas = schedules_from(teacher.gram, "distilled", 5)[5]
    noise_range = NoiseRange(parametrisation, low, high)
    return of, walk([of], "distilled", sigmas, noise_range, tries=3)[0], noise_range


def test_it_lowers_the_error_it_is_made_for_and_says_what_it_is(case):
    of, found, noise_range = case
    better = polish([of], found, noise_range)
    assert better.errors[of.fit_rows].mean() < found.errors[of.fit_rows].mean()
    assert np.array_equal(better.sigmas, found.sigmas) and np.array_equal(
        better.offsets, found.offsets
    )
    end = sample_distilled(
        of.model,
        of.state(float(found.sigmas[0])),
        better.sigmas,
        better.coefficients,
        better.offsets,
        noise_range.process,
    )
    assert of.errors(end) == pytest.approx(better.errors, rel=1e-4, abs=1e-7)


def test_it_keeps_to_its_calls_and_repeats_itself(case):
    of, found, noise_range = case
    before = of.model.calls
    first = polish([of], found, noise_range)
    # the first query is the teacher's only where the model remembers it, as in `distill`
    assert of.model.calls - before <= (polish_calls(5) + 1) * len(of.noise)
    assert np.array_equal(first.coefficients, polish([of], found, noise_range).coefficients)


def test_several_sets_are_polished_together(case):
    of, found, noise_range = case
    halves = [
        TrajectorySet(
            of.model,
            of.noise[rows],
            of.sigmas,
            [vector[rows] for vector in of.vectors],
            of.fit_rows[rows],
        )
        for rows in (slice(0, 12), slice(12, 24))
    ]
    together, apart = polish([of], found, noise_range), polish(halves, found, noise_range)
    assert apart.coefficients == pytest.approx(together.coefficients, abs=2e-3)


def test_a_second_trial_is_damped_four_times_more_and_nothing_gained_changes_nothing(
    case, monkeypatch
):
    of, found, noise_range = case
    dampings = []

    def nothing(products, damping):
        dampings.append(damping)
        return np.zeros(len(products[0]) - 1)

    monkeypatch.setattr(module, "damped_step", nothing)
    assert polish([of], found, noise_range) is found
    assert dampings == [module.DAMPING, 4 * module.DAMPING]


def test_only_so_many_steps_are_polished_as_there_are_numbers_to_fit_to():
    assert [most_polished(LEAST_DATA * count) for count in (1, 2, 4, 5, 9, 13)] == [
        0,
        1,
        1,
        2,
        3,
        4,
    ]


def test_a_recipe_of_one_step():
    low, high = RANGES["ve"]
    noise, denoise = unit_noise(24, 1, 8), small_mixture("ve")
    teacher = record_teacher(
        denoise, noise, log_snr_grid(low, high, 12, "ve"), "ve", "adams3", keep_states=True
    )
    of = TrajectorySet(
        Checked(denoise),
        noise,
        teacher.sigmas,
        teacher.states + teacher.predictions,
        np.ones(24, bool),
    )
    noise_range = NoiseRange("ve", low, high)
    found, _ = walk([of], "distilled", np.array([high, 0.0]), noise_range)
    assert torch.isfinite(torch.tensor(polish([of], found, noise_range).errors)).all()
