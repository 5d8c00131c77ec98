"""Other people's records in the real ComfyUI: checked on the first picture, in place of being learnt anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.kin.planning import calls_of_check
from scheduler.sources import Sources
from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import FULL, drawn, tidy

STARTER = Path(__file__).parents[2] / "starter"


@pytest.fixture
def starter(server, client):
    """An empty store beside which the starter source was added."""
    tidy(server)
    sources = Sources(server.store)
    yield sources.add(str(STARTER), name="starter")
    sources.remove("starter")
    tidy(server)
    client.forget()


def test_what_a_source_has_is_checked_on_the_first_picture_and_then_used(server, starter):
    said, first, calls = drawn(server, name="source")
    whose = "from the source starter (by StepDistill's own measurements, not signed)"
    assert f"The recipe of flow {whose} holds here" in said
    assert first["calls"] == calls - FULL == calls_of_check(6, 1)
    said, second, calls = drawn(server, name="source", seed=6, digits="7")
    assert "a recipe of the source starter (by StepDistill" in said and "held when" in said
    assert second["action"] == "few" and calls == 6


def test_the_page_is_told_of_it(server, client, starter):
    found = client.get("/stepdistill/sources")
    assert [each["name"] for each in found["sources"]] == ["starter"]
    assert found["sources"][0]["line"].startswith("6 records · by StepDistill's own measurements")


def test_a_record_chosen_by_hand_serves_before_any_check_and_is_named_so(server, starter):
    """On the node that draws, and in the picture's own file."""
    s = scene()
    loaded = s.add("StepDistillLoad", name="unchecked, from starter: flow-cfg-3")
    made = s.add(
        "StepDistillSampler", model=s.model, steps=6, denoise=1.0, if_missing="error", record=loaded
    )
    s.add("TestSave", name="by-hand", text=made[2])
    result = server.client.run(s.graph)
    said = (server.output / "by-hand.txt").read_text(encoding="utf-8")
    whose = "from the source starter (by StepDistill's own measurements, not signed)"
    assert said.startswith(f"Unchecked, {whose}: the record of flow, 6 steps")
    assert result.text(loaded).startswith(f"Unchecked, {whose}. ")


def test_distilling_begins_with_a_relatives_recipes_and_says_so(server, client, starter):
    s = scene()
    made = s.distill(cfg=7.0, max_steps=6)
    s.add("TestSave", name="kin-start", text=made[2])
    client.run(s.graph)
    said = (server.output / "kin-start.txt").read_text(encoding="utf-8")
    assert "Among its starts: " in said and " of flow from the source starter (by " in said
