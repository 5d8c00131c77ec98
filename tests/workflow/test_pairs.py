"""Two samplers that share a run (base + refiner, high + low noise): both halves change, or neither."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scheduler.record.pair_half import FIRST, SECOND, half_patch
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


def pair_record(half: str = FIRST):
    """The record of a pair: 6 steps of euler that hand over after 2."""
    of = record(steps=(6,), samplers=("euler",))
    evidence = {"hand_over_step": 2, "ratio": 0.7}
    recipes = tuple(replace(each, evidence=evidence) for each in of.recipes)
    model = replace(of.model, patches=(half_patch(half, "other"),))
    provenance = of.provenance | {"pair": {"hand_over": 0.875, "other": "other"}}
    return replace(of, model=model, recipes=recipes, provenance=provenance)


SIX = changed_at(changed_at(HIGH, 3, 6), 8, 3), changed_at(changed_at(LOW, 3, 6), 7, 3)


@pytest.mark.parametrize("half", [FIRST, SECOND])
def test_a_pairs_record_swaps_both_halves_and_moves_the_hand_over(half):
    report, written = swapped(two(*SIX), given=pair_record(half))
    assert report.changed == 2 and not report.warning
    high, low = (node["widgets_values"] for node in written["nodes"][2:4])
    assert (high[6], high[8]) == ("distilled", 2) and (low[6], low[7]) == ("distilled", 2)
    assert len(written["nodes"]) == 4  # nothing is carried: the store has both
    assert any("both records of the pair" in need for need in report.needs)
    assert "steps 0 to 2 of 6 (0.70 of the error of the best stock pair)" in report.outcomes[0].line


def test_a_pairs_record_is_baked_into_both_halves():
    given = pair_record()
    report, written = swapped(two(*SIX), "baked", given)
    assert report.changed == 2 and not report.warning
    sigmas = [n["widgets_values"][0] for n in written["nodes"] if n["type"] == "ManualSigmas"]
    first, second = ([float(each) for each in text.split(", ")] for text in sigmas)
    assert (len(first), len(second)) == (3, 5) and first[-1] == second[0]
    assert first[-1] == pytest.approx(given.recipes[0].sigmas[2], rel=1e-5)


@pytest.mark.parametrize(
    ("high", "low", "says"),
    [(HIGH, LOW, "no recipe for 20 steps of euler; it has 6 steps")]
    + [
        (changed_at(SIX[0], 5, "dpmpp_2m"), changed_at(SIX[1], 5, "dpmpp_2m"), "none for that"),
        (changed_at(SIX[0], 5, "dpmpp_2m"), SIX[1], "different samplers"),
    ],
)
@pytest.mark.parametrize("to", ["distilled", "baked"])
def test_where_a_pairs_record_does_not_fit_both_halves_are_left(high, low, says, to):
    report, _ = swapped(two(high, low), to, pair_record())
    assert report.changed == 0 and says in report.outcomes[0].text
    assert set(codes(report).values()) == {"other_half"}


@pytest.mark.parametrize("to", ["distilled", "baked"])
def test_a_whole_run_gets_nothing_from_a_pairs_record(to):
    graph = Graph()
    graph.add("UNETLoader", ["high.safetensors", "default"])
    graph.add("KSampler", [7, "fixed", 6, 3.5, "euler", "simple", 1.0], model=1)
    report, _ = swapped(graph.data, to, pair_record())
    assert report.changed == 0 and codes(report) == {2: "no_recipe"}
    assert "one half of a pair" in report.outcomes[0].text


def test_one_half_alone_gets_nothing_from_a_pairs_record():
    report, _ = swapped(two(*SIX), given=pair_record(), only=["3"])
    assert report.changed == 0 and codes(report) == {3: "other_half"}


def test_an_ordinary_record_on_two_models_says_what_would_help():
    for only in (None, ["3"], ["4"]):
        report, _ = swapped(two(), given=record(), only=only)
        assert report.changed == 0 and all("Distil Pair" in o.text for o in report.outcomes)


def test_one_record_baked_into_both_halves_is_not_told_to_name_one():
    report, _ = swapped(two(*SIX), "baked", record())
    assert report.changed == 2 and "--node" not in report.warning
    assert "so they meet" in report.warning and "Distil Pair" in report.warning


@pytest.mark.parametrize(
    ("same", "told"),
    [(False, "put Few-Step KSampler (Pair) in the place of both"), (True, "one Few-Step KSampler")],
)
def test_few_steps_names_the_node_that_takes_the_place_of_both(same, told):
    report, _ = swapped(two(same=same), "few")
    assert report.changed == 0 and codes(report) == {3: "other_half", 4: "other_half"}
    assert told in report.outcomes[0].text
    assert report.outcomes[0].text.startswith("it draws one picture together with node 4")
