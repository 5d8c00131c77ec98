"""A stock schedule that won is never told as ours, wherever a winner is told of."""

from __future__ import annotations

import pytest

from scheduler.cli import demo
from scheduler.evidence.verdicts import recommendation
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.record.evidence_table import evidence_table
from scheduler.record.verdict_words import described, evidence_words, verdict

CURVES = {"euler": {4: 0.05, 6: 0.03}}


def recipe(choice: str, steps=4, **found) -> Recipe:
    """Half of the error of the best stock choice, and surely so."""
    evidence = {
        "rms": 0.05,
        "samples": 8,
        "best_stock": "karras",
        "stock": {"karras": {"rms": 0.1}, "beta": {"rms": 0.12}},
        "ratio": 0.5,
        "margin": 0.1,
        "verdict": "better",
        "equals_stock_steps": 9,
    }
    sigmas = [1.0, *[0.5 / (k + 1) for k in range(steps - 1)], 0.0]
    return Recipe("euler", steps, 1.0, sigmas, choice=choice, evidence=evidence | found)


def record(*recipes) -> Record:
    provenance = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 10}
    return Record(Model("flow", 0.003, 1.0), Conditions(), None, recipes, {}, provenance)


def test_ours_is_recommended_by_its_sampler_and_stock_by_its_name():
    ours = [recipe("ours", 4), recipe("ours", 6, rms=0.03)]
    stock = [recipe("beta", 4), recipe("beta", 6, rms=0.03)]
    assert recommendation(ours, CURVES, {"euler": 4}) == {
        "steps": 4,
        "sampler": "euler",
        "offsets": False,
        "at_knee": True,
    }
    found = recommendation(stock, CURVES, {"euler": 4})
    assert "sampler" not in found and found["stock"]["schedule"] == "karras"


def test_descriptions_and_verdicts():
    assert described(recipe("ours")) == "euler with the distilled schedule"
    assert described(recipe("beta")) == "euler with beta"
    assert described(recipe("beta + dpmpp_2m")) == "beta + dpmpp_2m"
    assert "stock choice beta" in verdict(recipe("beta"))
    assert "stock choice beta" not in verdict(recipe("ours"))


def test_only_ours_is_said_to_save_steps():
    assert evidence_words(recipe("ours")).startswith("4 steps = stock's 9 (karras): ")
    assert not evidence_words(recipe("beta")).startswith("4 steps")


@pytest.mark.parametrize(
    "choice, told", [("ours", "not measured"), ("beta", "not measured (stock: beta)")]
)
def test_the_table_names_stock_where_nothing_was_measured(choice, told):
    bare = Recipe("euler", 2, 1.0, [1.0, 0.5, 0.0], choice=choice)
    assert evidence_table([bare]).splitlines()[-1].endswith(told)


def test_the_demo_draws_ours_where_it_is_clearly_better_and_says_what_stock_won():
    steps = demo.PICTURE_STEPS
    ours, others = recipe("ours", steps[1]), [recipe("beta", n) for n in steps]
    assert demo.picture_recipe(record(others[0], ours, *others[2:])) == ours
    assert demo.picture_recipe(record(*others)) == others[0]  # no stock schedule is ours
    assert demo._kind(ours) == "schedule" and demo._kind(others[0]) == "stock won: beta"
