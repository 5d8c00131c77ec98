"""What a running ComfyUI shows of the pack before anything is distilled."""

from __future__ import annotations

import json
import re

import pytest

from tests.comfyui.server import ROOT

# Ids, inputs and outputs are for good: workflows hold them.
NODES = {
    "StepDistillDistill": (
        "model positive negative latent_image cfg sampler_name max_steps quality noise_seed "
        "guider? extra_positive? name? frames? measure? again?",
        "record plot report",
    ),
    "StepDistillMakersSigmas": ("model sigmas", "model"),
    "StepDistillSigmas": ("model sampler_name steps denoise if_missing record?", "sigmas info"),
    "StepDistillSampler": ("model steps denoise if_missing record? learn?", "sampler sigmas info"),
    "StepDistillKSampler": (
        "model positive negative latent_image seed steps cfg denoise learn record? recipe?",
        "LATENT info",
    ),
    "StepDistillApply": ("model use_offsets record? learn?", "model info"),
    "StepDistillCompare": (
        "model positive negative latent_image cfg sampler_name schedulers steps seeds noise_seed "
        "record? vae? second_model? second_cfg?",
        "plot pictures table",
    ),
    "StepDistillLoad": ("name", "record info"),
    "StepDistillSave": ("record filename_prefix", "text"),
    "StepDistillFromText": ("text", "record"),
    "StepDistillBake": ("record sampler_name steps denoise", "sigmas text"),
    "StepDistillSplit": ("sigmas sigma", "high low"),
}
DEFAULTS = {
    "StepDistillDistill": {
        "cfg": 4.0,
        "max_steps": 8,
        "measure": False,
        "again": False,
        "quality": "instant",
        "noise_seed": 0,
        "sampler_name": "distilled",
    },
    "StepDistillSigmas": {
        "sampler_name": "euler",
        "steps": 8,
        "denoise": 1.0,
        "if_missing": "stock",
    },
    "StepDistillSampler": {"steps": 6, "denoise": 1.0, "if_missing": "stock"},
    "StepDistillKSampler": {
        "steps": 6,
        "denoise": 1.0,
        "learn": "from my pictures",
        "recipe": "as saved",
    },
    "StepDistillApply": {"use_offsets": True},
    "StepDistillCompare": {"steps": "4, 6, 8, 12", "seeds": 4},
    "StepDistillSplit": {"sigma": 0.875},
}


@pytest.fixture(scope="module")
def info(server):
    """/object_info."""
    return server.client.object_info()


@pytest.mark.parametrize("name", NODES)
def test_every_node_is_there_with_its_inputs_and_outputs(info, name):
    found = info[name]
    inputs = [
        *found["input"]["required"],
        *(f"{each}?" for each in found["input"].get("optional", {})),
    ]
    assert (" ".join(inputs), " ".join(found["output_name"])) == NODES[name]
    assert (
        found["category"] == f"{info['KSampler']['category']}/StepDistill"
        and found["description"]
        and found["display_name"] != name
    )
    assert len(found.get("output_tooltips") or ()) == len(found["output"])


@pytest.mark.parametrize("name", NODES)
def test_every_input_has_a_tooltip_and_the_promised_default(info, name):
    found = info[name]["input"]
    specs = found["required"] | found.get("optional", {})
    assert all(len(spec) > 1 and len(spec[1]["tooltip"]) > 15 for spec in specs.values())
    for each, value in DEFAULTS.get(name, {}).items():
        options = specs[each][0] if isinstance(specs[each][0], list) else []
        assert specs[each][1].get("default", options[0] if options else None) == value


@pytest.mark.parametrize("kind", ["KSampler", "KSamplerAdvanced"])
def test_both_dropdowns_have_distilled_once(client, kind):
    assert (
        client.choices(kind, "scheduler").count("distilled") == 1
        and client.choices(kind, "sampler_name").count("distilled") == 1
    )


def test_other_nodes_have_it_too(client):
    assert "distilled" in client.choices(
        "BasicScheduler", "scheduler"
    ) and "distilled" in client.choices("KSamplerSelect", "sampler_name")


@pytest.mark.parametrize("name", NODES)
def test_every_node_has_a_help_page(client, name):
    page = client.get(f"/extensions/comfyui-stepdistill/docs/{name}.md").decode("utf-8")
    inputs, outputs = NODES[name]
    assert page.startswith("# ") and "## Example" in page
    words = set(re.findall(r"\w+", page))
    assert {each.strip("?") for each in f"{inputs} {outputs}".split()} <= words


def test_examples_are_offered_with_thumbnails(client):
    offered = client.get("/workflow_templates")["comfyui-stepdistill"]
    assert len(offered) >= 3
    for name in offered:
        assert isinstance(
            client.get(f"/api/workflow_templates/comfyui-stepdistill/{name}.json"), dict
        )
        assert (ROOT / "example_workflows" / f"{name}.jpg").stat().st_size > 5000


def test_examples_fit_the_nodes(info):
    for path in (ROOT / "example_workflows").glob("*.json"):
        workflow = json.loads(path.read_text(encoding="utf-8"))
        nodes = {node["id"]: node for node in workflow["nodes"]}
        assert re.fullmatch(r"[0-9a-f-]{36}", workflow["id"]) and all(
            {"flags", "order", "mode"} <= set(node) for node in nodes.values()
        )
        for node in nodes.values():
            if node["type"] != "MarkdownNote":
                _fits(node, info[node["type"]])
        for number, source, out, target, slot, kind in workflow["links"]:
            assert (
                nodes[target]["inputs"][slot]["link"] == number
                and number in nodes[source]["outputs"][out]["links"]
            )
            assert kind == nodes[source]["outputs"][out]["type"] and nodes[target]["inputs"][slot][
                "type"
            ] in (kind, "*")


def _fits(node: dict, info: dict) -> None:
    """A node of a workflow against what the server says of its class."""
    specs = info["input"].get("required", {}) | info["input"].get("optional", {})
    given = {each["name"]: each for each in node.get("inputs", ())}
    assert (
        set(given) <= set(specs)
        and [each["name"] for each in node["outputs"]]
        == list(info["output_name"])[: len(node["outputs"])]
    )
    linked = {name for name, each in given.items() if each["link"] is not None}
    sockets = {
        name
        for name, spec in specs.items()
        if isinstance(spec[0], str) and spec[0].isupper() and name not in _widgets(specs)
    }
    assert sockets & set(info["input"].get("required", {})) <= linked
    values = list(node.get("widgets_values", ()))
    for name, spec in _widgets(specs).items():
        value = values.pop(0)
        options = (
            spec[0]
            if isinstance(spec[0], list)
            else spec[1].get("options")
            if spec[0] == "COMBO"
            else None
        )
        assert name == "ckpt_name" or options is None or value in options
        if name in ("seed", "noise_seed") and values and values[0] in ("fixed", "randomize"):
            values.pop(0)
    assert not values


def _widgets(specs: dict) -> dict:
    kinds = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
    return {
        name: spec for name, spec in specs.items() if isinstance(spec[0], list) or spec[0] in kinds
    }


def test_nodes_stand_where_the_host_has_its_samplers(client):
    own = client.object_info("KSampler")["category"]
    for kind, info in client.object_info().items():
        if kind.startswith("StepDistill"):
            assert info["category"] == f"{own}/StepDistill"


@pytest.mark.since("0.29")
@pytest.mark.parametrize("words", ["few steps", "fewer steps", "speed", "optimal steps", "turbo"])
def test_search_finds_them_by_what_artists_look_for(client, words):
    found = [
        kind
        for kind, info in client.object_info().items()
        if words in (info.get("search_aliases") or ())
    ]
    assert "StepDistillKSampler" in found and all(kind.startswith("StepDistill") for kind in found)
