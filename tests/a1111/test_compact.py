"""Recipes as words in a picture's parameters: they come back as they went, and nothing else does."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.a1111 import made
from tests.a1111.test_schedule import drawn, picture

ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def facts(webui, checkpoint):
    return made.ours("a1111.identity").facts_of(checkpoint)


def test_a_recipe_comes_back_number_by_number(webui, facts, record):
    compact = made.ours("a1111.compact")
    for recipe in record.recipes:
        ran = compact.rounded(recipe, facts)
        told = compact.word(ran, facts, 0.75)
        assert " " not in told and "," not in told and ":" not in told
        (found,) = compact.held(told)
        back = replace(compact.rounded(found.recipe, facts), evidence=recipe.evidence)
        for name in vars(ran):
            assert getattr(back, name) == getattr(ran, name), name
        assert found.strength == 0.75 and found.weights == compact.weights_of(facts)
        assert ran.sigmas == pytest.approx(recipe.sigmas, rel=1e-6)


@ANY
@given(text=st.text(max_size=200))
def test_what_is_no_recipe_is_left_out(webui, text):
    """Pasted parameters may hold anything."""
    assert made.ours("a1111.compact").held(text) == []


@ANY
@given(data=st.binary(max_size=200), steps=st.integers(0, 40))
def test_a_broken_word_is_left_out_or_a_schedule(webui, data, steps):
    held = made.ours("a1111.compact").held
    data = bytes([1, steps]) + data
    for each in held(base64.urlsafe_b64encode(data).decode().rstrip("=")):
        sigmas = each.recipe.sigmas
        assert all(one > other for one, other in zip(sigmas, sigmas[1:], strict=False))


def test_the_pasted_recipe_goes_before_what_was_learnt_since(
    webui, checkpoint, stored, facts, record
):
    """In its own steps, strength and model; else what is known is taken."""
    compact = made.ours("a1111.compact")
    recipe = record.recipe("euler", 4, offsets=False)
    moved = [recipe.sigmas[0], *(0.9 * sigma for sigma in recipe.sigmas[1:])]
    told = compact.word(compact.rounded(replace(recipe, sigmas=moved), facts), facts)
    p = picture(stepdistill_recipes=told)
    assert drawn(webui, checkpoint, p) == pytest.approx(moved, rel=1e-5)
    assert p.extra_generation_params["StepDistill"].startswith("as pasted | recipe ")
    assert p.extra_generation_params["StepDistill recipe"] == told
    other = replace(facts, fingerprint=None, name="another model")
    for words, options in (
        (told, {"steps": 5}),
        (compact.word(recipe, other), {}),
        ("none such", {}),
    ):
        p = picture(stepdistill_recipes=words, **options)
        drawn(webui, checkpoint, p)
        assert "as pasted" not in p.extra_generation_params["StepDistill"]


def test_few_steps_begin_where_pictures_of_that_strength_began(webui, record):
    """By the record, which says so of each strength; others keep the strength's own start."""
    starts = made.ours("a1111.starts_learnt")
    situation = SimpleNamespace(start=1.5)
    once = starts.with_start(record, None, situation, 0.5)
    again = starts.with_start(once, once, SimpleNamespace(start=0.4), 0.3)
    assert starts.start_learnt(again, 0.5) == 1.5 and starts.start_learnt(again, 0.3) == 0.4
    assert starts.start_learnt(again, 0.7) is None and starts.start_learnt(record, 0.5) is None
    assert starts.with_start(record, None, SimpleNamespace(start=None), None) is record
    assert (
        type(record).from_json(again.to_json()).evidence[starts.KEY] == again.evidence[starts.KEY]
    )
    broken = replace(record, evidence={starts.KEY: ["x", {"denoise": "y"}]})
    assert starts.start_learnt(broken, 0.5) is None


def test_gains_are_said_in_the_hosts_own_names(webui, record, monkeypatch):
    """Of rivals that its lists have alone; in words that fit each."""
    gains = made.ours("a1111.gains")
    listed = [("DPM++ 2M", "sample_dpmpp_2m", [], {"scheduler": "karras"})]
    module = webui.modules.sd_samplers_kdiffusion
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    recipe = record.recipe("distilled", 4)
    automatic = "DPM++ 2M with schedule type Automatic (Karras)"
    stock = {
        "karras + uni_pc": {"rms": 0.1},
        "linear_quadratic + dpmpp_2m": {"rms": 0.15},
        "karras + dpmpp_2m": {"rms": 0.2},
    }
    about = {"rms": 0.05, "best_stock": "karras + uni_pc", "ratio": 0.5, "stock": stock}
    told = gains.gain(replace(recipe, choice="ours", evidence=about))
    assert told == f"4 times nearer to the full picture than 4 steps of {automatic}"
    told = gains.gain(replace(recipe, choice="ours", evidence=about | {"rms": 0.19}))
    assert told == f"a little nearer to the full picture than 4 steps of {automatic}"
    told = gains.gain(replace(recipe, choice="ours", evidence=about | {"rms": 1e-4}))
    assert told.startswith("more than 100 times nearer to the full picture than 4 steps")
    best = about | {"best_stock": "karras + dpmpp_2m", "equals_stock_steps": 14}
    told = gains.gain(replace(recipe, choice="ours", evidence=best))
    assert told == f"as near to the full picture as 14 steps of {automatic}"
    assert gains.gain(replace(recipe, choice="karras", evidence=best)) == ""
    assert gains.gain(replace(recipe, choice="ours", evidence=about | {"rms": 0.3})) == ""


def test_a_gain_beyond_all_that_was_followed_keeps_its_words(webui, record, monkeypatch):
    gains = made.ours("a1111.gains")
    listed = [("DPM++ 2M", "sample_dpmpp_2m", [], {"scheduler": "exponential"})]
    module = webui.modules.sd_samplers_kdiffusion
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    about = {"rms": 0.05, "best_stock": "karras + dpmpp_2m", "beats_stock_steps": 24}
    recipe = replace(record.recipe("distilled", 6), choice="ours", evidence=about)
    named = "DPM++ 2M with schedule type Karras"
    assert gains.gain(recipe) == f"nearer to the full picture than 24 steps of {named}"
