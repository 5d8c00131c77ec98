"""One checkpoint file, two hosts, one store: a record distilled in either is an exact hit in the
other. COMFYUI_PATH names a ComfyUI checkout besides, and COMFYUI_PYTHON the Python that its
requirements are installed for."""

from __future__ import annotations

import os

import pytest

from tests.webui.server import SLOWEST
from tests.webui.test_distilling import WISH, ended

pytestmark = [pytest.mark.comfyui]
if not os.environ.get("COMFYUI_PYTHON"):
    pytestmark.append(pytest.mark.skip(reason="COMFYUI_PYTHON names no Python for ComfyUI"))


@pytest.fixture(scope="module")
def comfyui(model, tmp_path_factory):
    """A ComfyUI with the same checkpoint file."""
    from tests.comfyui.server import Server

    base = tmp_path_factory.mktemp("comfyui")
    folder = base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    os.symlink(model, folder / model.name)
    with Server(os.environ["COMFYUI_PATH"], base) as started:
        yield started


@pytest.fixture
def shared(host, comfyui):
    """The WebUI with ComfyUI's store."""
    host.post("/sdapi/v1/options", {"stepdistill_store": str(comfyui.store)})
    yield host
    host.post("/sdapi/v1/options", {"stepdistill_store": ""})


def loaded(model):
    """(a graph, its checkpoint's outputs)."""
    from tests.comfyui.client import Graph

    graph = Graph()
    return graph, graph.add("CheckpointLoaderSimple", ckpt_name=model.name)


def test_distilled_here_found_there(shared, comfyui, model):
    """The WebUI's record serves ComfyUI's sigmas."""
    shared.post("/stepdistill/v1/distill", WISH | {"again": True})
    done = ended(shared)
    graph, checkpoint = loaded(model)
    sigmas = graph.add(
        "StepDistillSigmas",
        model=checkpoint,
        sampler_name="euler",
        steps=3,
        denoise=1.0,
        if_missing="error",
    )
    graph.add("TestSave", name="theirs", sigmas=sigmas)
    result = comfyui.client.run(graph, SLOWEST)
    payload = result.ui(sigmas)["stepdistill"][0]
    assert payload["source"] == "exact", payload["info"]
    told, ran = shared.draw(sampler_name="Euler", scheduler="Distilled", steps=3, cfg_scale=3)
    assert told["StepDistill"].startswith(f"exact | {done['record_name']}")
    assert comfyui.array("theirs.sigmas")[:-1] == pytest.approx(ran, rel=2e-4)


def test_distilled_there_found_here(shared, comfyui, model):
    """ComfyUI's record serves the WebUI's dropdown."""
    for path in comfyui.store.glob("*--*"):
        path.unlink()
    graph, checkpoint = loaded(model)
    yes, no = (graph.add("CLIPTextEncode", clip=checkpoint[1], text=text) for text in ("a cat", ""))
    latent = graph.add("EmptyLatentImage", width=64, height=64, batch_size=2)
    settings = {
        "cfg": 3.0,
        "sampler_name": "euler",
        "max_steps": 2,
        "quality": "instant",
        "noise_seed": 0,
    }
    graph.add(
        "StepDistillDistill",
        model=checkpoint,
        positive=yes,
        negative=no,
        latent_image=latent,
        **settings,
    )
    comfyui.client.run(graph, SLOWEST)
    told, _ = shared.draw(sampler_name="Euler", scheduler="Distilled", steps=2, cfg_scale=3)
    assert told["StepDistill"].startswith("exact"), told
