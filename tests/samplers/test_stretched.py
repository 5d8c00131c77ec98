"""A recipe from a start near its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.denoiser import half_log_snr
from scheduler.samplers.stretched import MOST_ABOVE, MOST_BELOW, is_near, stretched

SIGMAS = {"flow": (0.75, 0.5, 0.3, 0.1, 0.0), "ve": (1.6, 0.9, 0.4, 0.1, 0.0)}


@pytest.mark.parametrize("process", SIGMAS)
def test_its_own_start_gives_its_own_levels(process):
    own = SIGMAS[process]
    assert np.allclose(stretched(own, own[0], process), own, rtol=1e-12)


@given(st.sampled_from(sorted(SIGMAS)), st.floats(0.12, 0.99))
def test_levels_descend_from_the_start_to_the_same_last_one(process, start):
    found = stretched(SIGMAS[process], start, process)
    assert found[0] == start and found[-1] == 0.0
    assert np.isclose(found[-2], SIGMAS[process][-2])
    assert np.all(np.diff(found) < 0)


@given(st.sampled_from(sorted(SIGMAS)), st.floats(0.12, 0.99))
def test_every_step_keeps_its_share_of_the_way_in_log_snr(process, start):
    own, found = (
        half_log_snr(each[:-1], process)
        for each in (SIGMAS[process], stretched(SIGMAS[process], start, process))
    )
    shares = [np.diff(each) / (each[-1] - each[0]) for each in (own, found)]
    assert np.allclose(*shares, rtol=1e-6)


def test_a_single_step_begins_at_the_start():
    assert stretched((0.5, 0.0), 0.6, "flow") == (0.6, 0.0)


def test_a_start_below_the_last_level_is_refused():
    with pytest.raises(ValueError, match="not above the last sigma"):
        stretched(SIGMAS["ve"], 0.1, "ve")


@pytest.mark.parametrize("process", SIGMAS)
def test_near_is_further_above_than_below(process):
    own = 1.0 if process == "ve" else 0.5  # where half log-SNR is 0

    def at(level):  # the sigma at a half log-SNR of -level
        return float(np.exp(level)) if process == "ve" else float(1 / (1 + np.exp(-level)))

    assert is_near(at(MOST_ABOVE - 0.01), own, process)
    assert not is_near(at(MOST_ABOVE + 0.01), own, process)
    assert is_near(at(-MOST_BELOW + 0.01), own, process)
    assert not is_near(at(-MOST_BELOW - 0.01), own, process)
    assert not is_near(1.0, 0.5, "flow")
