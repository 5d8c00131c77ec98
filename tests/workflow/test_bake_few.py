"""Baking after the one-node way: a Few-Step KSampler becomes core's nodes as it runs, what is lost is
said, and putting back gives what was there before."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scheduler.errors import RecipeError
from scheduler.lookup.serving import Reason
from scheduler.lookup.solving import NOTHING_FOR
from scheduler.lookup.wanted import Wanted
from scheduler.workflow import parse, recipes, swap
from scheduler.workflow.baked import foretold
from scheduler.workflow.closest import to_closest
from scheduler.workflow.sites import survey
from tests.workflow.test_bake import feeds, numbers
from tests.workflow.test_few_steps import few, ours
from tests.workflow.test_swap import consistent, node
from tests.workflow_graphs import plain, record


def swapped(data: dict, to: str, **options):
    """(the changed data, the report, the outcome of every node)."""
    document = parse(json.dumps(data))
    report = swap(document, to, **options)
    assert consistent(document.value)
    return document.value, report, {each.number: each for each in report.outcomes}


def baked(data: dict, **options):
    return swapped(data, "baked", **options)


MEASURED = {"stock": {"beta + dpmpp_2m": {"rms": 0.5}, "simple + dpmpp_2m": {"rms": 0.7}}}


def learnt(**evidence):
    """What one picture teaches: one recipe, of the sampler `distilled` alone."""
    told = MEASURED | {"ratio": 0.1, "equals_stock_steps": 17} | evidence
    return replace(record(), recipes=(ours(6, **told),))


def drawing(steps: int = 6, denoise: float = 1.0) -> dict:
    """A workflow whose KSampler of 20 steps has become a Few-Step KSampler."""
    after, _, _ = few(plain(sampler="euler").data)
    values = node(after, 2)["widgets_values"]
    values[2], values[4] = steps, denoise
    return after


def test_it_is_baked_with_its_own_steps_and_what_is_lost_is_said():
    after, report, outcomes = baked(drawing(), record=learnt())
    found = node(after, 2)
    assert found["type"] == "SamplerCustom" and report.changed == 1
    sigmas = numbers(feeds(after, 2, "sigmas"))
    assert len(sigmas) == 7 and sigmas[-1] == 0
    assert feeds(after, 2, "sampler")["widgets_values"] == ["dpmpp_2m"]
    line = outcomes[2].line
    assert "6 steps, sampler dpmpp_2m" in line and "measured, beta" in line
    assert "coefficients stay behind" in line
    assert "10 times the error of now, as near as now with about 17 steps" in line
    assert outcomes[2].code == "loses"  # which the page shows as a warning


def test_what_is_lost_is_told_of_the_recipe_of_its_own_start():
    whole = learnt()
    part = ours(6, ratio=0.4, equals_stock_steps=10, stock=MEASURED["stock"])
    part = replace(part, start_sigma=0.75, sigmas=(0.75, *part.sigmas[1:]))
    both = replace(whole, recipes=(part, *whole.recipes))
    line = baked(drawing(), record=both)[2][2].line
    assert "10 times the error of now, as near as now with about 17 steps" in line


def ahead(data: dict, record):
    document = parse(json.dumps(data))
    (site,) = (each for each in survey(document).sites if each.spec.get("role") == "few")
    return foretold(document, site, record)


def test_what_baking_would_lose_is_said_before_it_is_done():
    assert ahead(drawing(), learnt()) == (
        True,
        "Core's nodes cannot carry the recipe itself: this writes its best stock schedule, beta, with "
        "10 times the error of now, as near as now with about 17 steps.",
    )
    both = replace(record(), recipes=(*record().recipes, *learnt().recipes))
    assert ahead(drawing(), both) == (True, "")
    done, told = ahead(drawing(6, 0.5), learnt())
    assert not done and "no stock schedule at denoise 0.5: bake at denoise 1" in told


def test_put_back_gives_the_ksampler_of_before():
    before = plain(sampler="euler").data
    after, _, _ = baked(drawing(), record=learnt())
    back, _, outcomes = swapped(after, "stock")
    found, was = node(back, 2), node(before, 2)
    for what in ("type", "widgets_values", "inputs", "outputs", "pos", "size"):
        assert found[what] == was[what]
    assert outcomes[2].text == "KSampler again" and consistent(back)


def test_one_that_was_put_there_by_hand_is_itself_again():
    graph = drawing()
    del node(graph, 2)["properties"]["stepdistill"]
    after, report, _ = baked(graph, record=learnt())
    assert node(after, 2)["type"] == "SamplerCustom" and report.exact is True
    assert node(swapped(after, "stock")[0], 2)["type"] == "StepDistillKSampler"


@pytest.mark.parametrize(
    "steps, denoise, told",
    [(0, 1.0, "set the number that it draws with"), (6, 0.5, "bake at denoise 1, or run")],
)
def test_where_nothing_can_be_baked_the_way_on_is_said(steps, denoise, told):
    after, report, outcomes = baked(drawing(steps, denoise), record=learnt())
    assert report.changed == 0 and node(after, 2)["type"] == "StepDistillKSampler"
    assert outcomes[2].action == "left" and told in outcomes[2].text
    assert "euler" not in outcomes[2].text


def test_a_ksampler_of_another_sampler_is_told_the_way_on():
    _, report, outcomes = baked(plain(sampler="euler").data, record=learnt())
    assert report.changed == 0
    assert "bake a Few-Step KSampler" in outcomes[2].text and "distil" in outcomes[2].text
    assert "sigma 1: the record holds recipes of the sampler distilled" in outcomes[2].text


def test_of_a_sampler_that_was_not_distilled_for_only_one_way_on_is_said(monkeypatch):
    wanted = Wanted("euler", 20)
    nothing = SimpleNamespace(reason=Reason(NOTHING_FOR, wanted, sampler="euler"), wanted=wanted)
    nothing.stand_in = None
    monkeypatch.setattr(recipes, "select_from", lambda *_, **__: nothing)
    with pytest.raises(RecipeError) as told:
        recipes.plain_recipe(learnt(), "euler", 20)
    assert str(told.value).startswith("Nothing was distilled for euler here: the record holds")


def test_a_record_with_plain_recipes_is_baked_from_these():
    both = replace(record(), recipes=(*record().recipes, *learnt().recipes))
    _, _, outcomes = baked(drawing(), record=both)
    assert "distilled" in outcomes[2].line and "stay behind" not in outcomes[2].line


def test_where_core_has_no_explicit_sigmas_it_becomes_a_ksampler():
    document = parse(json.dumps(drawing()))
    report = to_closest(document, learnt())
    found = node(document.value, 2)
    assert found["type"] == "KSampler" and report.changed == 1
    assert found["widgets_values"][2:] == [6, 7.0, "dpmpp_2m", "beta", 1.0]
    assert "stay behind" in report.outcomes[0].line and report.outcomes[0].code == "loses"
    back, _, _ = swapped(document.value, "stock")
    assert node(back, 2)["widgets_values"][2:] == [20, 7.0, "euler", "karras", 1.0]


def test_the_other_swaps_leave_one_that_was_put_there_by_hand():
    for to in ("distilled", "few"):
        graph = drawing()
        del node(graph, 2)["properties"]["stepdistill"]
        after, report, outcomes = swapped(graph, to)
        assert node(after, 2)["type"] == "StepDistillKSampler" and report.changed == 0
        assert outcomes[2].action == "already"
