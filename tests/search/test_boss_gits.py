"""GITS and BOSS: their costs one by one, and what GITS' coefficient is for."""

from __future__ import annotations

import math

import pytest

from scheduler.fit.teacher import record_teacher
from scheduler.search.boss_gits import error_lengths, gits_paths
from scheduler.sigmas import log_snr_grid
from tests.mixture import small_mixture, unit_noise


@pytest.fixture(scope="module")
def teacher():
    grid = log_snr_grid(0.002, 1.0, 10, "flow")
    return record_teacher(small_mixture(), unit_noise(3, 8), grid, "flow", keep_states=True)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_lengths_are_those_of_eulers_errors_for_every_step(teacher, norm):
    lengths, sigmas = error_lengths(teacher, norm), teacher.sigmas
    for i in range(len(sigmas)):
        for j in range(len(sigmas)):
            if j <= i:
                assert lengths[i, j] == math.inf
                continue
            x, denoised = teacher.states[i], teacher.predictions[i]
            error = denoised + sigmas[j] / sigmas[i] * (x - denoised) - teacher.states[j]
            each = error.abs() if norm == "l1" else error.square()
            means = each.flatten(1).mean(1)
            expected = (means if norm == "l1" else means.sqrt()).mean()
            assert lengths[i, j] == pytest.approx(float(expected), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("of", ["states", "inner products"])
def test_a_larger_coefficient_spends_more_on_the_steps_after_the_first(teacher, of):
    recorded = teacher if of == "states" else teacher.gram
    small, large = (gits_paths(recorded, 4, coeff=coeff)[3] for coeff in (0.5, 3.0))
    assert list(small) != list(large) and small[1] <= large[1]
