"""Baking into core's own nodes: what each kind becomes, with its links and values, and what is left."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest

from scheduler.errors import WorkflowError
from scheduler.sigmas.noise_table import table_for
from scheduler.workflow import parse, swap
from tests.workflow.test_swap import consistent, nested, node, swapped
from tests.workflow_graphs import Graph, advanced, inner, plain, prompt, record

MANUAL_SIGMAS = r"[-+]?(?:\d*\.*\d+)"  # how ComfyUI's node finds its numbers


def numbers(found: dict) -> np.ndarray:
    """What a ManualSigmas node makes of its text."""
    values = found["widgets_values"] if "widgets_values" in found else [found["inputs"]["sigmas"]]
    return np.array([float(word) for word in re.findall(MANUAL_SIGMAS, values[0])])


def baked(data: dict, **options):
    options.setdefault("record", record())
    after, report, outcomes = swapped(data, "baked", **options)
    if isinstance(after.get("nodes"), list):
        assert consistent(after)
    return after, report, outcomes


def feeds(data: dict, number: int, name: str) -> dict:
    """The node that feeds an input."""
    link = next(entry["link"] for entry in node(data, number)["inputs"] if entry["name"] == name)
    return node(data, next(row[1] for row in data["links"] if row[0] == link))


def test_a_ksampler_becomes_a_sampler_custom():
    graph = plain()
    graph.node(2)["title"] = "Mine"
    seed = graph.add("PrimitiveInt", [5])
    graph.node(2)["inputs"].append(
        {"name": "seed", "type": "INT", "widget": {"name": "seed"}, "link": None}
    )
    graph.link(seed, 2, "seed")
    after, report, outcomes = baked(graph.data)
    found = node(after, 2)
    assert (found["type"], found["title"], found["pos"]) == ("SamplerCustom", "Mine", [200, 50.5])
    assert found["widgets_values"] == [True, 952805179515179, "randomize", 7.0]
    assert (
        feeds(after, 2, "sampler")["widgets_values"] == ["dpmpp_2m"]
        and feeds(after, 2, "noise_seed")["id"] == seed
    )
    assert feeds(after, 2, "model")["id"] == 1 and feeds(after, 3, "samples")["id"] == 2
    assert np.allclose(
        numbers(feeds(after, 2, "sigmas")), record().recipe("dpmpp_2m", 20).sigmas, rtol=1e-6
    )
    assert report.needs == ["the node ManualSigmas, which ComfyUI's core has since December 2025"]
    assert (
        outcomes[2].text
        == "becomes SamplerCustom with ManualSigmas, 20 steps, sampler dpmpp_2m (distilled)"
    )


@pytest.mark.parametrize(
    ("start", "end", "leftover", "steps", "last"),
    [
        (0, 20, "disable", 20, 0.0),
        (0, 10000, "enable", 20, 0.0),
        (0, 8, "enable", 8, None),
        (0, 8, "disable", 8, 0.0),
        (8, 99, "disable", 12, 0.0),
    ],
)
def test_a_ksampler_advanced_becomes_its_slice(start, end, leftover, steps, last):
    graph = plain()
    graph.add(
        "KSamplerAdvanced",
        ["disable", 1, "fixed", 20, 7.0, "euler", "normal", start, end, leftover],
        model=1,
    )
    after, _, _ = baked(graph.data)
    sigmas, whole = numbers(feeds(after, 4, "sigmas")), record().recipe("euler", 20).sigmas
    assert len(sigmas) == steps + 1 and np.allclose(
        sigmas[:-1], whole[start : start + steps], rtol=1e-6
    )
    assert sigmas[-1] == pytest.approx(whole[start + steps] if last is None else last, rel=1e-6)
    assert node(after, 4)["widgets_values"] == [False, 1, "fixed", 7.0]


def test_a_slice_of_nothing_is_left():
    graph = plain()
    graph.add(
        "KSamplerAdvanced",
        ["enable", 1, "fixed", 20, 7.0, "euler", "normal", 20, 10000, "enable"],
        model=1,
    )
    assert baked(graph.data)[2][4].code == "partial"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("BasicScheduler", ["simple", 8, 1.0]),
        ("Flux2Scheduler", [8, 64, 64]),
        ("BetaSamplingScheduler", [8, 0.6, 0.6]),
    ],
)
def test_makers_become_manual_sigmas(kind, values):
    after, _, _ = baked(advanced(kind, values).data)
    assert node(after, 5)["type"] == "ManualSigmas" and not any(
        each["type"].startswith("StepDistill") for each in after["nodes"]
    )
    assert np.allclose(numbers(node(after, 5)), record().recipe("euler", 8).sigmas, rtol=1e-6)


def test_denoise_is_a_noise_level():
    start = table_for(0.003, 1.0, "flow", 3.0).percent_to_sigma(0.5)
    after, _, _ = baked(plain(denoise=0.5).data, record=record(starts=(1.0, start)))
    assert (
        numbers(feeds(after, 2, "sigmas"))[0] == pytest.approx(0.75)
        and len(numbers(feeds(after, 2, "sigmas"))) == 21
    )


@pytest.mark.parametrize(
    ("graph", "code"),
    [
        (plain(steps=7), "no_recipe"),
        (plain(denoise=0.5), "no_recipe"),
        (plain(sampler="heunpp2"), "no_recipe"),
        (plain(denoise=0.0), "unclear"),
        (plain(steps=10**30), "unclear"),
        (plain(steps=10_001), "unclear"),
        (plain(denoise=1e-12), "no_recipe"),
        (plain(sampler="dpm_adaptive"), "own_steps"),
        (plain(steps=4, cfg=1.0), "step_distilled"),
        (
            advanced("ManualSigmas", ["0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.3, 0.2, 0.1"]),
            "partial",
        ),
    ],
)
def test_what_is_left(graph, code):
    after, _, outcomes = baked(graph.data)
    assert after == graph.data and code in {outcome.code for outcome in outcomes.values()}


def test_linked_steps_are_left_and_named():
    graph = plain()
    source = graph.add("PrimitiveInt", [30])
    graph.node(2)["inputs"].append(
        {"name": "steps", "type": "INT", "widget": {"name": "steps"}, "link": None}
    )
    graph.link(source, 2, "steps")
    assert (
        "its value 'steps' comes from node 4 PrimitiveInt; set it on the node itself first"
        in baked(graph.data)[2][2].text
    )


def test_the_sampler_distilled_becomes_the_best_stock_one():
    after, _, outcomes = baked(plain(sampler="distilled", scheduler="distilled").data)
    assert (
        feeds(after, 2, "sampler")["widgets_values"] == ["dpmpp_2m"]
        and "sampler distilled -> dpmpp_2m" in outcomes[2].line
    )


def test_stochastic_samplers_keep_their_name():
    after, _, outcomes = baked(plain(sampler="euler_ancestral").data)
    assert (
        feeds(after, 2, "sampler")["widgets_values"] == ["euler_ancestral"]
        and "not measured" in outcomes[2].line
    )


def test_another_cfg_is_said():
    assert (
        "the record was made at cfg 3, this runs at 7"
        in baked(plain().data, record=record(cfg=3.0))[2][2].line
    )


def test_manual_sigmas_are_baked_from_their_own_start():
    graph = advanced("ManualSigmas", ["0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0"])
    after, _, _ = baked(graph.data, record=record(starts=(1.0, 0.75)))
    assert numbers(node(after, 5))[0] == 0.75 and len(numbers(node(after, 5))) == 9


def test_the_api_format():
    data = prompt()
    data["8"]["inputs"]["steps"] = 8
    after, _, _ = baked(data)
    expected = {
        "model": ["4", 0],
        "positive": ["6", 0],
        "negative": ["6", 0],
        "sampler": ["13", 0],
        "sigmas": ["14", 0],
    }
    expected |= {
        "latent_image": ["5", 0],
        "add_noise": True,
        "noise_seed": 18446744073709551615,
        "cfg": 7.0,
    }
    assert after["3"]["inputs"] == expected and after["13"]["inputs"] == {
        "sampler_name": "dpmpp_2m"
    }
    assert np.allclose(numbers(after["14"]), record().recipe("dpmpp_2m", 20).sigmas, rtol=1e-6)
    assert (after["8"]["class_type"], list(after["8"]["inputs"])) == ("ManualSigmas", ["sigmas"])


def test_inside_subgraphs():
    after, report, _ = swapped(nested(), "baked", record=record())
    deep = after["definitions"]["subgraphs"][1]
    assert (
        report.changed == 2
        and node(deep, 1)["type"] == "SamplerCustom"
        and node(deep, 4)["type"] == "ManualSigmas"
    )
    assert (
        len({each["id"] for each in deep["nodes"]}) == len(deep["nodes"])
        and deep["state"]["lastNodeId"] == 8
    )


def test_ids_are_new_in_the_whole_workflow():
    graph = inner("Sub", {"model": "MODEL"})
    graph.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=(-10, 0))
    outer = Graph()
    for _ in range(9):
        outer.add("UNETLoader", ["a.safetensors", "default"])
    after, _, _ = swapped(
        outer.data | {"definitions": {"subgraphs": [graph.as_subgraph()]}}, "baked", record=record()
    )
    assert {each["id"] for each in after["definitions"]["subgraphs"][0]["nodes"]} == {1, 10, 11}


def test_from_distilled_to_baked_and_back():
    text = json.dumps(advanced("Flux2Scheduler", [8, 64, 64]).data)
    document = parse(text)
    for to in ("distilled", "baked", "distilled", "baked", "baked", "stock"):
        swap(document, to, record() if to == "baked" else None)
    assert document.text() == text


@pytest.mark.parametrize("carried", [None, record()], ids=["bare", "carried"])
def test_what_was_distilled_and_cannot_be_baked_stays_as_it_is(carried):
    """A failed action changes nothing, nor does it take out what an earlier one added."""
    graph = plain(steps=20)
    graph.add("KSampler", [1, "fixed", 8, 4.0, "euler", "simple", 1.0], model=1)
    document = parse(json.dumps(graph.data))
    swap(document, record=carried)
    before = json.loads(document.text())
    no_euler = replace(record(), recipes=record(samplers=("euler",)).recipes)
    report = swap(document, "baked", no_euler, only=["2"])
    assert [(outcome.action, outcome.number) for outcome in report.outcomes] == [("left", 2)]
    assert json.loads(document.text()) == before and not report.changed


def saved_by_a_page(data: dict, seed: int) -> dict:
    """The same graph as another page might save it: keys, nodes and links in another order, whole
    numbers without a point."""
    shuffle = random.Random(seed).shuffle
    data = json.loads(
        json.dumps(data, sort_keys=True),
        parse_float=lambda text: int(float(text)) if float(text).is_integer() else float(text),
    )
    for rows in (
        data["nodes"],
        data["links"],
        *(each["links"] or [] for part in data["nodes"] for each in part["outputs"]),
    ):
        shuffle(rows)
    return data


def in_order(data: dict) -> dict:
    data = saved_by_a_page(data, 0)
    for rows in (
        data["nodes"],
        data["links"],
        *(each["links"] or [] for part in data["nodes"] for each in part["outputs"]),
    ):
        rows.sort(
            key=lambda row: (
                row["id"] if isinstance(row, dict) else row[0] if isinstance(row, list) else row
            )
        )
    return data


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("to", ["distilled", "carried", "baked"])
def test_what_a_page_has_saved_since_goes_back_too(to, seed):
    graph = advanced("Flux2Scheduler", [8, 1248, 832])
    width = graph.add("PrimitiveInt", [1248])
    graph.node(5)["inputs"].append(
        {"name": "width", "type": "INT", "widget": {"name": "width"}, "link": None}
    )
    graph.link(width, 5, "width")
    graph.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=1)
    document = parse(json.dumps(graph.data))
    swap(
        document, "baked" if to == "baked" else "distilled", None if to == "distilled" else record()
    )
    again = parse(json.dumps(saved_by_a_page(document.value, seed)))
    swap(again, "stock")
    assert in_order(again.value) == in_order(graph.data)


def test_a_put_back_keeps_helpers_that_something_else_uses():
    document = parse(json.dumps(plain().data))
    swap(document, "baked", record())
    graph = Graph()
    graph.data = document.value
    graph.add("SamplerCustom", [True, 0, "fixed", 1.0], sigmas=5)
    again = parse(json.dumps(graph.data))
    swap(again, "stock")
    assert {each["type"] for each in again.value["nodes"]} >= {
        "KSampler",
        "ManualSigmas",
    } and consistent(again.value)
    assert "KSamplerSelect" not in {each["type"] for each in again.value["nodes"]}


def test_several_models_are_named():
    """Wan 2.2 has an expert for high noise and one for low; a record is of one of them."""
    graph = plain()
    graph.add("UNETLoader", ["low_noise.safetensors", "default"])
    graph.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=4)
    assert (
        "(low_noise; photo)" in baked(graph.data)[1].warning
        and "--node" in baked(graph.data)[1].warning
    )
    assert not baked(graph.data, only=["2"])[1].warning and not baked(plain().data)[1].warning


def test_baking_needs_a_record():
    with pytest.raises(WorkflowError, match="--record"):
        swap(parse(json.dumps(plain().data)), "baked")
