"""Every node that samples is named, with what can be done with it."""

from __future__ import annotations

import json

import pytest

from scheduler import cli
from scheduler.workflow import parse, swap
from tests.workflow_graphs import Graph, advanced, record

DRAWS = ["model:MODEL", "positive:CONDITIONING", "negative:CONDITIONING", "latent_image:LATENT"]
OTHERS = {
    "ClownsharKSampler_Beta": (DRAWS, "RES4LYF"),
    "ClownsharkChainsampler_Beta": (["latent_image:LATENT", "options:OPTIONS"], "RES4LYF"),
    "WanVideoSampler": (["model:WANVIDEOMODEL", "image_embeds:WANVIDIMAGE_EMBEDS"], "WanVideo"),
    "HyVideoSampler": (["model:HYVIDEOMODEL"], "runs its model by itself"),
    "FaceDetailer": (["image:IMAGE", "model:MODEL", "clip:CLIP"], "Impact Pack"),
    "FaceDetailerPipe": (["image:IMAGE", "detailer_pipe:DETAILER_PIPE"], "pipe"),
    "ImpactKSamplerBasicPipe": (["basic_pipe:BASIC_PIPE", "latent_image:LATENT"], "pipe"),
    "KSampler //Inspire": (DRAWS, "Inspire"),
    "KSampler (Efficient)": (DRAWS, "Efficiency"),
    "easy fullkSampler": (["pipe:PIPE_LINE"], "Easy-Use"),
    "easy preSampling": (["pipe:PIPE_LINE"], "Easy-Use"),
    "UltimateSDUpscale": (["image:IMAGE", *DRAWS[:3]], "UltimateSDUpscale"),
    "BNK_TiledKSampler": (DRAWS, "Tiled KSampler"),
    "SwarmKSampler": (DRAWS, "SwarmUI"),
    "ttN pipeKSampler_v2": (["pipe:PIPE_LINE"], "tinyterra"),
    "SomebodysDrawer": (DRAWS, "another pack's"),  # by what it takes and gives
    "MyOwnKSampler": (["thing:MYMODEL"], "runs its model by itself"),
    "11111111-2222-4333-8444-555555555555": (DRAWS, "a subgraph that the file does not hold"),
}
NO_SAMPLERS = {
    "ImageColorSampler": (["image:IMAGE"], ["IMAGE"]),
    "LTXVLatentUpsampler": (["samples:LATENT", "upscale_model:LATENT_UPSCALE_MODEL"], ["LATENT"]),
    "AudioResampler": (["audio:AUDIO"], ["AUDIO"]),
    "ModelSamplingSD3": (["model:MODEL"], ["MODEL"]),
    "SamplerSelectHelper": ([], ["SAMPLER"]),
    "VAEEncodeForInpaint": (["pixels:IMAGE", "vae:VAE"], ["LATENT"]),
    "InpaintModelConditioning": (["positive:CONDITIONING", "pixels:IMAGE"], ["CONDITIONING"]),
}


def graph_of(kind: str, ins: list, outs: list, values: list | None = None) -> Graph:
    graph = Graph()
    graph.add(kind, values or [], sockets=(ins, outs))
    return graph


def left(data: dict, to: str = "distilled", given=None):
    text = json.dumps(data)
    document = parse(text)
    report = swap(document, to, given)
    assert document.text() == text and report.changed == 0
    return report


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("to", ["distilled", "baked", "few"])
def test_samplers_of_other_packs_are_named(kind, to):
    ins, says = OTHERS[kind]
    outs = ["PIPE_LINE"] if kind == "easy preSampling" else ["LATENT", "IMAGE"]
    report = left(graph_of(kind, ins, outs).data, to, record() if to == "baked" else None)
    assert report.samplers == 1 and len(report.outcomes) == 1
    assert says in report.outcomes[0].text and report.outcomes[0].kind == kind


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if "-2222-" not in kind][:-2])
def test_they_are_named_in_prompts_too(kind):
    inputs = {"steps": 20, "cfg": 7.0, "scheduler": "bong_tangent", "model": ["1", 0]}
    report = left({"2": {"class_type": kind, "inputs": inputs}})
    assert [each.number for each in report.outcomes] == ["2"]


@pytest.mark.parametrize("kind", NO_SAMPLERS)
def test_what_only_sounds_like_one_is_not(kind):
    report = left(graph_of(kind, *NO_SAMPLERS[kind]).data)
    assert report.outcomes == [] and report.samplers == 0


def test_a_list_that_has_our_entry_is_advised():
    values = [512, 1, "fixed", 20, 8.0, "euler", "karras"]
    report = left(graph_of("FaceDetailer", DRAWS, ["IMAGE"], values).data)
    assert "choose 'distilled' as its scheduler by hand" in report.outcomes[0].text


def test_a_free_input_for_sigmas_is_advised():
    report = left(graph_of("SharkSampler_Beta", [*DRAWS, "sigmas:SIGMAS"], ["LATENT"]).data)
    assert "link Distilled Sigmas to its input sigmas" in report.outcomes[0].text


def test_sigmas_that_are_linked_to_one_are_swapped():
    """The host takes any SIGMAS there."""
    graph = Graph()
    graph.add("UNETLoader", ["a.safetensors", "default"])
    graph.add("BasicScheduler", ["simple", 20, 1.0], model=1)
    sockets = ([*DRAWS, "sigmas:SIGMAS"], ["LATENT"])
    graph.add("SharkSampler_Beta", [], sockets=sockets, model=1, sigmas=2)
    report = swap(parse(json.dumps(graph.data)))
    assert report.changed == 1 and report.exact and report.samplers == 1
    assert report.outcomes[0].number == 2


@pytest.mark.parametrize("maker", ["LTXVScheduler", "BasicScheduler", "Flux2Scheduler"])
@pytest.mark.parametrize("sampler", ["res_2s", "ClownSampler_Beta"])
def test_a_sampler_that_nothing_is_known_of_keeps_its_scheduler(maker, sampler):
    """LTX-2's own scheduler would give way to a stock one."""
    values = {"LTXVScheduler": [20, 2.05, 0.95, True, 0.1], "BasicScheduler": ["simple", 20, 1.0]}
    graph = advanced("Flux2Scheduler", [20, 64, 64], sampler="res_2s")
    graph.node(5)["type"], graph.node(5)["widgets_values"] = maker, values.get(maker, [20, 64, 64])
    if sampler != "res_2s":
        graph.node(3)["type"], graph.node(3)["widgets_values"] = sampler, [0.5, "res_2s"]
    report = left(graph.data)
    assert report.outcomes[0].code == "no_gain"


def test_there_is_no_sampler_only_where_there_is_none(tmp_path, capsys):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(graph_of("WanVideoSampler", ["model:M"], ["LATENT"]).data), "utf-8")
    assert cli.main(["swap", str(path)]) == 0
    said = capsys.readouterr().out
    assert "There is no sampler" not in said and "1 sampler; 0 nodes changed, 1 left." in said
    path.write_text(json.dumps(graph_of("LoadImage", [], ["IMAGE"]).data), "utf-8")
    assert cli.main(["swap", str(path)]) == 0
    assert "There is no sampler in this workflow." in capsys.readouterr().out
