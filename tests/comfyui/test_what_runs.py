"""A card and what runs ask one selection: with records of one model at two cfgs, a node names before it
runs the record whose sigmas then run, and where it can't know, says so and shows it once it has run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scheduler.fingerprint import fingerprint_file
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.store import Store
from tests.comfyui import expected
from tests.comfyui.graphs import scene
from tests.comfyui.server import CHECKPOINTS

STEPS = 6
PROVENANCE = {"version": "0.1.0", "model_calls": 100}
SIGMAS = {
    3.0: [1.0, 0.93, 0.83, 0.6146, 0.4, 0.2, 0.0],
    7.0: [1.0, 0.96, 0.9, 0.75, 0.5, 0.25, 0.0],
}


def made(cfg: float, created: str, **changed) -> Record:
    """A record of the flow checkpoint at a cfg, its schedule easily told."""
    model, name = expected.checkpoint("flow"), fingerprint_file(CHECKPOINTS / "flow.safetensors")
    about = {"name": "flow", "shift": model.shift, "prediction": model.prediction}
    about |= {"fingerprint": name.id, "samples": name.samples, "latent_shape": model.latent_shape}
    conditions = Conditions(cfg=cfg, **about | changed)
    rows = [[0.0] * 4, *[[0.3, 0.0, 0.02, -0.01]] * (STEPS - 1)]
    recipes = (
        Recipe("euler", STEPS, 1.0, SIGMAS[cfg]),
        Recipe("distilled", STEPS, 1.0, SIGMAS[cfg], [0.0] * STEPS, rows),
    )
    kept = Model.of(conditions, "flow", model.sigma_min, model.sigma_max)
    return Record(kept, conditions, None, recipes, {}, PROVENANCE | {"created": created})


@pytest.fixture(scope="module", autouse=True)
def two(server, own_store):
    """The newer record is the one of the higher cfg."""
    store = Store(server.store)
    store.put(made(3.0, "2026-11-20T00:00:00Z"))
    store.put(made(7.0, "2026-11-21T00:00:00Z"))


@pytest.fixture
def ask(server):
    """ask("fitting", {...}): the answer of one of the page's routes."""

    def asked(path: str, data: dict) -> dict:
        return server.client.post(f"/stepdistill/{path}", data)

    return asked


def apply_and_draw(s, cfg: float, name: str):
    apply = s.add("StepDistillApply", model=s.recorded(name), use_offsets=True)
    s.ksampler(apply, name, cfg=cfg)
    return apply


def sampler_and_draw(s, cfg: float, name: str):
    node = s.add("StepDistillSampler", model=s.model, steps=STEPS, denoise=1.0, if_missing="stock")
    draw_with(s, node, node[1], cfg, name)
    return node


def sigmas_and_draw(s, cfg: float, name: str):
    asked = {"sampler_name": "euler", "steps": STEPS, "denoise": 1.0, "if_missing": "stock"}
    node = s.add("StepDistillSigmas", model=s.model, **asked)
    draw_with(s, s.add("KSamplerSelect", sampler_name="euler"), node, cfg, name)
    return node


def draw_with(s, sampler, sigmas, cfg: float, name: str) -> None:
    guider = s.add("CFGGuider", model=s.recorded(name), **s.prompts, cfg=cfg)
    noise = s.add("RandomNoise", noise_seed=5)
    way = {"noise": noise, "guider": guider, "sampler": sampler, "sigmas": sigmas}
    drawn = s.add("SamplerCustomAdvanced", **way, latent_image=s.latent)
    s.saved(name, samples=drawn)


WAYS = (apply_and_draw, sampler_and_draw, sigmas_and_draw)


@pytest.mark.parametrize("draw", WAYS, ids=lambda each: each.__name__)
def test_the_card_names_what_then_runs(server, client, draw):
    client.forget()
    for cfg in (3.0, 7.0, 3.0):  # the node itself is the same each time: nothing but cfg changes
        s = scene()
        node = draw(s, cfg, draw.__name__)
        result = client.run(s.graph)
        (card,) = result.ui(node)["stepdistill"]
        ran = server.runs(draw.__name__)[-1]["sigmas"]
        assert np.allclose(card["sigmas"], SIGMAS[cfg], atol=1e-4)
        assert np.allclose(ran, SIGMAS[cfg], atol=1e-4)
        assert f"cfg {cfg:g}" in result.text(node) and "differs" not in result.text(node)


def test_two_samplers_after_apply_are_told_apart_once_they_ran(client):
    s = scene()
    apply = s.add("StepDistillApply", model=s.model, use_offsets=True)
    for cfg in (3.0, 7.0):
        s.ksampler(apply, f"both-{cfg:g}", cfg=cfg)
    client.forget()
    with client.events() as events:
        seen = events.until_done(client.queue(s.graph))
    told = [each["data"] for each in seen if each["type"] == "stepdistill.ran"]
    assert [each["node"] for each in told] == [apply.node] * 2
    assert told[-1]["shown"]["info"].count("Distilled for flow") == 2
    assert "cfg 3" in told[-1]["shown"]["info"] and "cfg 7" in told[-1]["shown"]["info"]


def test_a_cfg_that_nobody_knows_before_the_run(client):
    s = scene()
    apply = s.add("StepDistillApply", model=s.model, use_offsets=True)
    changed = s.add("ModelSamplingSD3", model=apply, shift=3.0)  # a node between
    s.ksampler(changed, "unknown", cfg=3.0)
    client.forget()
    with client.events() as events:
        seen = events.until_done(client.queue(s.graph))
    said = [
        each["data"]["output"]["text"][0]
        for each in seen
        if each["type"] == "executed" and each["data"]["node"] == apply.node
    ]
    assert not said or "several records" in said[0]
    told = [each["data"]["shown"] for each in seen if each["type"] == "stepdistill.ran"]
    assert len(told) == 1 and "cfg 3" in told[0]["info"]


def test_the_size_counts_too(server, client):
    store = Store(server.store)
    larger = store.put(made(3.0, "2026-11-22T00:00:00Z", latent_shape=(16, 32, 32)))
    try:
        s = scene()
        node = apply_and_draw(s, 3.0, "sized")
        client.forget()
        text = client.run(s.graph).text(node)
    finally:
        store.remove(larger)
    assert "Distilled for flow" in text and "differs" not in text


@pytest.mark.parametrize("cfg", [3.0, 7.0])
def test_the_menus_list_the_record_first_that_runs(server, ask, cfg):
    store = Store(server.store)
    other = store.put(made(3.0, "2026-11-23T00:00:00Z", latent_shape=(16, 32, 32)))
    s = scene()
    s.ksampler(cfg=cfg, scheduler="normal", steps=STEPS)
    try:
        answer = ask("fitting", {"workflow": json.dumps(s.graph.prompt), "to": "baked"})
    finally:
        store.remove(other)
    first, *rest = answer["records"]
    assert first["fit"] == "fits" and f"cfg {cfg:g}" in first["under"]
    assert [each["fit"] for each in rest] == ["differs"] * 2
    told = " ".join(each["differs"] for each in rest)
    assert f"you use {cfg:g}" in told and "for 256x256" in told


def test_few_steps_by_right_click_asks_for_the_same_record(ask):
    s = scene()
    s.ksampler(cfg=7.0, scheduler="normal", steps=20)
    asked = {"workflow": json.dumps(s.graph.prompt), "to": "few"}
    assert ask("fitting", asked)["records"][0]["under"].startswith("cfg 7")


def test_records_of_another_model_are_told_so(server, ask):
    s = scene("eps")
    s.ksampler(cfg=3.0, scheduler="normal", steps=STEPS)
    answer = ask("fitting", {"workflow": json.dumps(s.graph.prompt), "to": "baked"})
    assert [each["fit"] for each in answer["records"]] == ["other"] * 2
