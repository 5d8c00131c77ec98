"""Models that are no plain denoisers, tiny ones of the host's own classes, in the real ComfyUI: served,
or refused in one sentence before a call is spent."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.store import Store
from tests.comfyui.client import Failed, Graph
from tests.comfyui.graphs import Scene
from tests.comfyui.test_few_step import few, tidy

WIDTHS = {"mean flow": 64, "hunyuan image": 64, "autoregressive": 4096, "frames": 4096, "sound": 64}
REFUSED = {"mean flow": "leaps from each noise level", "autoregressive": "block after block"}


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


SOUND = ("", "8x3x16")  # of others, of a video with sound
SHAPES = {
    "mean flow": "64x8x8",
    "hunyuan image": "64x8x8",
    "autoregressive": "16x2x8x8",
    "frames": "48x3x8x8",
    "sound": "8x2x8x8",
}


def tiny(kind: str, name: str) -> Scene:
    """A tiny model with seeded prompts and an empty latent; of "frames" its first frame is given."""
    g = Graph()
    model = g.add("TestRecorder", model=g.add("TestNet", which=kind), name=name, seconds=0.0)
    latent = g.add(
        "TestLatent", shape=SHAPES[kind], first_given=kind == "frames", sound=SOUND[kind == "sound"]
    )
    yes, no = (
        g.add("TestConditioning", seed=seed, tokens=4, width=WIDTHS[kind], pooled=0)
        for seed in (1, 2)
    )
    return Scene(g, model, yes, no, latent)


def calls(server, name: str) -> int:
    path = server.output / f"{name}.jsonl"
    return sum(len(run["asked"]) for run in server.runs(name)) if path.exists() else 0


KINDS = [
    "mean flow",
    pytest.param("autoregressive", marks=pytest.mark.since("0.29")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_refused_in_a_sentence_before_a_call_is_spent(server, client, kind):
    s = tiny(kind, "refused")
    s.distill(cfg=1.0, max_steps=4)
    with pytest.raises(Failed, match=REFUSED[kind]):
        client.run(s.graph)
    assert calls(server, "refused") == 0 and not Store(server.store).records()


@pytest.mark.parametrize("kind", KINDS)
def test_its_picture_is_drawn_and_nothing_learnt(server, client, kind):
    s = tiny(kind, "drawn")
    out = few(s, cfg=1.0, learn="now")
    result = client.run(s.graph)
    assert REFUSED[kind] in result.text(out)
    assert calls(server, "drawn") == 24 and not Store(server.store).records()


def test_the_plain_one_of_the_same_family_is_served(server, client):
    s = tiny("hunyuan image", "served")
    out = few(s, cfg=1.0, learn="now")
    told = client.run(s.graph).ui(out)["stepdistill"][0]["learning"]
    assert told["action"] == "learn_first" and not told.get("problem")
    (brief,) = Store(server.store).records()
    assert brief.latent_shape == (64, 8, 8)


def test_frames_of_times_of_their_own_are_served(server, client):
    s = tiny("frames", "frames-learnt")
    s.distill(cfg=1.0, max_steps=4)
    client.run(s.graph)
    (brief,) = Store(server.store).records()
    assert brief.latent_shape == (48, 3, 8, 8)
    s = tiny("frames", "frames-drawn")
    few(s, "frames", cfg=1.0, steps=4)
    client.run(s.graph)
    drawn = server.array("frames.samples")
    assert calls(server, "frames-drawn") == 4
    given, others = drawn[:, :, 0], drawn[:, :, 1:]  # the given one is even, and stays
    assert np.ptp(given, axis=(-2, -1)).max() < 1e-5 < np.ptp(others, axis=(-2, -1)).min()


@pytest.mark.since("0.29")
def test_a_video_with_sound_is_learnt_stream_by_stream(server, client):
    s = tiny("sound", "sound-learnt")
    made = s.distill(cfg=1.0, max_steps=4)
    s.add("TestSave", name="sound-learnt", text=made[2])
    client.run(s.graph)
    (brief,) = Store(server.store).records()
    made = Store(server.store).load(brief.file)
    sizes = {each["name"]: each["elements"] for each in made.conditions.streams}
    assert sizes == {"video": 8 * 2 * 8 * 8, "sound": 8 * 3 * 16}
    told = made.recipe("distilled", 4).evidence["streams"]
    assert [each["name"] for each in told] == ["video", "sound"]
    assert all(each["rms"] > 0 and each["stock_rms"] > 0 for each in told)
    s = tiny("sound", "sound-drawn")
    settings = {"steps": 4, "cfg": 1.0, "denoise": 1.0, "learn": "off", "seed": 3}
    out = s.add(
        "StepDistillKSampler", model=s.model, **s.prompts, latent_image=s.latent, **settings
    )
    s.add("TestSave", name="sound-drawn", text=out[1])
    client.run(s.graph)
    assert calls(server, "sound-drawn") == 4
    assert "recipe " in (server.output / "sound-drawn.txt").read_text(encoding="utf-8")
