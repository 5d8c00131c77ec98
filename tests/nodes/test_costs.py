"""What improving a recipe costs, as the page asks it."""

from __future__ import annotations

import pytest

from tests.nodes.pack import module

costs = module("nodes.server.costs")
price = module("nodes.page.price")


@pytest.fixture(autouse=True)
def nothing_timed(monkeypatch):
    monkeypatch.setattr(price, "_pace", {})


def test_what_may_be_spent_in_pictures_and_once_it_is_known_in_time():
    prices = costs.improving({"steps": "6"})["prices"]
    assert prices[0] == {"calls": 100, "text": "as many model calls as 17 pictures of 6 steps"}
    price.remember_pace(0.6)
    assert costs.improving({"steps": "6"})["prices"][0]["text"].endswith("6 steps, about 1 min")


@pytest.mark.parametrize("steps", [None, "0", "many", "-3"])
def test_it_is_asked_for_a_number_of_steps(steps):
    with pytest.raises(costs.Refused, match="whole number above 0"):
        costs.improving({} if steps is None else {"steps": steps})


def test_compare_schedules_costs_what_its_plan_does_at_most():
    asked = {"of": "compare", "sampler_name": "euler", "schedulers": "simple, beta", "seeds": "3"}
    text = costs.price(asked | {"steps": "4, 6"})["text"]
    assert text.startswith("At most 360 model calls: as many as 15 pictures of 24 steps take.")
    everything = costs.price(asked | {"steps": "4, 6, 8, 12", "schedulers": "", "seeds": "4"})[
        "text"
    ]
    assert "At most 1,960 model calls" in everything
    assert "second model" in costs.price(asked | {"steps": "4", "second": "true"})["text"]


@pytest.mark.parametrize("wrong", [{"seeds": "0"}, {"steps": "many"}])
def test_a_comparison_that_could_not_run_has_no_price(wrong):
    asked = {"of": "compare", "sampler_name": "euler", "schedulers": "", "steps": "4", "seeds": "1"}
    with pytest.raises((costs.Refused, module("scheduler.errors").StepDistillError)):
        costs.price(asked | wrong)


def test_what_the_store_has_is_only_measured_and_the_price_says_so():
    asked = {"sampler_name": "distilled", "max_steps": "8", "quality": "instant", "measure": "true"}
    told, again = costs.price(asked)["text"], costs.price(asked | {"again": "true"})["text"]
    assert "to measure; 3" in told and "to distil, none where the store has these recipes)" in told
    assert "to distil)" in again and "none where" not in again
