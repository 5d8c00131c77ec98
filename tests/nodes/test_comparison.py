"""Compare Schedules without ComfyUI: what it is asked, what it says, and the pictures it draws."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from tests.nodes.made import recipe, record
from tests.nodes.pack import module

contest, words, drawing = (
    module("nodes.comparison"),
    module("nodes.page.compare_report"),
    module("nodes.page.comparison_pictures"),
)
errors = module("scheduler.errors")


@pytest.mark.parametrize(
    "text, counts",
    [
        ("4, 6, 8, 12", [4, 6, 8, 12]),
        ("6", [6]),
        (" 8;4 4\n5 ", [4, 5, 8]),
        ("4-7, 12", [4, 5, 6, 7, 12]),
        ("3 - 5", [3, 4, 5]),
    ],
)
def test_step_counts_are_read(text, counts):
    assert contest.step_counts(text) == counts


@pytest.mark.parametrize("text", ["", "four", "0, 4", "4.5", "-4", "1-100", "201", "8-4"])
def test_other_texts_are_refused_with_a_sentence(text):
    with pytest.raises(errors.StepsError, match="step counts"):
        contest.step_counts(text)


def test_scheduler_names_are_read_once_each():
    assert contest.named("karras\n\n  beta, karras\nsimple ,") == ["karras", "beta", "simple"]
    assert contest.named(" \n") == []


@pytest.fixture
def host(monkeypatch):
    """A ComfyUI that has no more than a list of schedulers and nobody who interrupts."""
    samplers = ModuleType("comfy.samplers")
    samplers.SCHEDULER_NAMES = ["simple", "bong_tangent", "distilled"]
    management = ModuleType("comfy.model_management")
    management.throw_exception_if_processing_interrupted = lambda: None
    parent = ModuleType("comfy")
    parent.samplers, parent.model_management = samplers, management
    for name, each in {
        "comfy": parent,
        "comfy.samplers": samplers,
        "comfy.model_management": management,
    }.items():
        monkeypatch.setitem(sys.modules, name, each)


def test_mistakes_are_told_before_anything_runs(host):
    assert contest.mistake("simple\nkarras\nbong_tangent\nays_sdxl\ndistilled", "4, 6") is None
    assert contest.mistake("", "4") is None
    assert "'turbo' is unknown" in contest.mistake("simple\nturbo", "4")
    assert "step counts" in contest.mistake("", "many")


def results(names=("distilled", "simple", "karras"), steps=(4, 8), seeds=4):
    rng = np.random.default_rng(0)
    made = contest.Results("distilled", list(steps), seeds, "tiny", torch.zeros(1, 4, 8, 8))
    for k, name in enumerate(names):
        made.errors[name] = {n: 0.1 * (k + 1) / n * (1 + 0.1 * rng.random(seeds)) for n in steps}
        made.ends[name] = {n: torch.full((1, 4, 8, 8), 0.1 * k) for n in steps}
    return made


def test_the_table_names_the_least_of_each_column_and_ours_beside_the_best():
    text = words.said(results(), ["A note."], 50)
    lines = text.splitlines()
    assert lines[0].startswith("tiny, distilled, 4 noises")
    ours = next(line for line in lines if line.startswith("distilled"))
    assert (
        ours.count("*") == 2
        and "At 4 steps distilled has 0." in text
        and "of the error of simple" in text
        and text.endswith("A note.")
    )


def test_runs_that_came_to_nothing_are_shown_as_such():
    made = results()
    made.errors["karras"][4], made.ends["karras"][4] = np.full(4, np.inf), None
    del made.errors["simple"][8], made.ends["simple"][8]
    text = words.said(made, [], 50)
    karras = next(line for line in text.splitlines() if line.startswith("karras")).split()
    assert karras[1] == "-" and "At 8 steps distilled has" in text and "of karras" in text
    assert made.ranked()[0] == "distilled"


def test_where_ours_comes_from_is_said():
    lookup = module("scheduler.lookup.selection")
    match = module("scheduler.lookup.match").Match
    differences = module("scheduler.lookup.differences")
    serving = module("scheduler.lookup.serving")
    facts = module("scheduler.lookup.model_facts").facts_of_record(record())
    wanted = module("scheduler.lookup.wanted").Wanted("distilled", 3)

    def found(kind, choice="ours", apart=()):
        served = match(record(recipe(choice=choice)), kind, None, apart, name="tiny--1.json")
        return lookup.select(replace(wanted, sampler="euler"), facts, given=served)

    assert words.where_from({4: found("exact"), 6: found("exact", "beta")}) == [
        "distilled is from the store's record tiny--1.",
        "At these step counts stock had won there, and distilled is that schedule: 6 (beta).",
    ]
    seven = differences.Difference(differences.CFG, 3.0, 7.0)
    (note,) = words.where_from({4: found("nearest", apart=(seven,))})
    assert note == (
        "distilled is from the store's nearest record, tiny--1. "
        "It differs from what you run: for cfg 3, you use 7."
    )
    nothing = lookup.stock_selection(wanted, facts, serving.Reason(serving.NO_RECORD, wanted))
    (note,) = words.where_from({4: nothing})
    assert note.startswith("distilled is left out: no record of this model")


NOTHING_FOR = module("scheduler.lookup.solving").NOTHING_FOR


def test_why_ours_is_left_out_is_said_once_with_its_step_counts():
    lookup, serving = module("scheduler.lookup.selection"), module("scheduler.lookup.serving")
    facts = module("scheduler.lookup.model_facts").facts_of_record(record())
    wanted = module("scheduler.lookup.wanted").Wanted("heun", 3)
    served = module("scheduler.lookup.match").Match(record(), "exact", None, (), name="tiny--1")
    here = lookup.select(replace(wanted, sampler="euler"), facts, given=served)

    def nothing(steps):
        reason = serving.Reason(NOTHING_FOR, replace(wanted, steps=steps), sampler="heun")
        return lookup.stock_selection(replace(wanted, steps=steps), facts, reason)

    why = "nothing was distilled for heun here; distil for heun too."
    everywhere = {steps: nothing(steps) for steps in (4, 6, 8)}
    assert words.where_from(everywhere) == [f"distilled is left out: {why}"]
    (note, _) = words.where_from({3: here, **everywhere})
    assert note == f"distilled is left out at 4, 6, 8 steps: {why}"


@pytest.mark.slow
def test_the_plot_is_an_image():
    image, trouble = drawing.plot(results(names=("distilled", *(f"s{k}" for k in range(12)))))
    assert (
        trouble == ""
        and image.ndim == 4
        and image.shape[-1] == 3
        and 0 <= float(image.min()) < 0.5 < float(image.max()) <= 1
    )


@pytest.mark.parametrize(
    "places", [[3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 0.0], [0.1, 0.05, 0.0], [5.0, 0.3, 0.3, 0.2], []]
)
def test_labels_are_spread_and_far_ones_stay(places):
    found = drawing.spread(places, 0.5, 0.0)
    assert all(above - below >= 0.5 - 1e-9 for above, below in pairwise(found)) and all(
        place >= 0.25 for place in found
    )
    if places and places[0] == 5.0:
        assert found[0] == 5.0


def test_without_matplotlib_there_is_a_sentence_and_a_plain_image(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    image, trouble = drawing.plot(results())
    assert "matplotlib" in trouble and image.shape == (1, 64, 64, 3)


@pytest.mark.parametrize("steps", [(4,), (1, 4, 8)])
def test_the_grid_has_a_column_a_schedule_and_a_row_a_step_count(host, steps):
    made = results(names=("distilled", "simple", "optimal_steps_chroma", "s" * 60), steps=steps)
    made.ends["simple"][steps[0]] = None
    latent_format = SimpleNamespace(
        latent_rgb_factors=[[0.1, 0.2, 0.3]] * 4, latent_rgb_factors_bias=None
    )
    patcher = SimpleNamespace(get_model_object=lambda name: latent_format)
    image = drawing.grid(made, patcher)
    sheet = drawing._Sheet((8, 8), 5, len(steps))
    assert sheet.cell == (drawing.LEAST, drawing.LEAST) and sheet.scale == 1
    assert image.shape == (1, *reversed(sheet.canvas.size), 3)


def test_a_vae_decodes_the_pictures(host):
    vae = SimpleNamespace(decode=lambda latent: torch.full((1, 96, 64, 3), float(latent.mean())))
    patcher = SimpleNamespace(model=SimpleNamespace(process_latent_out=lambda latent: latent + 0.5))
    image = drawing.grid(results(), patcher, vae)
    sheet = drawing._Sheet((64, 96), 4, 2)
    assert sheet.cell == (96, 144)
    middle = image[0, sheet.y(0) + 72, sheet.x(0) + 48]
    assert middle.tolist() == pytest.approx([0.5] * 3, abs=0.01)
