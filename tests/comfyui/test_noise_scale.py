"""Models whose runs begin with more noise than others (ModelNoiseScale, HiDream O1), in the real
ComfyUI: what they draw is what the library draws, and no record of another scale serves them."""

from __future__ import annotations

import pytest

from scheduler.record import Record
from scheduler.store import Store
from tests.comfyui import expected
from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import few, tidy

SCALE = 2.0
pytestmark = pytest.mark.since("0.29")


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def scaled():
    s = scene(digits="3, 7")
    return s, s.add("ModelNoiseScale", model=s.model, noise_scale=SCALE)


def in_store(server) -> list[Record]:
    store = Store(server.store)
    return [store.load(brief.file) for brief in store.records()]


def library(record: Record, sampler: str, steps: int):
    noise = expected.noise("flow", 5)
    return record.sample(expected.denoiser("flow"), noise, sampler, steps)


def test_the_few_step_ksampler_draws_what_the_library_draws(server, client):
    s, model = scaled()
    few(s, "few", model=model, learn="now", seed=5, steps=6)
    client.run(s.graph)
    (made,) = in_store(server)
    assert made.model.noise_scale == SCALE
    found = expected.model_latents("flow", server.array("few.samples"))
    assert expected.apart(found, library(made, "distilled", 6)) < 1e-4


def test_distilling_and_the_dropdown(server, client):
    s, model = scaled()
    s.distill(model, sampler_name="dpmpp_2m")
    client.run(s.graph)
    (made,) = in_store(server)
    assert made.model.noise_scale == SCALE
    s, model = scaled()
    applied = s.add("StepDistillApply", model=model, use_offsets=True)
    s.ksampler(applied, "drawn", sampler_name="dpmpp_2m", steps=5)
    client.run(s.graph)
    found = expected.model_latents("flow", server.array("drawn.samples"))
    assert expected.apart(found, library(made, "dpmpp_2m", 5)) < 1e-4


def test_a_record_of_another_scale_does_not_serve(server, client):
    s, model = scaled()
    s.distill(model)
    client.run(s.graph)
    s = scene()
    made = s.add(
        "StepDistillSigmas",
        model=s.model,
        sampler_name="euler",
        steps=5,
        denoise=1.0,
        if_missing="stock",
    )
    s.add("TestSave", name="other", text=made[1])
    client.run(s.graph)
    assert "no record of this model" in (server.output / "other.txt").read_text(encoding="utf-8")
