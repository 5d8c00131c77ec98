"""Schedules solved without a model call: remembered, and only where they are worth it."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.errors import SigmaRangeError, UnknownNameError
from scheduler.lookup import solving
from scheduler.lookup.solving import (
    NOTHING_FOR,
    STOCK_WON,
    not_worth_solving,
    solvable_rule,
    solved,
)
from scheduler.search.dynamic_programming import schedules_from
from tests.lookup.made import recipe, record
from tests.weights import smooth_gram

GRAM = smooth_gram()


def test_what_dynamic_programming_finds():
    found = solved(GRAM, "dpmpp_2m", 5)
    assert np.array_equal(found.sigmas, schedules_from(GRAM, "dpmpp_2m", 5)[5])
    assert (found.sampler, found.steps, found.start_sigma) == ("dpmpp_2m", 5, 1.0)
    assert found.evidence == {"verdict": "solved"}
    assert solved(GRAM, "euler", 4, 0.5).sigmas[0] == 0.5
    assert solved(GRAM, "euler", 4, 1.00005).sigmas[0] == 1.0  # the teacher's own, up to rounding
    with pytest.raises(SigmaRangeError):
        solved(GRAM, "euler", 4, 1.5)
    with pytest.raises(UnknownNameError):
        solved(GRAM, "heun", 4)


def test_the_least_sigma_that_the_model_can_be_asked_at():
    found = solved(GRAM, "euler", 6, sigma_min=0.1)
    assert min(found.sigmas[:-1]) >= 0.1 * (1 - 1e-9)
    assert solved(GRAM, "euler", 6, sigma_min=0.001) == solved(GRAM, "euler", 6)
    assert min(solved(GRAM, "euler", 6, sigma_min=0.95).sigmas[:-1]) >= 0.95 * (1 - 1e-9)


def test_solved_once(monkeypatch):
    asked = []
    monkeypatch.setattr(solving, "_kept", {})
    monkeypatch.setattr(solving, "KEPT", 2)
    plain = solving.solved
    monkeypatch.setattr(solving, "solved", lambda *wanted: asked.append(wanted) or plain(*wanted))
    for steps in (3, 3, 4, 3, 5, 4, 3):
        assert solving.solved_once(GRAM, "euler", steps, 1.0, 0.003).steps == steps
    assert [wanted[2] for wanted in asked] == [3, 4, 5, 3]
    other = smooth_gram()
    assert solving.solved_once(other, "euler", 3, 1.0, 0.003).steps == 3 and len(asked) == 5
    assert len(solving._kept) == 2


def test_what_is_worth_solving():
    made = record(recipe("euler", 2, choice="karras"), recipe("dpmpp_2m", 2), recipe("euler", 9))
    assert not_worth_solving(made, "dpmpp_2m", 7) is None
    assert not_worth_solving(made, "euler", 7) is None  # 9 is nearer
    won = not_worth_solving(made, "euler", 4)
    assert (won.code, won.choice, won.steps) == (STOCK_WON, "karras", 2)
    assert not_worth_solving(made, "euler", 4, whole=False) is None
    assert not_worth_solving(made, "heun", 7).code == NOTHING_FOR


def test_the_rule_that_solves_for_a_sampler():
    assert solvable_rule("ipndm") == "ipndm" and solvable_rule("uni_pc") == "dpmpp_2m"
