"""--to vendor: the sigmas that the maker of a step-distilled model published."""

from __future__ import annotations

import json

import pytest

from scheduler.errors import WorkflowError
from scheduler.presets import preset_recipe
from scheduler.workflow import parse, swap
from tests.workflow_graphs import Graph, record


def run(file: str, steps: int = 4, sampler: str = "euler", cfg: float = 1.0):
    graph = Graph()
    graph.add("CheckpointLoaderSimple", [file])
    graph.add("KSampler", [1, "fixed", steps, cfg, sampler, "simple", 1.0], model=1)
    text = json.dumps(graph.data)
    document = parse(text)
    report = swap(document, "vendor")
    written = json.loads(document.text())
    swap(document, "stock")
    assert document.text() == text
    return report, written


@pytest.mark.parametrize(
    ("file", "preset", "steps"),
    [
        ("sd_xl_turbo_1.0_fp16.safetensors", "sdxl-turbo", 4),
        ("sdxl_lightning_8step.safetensors", "sdxl-lightning", 8),
        ("Qwen-Image-Lightning-4steps-V1.0.safetensors", "qwen-image-lightning", 4),
        ("flux2-dev-turbo.safetensors", "flux2-turbo", 8),
        ("ltx-2-19b-distilled.safetensors", "ltx2-distilled", 8),
        ("ltx-2.3-22b-distilled-fp8.safetensors", "ltx2-distilled", 8),
    ],
)
def test_the_makers_sigmas_take_the_schedules_place(file, preset, steps):
    report, written = run(file, steps)
    assert report.changed == 1 and report.exact
    (manual,) = (node for node in written["nodes"] if node["type"] == "ManualSigmas")
    sigmas = [float(each) for each in manual["widgets_values"][0].split(",")]
    assert sigmas == pytest.approx(preset_recipe(preset, steps).sigmas, rel=1e-4, abs=1e-6)
    assert any("ManualSigmas" in need for need in report.needs)


@pytest.mark.parametrize(
    ("file", "steps", "says"),
    [
        ("dreamshaper.safetensors", 20, "nothing in its files' names"),
        ("sd_xl_turbo_1.0.safetensors", 20, "are for 1-2, 4 steps, and 20 run here"),
        ("z_image_turbo_bf16.safetensors", 8, "no sigmas are known here"),
        ("ltx-2.5-22b-distilled.safetensors", 8, "no sigmas are known here"),
    ],
)
def test_what_has_none_is_left_with_its_reason(file, steps, says):
    report, _ = run(file, steps)
    assert report.changed == 0 and says in report.outcomes[0].text
    assert report.outcomes[0].code == "no_recipe"


def test_explicit_sigmas_stay_as_they_are():
    graph = Graph()
    graph.add("UNETLoader", ["ltx-2-19b-distilled.safetensors", "default"])
    graph.add("ManualSigmas", ["1.0, 0.99, 0.9, 0.7, 0.4, 0.0"])
    graph.add("KSamplerSelect", ["euler"])
    graph.add("BasicGuider", [], model=1)
    graph.add("SamplerCustomAdvanced", guider=4, sampler=3, sigmas=2)
    document = parse(json.dumps(graph.data))
    report = swap(document, "vendor")
    assert report.changed == 0 and "explicit sigmas already" in report.outcomes[0].text


def test_a_record_has_no_place_there():
    with pytest.raises(WorkflowError, match="leave --record"):
        swap(parse(json.dumps(Graph().data | {"nodes": []})), "vendor", record())


def test_both_halves_of_a_lightning_pair_meet():
    graph = Graph()
    graph.add("UNETLoader", ["wan2.2_t2v_high_lightning_4step.safetensors", "default"])
    graph.add("UNETLoader", ["wan2.2_t2v_low_lightning_4step.safetensors", "default"])
    high = ["enable", 7, "fixed", 4, 1.0, "euler", "simple", 0, 2, "enable"]
    low = ["disable", 7, "fixed", 4, 1.0, "euler", "simple", 2, 10000, "disable"]
    graph.add("KSamplerAdvanced", high, model=1)
    graph.add("KSamplerAdvanced", low, model=2, latent_image=3)
    document = parse(json.dumps(graph.data))
    report = swap(document, "vendor")
    assert report.changed == 2
    values = json.loads(document.text())["nodes"]
    first, second = (
        [float(each) for each in node["widgets_values"][0].split(",")]
        for node in values
        if node["type"] == "ManualSigmas"
    )
    assert first == pytest.approx([1.0, 0.9375, 0.833333], rel=1e-5)
    assert second[0] == first[-1] and second[1:] == [0.625, 0.0]
