"""What a distillation is asked for, and what it may cost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from scheduler.samplers import SAMPLERS
from scheduler.samplers.names import ON_PATHS
from tests.nodes.pack import module

asking, errors = module("nodes.distill_request"), module("scheduler.errors")
pricing, measuring = module("nodes.page.price"), module("scheduler.distilling.measuring")
record_module = module("scheduler.record")
FACTS = SimpleNamespace(sigma_max=1.0, sigma_min=0.003, process="flow")


def wish(samplers=("distilled",), steps=range(4, 13), quality="instant", sets=1):
    conditions = record_module.Conditions(cfg=3.0, latent_shape=(16, 32, 32), seed=0, shift=3.0)
    return asking.GraphWish(tuple(samplers), tuple(steps), quality, conditions, FACTS, sets)


def test_all_is_the_usual_five_and_what_has_no_recipes_is_refused_with_a_sentence():
    assert asking.samplers_of("all") == (
        "distilled",
        "euler",
        "dpmpp_2m",
        "res_multistep",
        "uni_pc",
    )
    for name in ("uni_pc", "heun"):
        assert asking.samplers_of(name) == (name,)
    assert asking.samplers_of("dpmpp_2m_sde_gpu") == ("dpmpp_2m_sde",)  # measured, not fitted
    with pytest.raises(errors.UnknownNameError, match="euler"):
        asking.samplers_of("lcm")
    with pytest.raises(errors.UnknownNameError, match="use one of"):
        asking.samplers_of("dpm++")


def test_every_sampler_of_the_library_is_offered():
    offered = {}
    for node in ("Distill", "Compare", "Bake"):
        kind = module("nodes").NODE_CLASS_MAPPINGS[f"StepDistill{node}"]
        offered[node] = set(kind.INPUT_TYPES()["required"]["sampler_name"][0])
    assert offered["Distill"] == {*SAMPLERS, *ON_PATHS, "distilled", "all"}
    assert offered["Compare"] == {*SAMPLERS, "distilled"}
    assert offered["Bake"] == {*SAMPLERS, *ON_PATHS, "best"}


@pytest.mark.parametrize("most, counts", [(12, range(4, 13)), (4, [4]), (3, [3]), (1, [1])])
def test_steps_begin_at_four_or_at_the_most(most, counts):
    assert asking.steps_of(most) == tuple(counts)


def test_zero_steps_are_refused():
    with pytest.raises(errors.StepsError, match="max_steps is 0"):
        asking.steps_of(0)


@pytest.mark.parametrize("quality", asking.QUALITY)
@pytest.mark.parametrize("name", ["distilled", "uni_pc", "all"])
@pytest.mark.parametrize("most", [1, 4, 12, 30])
@pytest.mark.parametrize("sets", [1, 2])
def test_whatever_can_be_asked_for_has_a_plan_and_can_be_measured(quality, name, most, sets):
    asked = wish(asking.samplers_of(name), asking.steps_of(most), quality, sets)
    plan = asked.plan()
    assert plan.rows >= 1 and plan.sets == sets and plan.calls > 0 and plan.evidence == 0
    evidence = module("scheduler.evidence")
    every = quality == "thorough"
    scope = evidence.WHOLE if every else evidence.FEW
    calls = measuring.measuring_calls(asked.request(), every, 2)
    assert calls >= evidence.least_budget(asking.samplers_of(name), asking.steps_of(most), 4, scope)


def test_the_price_is_what_the_plan_asks_for_and_the_tooltip_says_it():
    """At the node's own defaults."""
    said = module("nodes.distill").HELP["quality"]
    for quality, told in (("instant", 300), ("standard", 1600), ("thorough", 4000)):
        calls = wish(steps=range(4, 9), quality=quality).plan().calls
        assert calls == pytest.approx(told, rel=0.05) and f"{told:,}" in said
        text = pricing.asked_price("distilled", 8, quality, False)
        assert f"At most {calls:,} model calls: as many as" in text
        assert "Earned back after" in text


def test_the_price_knows_the_time_once_calls_were_timed(monkeypatch):
    monkeypatch.setattr(pricing, "_pace", {})
    assert "about" not in pricing.asked_price("distilled", 8, "instant", False)
    pricing.remember_pace(2.0)
    text = pricing.asked_price("distilled", 8, "instant", True)
    total = 306 + measuring.measuring_calls(wish(steps=range(4, 9)).request())
    assert f"At most {total:,} model calls (" in text and "306 to distil" in text
    assert f", about {2 * total // 60} min" in text
    with pytest.raises(errors.StepDistillError):
        pricing.asked_price("nonsense", 8, "instant", False)


def test_rows_are_bounded_by_memory():
    assert asking.rows_that_fit(4 * 128 * 128, 1, 64 << 30) > 100
    assert asking.rows_that_fit(16 * 21 * 60 * 104, 1, 16 << 30) < asking.rows_that_fit(
        16 * 21 * 60 * 104, 1, 32 << 30
    )
    assert asking.rows_that_fit(16 * 81 * 90 * 160, 2, 1 << 30) == 1
