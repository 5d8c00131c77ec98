"""One checkpoint file, ComfyUI and diffusers, one store: a record distilled in either is an exact hit
in the other. COMFYUI_PATH names a ComfyUI checkout, COMFYUI_PYTHON the Python that its requirements
are installed for; this Python has diffusers."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

from scheduler.diffusers import StepDistillScheduler, distill_pipeline
from scheduler.store import Store
from tests.diffusers.made import counted, lora_file
from tests.webui.checkpoint import write

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(900)]
if not os.environ.get("COMFYUI_PYTHON"):
    pytestmark.append(pytest.mark.skip(reason="COMFYUI_PYTHON names no Python for ComfyUI"))

CALL = {"height": 64, "width": 64, "guidance_scale": 3.0}
SECONDS = 600


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small checkpoint of Stable Diffusion's kind."""
    return write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def comfyui(checkpoint, tmp_path_factory):
    """A ComfyUI with that file."""
    from tests.comfyui.server import Server

    base = tmp_path_factory.mktemp("comfyui")
    folder = base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    os.symlink(checkpoint, folder / checkpoint.name)
    with Server(os.environ["COMFYUI_PATH"], base) as started:
        yield started


@pytest.fixture(scope="module")
def pipe(checkpoint, tmp_path_factory):
    """The file as a pipeline, by diffusers' own loader of single files."""
    from scheduler.diffusers.loading import load_pipeline
    from tests.diffusers.made import small_configuration

    return load_pipeline(checkpoint, config=small_configuration(tmp_path_factory.mktemp("config")))


def loaded(checkpoint):
    """(a graph, its checkpoint's outputs)."""
    from tests.comfyui.client import Graph

    graph = Graph()
    return graph, graph.add("CheckpointLoaderSimple", ckpt_name=checkpoint.name)


def test_distilled_by_diffusers_found_by_comfyui(comfyui, checkpoint, pipe):
    record = distill_pipeline(pipe, "a cat", 3, store=comfyui.store, **CALL)
    graph, model = loaded(checkpoint)
    sampler = graph.add("StepDistillSampler", model=model, steps=3, denoise=1.0, if_missing="error")
    graph.add("TestSave", name="theirs", sigmas=sampler[1])
    result = comfyui.client.run(graph, SECONDS)
    payload = result.ui(sampler)["stepdistill"][0]
    assert payload["source"] == "exact", payload["info"]
    own = record.recipe("distilled", 3).sigmas
    assert comfyui.array("theirs.sigmas").tolist() == pytest.approx(own, rel=1e-5)


def test_distilled_by_comfyui_found_by_diffusers(comfyui, checkpoint, pipe):
    for path in comfyui.store.glob("*--*"):
        path.unlink()
    graph, model = loaded(checkpoint)
    yes, no = (graph.add("CLIPTextEncode", clip=model[1], text=text) for text in ("a cat", ""))
    latent = graph.add("EmptyLatentImage", width=64, height=64, batch_size=1)
    settings = {"cfg": 3.0, "sampler_name": "distilled", "max_steps": 2, "quality": "instant"}
    graph.add(
        "StepDistillDistill", model=model, positive=yes, negative=no, latent_image=latent,
        noise_seed=0, **settings,
    )  # fmt: skip
    comfyui.client.run(graph, SECONDS)
    (brief,) = Store(comfyui.store).records()
    evaluations = counted(pipe)
    record = distill_pipeline(pipe, "a cat", 2, store=comfyui.store, **CALL)
    assert evaluations() == 0 and record == Store(comfyui.store).load(brief.file)
    stock = pipe.scheduler
    pipe.scheduler = StepDistillScheduler.for_pipeline(pipe, record, **CALL)
    drawn = pipe("a cat", num_inference_steps=2, output_type="latent", **CALL)[0]
    pipe.scheduler = stock
    assert drawn.isfinite().all()


def test_with_a_lora_a_record_is_found_in_both(comfyui, checkpoint, pipe):
    pytest.importorskip("peft", reason="peft is not installed: pip install .[diffusers]")
    for path in comfyui.store.glob("*--*"):
        path.unlink()
    file = lora_file(pipe.unet, comfyui.base / "models" / "loras")
    graph, model = loaded(checkpoint)
    styled = graph.add("LoraLoaderModelOnly", model=model, lora_name=file.name, strength_model=0.7)
    pipe.load_lora_weights(str(file), adapter_name="style")
    pipe.set_adapters("style", 0.7)
    try:
        record = distill_pipeline(pipe, "a cat", 3, store=comfyui.store, **CALL)
    finally:
        pipe.unload_lora_weights()
    assert record.model.patches[0]["strength"] == pytest.approx(0.7)
    sources = {}
    for name, own in (("with", styled), ("without", model)):
        each = graph.add("StepDistillSampler", model=own, steps=3, denoise=1.0, if_missing="stock")
        graph.add("TestSave", name=f"{name}-lora", sigmas=each[1])
        sources[name] = each
    result = comfyui.client.run(graph, SECONDS)
    shown = {name: result.ui(each)["stepdistill"][0] for name, each in sources.items()}
    assert shown["with"]["source"] == "exact", shown["with"]["info"]
    assert shown["without"]["source"] != "exact"
