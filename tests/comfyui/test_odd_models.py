"""Models that answer the same query differently, in the real ComfyUI: refused in one sentence, by name
before a call is spent, else by behaviour before a recipe is made; pictures are drawn all the same."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.comfyui.client import Failed
from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import few, tidy


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def odd(kind: str, name: str):
    s = scene(rows=1, digits="3")
    s.model = s.add("TestOddModel", model=s.recorded(name), which=kind)
    return s


def calls(server, name: str) -> int:
    path = server.output / f"{name}.jsonl"
    return sum(len(run["asked"]) for run in server.runs(name)) if path.exists() else 0


@pytest.mark.parametrize("kind", ["unheard of", "restless", "next step"])
def test_distilling_finds_it_by_what_it_does(server, client, kind):
    s = odd(kind, "odd-distilled")
    s.distill()
    with pytest.raises(Failed, match="answered the same query at sigma .* switch that off"):
        client.run(s.graph)
    assert not Store(server.store).records() and calls(server, "odd-distilled") < 2 * 16


def test_distilling_names_a_known_one_before_a_call(server, client):
    s = odd("teacache", "odd-named")
    s.distill()
    with pytest.raises(Failed, match="This model carries TeaCache"):
        client.run(s.graph)
    assert calls(server, "odd-named") == 0


@pytest.mark.parametrize("kind", ["teacache", "unheard of", "restless", "next step"])
def test_a_picture_is_drawn_and_nothing_learnt(server, client, kind):
    s = odd(kind, "odd-drawn")
    out = few(s)
    result = client.run(s.graph)
    told, said = result.ui(out)["stepdistill"][0]["learning"], result.text(out)
    assert server.array("few.samples").shape == (1, 16, 8, 8)
    assert told["action"] == "in_full" and not Store(server.store).records()
    assert ("carries TeaCache" if kind == "teacache" else "learn") in said
