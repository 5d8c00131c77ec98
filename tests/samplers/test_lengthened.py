"""Steps more that change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.samplers.distilled import sample_distilled
from scheduler.samplers.lengthened import lengthened
from tests.examples import examples
from tests.mixture import small_mixture, unit_noise

SIGMAS = {"flow": [1.0, 0.85, 0.6, 0.3, 0.0], "ve": [14.6, 5.0, 1.8, 0.5, 0.0]}
OFFSETS = [0.0, -0.1, 0.05, -0.05]
ROWS = [[0, 0, 0.01, 0.02], [0.3, 0, -0.02, 0.01], [0.3, -0.1, 0.02, 0], [0.5, -0.2, 0.01, 0.01]]


@examples(20)
@given(st.sampled_from(sorted(SIGMAS)), st.integers(4, 40))
def test_the_end_is_the_same(process, steps):
    noise = unit_noise(4, 1, 8, seed=3) * SIGMAS[process][0]
    model = small_mixture(process)
    short = sample_distilled(model, noise, SIGMAS[process], ROWS, OFFSETS, process)
    numbers = lengthened(SIGMAS[process], OFFSETS, ROWS, steps)
    assert len(numbers[0]) == steps + 1 and (np.diff(numbers[0]) < 0).all()
    long = sample_distilled(model, noise, numbers[0], numbers[2], numbers[1], process)
    assert float((long - short).norm() / short.norm()) < 0.02


def test_a_narrow_first_step_leaves_room():
    sigmas, offsets, rows = lengthened([1.0, 0.9999, 0.0], [0.0, 0.0], ROWS[:2], 40)
    assert (np.diff(sigmas) < 0).all() and len(offsets) == len(rows) == 40


def test_fewer_steps_are_no_lengthening():
    with pytest.raises(ValueError, match="4 steps cannot be lengthened to 3"):
        lengthened(SIGMAS["flow"], OFFSETS, ROWS, 3)
