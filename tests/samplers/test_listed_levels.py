"""The list of levels that a model finds its step in, whatever it is asked at."""

from __future__ import annotations

import pytest

from scheduler.samplers.listed_levels import APART, FOUND_WITHIN, levels_for, listed_levels
from scheduler.samplers.query_offsets import asked_sigma

SIGMAS = [1.0, 0.8, 0.5, 0.2, 0.0]
OFFSETS = [0.0, -0.3, 0.4, -0.2]


@pytest.mark.parametrize("process", ["flow", "ve"])
def test_each_asked_level_is_found_at_its_own_step_and_nothing_else_changes(process):
    listed = listed_levels(SIGMAS, OFFSETS, process)
    assert len(listed) == 4
    for step, (asked, levels) in enumerate(listed):
        assert asked == asked_sigma(SIGMAS[step], OFFSETS[step], process)
        assert levels[step] == asked
        assert [*levels[:step], *levels[step + 1 :]] == [*SIGMAS[:step], *SIGMAS[step + 1 :]]


def test_another_step_s_level_is_not_taken_for_it():
    sigmas = [10.0, 5.0, 1.0, 0.0]
    meets = -0.6931  # the first step is asked at the second's level, within what hosts round
    ((_, levels), *_) = listed_levels(sigmas, [meets, 0.0, 0.0], "ve")
    assert abs(levels[1] / levels[0] - 1) > FOUND_WITHIN and levels[1] < levels[0]
    assert levels[1] == pytest.approx(sigmas[1], rel=2 * APART)


def test_levels_are_found_by_what_is_asked():
    listed = listed_levels(SIGMAS, OFFSETS, "flow")
    asked, levels = listed[2]
    assert levels_for(listed, asked * (1 + 1e-6), 1e-4) == levels
    assert levels_for(listed, 0.65, 1e-4) is None
    assert levels_for(listed, 0.0, 1e-4) is None
    assert levels_for([], 0.5, 1e-4) is None


def test_without_offsets_the_list_is_the_schedule():
    assert all(levels == SIGMAS for _, levels in listed_levels(SIGMAS, None, "flow"))
