"""The Few-Step KSampler on step-distilled models, in the real ComfyUI: the maker's own run is the picture in
full, and fewer steps are learnt from it. TURBO_PATH may name a student of the flow checkpoint
(`python -m tools.train_turbo`); else the checkpoint itself stands for one, its run given by hand."""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.class_cells import Row, Subject
from scheduler.lookup.makers_run import own_run
from scheduler.store import Store
from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import few, tidy

OWN = 8
TURBO = os.environ.get("TURBO_PATH", "")


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def own_sigmas(s, steps: int = OWN):
    return s.add("BasicScheduler", model=s.model, scheduler="simple", steps=steps, denoise=1.0)


def learnt(server, seed: int, own=OWN, file: str = "", **changed):
    """(what happened as data, what is said, levels that were asked at by the picture)."""
    s = scene(rows=1, digits="3")
    if file:
        s.model = s.add("UNETLoader", unet_name=file, weight_dtype="default")
    name = f"turbo-{seed}"
    model = s.recorded(name)
    if own:
        model = s.add("StepDistillMakersSigmas", model=model, sigmas=own_sigmas(s, own))[0]
    out = few(s, name, seed, model, cfg=1.0, steps=5, **changed)
    result = server.client.run(s.graph)
    (card,) = result.ui(out)["stepdistill"]
    pictures = [run for run in server.runs(name) if run["sampler"] == "few_step_picture"]
    return card["learning"], result.text(out), pictures[-1]["asked"]


def test_five_steps_are_learnt_from_the_makers_eight(server):
    told, said, asked = learnt(server, 5)
    assert said.startswith("Drawn in its maker's 8 steps, to learn this model.")
    assert len(asked) == 8 and told["next_steps"] == 5 and told["calls"] <= 60
    (brief,) = Store(server.store).records()
    assert own_run(Store(server.store).load(brief.file))
    levels = {round(each, 5) for each in asked}
    told, said, asked = learnt(server, 6)
    assert told["action"] == "few" and len(asked) == 5
    assert {round(each, 5) for each in asked} <= levels
    s = scene(rows=1, digits="3")  # without that node its recipe is not the ordinary model's
    out = few(s, "plain", cfg=1.0, steps=5, learn="off")
    assert "recipe " not in server.client.run(s.graph).text(out)


def test_as_many_steps_as_the_makers_are_its_own(server):
    told, said, asked = learnt(server, 5, own=4)
    assert len(asked) == 4 and "made for 4 steps; ask for fewer" in said
    assert not Store(server.store).records()


@pytest.fixture
def named(server):
    """A file whose name says that it is step-distilled: (the file, its maker's steps)."""
    name = "flow-student-lightning-8steps.safetensors"
    place = server.base / "models" / "diffusion_models"
    shutil.copy(TURBO or place / "flow.safetensors", place / name)
    yield name
    (place / name).unlink()


def test_a_name_that_says_the_steps_is_enough(server, client, named):
    client.object_info("UNETLoader")  # which lists the folder anew
    told, said, asked = learnt(server, 5, own=0, file=named)
    assert said.startswith("Drawn in its maker's 8 steps, to learn this model.")
    assert len(asked) == 8 and told["next_steps"] == 5
    told, said, asked = learnt(server, 6, own=0, file=named)
    assert told["action"] == "few" and len(asked) == 5


def test_schnell_is_told_by_its_weights(server):
    row = Row(server, Subject("Flux schnell"))
    s = row.scene(1, False, "schnell")
    out = few(s, "schnell", cfg=1.0, steps=3)
    result = server.client.run(s.graph)
    assert result.text(out).startswith("Drawn in its maker's 4 steps, to learn this model.")
    (run, *_) = server.runs("schnell")
    assert run["sigmas"] == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])


@pytest.mark.skipif(not TURBO, reason="TURBO_PATH names no student of the flow checkpoint")
def test_a_student_is_told_by_what_it_answers(server, client, named):
    place = server.base / "models" / "diffusion_models"
    shutil.copy(TURBO, place / "unnamed.safetensors")
    client.object_info("UNETLoader")
    told, said, asked = learnt(server, 5, own=0, file="unnamed.safetensors")
    assert len(asked) == 24 and "put Maker's Sigmas after its loader" in said
    told, said, asked = learnt(server, 6, own=0, file="unnamed.safetensors")
    assert len(asked) == 5 and "recipe " not in said
    told, said, asked = learnt(server, 7, file="unnamed.safetensors")
    assert len(asked) == 8 and told["next_steps"] == 5
