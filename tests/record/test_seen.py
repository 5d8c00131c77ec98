"""What is said of a recipe that was measured on the rows of its own fit alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.record import Recipe
from scheduler.record.evidence_table import verdict_word
from scheduler.record.verdict_words import evidence_words, recommendation, verdict
from tests.lookup.made import record


def recipe(rows: dict) -> Recipe:
    evidence = {
        "rms": 0.1,
        "samples": sum(rows.values()),
        "rows": rows,
        "stock": {"beta + dpmpp_2m": {"rms": 0.4, "median": 0.4}},
        "best_stock": "beta + dpmpp_2m",
        "ratio": 0.25,
        "margin": 0.1,
        "verdict": "seen",
        "equals_stock_steps": 14,
    }
    return Recipe("distilled", 2, 1.0, (1.0, 0.5, 0.0), evidence=evidence)


@pytest.mark.parametrize(
    "rows, told",
    [
        ({"fit": 1}, "on the picture that it was fitted to; no other was measured"),
        ({"fit": 4}, "on the 4 pictures that it was fitted to; no other was measured"),
        (
            {"fit": 7, "unseen_row": 1},
            "on the 7 pictures that it was fitted to and 1 that it was not",
        ),
    ],
)
def test_it_says_on_which_rows_and_never_that_it_is_proved(rows, told):
    made = recipe(rows)
    assert verdict(made).endswith(told) and verdict(made).startswith("0.25 of the error")
    assert verdict_word(made) == "on its own rows"
    words = evidence_words(made)
    assert words.startswith("2 steps = about stock's 14") and "held-out" not in words


def test_where_it_was_checked_at_other_cfgs_others_were_measured():
    made = recipe({"fit": 1})
    checked = made.evidence | {"cfg_checks": [{"cfg": 5.0, "holds": True}]}
    assert verdict(replace(made, evidence=checked)).endswith("that it was fitted to")


def test_what_its_own_rows_say_is_recommended_where_nothing_else_was_measured():
    found = record(recipe({"fit": 1}))
    curve = replace(found, evidence={"curve": {}})
    assert recommendation(curve).startswith("At 2 steps use the distilled sampler: 0.25 of")
    bare = replace(curve, recipes=(replace(found.recipes[0], evidence={}),))
    assert recommendation(bare) == "Nothing was measured, so nothing is recommended."
