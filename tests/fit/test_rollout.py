"""Roll-outs from the start and from the middle."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.fit.rollout import FITTED, calls_of, rollout
from tests.fit.test_on_policy import RANGES, Lab


@pytest.mark.parametrize("parametrisation", RANGES)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "uni_pc", "heun", FITTED])
def test_known_answers_are_not_asked_for_again(parametrisation, sampler):
    lab = Lab(parametrisation, rows=3, sets=2)
    steps, offsets = len(lab.sigmas) - 1, np.full(len(lab.sigmas) - 1, -0.05)
    offsets[0] = 0.0
    whole = rollout(lab.sets, sampler, lab.sigmas, offsets, parametrisation)
    assert [len(answers) for answers in whole.answers] == [calls_of(sampler, steps)] * 2
    for first in range(1, steps):
        known = [answers[: calls_of(sampler, first)] for answers in whole.answers]
        before = lab.meter.done
        again = rollout(lab.sets, sampler, lab.sigmas, offsets, parametrisation, known)
        assert lab.meter.done - before == 6 * (calls_of(sampler, steps) - calls_of(sampler, first))
        assert all(np.array_equal(a, b) for a, b in zip(again.ends, whole.ends, strict=True))


def test_the_distilled_sampler_is_fitted_on_the_way():
    lab = Lab("ve", rows=4)
    found = rollout(lab.sets, FITTED, lab.sigmas, None, "ve")
    assert np.array_equal(found.coefficients, lab.walk().coefficients)
    assert rollout(lab.sets, "euler", lab.sigmas, None, "ve").coefficients is None
