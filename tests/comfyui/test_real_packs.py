"""Other packs as they are published, beside ours in the real ComfyUI: ours loads, their dropdowns have the
entry, and their samplers run our recipes. PACKS_PATH names a folder with them (those that are not there are
skipped); what they need besides the host is to be on PYTHONPATH."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler.store import Store
from tests.comfyui.graphs import CFG, scene
from tests.comfyui.server import Server
from tests.comfyui.test_routes import check_drawn

FOLDER = Path(os.environ.get("PACKS_PATH") or "none")
INSPIRE, EFFICIENCY = "ComfyUI-Inspire-Pack", "efficiency-nodes-comfyui"
RES4LYF, KJ = "RES4LYF", "ComfyUI-KJNodes"
SCHEDULERS = {"simple", "karras", "normal"}  # of a list that is the host's

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="PACKS_PATH names no folder of packs")


@pytest.fixture(scope="module")
def packed():
    found = {each.name: each for each in FOLDER.iterdir() if each.is_dir()}
    with Server(os.environ["COMFYUI_PATH"], packs=found) as server:
        yield server


@pytest.fixture(scope="module")
def learnt(packed):
    """Its store has recipes of the bundled flow checkpoint for euler and `distilled`."""
    s = scene()
    made = s.distill(sampler_name="all", max_steps=6)
    s.add("TestSave", name="packs", text=made[2])
    packed.client.run(s.graph)
    (brief,) = Store(packed.store).records()
    return Store(packed.store).load(brief.file)


def needs(packed, kind: str) -> None:
    if kind not in packed.client.object_info():
        pytest.skip(f"{kind} did not load")


def test_ours_is_whole_beside_them(packed):
    alone = Server(os.environ["COMFYUI_PATH"])
    with alone as other:
        wanted = {each for each in other.client.object_info() if each.startswith("StepDistill")}
    assert wanted <= set(packed.client.object_info())


def test_every_list_of_schedulers_has_the_entry(packed):
    lacking = []
    for kind, about in packed.client.object_info().items():
        for group in ("required", "optional"):
            for name, spec in (about["input"].get(group) or {}).items():
                choices = spec[1].get("options") if spec[0] == "COMBO" else spec[0]
                if isinstance(choices, list) and set(map(str, choices)) >= SCHEDULERS:
                    lacking += [] if "distilled" in choices else [(kind, name)]
    assert not lacking


@pytest.mark.parametrize("sampler", ["euler", "distilled"])
@pytest.mark.parametrize("kind", ["KSampler //Inspire", "KSampler (Efficient)"])
def test_their_ksamplers_draw_what_the_library_draws(packed, learnt, kind, sampler):
    needs(packed, kind)
    s, name = scene(), f"packs-{sampler}-{'inspire' if 'Inspire' in kind else 'efficient'}"
    model = s.add("StepDistillApply", model=s.recorded(name), use_offsets=True)
    asked = {"seed": 5, "steps": 6, "cfg": CFG, "denoise": 1.0, "latent_image": s.latent}
    asked |= {"sampler_name": sampler, "scheduler": "distilled"}
    more = {
        "KSampler //Inspire": {
            "noise_mode": "CPU",
            "batch_seed_mode": "comfy",
            "variation_seed": 0,
            "variation_strength": 0.0,
        },
        "KSampler (Efficient)": {"preview_method": "none", "vae_decode": "false"},
    }[kind]
    out = s.add(kind, model=model, **s.prompts, **asked, **more)
    s.saved(name, samples=out[3] if "Efficient" in kind else out)
    packed.client.run(s.graph)
    check_drawn(packed, name, learnt.recipe(sampler, 6))


def test_res4lyf_runs_on_distilled_sigmas(packed, learnt):
    kind = "ClownsharKSampler_Beta"
    needs(packed, kind)
    s, name = scene(), "packs-res4lyf"
    model = s.recorded(name)
    found = s.add(
        "StepDistillSigmas",
        model=model,
        sampler_name="euler",
        steps=6,
        denoise=1.0,
        if_missing="error",
    )
    asked = {"eta": 0.0, "sampler_name": "linear/euler", "scheduler": "distilled", "steps": 6}
    asked |= {"steps_to_run": -1, "denoise": 1.0, "cfg": CFG, "seed": 5, "bongmath": False}
    asked |= {"sampler_mode": "standard", "latent_image": s.latent, "sigmas": found}
    out = s.add(kind, model=model, **s.prompts, **asked)
    s.saved(name, samples=out)
    packed.client.run(s.graph)
    levels = [each for run in packed.runs(name) for each in run["asked"]]
    wanted = learnt.recipe("euler", 6, offsets=False).sigmas[:-1]
    assert levels == pytest.approx(list(wanted), rel=1e-4)


def test_res4lyf_samplers_in_the_few_step_graph_are_left_alone(packed, learnt):
    needs(packed, "ClownSampler_Beta")
    s, name = scene(), "packs-res-multistep"
    model = s.add("StepDistillApply", model=s.recorded(name), use_offsets=True)
    s.ksampler(model, name, sampler_name="res_2m")
    packed.client.run(s.graph)
    assert len(packed.runs(name)[-1]["asked"]) >= 6
