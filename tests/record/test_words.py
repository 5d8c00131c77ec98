"""A record in words: sizes, contents, conditions, verdicts and what it recommends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.counted import counted, model_calls
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.record import verdict_words as said
from scheduler.record.evidence_table import column_notes, evidence_table, verdict_word
from scheduler.record.left_out import evidence_notes, left_out
from scheduler.record.words import (
    about,
    conditions,
    contents,
    duration,
    made,
    ranges,
    size,
)
from tests.weights import smooth_gram

LABELS = {"dpmpp_2m": "DPM++ 2M", "euler": "Euler", "distilled": "Distilled"}


def recipe(
    choice="ours", sampler="euler", steps=6, best="beta", offsets=None, **evidence
) -> Recipe:
    sigmas = [1.0, *[0.5 / (k + 1) for k in range(steps - 1)], 0.0]
    found = {"rms": 0.05, "samples": 8, "best_stock": best} | evidence
    return Recipe(sampler, steps, 1.0, sigmas, offsets, None, choice, found)


def record(*recipes, **changes) -> Record:
    under = Conditions(cfg=4.0, latent_shape=(16, 128, 96), prompts=2, seed=0, name="Mine")
    parts = {
        "model": Model("flow", 0.003, 1.0, name="Mine", shift=3.0, prediction="flow"),
        "conditions": under,
        "teacher": {"solver": "adams3", "nodes": 40, "grid": "log_snr", "samples": 4},
        "recipes": recipes,
        "provenance": {
            "version": "0.1.0",
            "created": "2026-11-21T00:00:00Z",
            "model_calls": 1068,
            "evidence_calls": 2000,
        },
        "gram": smooth_gram(4),
    }
    return Record(**parts | changes)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((4, 64, 64), "512x512"),
        ((4, 152, 104), "832x1216"),
        ((16, 128, 128), "1024x1024"),
        ((16, 21, 60, 104), "832x480, 81 frames"),
        ((16, 1, 60, 104), "832x480, 1 frame"),
        ((16, 8, 8), "64x64"),
        ((128, 32, 32), "latent 128x32x32"),
        ((4, 16, 64, 64), "latent 4x16x64x64"),
        ((64, 4096), "latent 64x4096"),
        ((16,), "latent 16"),
    ],
)
def test_a_latent_is_told_as_its_picture_where_the_scale_is_known(shape, words):
    assert size(shape) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (8, "8 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (700, "11 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_counts():
    assert ranges([8, 4, 5, 6]) == "4-6, 8" and ranges([]) == ""
    assert counted(1) == "1 step" and counted(6) == "6 steps"
    assert model_calls(1) == "1 model call" and model_calls(1068) == "1,068 model calls"


def test_contents_by_the_hosts_names():
    found = record(recipe(), recipe(steps=7), recipe(steps=9), recipe(sampler="dpmpp_2m", steps=1))
    assert contents(found) == "euler 6-7, 9 steps, dpmpp_2m 1 step"
    assert contents(found, LABELS) == "Euler 6-7, 9 steps, DPM++ 2M 1 step"
    assert contents(record()) == "none"


def test_conditions():
    assert conditions(record()) == "cfg 4, 768x1024, 2 prompts, seed 0"
    stages = [{"stage": "recording", "recordings": [{"name": "dpmpp_2m beta"}]}]
    pictures = record().provenance | {"stages": stages}  # whose seeds are the artist's
    assert conditions(replace(record(), provenance=pictures)) == "cfg 4, 768x1024, 2 prompts"
    patched = record(
        model=Model("flow", 0.003, 1.0, patches=[{"name": "lora", "strength": 0.5}]),
        conditions=Conditions(guidance=3.5, prompts=1),
    )
    assert conditions(patched) == "guidance 3.5, with lora at 0.5, 1 prompt"


def test_about():
    found = record(recipe(), evidence={"seeds": 8})
    assert about(found).splitlines() == [
        "Model:      Mine (flow, shift 3, sigma 0.003 to 1)",
        "Conditions: cfg 4, 768x1024, 2 prompts, seed 0",
        "Teacher:    4 pictures of 40 steps",
        "Made:       2026-11-21T00:00:00Z, StepDistill 0.1.0, 1,068 model calls, 2,000 more for the evidence",
        "Evidence:   8 held-out samples",
    ]
    bare = record(conditions=Conditions(), gram=None)
    assert "none stated" in about(bare) and "for the recipes' own step counts alone" in about(bare)
    assert said.about_fully(found, LABELS).splitlines()[5:] == ["Recipes:    Euler 6 steps"]
    assert made(replace(found, provenance=found.provenance | {"evidence_calls": 0})).endswith(
        "1,068 model calls"
    )


CLEAR = {"ratio": 0.41, "margin": 0.1}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (recipe(verdict="better", **CLEAR), "0.41 of the error of the best stock choice (beta)"),
        (recipe(verdict="equal", ratio=0.95, margin=0.1), "no gain: beta is as good"),
        (
            recipe(verdict="worse", ratio=1.5, margin=0.1),
            "worse: 1.50 times the error of beta; use beta",
        ),
        (
            recipe("beta", verdict="stock", ratio=1.0, margin=0.0),
            "the stock choice beta itself, the best of them here",
        ),
        (
            recipe("karras", verdict="worse", ratio=1.5, margin=0.1),
            "the stock choice karras, at 1.50 times the error of beta; use beta",
        ),
        (
            recipe("karras", verdict="equal", ratio=1.0, margin=0.1),
            "the stock choice karras; no other is clearly better",
        ),
        (
            recipe("karras", verdict="better", ratio=0.8, margin=0.1),
            "the stock choice karras, at 0.80 of the error of beta",
        ),
        (
            recipe(verdict="one_sample", ratio=0.5),
            "0.50 of the error of the best stock choice (beta), on one sample, which proves nothing",
        ),
        (recipe(verdict="incomparable"), "no comparison: an error was zero or not finite"),
        (recipe(verdict="better"), "no comparison: an error was zero or not finite"),
        (recipe(verdict="something_new", **CLEAR), "something new"),
        (recipe(note="By eye."), "By eye"),
        (recipe(), "not compared"),
    ],
)
def test_verdicts_are_plain_clauses(given, words):
    assert said.verdict(given) == words


def test_what_was_not_measured_says_what_it_is():
    bare = {"rms": None, "samples": None, "best_stock": None}
    empty = replace(recipe(), evidence={})
    assert said.verdict(empty) == "not measured"
    assert said.verdict(replace(empty, choice="published")).startswith("a published schedule")
    solved = replace(empty, evidence={"verdict": "solved"})
    assert said.evidence_words(solved) == (
        "solved again from the recorded teacher, without a model call; not measured"
    )
    between = replace(empty, choice="published", evidence={"verdict": "interpolated"})
    assert "interpolated to these steps" in said.verdict(between)
    assert said.verdict_if_any(empty) == "" and said.verdict_if_any(solved) != ""
    assert said.verdict_if_any(between) == "interpolated to these steps, not measured"
    line = evidence_table([between]).splitlines()[2]
    assert line.endswith("not measured (published)")
    assert said.verdict(replace(empty, evidence=bare)) == "not compared"


def test_the_samplers_are_called_what_the_host_calls_them():
    given = recipe("beta + dpmpp_2m", "distilled", 6, "karras + euler", verdict="equal", **CLEAR)
    assert said.described(given) == "beta + dpmpp_2m"
    assert said.described(given, LABELS) == "beta + DPM++ 2M"
    assert (
        said.verdict(given, LABELS)
        == "the stock choice beta + DPM++ 2M; no other is clearly better"
    )
    ours = recipe(offsets=[0.0] * 6)
    assert said.described(ours, LABELS) == "Euler with the distilled schedule and offsets"
    assert said.described(recipe("beta"), LABELS) == "Euler with beta"
    assert said.described(recipe(sampler="distilled"), LABELS) == "the distilled sampler"
    assert said.described(recipe("published")) == "euler with the published schedule"


def test_evidence_as_a_clause():
    found = recipe(verdict="better", equals_stock_steps=11, **CLEAR)
    assert said.evidence_words(found) == (
        "6 steps = stock's 11 (beta): 0.41 of the error of the best stock choice (beta); 8 held-out samples"
    )
    several = replace(found, evidence=found.evidence | {"rows": {"unseen_row": 1, "recording": 3}})
    assert said.evidence_words(several).endswith("; 1 unseen row, 3 recordings")
    fewer = replace(found, evidence=found.evidence | {"equals_stock_steps": 6})
    assert said.evidence_words(fewer).startswith("0.41 of")
    unknown = replace(found, evidence={"rms": 0.1, "ratio": 0.5})
    assert said.evidence_words(unknown) == "not compared; held-out samples"


def test_the_table_has_the_hosts_names_too():
    found = recipe(
        verdict="better",
        stock={"karras + dpmpp_2m": {"rms": 0.1, "median": 0.1}},
        best="karras + dpmpp_2m",
        different=0.0,
        model_calls=6,
        **CLEAR,
    )
    line = evidence_table([found], LABELS).splitlines()[2]
    assert "karras + DPM++ 2M" in line and "0.0500" in line and line.endswith("better")
    assert verdict_word(recipe("beta + dpmpp_2m"), LABELS) == "stock: beta + DPM++ 2M"


# --- what a record recommends


def measured(**advice) -> Record:
    recipes = (
        recipe(verdict="better", equals_stock_steps=11, **CLEAR),
        recipe(steps=7, verdict="equal", ratio=0.95, margin=0.1),
        recipe(steps=6, offsets=[0.0] * 6, verdict="worse", ratio=1.5, margin=0.1),
    )
    return record(*recipes, evidence={"curve": {"euler": {6: 0.05}}, "recommendation": advice})


TALLIES = (
    "euler: clearly better than every stock choice at 1, no clear difference from the best of them at 1"
    " of 2 step counts. euler with offsets: clearly worse than the best of them at 1 of 1 step counts."
)


def test_a_recipe_is_recommended_with_what_it_gains():
    found = measured(steps=6, sampler="euler", offsets=False, at_knee=True)
    assert said.recommendation(found) == (
        "At 6 steps, where the error curve bends, use euler with the distilled schedule: 0.41 of the "
        f"error of the best stock choice (beta); stock needs 11 steps to match it. {TALLIES}"
    )
    assert "use Euler with" in said.recommendation(found, LABELS)


def test_stock_may_be_recommended():
    found = measured(steps=6, stock={"schedule": "beta", "sampler": "dpmpp_2m"})
    first = (
        "At 6 steps use stock (beta + DPM++ 2M): no recipe is clearly better, at any of its steps."
    )
    assert said.recommendation(found, LABELS).startswith(first)


def test_what_was_left_out_is_said_with_it():
    cut = [
        {"code": "step_counts", "steps": [4, 5], "budget": 900},
        {"code": "stock_pairs", "samplers": ["heun"], "budget": 900},
        {"code": "lower_starts"},
    ]
    words = (
        "Not measured, to keep the cost down (900 model calls): the step counts 4, 5; "
        "stock pairs with heun. Recipes that start below the highest start sigma were not measured."
    )
    assert " ".join(evidence_notes(cut)) == words
    found = measured(steps=6, stock={"schedule": "beta"})
    found = replace(found, evidence=found.evidence | {"left_out": cut})
    assert said.recommendation(found).endswith(f"step counts. {words}")
    small = {"left_out": [{"code": "too_small", "budget": 100, "least": 2232}]}
    assert said.recommendation(record(evidence=small)) == (
        "Nothing was measured, so nothing is recommended. The evidence budget of 100 model calls is "
        "too small to compare one step count; 2232 are the least that works."
    )
    assert said.recommendation(record()) == ""


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"code": "full_fits", "steps": [4, 8]}, "full fits only at 4, 8 steps; the others are"),
        ({"code": "full_fits", "steps": list(range(1, 30))}, "20, ... steps"),
        (
            {"code": "polish", "above": 5},
            "no polish of `distilled` against the end point above 5 steps",
        ),
        ({"code": "refinement", "above": 0}, "no refinement of `distilled` against the end point"),
        ({"code": "fit_orders", "rows": 1}, "above 1, for which 1 trajectory is too few"),
        ({"code": "fit_orders", "rows": 2}, "above 2, for which 2 trajectories are too few"),
        ({"code": "third_offset"}, "two query offsets tried a step, not three"),
        ({"code": "stock_refinement"}, "no refinement of multistep stock samplers' schedules"),
        ({"code": "something_new"}, "something new"),
    ],
)
def test_what_a_distillation_left_out(entry, words):
    assert words in left_out(entry)


FULL = {"frames": 21, "samples": 1, "sampler": "euler", "steps": 6, "rms": 0.05}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "At the full 21 latent frames, Euler at 6 steps has an error of 0.05."),
        ({"rms": None}, "At the full 21 latent frames, Euler at 6 steps came to nothing."),
        (
            {"best_stock": {"schedule": "beta"}, "stock_rms": 0.1},
            "has 0.50 of the error of beta, on one sample: the recipe carries over.",
        ),
        (
            {"best_stock": {"schedule": "beta"}, "stock_rms": 0.04},
            "does not carry over: distil at full length, or use beta.",
        ),
        (
            {
                "choice": {"schedule": "karras"},
                "best_stock": {"schedule": "beta"},
                "stock_rms": 0.1,
            },
            "is the stock schedule karras, with an error of 0.05 on one sample.",
        ),
    ],
)
def test_a_check_at_full_length(found, words):
    whole = {"choice": {"schedule": "ours"}} | FULL | found
    assert words in said.full_length(whole, LABELS)
    kept = measured(steps=6, stock={"schedule": "beta"})
    kept = replace(kept, evidence=kept.evidence | {"full_length": whole})
    again = Record.from_json(kept.to_json())
    assert said.recommendation(again, LABELS).endswith(said.full_length(whole, LABELS))


@pytest.mark.parametrize(
    ("first", "prompts", "told"),
    [
        ({"error": 0.2, "size": 1.0}, 10, True),
        ({"error": 0.2, "size": 1.0, "moved": 1.2}, 1, True),
        ({"error": 0.2, "size": 1.0, "moved": 0.1}, 1, False),
        ({"error": 0.4, "size": 0.9, "spread": 0.7}, 1, True),
        ({"error": 0.4, "size": 0.9, "spread": 0.7}, 2, False),
        ({"error": 0.91, "size": 0.9, "spread": 0.97}, 1, False),
        ({"error": 0.4, "size": 0.6, "spread": 0.7}, 1, False),
        ({"error": 0.4, "size": 0.9, "spread": 0.4}, 1, False),
        ({"error": "nan", "size": []}, 1, False),
        ([], 1, False),
    ],
)
def test_a_first_answer_that_is_a_picture_is_said(first, prompts, told):
    """Spread over seeds tells it of one prompt alone, and near the run's end alone."""
    stage = {"stage": "recording", "calls": 1, "created": "2026-01-01T00:00:00Z"}
    made = record(conditions=Conditions(cfg=4.0, latent_shape=(16, 128, 96), prompts=prompts))
    provenance = made.provenance | {"stages": [stage | {"first_answer": first}]}
    text = said.recommendation(replace(made, provenance=provenance))
    assert ("a picture already" in text) == told


def test_only_the_columns_that_are_shown_are_explained():
    evidence = {"rms": 0.1, "ratio": 0.29, "best_stock": "beta", "stock": {"beta": {"rms": 0.3}}}
    bare = recipe(**evidence)
    assert column_notes([bare]) == "ours/stock: the ratio of the errors and its 95 % margin."
    more = recipe(**evidence | {"equals_stock_steps": 16, "model_calls": 6})
    said = column_notes([bare, more])
    assert "stock needs: " in said and "calls: " in said and "other picture" not in said
    assert "stock needs" not in evidence_table([bare]) and "stock needs" in evidence_table([more])
    assert column_notes([]) == ""
