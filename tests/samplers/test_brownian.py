"""The Brownian path: the right variances, consistent however finely it is asked for, and repeatable."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.samplers.brownian import DEPTH, FIRST_CELL, BrownianPath, place_of, time_of

SHAPE = (2, 4, 50, 50)


def path(seed=3, shape=SHAPE):
    return BrownianPath(shape, seed)


@given(st.lists(st.floats(1e-16, 1e6), min_size=3, max_size=8, unique=True))
def test_increments_add_up_however_they_are_cut(times):
    times = sorted(times)
    one, other = path(shape=(1, 3)), path(shape=(1, 3))
    whole = one.increment(times[0], times[-1])
    parts = [other.increment(a, b) for a, b in zip(times, times[1:], strict=False)]
    scale = math.sqrt(times[-1])
    assert torch.allclose(sum(parts), whole, atol=1e-5 * scale)


def test_nothing_depends_on_what_was_asked_before():
    fresh = path().increment(0.3, 0.31)
    asked = path()
    for start, end in ((0.1, 7.0), (0.30001, 0.305), (0.0, 0.3)):
        asked.increment(start, end)
    assert torch.equal(asked.increment(0.3, 0.31), fresh)


@pytest.mark.parametrize("times", [(0.0, 1e-9), (0.0, 3.7), (0.3, 0.3001), (0.9, 1.1), (70.0, 1e5)])
def test_increments_have_their_variance_and_noise_is_unit(times):
    apart = path().increment(*times).double()
    length = times[1] - times[0]
    assert float(apart.square().mean()) == pytest.approx(length, rel=0.05)
    assert abs(float(apart.mean())) < 5 * math.sqrt(length / apart.numel())
    noise = path().noise(*times).double()
    assert float(noise.square().mean()) == pytest.approx(1, rel=0.05)


def test_disjoint_increments_are_independent():
    one = path()
    pieces = [
        one.noise(a, b).flatten() for a, b in ((0.1, 0.4), (0.4, 0.45), (0.5, 3.0), (3.0, 9.0))
    ]
    gram = torch.stack(pieces) @ torch.stack(pieces).T / len(pieces[0])
    assert torch.allclose(gram, torch.eye(4), atol=0.04)


def test_seeds_and_rows_are_other_paths():
    one = path().noise(0.2, 5.0)
    assert not torch.allclose(one, path(seed=4).noise(0.2, 5.0), atol=0.5)
    assert abs(float((one[0] * one[1]).mean())) < 0.05


@given(st.floats(1e-12, 1e8))
def test_times_are_rounded_finely(time):
    assert time_of(place_of(time)) == pytest.approx(time, rel=2.0**-DEPTH)


def test_the_ends_of_time():
    assert place_of(0.0) == place_of(2.0 ** (FIRST_CELL - 1)) and time_of(place_of(0.0)) == 0
    assert place_of(2.0 - 2.0**-30) == (1, 0)  # rounded up into the next cell
    assert not path().noise(0.5, 0.5).any() and not path().increment(0.5, 0.5).any()
