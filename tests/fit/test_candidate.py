"""A candidate: what of it becomes the record's recipe, and what counts as having arrived."""

from __future__ import annotations

import numpy as np

from scheduler.fit.candidate import EXPLODED, Candidate
from scheduler.record import Choice

SIGMAS = np.array([1.0, 0.5, 0.0])


def test_the_recipe_is_the_candidates_numbers_under_the_samplers_name():
    offsets, rows = np.array([0.0, -0.1]), np.array([[0.1, 0.0, 0.2, 0.0], [0.3, 0.0, 0.0, 0.0]])
    found = Candidate("dpmpp_2m", SIGMAS, offsets, rows, choice=Choice("beta", "euler"))
    recipe = found.recipe("distilled")
    assert (recipe.sampler, recipe.steps, recipe.start_sigma) == ("distilled", 2, 1.0)
    assert recipe.sigmas == (1.0, 0.5, 0.0) and recipe.offsets == (0.0, -0.1)
    assert recipe.coefficients == tuple(map(tuple, rows.tolist()))
    assert recipe.choice == "beta + euler"
    bare = Candidate("euler", SIGMAS).recipe("euler")
    assert (bare.offsets, bare.coefficients, bare.choice) == (None, None, "ours")


def test_rows_that_did_not_arrive_count_as_exploded():
    start = Candidate("euler", SIGMAS)
    assert not start.was_run and not start.finite
    fine = start.measured(np.array([0.1, 0.3]))
    assert fine.was_run and fine.finite and fine.mean_error == 0.2
    for bad in (np.nan, np.inf, 2 * EXPLODED):
        found = start.measured(np.array([0.1, bad]))
        assert found.errors.tolist() == [0.1, EXPLODED] and not found.finite
