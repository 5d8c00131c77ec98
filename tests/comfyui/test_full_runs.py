"""Pictures drawn in full under other nodes with `learn`: kept, and learnt from by the Few-Step
KSampler, in the real ComfyUI."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.store import Store
from tests.comfyui.graphs import CFG, scene
from tests.comfyui.test_few_step import GOAL, few, tidy


@pytest.fixture(autouse=True)
def empty(server, client):
    """Every test begins with an empty store, and leaves none."""
    yield
    tidy(server)
    client.forget()


def under_apply(learn=True, digits="3", rows=1, **settings):
    """A stock picture under Apply Distilled Schedule: the graph, and Apply."""
    s = scene(rows=rows, digits=digits)
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True, learn=learn)
    settings = {"steps": 20, "sampler_name": "dpmpp_2m", "scheduler": "beta"} | settings
    s.ksampler(model=applied, name="full", **settings)
    return s, applied


def kept(server):
    return Store(server.store).list_recordings()


def follows(server, denoise=1.0, latent=None, digits="3"):
    """What the Few-Step KSampler does next with that prompt and another seed: data and its words."""
    s = scene(rows=1, digits=digits)
    out = few(s, seed=77, denoise=denoise, latent_image=latent or s.latent)
    result = server.client.run(s.graph)
    return result.ui(out)["stepdistill"][0]["learning"], result.text(out)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler", "uni_pc"])
def test_a_run_under_apply_is_learnt_from_at_once(server, client, sampler):
    s, applied = under_apply(sampler_name=sampler)
    assert "are kept to learn from" in client.run(s.graph).text(applied)
    (run,) = kept(server)
    assert (run.steps, run.sampler, run.seed) == (20, sampler, 5)
    told, _ = follows(server)
    assert told["action"] == "learn_first" and told["calls"] <= GOAL
    assert told["steps"] in (
        6,
        24,
    )  # where 20 steps of a poor pair bring nothing, it is drawn in full


def test_its_run_brings_a_recipe(server, client):
    client.run(under_apply(steps=24)[0].graph)
    told, said = follows(server)
    assert told["steps"] == 6 and "Learnt this model with" in said


def test_the_picture_stays_as_it_is(server, client):
    pictures = []
    for learn in (False, True):
        client.run(under_apply(learn, rows=2, digits="3, 7")[0].graph)
        pictures.append(server.array("full.samples"))
        assert len(kept(server)) == learn
    assert np.array_equal(*pictures)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"sampler_name": "euler_ancestral"}, "ancestral or SDE"),
        ({"scheduler": "simple", "steps": 15, "sampler_name": "dpmpp_2m_sde"}, "ancestral or SDE"),
    ],
)
def test_what_cannot_be_learnt_from_is_said(server, client, settings, said):
    client.run(under_apply(**settings)[0].graph)
    assert not kept(server) and said in server.log()


def test_few_steps_and_learn_turned_off_keep_nothing(server, client):
    client.run(under_apply(steps=14)[0].graph)
    client.run(under_apply(learn=False)[0].graph)
    assert not kept(server)


def test_a_mask_and_a_step_cache_are_said(server, client):
    s = scene(rows=1, digits="3")
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True, learn=True)
    mask = s.add("SolidMask", value=1.0, width=64, height=64)
    masked = s.add("SetLatentNoiseMask", samples=s.latent, mask=mask)
    s.latent = masked
    s.ksampler(model=applied, name="masked", steps=20, scheduler="beta")
    client.run(s.graph)
    assert "with a mask; draw one without" in server.log()
    s, applied = under_apply()
    settings = {"reuse_threshold": 0.2, "start_percent": 0.15, "end_percent": 0.95}
    cached = s.add("LazyCache", model=applied, verbose=False, **settings)
    s.ksampler(model=cached, name="cached", steps=16, scheduler="beta", seed=9)
    client.run(s.graph)
    assert "this model carries LazyCache" in server.log()
    assert len(kept(server)) == 1  # that of the graph's other picture


def test_image_to_image_is_kept_with_its_start(server, client):
    s, _ = under_apply(learn=False)
    picture = s.ksampler(name=None, steps=6)
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True, learn=True)
    s.latent = picture
    s.ksampler(
        model=applied,
        name="again",
        steps=20,
        scheduler="beta",
        sampler_name="dpmpp_2m",
        denoise=0.5,
    )
    client.run(s.graph)
    (run,) = Store(server.store).recordings(kept(server)[0].key)
    assert 0.6 < run.start_sigma < 0.9
    told, _ = follows(server)
    assert told["action"] == "in_full"  # of another start


def test_the_distilled_sampler_keeps_full_runs_too(server, client):
    s = scene(rows=1, digits="3")
    ours = s.add(
        "StepDistillSampler", model=s.model, steps=24, denoise=1.0, if_missing="stock", learn=True
    )
    s.custom(ours[1], ours[0], "distilled-full")
    assert "are kept to learn from" in client.run(s.graph).text(ours)
    (run,) = kept(server)
    assert run.steps == 24
    told, said = follows(server)
    assert told["action"] == "learn_first" and told["steps"] == 6, said


def test_a_store_that_cannot_be_written_leaves_the_picture(server, client):
    folder = server.store
    tidy(server)
    moved = folder.rename(folder.with_name("kept")) if folder.exists() else None
    folder.write_text("in the way")
    try:
        client.run(under_apply(cfg=CFG)[0].graph)
    finally:
        folder.unlink()
        if moved is not None:
            moved.rename(folder)
    assert "Nothing is learnt from this run" in server.log()
