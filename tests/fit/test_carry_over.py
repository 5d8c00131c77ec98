"""Fits carried over to other step counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fit.carry_over import carried_offsets, carried_schedule, share_curve
from scheduler.sigmas.noise_range import NoiseRange
from scheduler.sigmas.validity import check_schedule

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}


def noise_range(parametrisation):
    return NoiseRange(parametrisation, *RANGES[parametrisation])


def even(parametrisation, steps):
    low, high = RANGES[parametrisation]
    return np.append(np.geomspace(high, 4 * low, steps), 0.0)


@pytest.mark.parametrize("parametrisation", RANGES)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_a_carried_schedule_is_valid_and_keeps_its_ends(parametrisation, before, steps, seed):
    low, rng = RANGES[parametrisation][0], np.random.default_rng(seed)
    base, fresh = even(parametrisation, before), even(parametrisation, steps)
    found = base.copy()
    found[1:-1] = np.sort(np.exp(rng.uniform(np.log(low), np.log(base[0]), before - 1)))[::-1]
    carried = carried_schedule(found, base, fresh, low)
    check_schedule(carried)
    assert (
        len(carried) == steps + 1
        and carried[0] == fresh[0]
        and carried[-2] >= low * (1 - 1e-9)
        or steps == 1
    )


def test_what_was_not_moved_stays():
    fresh = even("ve", 9)
    np.testing.assert_allclose(
        carried_schedule(even("ve", 5), even("ve", 5), fresh, 0.03), fresh, rtol=1e-12
    )


def test_a_move_is_read_at_the_same_fraction_of_the_way_in_steps():
    base, fresh = even("ve", 5), even("ve", 9)
    found = base.copy()
    found[2] *= 0.8  # the middle node
    carried = carried_schedule(found, base, fresh, 0.03)
    moved = np.log(carried[:-1] / fresh[:-1]) / np.log(fresh[0] / fresh[1])
    assert (
        moved[4] == pytest.approx(np.log(0.8) / np.log(base[0] / base[1])) and np.argmin(moved) == 4
    )
    assert moved[0] == 0 and np.allclose(moved[[2, 6]], 0, atol=1e-9)


@pytest.mark.parametrize("parametrisation", RANGES)
def test_offsets_are_carried_in_shares_of_the_usual_one(parametrisation):
    of, fresh = noise_range(parametrisation), even(parametrisation, 9)
    assert not carried_offsets(of, even(parametrisation, 5), np.zeros(5), fresh).any()
    offsets = np.array([0.0, -0.1, -0.1, -0.2, -0.3])
    same = carried_offsets(of, even(parametrisation, 5), offsets, even(parametrisation, 5))
    np.testing.assert_allclose(same, offsets, atol=1e-12)
    carried = carried_offsets(of, even(parametrisation, 5), offsets, fresh)
    assert len(carried) == 9 and (carried <= 0).all() and -0.3 <= carried.min() < 0


def test_a_flows_top_says_nothing_and_a_lone_step_carries_no_offset():
    assert share_curve(noise_range("flow"), np.array([1.0, 0.0]), np.array([0.0]))(0.5) == 0.0
