"""Schedules filled so that the recipe is what is left when a host has cut them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.lookup.cutting import filled

OWN = [0.6, 0.3, 0.1, 0.0]


def test_nothing_is_missing():
    assert filled(OWN, 3, False, 1.0) == OWN
    assert filled(np.array(OWN), 2, False, 1.0) == OWN


def test_a_sigma_that_the_host_leaves_out_stands_between_the_last_two():
    assert filled(OWN, 4, True, 1.0) == [0.6, 0.3, 0.1, 0.05, 0.0]


def test_what_is_missing_stands_before_evenly_in_log_sigma():
    found = filled(OWN, 5, False, 1.0)
    assert found == pytest.approx([1.0, math.sqrt(0.6), *OWN]) and found[0] == 1.0


def test_where_there_is_no_room_it_stands_above():
    found = filled([1.0, 0.5, 0.0], 4, False, 1.0)
    assert found[2:] == [1.0, 0.5, 0.0] and found[0] > found[1] > 1.0
    assert found[0] < 1.001


@given(
    steps=st.integers(1, 12),
    more=st.integers(0, 30),
    drops=st.booleans(),
    start=st.floats(0.05, 14.614643),
)
def test_the_recipe_is_left_when_cut(steps, more, drops, start):
    recipe = [start * 0.7**k for k in range(steps)] + [0.0]
    asked = steps + drops + more
    found = filled(recipe, asked, drops, 14.614643)
    assert len(found) == asked + 1 and (np.diff(found) < 0).all()
    kept = found[:-2] + found[-1:] if drops else found
    assert kept[-steps - 1 :] == recipe
