"""The second half of a run begins at the very sigma where the first ended."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.errors import ScheduleError, SigmaRangeError
from scheduler.sigmas.hand_over import CLEARLY_ABOVE, continued_from

SIGMA = st.floats(0.003, 80.0)
APART = st.integers(0, 10_000).map(lambda place: 0.003 * 1.001**place)
SCHEDULES = st.lists(APART, min_size=1, max_size=12, unique=True)


@given(SCHEDULES, SIGMA)
@example([1.0, 2.0, 0.003], np.nextafter(0.003, 1))
@example([1.0, 2.0, 0.003], 0.003 * CLEARLY_ABOVE)
def test_the_halves_meet_at_exactly_one_sigma(levels, handed):
    own = [*sorted(levels, reverse=True), 0.0]
    led = continued_from(own, handed)
    assert led[0] == handed and led[-1] == 0 and len(led) == len(own)
    assert (np.diff(led.astype(np.float32)) < 0).all()
    if len(own) > 2 and own[-2] * CLEARLY_ABOVE < handed:
        assert led[-2] == pytest.approx(own[-2])


def test_the_two_experts_of_one_run():
    """High noise ended at .6146 where low noise would have begun at .75."""
    low = [0.75, 0.5, 0.25, 0.0]
    led = continued_from(low, 0.6146)
    assert led[0] == 0.6146 and 0.25 < led[1] < 0.5 and led[2] == 0.25
    assert (continued_from(low, 0.75) == low).all()


@pytest.mark.parametrize("handed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latent_without_noise_is_refused(handed):
    with pytest.raises(SigmaRangeError, match="leftover noise"):
        continued_from([1.0, 0.0], handed)


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ScheduleError):
        continued_from([0.5, 0.5, 0.0], 0.4)
