"""The distilled sampler's transition costs, beside a direct least-squares fit on the states themselves."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.fit.coefficients import EULER, columns
from scheduler.fit.teacher import record_teacher
from scheduler.samplers.distilled import step_weights
from scheduler.search.distilled_costs import residual_costs
from scheduler.sigmas import log_snr_grid
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.01, 1.0), "ve": (0.05, 10.0)}


@pytest.fixture(scope="module", params=sorted(RANGES))
def teacher(request):
    low, high = RANGES[request.param]
    grid = log_snr_grid(low, high, 7, request.param)
    return record_teacher(
        small_mixture(request.param), unit_noise(6, 1, 8), grid, request.param, keep_states=True
    )


def direct(teacher, j, i, h=None) -> float:
    """The mean square that numpy's least squares leaves of x_j less Euler's step, with columns c3,
    c4 and, with a past, c1."""
    s, s_next = teacher.sigmas[i], teacher.sigmas[j]
    seen = [teacher.states[i], teacher.predictions[i]] + (
        [] if h is None else [teacher.predictions[h]]
    )
    seen = np.stack([each.double().numpy().ravel() for each in seen])
    target = (
        teacher.states[j].double().numpy().ravel()
        - np.array(step_weights(EULER, s, s_next, len(seen) - 1)) @ seen
    )
    used = (columns(s, s_next, len(seen) - 1) @ seen).T
    used = used[:, np.abs(used).max(0) > 0]
    return float(np.square(target - used @ np.linalg.lstsq(used, target, rcond=None)[0]).mean())


def test_costs_are_what_the_best_coefficients_leave(teacher):
    first, pairs = residual_costs(teacher.gram)
    for h, i, j in ((0, 1, 2), (0, 2, 5), (1, 3, 6), (2, 5, 7), (0, 6, 7)):
        scale = float(teacher.states[j].square().mean())
        assert first[i, j] == pytest.approx(direct(teacher, j, i), rel=0.02, abs=1e-6 * scale)
        assert pairs[h, i, j] == pytest.approx(direct(teacher, j, i, h), rel=0.02, abs=1e-6 * scale)


def test_a_past_never_costs_more_and_only_descending_nodes_have_costs(teacher):
    first, pairs = residual_costs(teacher.gram)
    count = len(first)
    for h in range(count):
        for i in range(count):
            for j in range(count):
                assert np.isfinite(pairs[h, i, j]) == (h < i < j)
                if h < i < j:
                    assert 0 <= pairs[h, i, j] <= first[i, j] + 1e-6 * teacher.gram.products[j, j]
    assert np.array_equal(np.isfinite(first), np.triu(np.ones((count, count), bool), 1))
