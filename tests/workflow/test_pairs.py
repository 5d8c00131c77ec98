"""Two samplers that share a run (base + refiner, high + low noise): both halves change, or neither."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scheduler.workflow import parse, swap
from tests.workflow_graphs import Graph, inner, record

HIGH = ["enable", 7, "fixed", 20, 3.5, "euler", "simple", 0, 10, "enable"]
LOW = ["disable", 7, "fixed", 20, 3.5, "euler", "simple", 10, 10000, "disable"]


def two(high: list = HIGH, low: list = LOW, same: bool = False, between: str | None = None) -> dict:
    """Two halves (nodes 3 and 4) of a run; same: by one model."""
    graph = Graph()
    graph.add("UNETLoader", ["wan2.2_high_noise.safetensors", "default"])
    graph.add("UNETLoader", ["wan2.2_low_noise.safetensors", "default"])
    graph.add("KSamplerAdvanced", high, model=1)
    graph.add("KSamplerAdvanced", low, model=1 if same else 2)
    origin = 3
    if between is not None:
        origin = graph.add(between, [], sockets=(["samples:LATENT"], ["LATENT"]), samples=3)
    graph.link(origin, 4, "latent_image")
    return graph.data


def swapped(data: dict, to: str = "distilled", given=None, only=None):
    text = json.dumps(data)
    document = parse(text)
    report = swap(document, to, given, only)
    written = json.loads(document.text())
    if report.changed:
        assert report.exact
        swap(document, "stock")
    assert document.text() == text
    return report, written


def codes(report) -> dict:
    return {each.number: each.code for each in report.outcomes if each.action == "left"}


@pytest.mark.parametrize("given", [None, record()])
@pytest.mark.parametrize("between", [None, "Reroute", "LatentUpscale"])
def test_halves_with_different_models_are_both_left(given, between):
    report, _ = swapped(two(between=between), given=given)
    assert report.changed == 0 and codes(report) == {3: "other_half", 4: "other_half"}
    assert "wan2.2_high_noise and wan2.2_low_noise" in report.outcomes[0].text
    assert "it shares one run with node 4" in report.outcomes[0].text


def test_halves_of_one_model_are_both_swapped():
    report, written = swapped(two(same=True))
    assert report.changed == 2
    assert [node["widgets_values"][6] for node in written["nodes"][2:]] == ["distilled"] * 2


def changed_at(values: list, place: int, value: object) -> list:
    return [value if k == place else each for k, each in enumerate(values)]


@pytest.mark.parametrize(
    ("low", "says"),
    [
        (changed_at(LOW, 3, 30), "count their steps differently"),
        (changed_at(LOW, 5, "dpmpp_2m"), "different samplers"),
    ],
)
def test_halves_whose_schedules_would_differ_are_both_left(low, says):
    for to, given in (("distilled", None), ("baked", record())):
        report, _ = swapped(two(low=low, same=True), to, given)
        assert report.changed == 0 and says in report.outcomes[0].text


@pytest.mark.parametrize("half", ["3", "4"])
def test_one_half_alone_is_left(half):
    report, _ = swapped(two(same=True), only=[half])
    assert report.changed == 0 and codes(report) == {int(half): "other_half"}
    assert "it was not asked for" in report.outcomes[0].text


@pytest.mark.parametrize("half", [3, 4])
def test_where_one_half_must_be_left_so_is_the_other(half):
    graph = two(same=True)
    maker = {"id": 9, "type": "Scheduler Selector", "mode": 0, "inputs": [], "outputs": []}
    maker["outputs"] = [{"name": "scheduler", "type": "COMBO", "links": [90]}]
    graph["nodes"].append(maker | {"widgets_values": ["karras"]})
    target = next(node for node in graph["nodes"] if node["id"] == half)
    entry = {"name": "scheduler", "type": "COMBO", "widget": {"name": "scheduler"}, "link": 90}
    target["inputs"].append(entry)
    graph["links"].append([90, 9, 0, half, len(target["inputs"]) - 1, "COMBO"])
    report, _ = swapped(graph)
    assert codes(report) == {half: "linked", 7 - half: "other_half"}
    assert "must change together" in next(
        each.text for each in report.outcomes if each.code == "other_half"
    )


def test_a_run_in_three_parts_is_one():
    graph = two(low=changed_at(changed_at(LOW, 8, 15), 9, "enable"), same=True)
    third = json.loads(json.dumps(graph["nodes"][3])) | {"id": 5}
    third["widgets_values"] = changed_at(LOW, 7, 15)
    third["inputs"][0]["link"] = 50
    third["inputs"][3]["link"] = 51
    graph["nodes"].append(third)
    graph["links"] += [[50, 2, 0, 5, 0, "MODEL"], [51, 4, 0, 5, 3, "LATENT"]]
    report, _ = swapped(graph)
    assert codes(report) == {3: "other_half", 4: "other_half", 5: "other_half"}


def test_baked_halves_meet_at_the_very_same_sigma():
    """Even of different models: both take one record's sigmas."""
    given = record()
    for steps in (6, 8, 20):
        high = changed_at(changed_at(HIGH, 3, steps), 8, 3)
        low = changed_at(changed_at(LOW, 3, steps), 7, 3)
        report, written = swapped(two(high, low), "baked", given)
        assert report.changed == 2
        sigmas = [
            node["widgets_values"][0] for node in written["nodes"] if node["type"] == "ManualSigmas"
        ]
        first, second = [text.split(", ") for text in sigmas]
        assert first[-1] == second[0] and float(second[-1]) == 0


def test_what_is_no_shared_run_is_swapped_as_ever():
    """A second sampler that adds its own noise, or a first that leaves none."""
    report, _ = swapped(two(low=changed_at(LOW, 0, "enable")))
    assert report.changed == 2
    report, _ = swapped(two(high=changed_at(HIGH, 9, "disable")))
    assert report.changed == 2


def split(same_schedule: bool) -> dict:
    """The same with SamplerCustomAdvanced and SplitSigmas."""
    graph = Graph()
    graph.add("UNETLoader", ["high.safetensors", "default"])
    graph.add("UNETLoader", ["low.safetensors", "default"])
    graph.add("BasicScheduler", ["simple", 20, 1.0], model=1)
    graph.add("BasicScheduler", ["simple", 20, 1.0], model=2)
    graph.add("SplitSigmas", [10], sigmas=3)
    graph.add("SplitSigmas", [10], sigmas=3 if same_schedule else 4)
    graph.add("KSamplerSelect", ["euler"])
    graph.add("BasicGuider", [], model=1)
    graph.add("BasicGuider", [], model=2)
    graph.add("DisableNoise", [], sockets=([], ["NOISE"]))
    graph.add("SamplerCustomAdvanced", guider=8, sampler=7, sigmas=5)
    graph.add(
        "SamplerCustomAdvanced", noise=10, guider=9, sampler=7, sigmas=(6, 1), latent_image=11
    )
    return graph.data


def test_halves_of_one_split_schedule_meet_and_of_two_do_not():
    report, _ = swapped(split(True))
    assert {each.number for each in report.outcomes if each.action == "swapped"} >= {3}
    report, _ = swapped(split(False))
    assert codes(report) == {3: "other_half", 4: "other_half"}


def test_halves_inside_a_subgraph_and_in_a_prompt():
    whole = inner("Pair", {"high": "MODEL", "low": "MODEL"})
    whole.add("KSamplerAdvanced", HIGH, model=(-10, 0))
    whole.add("KSamplerAdvanced", LOW, model=(-10, 1), latent_image=1)
    outer = Graph()
    outer.add("UNETLoader", ["a.safetensors", "default"])
    outer.add("UNETLoader", ["b.safetensors", "default"])
    sockets = (["high:MODEL", "low:MODEL"], ["LATENT"])
    outer.add(whole.data["id"], [], sockets=sockets, high=1, low=2)
    definitions = {"subgraphs": [whole.as_subgraph({"LATENT": (2, 0)})]}
    report, _ = swapped(outer.data | {"definitions": definitions})
    assert codes(report) == {1: "other_half", 2: "other_half"}
    fields = ("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler")
    fields += ("start_at_step", "end_at_step", "return_with_leftover_noise")
    halves = [dict(zip(fields, each, strict=True)) for each in (HIGH, LOW)]
    prompt = {"1": {"class_type": "UNETLoader", "inputs": {"unet_name": "a.safetensors"}}}
    prompt["2"] = {"class_type": "UNETLoader", "inputs": {"unet_name": "b.safetensors"}}
    prompt["3"] = {"class_type": "KSamplerAdvanced", "inputs": halves[0] | {"model": ["1", 0]}}
    low = halves[1] | {"model": ["2", 0], "latent_image": ["3", 0]}
    prompt["4"] = {"class_type": "KSamplerAdvanced", "inputs": low}
    report, _ = swapped(prompt)
    assert codes(report) == {"3": "other_half", "4": "other_half"}


def test_a_record_that_has_one_halfs_recipe_leaves_both():
    given = replace(record(steps=(8,)))
    report, _ = swapped(two(same=True), "distilled", given)
    assert report.changed == 0 and set(codes(report).values()) == {"no_gain"}


def test_both_halves_are_put_back_where_one_is_named():
    text = json.dumps(two(same=True))
    document = parse(text)
    swap(document)
    swap(document, "stock", None, ["3"])
    assert document.text() == text
