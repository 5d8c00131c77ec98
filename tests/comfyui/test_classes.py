"""A matrix of models and routes in the real ComfyUI: every tiny model that the stock loaders take is learnt,
drawn in a few steps by each route, from a lower start, and in a batch."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.comfyui.client import Graph
from tests.comfyui.graphs import Scene, scene
from tests.comfyui.test_few_step import tidy

STEPS, FULL = 4, 24
# (class, shape of a sample, width of the conditioning)
TINY = {
    "hunyuan image": ("TestNet", "64x8x8", 64),
    "wan": ("TestWan", "16x2x8x8", 4096),
    "frames": ("TestNet", "48x2x8x8", 4096),
    "sound": ("TestNet", "8x2x8x8", 64),
}
KINDS = [
    "flow",
    "eps",
    "wan",
    "hunyuan image",
    "frames",
    pytest.param("sound", marks=pytest.mark.since("0.29")),
]


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def model_of(kind: str, name: str) -> Scene:
    """A model, its runs written down under a name."""
    if kind not in TINY:
        s = scene(kind, rows=1, digits="3")
        s.model = s.recorded(name)
        return s
    node, shape, width = TINY[kind]
    g = Graph()
    inputs = {"seed": 0} if node == "TestWan" else {"which": kind}
    model = g.add("TestRecorder", model=g.add(node, **inputs), name=name, seconds=0.0)
    sound = "8x3x16" if kind == "sound" else ""
    latent = g.add("TestLatent", shape=shape, first_given=False, sound=sound)
    yes, no = (
        g.add("TestConditioning", seed=seed, tokens=4, width=width, pooled=0) for seed in (1, 2)
    )
    return Scene(g, model, yes, no, latent)


def few_step(server, kind: str, name: str, **changed) -> tuple[dict, int]:
    """(what the Few-Step KSampler says happened, model calls)."""
    s = model_of(kind, name)
    if changed.pop("batch", False):
        s.latent = s.add("RepeatLatentBatch", samples=s.latent, amount=2)
    settings = {"steps": STEPS, "cfg": 1.0, "denoise": 1.0, "learn": "now", "seed": 3} | changed
    latent = {"latent_image": s.latent}
    out = s.add("StepDistillKSampler", model=s.model, **s.prompts, **latent, **settings)
    s.add("TestSave", name=name, text=out[1])
    told = server.client.run(s.graph).ui(out)["stepdistill"][0]["learning"]
    return told, calls(server, name)


def calls(server, name: str) -> int:
    return sum(len(run["asked"]) for run in server.runs(name))


@pytest.mark.parametrize("kind", KINDS)
def test_learn_and_draw(server, client, kind):
    told, _ = few_step(server, kind, "learn")
    assert told["action"] == "learn_first" and not told.get("problem")
    assert Store(server.store).records()
    told, spent = few_step(server, kind, "again", learn="off", seed=4)
    assert (told["action"], spent) in (("few", STEPS), ("as_found", STEPS))


@pytest.mark.parametrize("kind", KINDS)
def test_distil_and_the_dropdown(server, client, kind):
    s = model_of(kind, "distil")
    s.distill(cfg=1.0, max_steps=STEPS)
    client.run(s.graph)
    assert Store(server.store).records()
    s = model_of(kind, "dropdown")
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True)
    inputs = {"seed": 5, "steps": STEPS, "cfg": 1.0, "denoise": 1.0}
    names = {"sampler_name": "distilled", "scheduler": "distilled"}
    latent = {"latent_image": s.latent}
    drawn = s.add("KSampler", model=applied, **s.prompts, **latent, **inputs, **names)
    s.add("TestSeen", samples=drawn)
    client.run(s.graph)
    assert calls(server, "dropdown") == STEPS


@pytest.mark.parametrize("kind", KINDS)
def test_another_start(server, client, kind):
    told, _ = few_step(server, kind, "start", denoise=0.6)
    assert told["action"] == "learn_first" and not told.get("problem")


@pytest.mark.parametrize("kind", [each for each in KINDS if isinstance(each, str)])
def test_a_batch(server, client, kind):
    told, _ = few_step(server, kind, "batch", batch=True)
    assert told["action"] == "learn_first" and not told.get("problem")
    assert 2 in server.runs("batch")[-1]["rows"]
