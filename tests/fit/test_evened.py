"""Schedules whose neighbouring steps don't differ too much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fit.evened import CAP, evened
from scheduler.sigmas.validity import check_schedule

CAPPED = 1 + 1e-9


def ratios(sigmas: np.ndarray) -> np.ndarray:
    gaps = -np.diff(np.log(sigmas[:-1]))
    return np.concatenate([gaps[1:] / gaps[:-1], gaps[:-1] / gaps[1:]])


def schedule(lengths) -> np.ndarray:
    return np.append(10 * np.exp(-np.cumsum([0.0, *lengths])), 0.0)


@given(st.lists(st.floats(0.01, 2), min_size=2, max_size=12), st.floats(1.1, 5))
def test_no_step_is_more_than_the_cap_longer_than_its_neighbour(lengths, cap):
    sigmas = schedule(lengths)
    found = evened(sigmas, cap)
    check_schedule(found)
    assert len(found) == len(sigmas) and found[0] == sigmas[0]
    assert found[-2] == pytest.approx(sigmas[-2])
    assert (ratios(found) <= cap * CAPPED).all()


@given(st.lists(st.floats(0.5, 1), min_size=2, max_size=12))
def test_an_even_schedule_stays(lengths):
    sigmas = schedule(lengths)
    np.testing.assert_allclose(evened(sigmas), sigmas, rtol=1e-9)


def test_long_steps_are_cut_and_all_stretched_alike():
    gaps = -np.diff(np.log(evened(schedule([0.1, 2.0, 0.4]), 3.0)[:-1]))
    np.testing.assert_allclose(gaps, 2.5 * np.array([0.1, 0.3, 0.4]) / 0.8)
    assert (ratios(evened(schedule([0.1, 2.0, 0.4]))) <= CAP * CAPPED).all()


@pytest.mark.parametrize("short", [[5.0, 0.0], [5.0, 1.0, 0.0]])
def test_a_step_alone_has_no_neighbour(short):
    np.testing.assert_array_equal(evened(np.array(short), 2.0), short)
