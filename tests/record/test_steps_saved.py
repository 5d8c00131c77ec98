"""How many stock steps a recipe does the work of is said in one kind of words, whether stock ever comes
as near or not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from scheduler.distilling import expected
from scheduler.evidence import verdicts
from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.record import Recipe
from scheduler.record.evidence_table import evidence_table
from scheduler.record.verdict import steps_saved
from scheduler.record.verdict_words import evidence_words

ABOUT = {"rms": 0.1, "ratio": 0.5, "best_stock": "karras + dpmpp_2m", "verdict": "seen"}
SIX = Recipe(DISTILLED, 6, 6.0, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0], choice="ours")


@pytest.mark.parametrize(
    ("error", "missed", "told"),
    [(0.2, 0.0, {"equals": 12}), (0.01, 0.0, {"beats": 24}), (0.01, 0.1, {"equals": 17})],
)
def test_stock_is_followed_to_its_last_count(monkeypatch, error, missed, told):
    """Whose error is 2.4 over its steps: 0.2 at 12, 0.1 at 24. error: of ours on other pictures. missed: by
    the teacher's own end."""
    limit = {expected.VERY_MANY: missed}
    monkeypatch.setattr(
        expected, "_expected_of_stock", lambda made, steps: limit.get(steps, 2.4 / steps)
    )
    sigmas = np.array(SIX.sigmas)
    found = Candidate(DISTILLED, sigmas, np.zeros(6), np.zeros((6, 4)))
    monkeypatch.setattr(expected, "_rms", lambda found: error / expected.ELSEWHERE)
    monkeypatch.setattr(type(found.choice), "stock", property(lambda self: False))
    found = expected.equal_steps(SimpleNamespace(ends_error=missed), found)
    assert found == {f"{name}_stock_steps": steps for name, steps in told.items()}


def test_what_was_measured_says_so_too():
    assert verdicts.beaten_steps(0.1, {6: 0.4, 12: 0.2, 24: None}) == 12
    assert verdicts.beaten_steps(0.3, {6: 0.4, 12: 0.2}) is None


def test_the_words_are_of_one_kind():
    equal, beyond = (
        replace(SIX, evidence=ABOUT | told)
        for told in ({"equals_stock_steps": 17}, {"beats_stock_steps": 24})
    )
    assert steps_saved(equal.evidence) == (17, False)
    assert steps_saved(beyond.evidence) == (24, True)
    assert steps_saved({}) is None
    assert evidence_words(equal).startswith("6 steps = about stock's 17 (")
    assert evidence_words(beyond).startswith("6 steps > about stock's 24 (")
    assert "  > 24  " in evidence_table([beyond])
