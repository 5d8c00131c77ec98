"""Swapping to distilled and putting back: every kind of node, in both formats, with nothing else touched."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest

from scheduler.errors import WorkflowError
from scheduler.workflow import parse, swap
from scheduler.workflow.kinds import KINDS, MEMORY
from tests.workflow_graphs import Graph, advanced, inner, plain, prompt, record


def swapped(data: dict, to: str = "distilled", **options):
    """(the changed data, the report, the outcome of every node), and that putting back gives the
    original text."""
    text = json.dumps(data, indent=2)
    document = parse(text)
    report = swap(document, to, **options)
    again = parse(document.text())
    swap(again, "stock")
    assert again.text() == text
    assert report.exact is not False
    return (
        json.loads(document.text()),
        report,
        {outcome.number: outcome for outcome in report.outcomes},
    )


def node(data: dict, node_id: int) -> dict:
    return next(each for each in data["nodes"] if each["id"] == node_id)


def consistent(data: dict) -> bool:
    """Whether the table of links says what the nodes say."""
    nodes = {each["id"]: each for each in data["nodes"]}
    for link_id, origin, slot, target, at, _ in data["links"]:
        assert nodes[target]["inputs"][at]["link"] == link_id
        assert link_id in nodes[origin]["outputs"][slot]["links"]
    rows = {row[0] for row in data["links"]}
    linked = [
        entry["link"]
        for each in data["nodes"]
        for entry in each["inputs"]
        if entry.get("link") is not None
    ]
    leaving = [
        link for each in data["nodes"] for entry in each["outputs"] for link in entry["links"] or []
    ]
    assert sorted(linked) == sorted(leaving) == sorted(rows)
    return data["last_link_id"] >= max(rows) and data["last_node_id"] >= max(nodes)


def test_a_ksampler_gets_the_entry_and_nothing_else_changes():
    before = plain().data
    after, report, outcomes = swapped(before)
    expected = copy.deepcopy(before)
    node(expected, 2)["widgets_values"][5] = "distilled"
    node(expected, 2)["properties"][MEMORY] = {"to": "distilled", "was": {"scheduler": "karras"}}
    assert after == expected and report.changed == 1 and report.exact
    assert (
        outcomes[2].line
        == "node 2 KSampler: scheduler karras -> distilled (20 steps, sampler dpmpp_2m)"
    )


def test_values_by_name_follow():
    """Newer pages write every value twice."""
    graph = plain()
    names = KINDS["KSampler"]["widgets"]
    graph.node(2)["widgets_values_named"] = dict(
        zip(names, graph.node(2)["widgets_values"], strict=True)
    )
    after, _, _ = swapped(graph.data)
    assert node(after, 2)["widgets_values_named"]["scheduler"] == "distilled"


def test_values_as_an_object_and_without_the_control():
    graph = plain()
    values = dict(zip(KINDS["KSampler"]["widgets"], graph.node(2)["widgets_values"], strict=True))
    graph.node(2)["widgets_values"] = values
    assert node(swapped(graph.data)[0], 2)["widgets_values"]["scheduler"] == "distilled"
    graph.node(2)["widgets_values"] = [
        value for name, value in values.items() if name != "control_after_generate"
    ]
    assert node(swapped(graph.data)[0], 2)["widgets_values"][4] == "distilled"


@pytest.mark.parametrize("kind", ["KSamplerAdvanced", "BasicScheduler"])
def test_other_dropdowns(kind):
    if kind == "BasicScheduler":
        graph, number, place = advanced(kind, ["simple", 20, 1.0]), 5, 0
    else:
        graph, number, place = plain(), 4, 6
        graph.add(
            kind, ["enable", 1, "fixed", 20, 7.0, "euler", "normal", 0, 10, "enable"], model=1
        )
    after, _, outcomes = swapped(graph.data)
    assert (
        node(after, number)["widgets_values"][place] == "distilled"
        and outcomes[number].action == "swapped"
    )


def test_muted_and_bypassed_nodes_are_swapped_and_named():
    for mode, word in ((2, "muted"), (4, "bypassed")):
        graph = plain()
        graph.node(2)["mode"] = mode
        assert word in swapped(graph.data)[2][2].where


def test_a_scheduler_fed_by_a_link_is_left_and_named():
    graph = plain()
    source = graph.add("PrimitiveString", ["karras"], title="My scheduler")
    graph.node(2)["inputs"].append(
        {"name": "scheduler", "type": "COMBO", "widget": {"name": "scheduler"}, "link": None}
    )
    graph.link(source, 2, "scheduler")
    after, report, outcomes = swapped(graph.data)
    assert after == graph.data and not report.changed
    assert (outcomes[2].code, outcomes[2].action) == (
        "linked",
        "left",
    ) and "node 4 PrimitiveString 'My scheduler'" in outcomes[2].text


def test_steps_fed_by_a_link_do_not_matter_to_a_dropdown():
    graph = plain()
    source = graph.add("PrimitiveInt", [30])
    graph.node(2)["inputs"].append(
        {"name": "steps", "type": "INT", "widget": {"name": "steps"}, "link": None}
    )
    graph.link(source, 2, "steps")
    assert swapped(graph.data)[2][2].action == "swapped"


def test_flux2_scheduler_becomes_distilled_sigmas_in_place():
    graph = advanced("Flux2Scheduler", [20, 1248, 832])
    width = graph.add("PrimitiveInt", [1248])
    graph.node(5)["inputs"].append(
        {"name": "width", "type": "INT", "widget": {"name": "width"}, "link": None}
    )
    graph.link(width, 5, "width")
    graph.node(5)["title"] = "My sigmas"
    after, report, _ = swapped(graph.data)
    found = node(after, 5)
    assert (found["type"], found["title"], found["pos"]) == (
        "StepDistillSigmas",
        "My sigmas",
        [500, 50.5],
    )
    assert (
        found["widgets_values"] == ["euler", 20, 1.0, "stock"]
        and "cnr_id" not in found["properties"]
    )
    assert consistent(after) and node(after, width)["outputs"][0]["links"] == []
    model = next(row for row in after["links"] if row[0] == found["inputs"][0]["link"])
    assert model[1:] == [1, 0, 5, 0, "MODEL"]  # the guider's model
    assert report.needs == ["StepDistill (StepDistillSigmas)"]


@pytest.mark.parametrize(
    ("kind", "values", "steps"),
    [
        ("BetaSamplingScheduler", [30, 0.6, 0.6], 30),
        ("KarrasScheduler", [12, 14.614642, 0.0291675, 7.0], 12),
        ("AlignYourStepsScheduler", ["SDXL", 12, 1.0], 12),
        ("ManualSigmas", ["1, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2, 0.1, 0"], 10),
    ],
)
def test_other_makers(kind, values, steps):
    after, _, outcomes = swapped(advanced(kind, values).data)
    assert node(after, 5)["widgets_values"] == ["euler", steps, 1.0, "stock"] and consistent(after)
    assert node(after, 5)["inputs"][0]["link"] is not None and outcomes[5].action == "swapped"


def test_steps_that_a_maker_cuts_by_denoise_are_counted_out():
    """AlignYourSteps runs half of its steps at denoise 0.5; Distilled Sigmas runs all it is told."""
    after, _, _ = swapped(advanced("AlignYourStepsScheduler", ["SDXL", 20, 0.5]).data)
    assert node(after, 5)["widgets_values"] == ["euler", 10, 0.5, "stock"]


@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        (
            "ManualSigmas",
            ["0.909375, 0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.0"],
            "partial",
        ),
        ("ManualSigmas", ["1, 0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.1"], "partial"),
        ("ManualSigmas", ["none"], "partial"),
        ("KarrasScheduler", [12, 5.0, 0.03, 7.0], "partial"),
        ("SDTurboScheduler", [1, 1.0], "step_distilled"),
        ("UnknownSigmas", [20], "unknown"),
        ("Flux2Scheduler", [0, 1024, 1024], "unclear"),
        ("Flux2Scheduler", [], "unclear"),
    ],
)
def test_makers_that_are_left(kind, values, code):
    graph = advanced(kind, values)
    after, _, outcomes = swapped(graph.data)
    assert after == graph.data and outcomes[5].code == code and outcomes[5].text


def test_a_maker_without_a_model_is_left():
    graph = Graph()
    graph.add("Flux2Scheduler", [20, 64, 64])
    assert swapped(graph.data)[2][1].code == "no_model"


def test_a_model_made_from_the_sigmas_themselves_would_be_a_circle():
    graph = advanced("Flux2Scheduler", [20, 64, 64])
    odd = graph.add(
        "Odd", [], sockets=(["model:MODEL", "sigmas:SIGMAS"], ["MODEL"]), model=1, sigmas=5
    )
    graph.data["links"][0][1:3] = [odd, 0]
    graph.node(odd)["outputs"][0]["links"] = [1]
    graph.node(1)["outputs"][0]["links"].remove(1)
    assert swapped(graph.data)[2][5].code == "no_model"


def test_sigmas_are_followed_through_splits_and_reroutes():
    graph = advanced("Flux2Scheduler", [20, 64, 64])
    split = graph.add("SplitSigmas", [10])
    reroute = graph.add("Reroute")
    row = next(row for row in graph.data["links"] if row[3] == 6 and row[5] == "SIGMAS")
    graph.node(5)["outputs"][0]["links"] = []
    row[1], row[2] = reroute, 0
    graph.node(reroute)["outputs"][0]["links"] = [row[0]]
    graph.link((split, 1), reroute, "")
    graph.link(5, split, "sigmas")
    after, _, outcomes = swapped(graph.data)
    assert (
        node(after, 5)["type"] == "StepDistillSigmas"
        and outcomes[5].action == "swapped"
        and consistent(after)
    )


def test_stochastic_samplers_are_said_not_to_be_measured():
    assert (
        "euler_ancestral takes its own schedule where that was measured, else euler's"
        in swapped(plain(sampler="euler_ancestral").data)[2][2].line
    )
    assert (
        "heunpp2 takes heun's schedule, not measured for it"
        in swapped(plain(sampler="heunpp2").data)[2][2].line
    )
    graph = advanced("BasicScheduler", ["simple", 20, 1.0])
    graph.node(3).update(type="SamplerEulerAncestral", widgets_values=[1.0, 1.0])
    assert "euler_ancestral" in swapped(graph.data)[2][5].line


def test_what_was_measured_of_a_stochastic_sampler_is_looked_up():
    """In the record that the workflow will carry: its own schedule, or the one of the sampler like it."""
    own = replace(record().recipes[0], sampler="euler_ancestral", offsets=None)
    both = replace(record(), recipes=(*record().recipes, own))
    graph = plain(sampler="euler_ancestral", steps=own.steps).data
    assert "measured" not in swapped(graph, record=both)[2][2].line
    assert (
        "euler_ancestral takes euler's schedule, not measured for it"
        in swapped(graph, record=record())[2][2].line
    )


def test_samplers_with_steps_of_their_own_are_left():
    assert swapped(plain(sampler="dpm_adaptive").data)[2][2].code == "own_steps"


@pytest.mark.parametrize(
    "graph",
    [
        plain(steps=4, cfg=1.0),
        plain(steps=8, sampler="lcm", cfg=1.5),
        plain(file="models/sd_xl_turbo_1.0_fp16.safetensors"),
    ],
)
def test_step_distilled_models_are_left_unless_asked(graph):
    assert swapped(graph.data)[2][2].code == "step_distilled"
    assert swapped(graph.data, anyway=True)[2][2].action == "swapped"


def lightning(mode: int = 0, switch: bool | None = None) -> Graph:
    graph = Graph()
    graph.add("UNETLoader", ["qwen_image_fp8.safetensors", "default"])
    graph.add(
        "LoraLoaderModelOnly",
        ["Qwen-Image-Lightning-8steps-V1.0.safetensors", 1.0],
        model=1,
        mode=mode,
    )
    source = (
        graph.add("ComfySwitchNode", [switch], on_false=1, on_true=2) if switch is not None else 2
    )
    graph.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=source)
    return graph


def test_a_lightning_lora_counts_where_it_is_on():
    assert swapped(lightning().data)[2][3].code == "step_distilled"
    assert swapped(lightning(mode=4).data)[2][3].action == "swapped"
    assert swapped(lightning(switch=False).data)[2][4].action == "swapped"
    assert swapped(lightning(switch=True).data)[2][4].code == "step_distilled"


def nested() -> dict:
    """A KSampler and a Flux2Scheduler two subgraphs deep, their model from outside."""
    deep = inner("Deep", {"model": "MODEL", "scheduler": "COMBO"})
    deep.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=(-10, 0))
    deep.add("CFGGuider", [3.5], model=(-10, 0))
    deep.add("KSamplerSelect", ["euler"])
    deep.add("Flux2Scheduler", [20, 64, 64])
    deep.add("SamplerCustomAdvanced", guider=2, sampler=3, sigmas=4)
    deep.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=(-10, 0))
    deep.node(6)["inputs"].append(
        {"name": "scheduler", "type": "COMBO", "widget": {"name": "scheduler"}, "link": None}
    )
    deep.link((-10, 1), 6, "scheduler")
    middle = inner("Middle", {"model": "MODEL"})
    middle.add(deep.data["id"], [], sockets=(["model:MODEL"], ["LATENT"]), model=(-10, 0))
    outer = Graph()
    outer.add("UNETLoader", ["base.safetensors", "default"])
    outer.add(middle.data["id"], [], sockets=(["model:MODEL"], ["LATENT"]), model=1)
    subgraphs = [middle.as_subgraph({"LATENT": (1, 0)}), deep.as_subgraph({"LATENT": (1, 0)})]
    return outer.data | {"definitions": {"subgraphs": subgraphs}}


def test_nested_subgraphs():
    data = nested()
    after, report, _ = swapped(data)
    deep = after["definitions"]["subgraphs"][1]
    assert (
        node(deep, 1)["widgets_values"][5] == "distilled"
        and node(deep, 4)["type"] == "StepDistillSigmas"
    )
    link = next(row for row in deep["links"] if row["id"] == node(deep, 4)["inputs"][0]["link"])
    assert (link["origin_id"], link["target_id"], link["id"]) == (
        -10,
        4,
        deep["state"]["lastLinkId"],
    )
    assert link["id"] in deep["inputs"][0]["linkIds"]
    lines = [outcome.line for outcome in report.outcomes if outcome.code == "linked"]
    assert (
        len(lines) == 1
        and "the subgraph's input 'scheduler' (node 1 subgraph in subgraph 'Middle')" in lines[0]
    )
    inside = copy.deepcopy(data)  # the older way of nesting definitions
    subgraphs = inside["definitions"]["subgraphs"]
    subgraphs[0]["definitions"] = {"subgraphs": [subgraphs.pop()]}
    assert swapped(inside)[1].changed == report.changed == 2


def test_the_models_name_is_found_outside_of_the_subgraph():
    data = nested()
    data["nodes"][0]["widgets_values"][0] = "Qwen-Image-Lightning-4steps.safetensors"
    assert {outcome.code for outcome in swapped(data)[1].outcomes} == {"step_distilled", "linked"}


def test_the_api_format():
    data = prompt()
    after, report, outcomes = swapped(data)
    assert after["3"]["inputs"] == data["3"]["inputs"] | {"scheduler": "distilled"}
    assert after["3"]["_meta"] == {
        "title": "KSampler",
        MEMORY: {"to": "distilled", "was": {"scheduler": "karras"}},
    }
    made = {
        "model": ["4", 0],
        "sampler_name": "euler",
        "steps": 20,
        "denoise": 1.0,
        "if_missing": "stock",
    }
    assert (after["8"]["class_type"], after["8"]["inputs"]) == ("StepDistillSigmas", made)
    assert {key: after[key] for key in after if key not in "38"} == {
        key: data[key] for key in data if key not in "38"
    }
    assert report.changed == 2 and report.samplers == 2 and outcomes["8"].action == "swapped"
    assert swapped({"prompt": data, "client_id": "x"})[1].changed == 2  # as it is posted


def test_only_some_nodes():
    after, report, _ = swapped(prompt(), only=["8"])
    assert report.changed == 1 and after["3"] == prompt()["3"]


def test_swapping_twice_is_swapping_once():
    document = parse(json.dumps(nested()))
    swap(document)
    text = document.text()
    report = swap(document)
    assert document.text() == text and not report.changed
    assert {outcome.action for outcome in report.outcomes} == {"already", "left"}


def test_what_was_edited_since_stays():
    """A seed and a title changed on the page, and a scheduler chosen by hand."""
    document = parse(json.dumps(plain().data))
    swap(document)
    found = document.value["nodes"][1]
    found["title"], found["widgets_values"][0] = "Mine", 7
    other = parse(document.text())
    swap(document, "stock")
    assert (found["title"], found["widgets_values"]) == (
        "Mine",
        [7, "randomize", 20, 7.0, "dpmpp_2m", "karras", 1.0],
    )
    other.value["nodes"][1]["widgets_values"][5] = "beta"
    report = swap(other, "stock")
    assert (
        other.value["nodes"][1]["widgets_values"][5] == "beta"
        and "stays" in report.outcomes[0].text
    )
    assert MEMORY not in other.value["nodes"][1]["properties"]


def test_steps_edited_since_stay_with_a_maker_too():
    document = parse(json.dumps(advanced("Flux2Scheduler", [20, 64, 32]).data))
    swap(document)
    document.value["nodes"][4]["widgets_values"][1] = 6
    swap(document, "stock")
    assert document.value["nodes"][4]["widgets_values"] == [6, 64, 32]


def test_a_link_added_since_keeps_its_number():
    document = parse(json.dumps(advanced("Flux2Scheduler", [20, 64, 32]).data))
    swap(document)
    top = document.value["last_link_id"]
    document.value["last_link_id"] = top + 5
    swap(document, "stock")
    assert document.value["last_link_id"] == top + 5


def test_a_source_that_is_gone_is_named_when_put_back():
    graph = advanced("Flux2Scheduler", [20, 1248, 832])
    width = graph.add("PrimitiveInt", [1248])
    graph.node(5)["inputs"].append(
        {"name": "width", "type": "INT", "widget": {"name": "width"}, "link": None}
    )
    graph.link(width, 5, "width")
    document = parse(json.dumps(graph.data))
    swap(document)
    document.value["nodes"] = [each for each in document.value["nodes"] if each["id"] != width]
    again = parse(document.text())
    report = swap(again, "stock")
    assert "its input width could not be connected again" in report.outcomes[0].line
    assert (
        node(again.value, 5)["type"] == "Flux2Scheduler"
        and node(again.value, 5)["inputs"][0]["link"] is None
    )


def test_an_entry_chosen_by_hand_has_nothing_to_put_back():
    data = plain(scheduler="distilled").data
    after, _, outcomes = swapped(data, "stock")
    assert after == data and outcomes[2].code == "by_hand"
    assert swapped(data)[2][2].action == "already"


def test_nothing_to_swap():
    graph = Graph()
    graph.add("UNETLoader", ["a.safetensors", "default"])
    after, report, _ = swapped(graph.data)
    assert after == graph.data and not report.outcomes and not report.samplers


def test_unknown_samplers_are_named():
    graph = plain()
    graph.add("FaceDetailer", [512, 1, "fixed", 20, 8.0, "euler", "karras"], model=1)
    assert swapped(graph.data)[2][4].code == "unknown"


def test_a_sampler_without_sigmas_is_explained():
    graph = Graph()
    graph.add("SamplerCustomAdvanced")
    assert "nothing feeds its sigmas" in swapped(graph.data)[2][1].text


def carried(data: dict):
    after, report, outcomes = swapped(data, record=record())
    assert consistent(after)
    return after, report, outcomes


def test_a_workflow_can_carry_its_record():
    after, report, _ = carried(plain().data)
    text, apply = after["nodes"][3], after["nodes"][4]
    assert (text["type"], apply["type"], after["last_node_id"]) == (
        "StepDistillFromText",
        "StepDistillApply",
        5,
    )
    assert text["widgets_values"] == [record().to_json()] or "stepdistill" in json.loads(
        text["widgets_values"][0]
    )
    rows = {row[0]: row[1:4] for row in after["links"]}
    assert rows[node(after, 2)["inputs"][0]["link"]] == [5, 0, 2] and rows[
        apply["inputs"][0]["link"]
    ][:2] == [1, 0]
    assert rows[apply["inputs"][1]["link"]][:2] == [4, 0] and report.changed == 3


def test_the_guider_gets_the_record_with_its_scheduler():
    """Query offsets hang on the model that samples, which is the guider's."""
    after, _, _ = carried(advanced("BasicScheduler", ["simple", 20, 1.0]).data)
    rows = {row[0]: row[1] for row in after["links"]}
    apply = next(each["id"] for each in after["nodes"] if each["type"] == "StepDistillApply")
    assert [rows[node(after, number)["inputs"][0]["link"]] for number in (2, 5)] == [apply, apply]


def test_distilled_sigmas_take_the_record_directly():
    after, _, _ = carried(advanced("Flux2Scheduler", [20, 64, 64]).data)
    assert not any(each["type"] == "StepDistillApply" for each in after["nodes"])
    rows = {row[0]: row[1] for row in after["links"]}
    assert node(after, rows[node(after, 5)["inputs"][1]["link"]])["type"] == "StepDistillFromText"


def test_prompts_and_subgraphs_carry_records_too():
    after, report, _ = swapped(prompt(), record=record())
    assert (
        after["3"]["inputs"]["model"] == ["14", 0]
        and after["8"]["inputs"]["record"] == ["13", 0]
        and report.changed == 4
    )
    assert after["14"]["inputs"] == {"use_offsets": True, "model": ["4", 0], "record": ["13", 0]}
    assert swapped(nested(), record=record())[1].changed == 4


def test_a_record_can_be_added_and_changed_later():
    document = parse(json.dumps(plain().data))
    swap(document)
    swap(document, record=record())
    once = document.text()
    swap(document, record=record())
    assert [each["type"] for each in json.loads(document.text())["nodes"]] == [
        each["type"] for each in json.loads(once)["nodes"]
    ]
    swap(document, "stock")
    assert json.loads(document.text()) == plain().data


def test_unknown_targets_are_refused():
    with pytest.raises(WorkflowError, match="distilled, few, baked, vendor, stock"):
        swap(parse(json.dumps(plain().data)), "karras")


@pytest.mark.parametrize("sampler", ["res_2s", "gradient_estimation"])
def test_where_nothing_is_known_for_a_sampler_nothing_is_changed(sampler):
    """A model's own scheduler would give way to a stock one for nothing."""
    for graph, number in (
        (plain(sampler=sampler), 2),
        (advanced("Flux2Scheduler", [20, 64, 64], sampler=sampler), 5),
    ):
        after, _, outcomes = swapped(graph.data)
        assert after == graph.data and outcomes[number].code == "no_gain"
        assert f"no schedule is distilled for {sampler}" in outcomes[number].text


def test_a_record_that_gains_nothing_changes_nothing():
    """With the record in hand the swap knows what it would give."""
    for graph in (plain(steps=7), plain(sampler="heunpp2"), plain(denoise=0.5)):
        after, _, outcomes = swapped(graph.data, record=record())
        assert after == graph.data and outcomes[2].code == "no_gain"
        assert "nothing would be gained: this record has no recipe" in outcomes[2].text
    maker = advanced("Flux2Scheduler", [7, 64, 64])
    assert swapped(maker.data, record=record())[2][5].code == "no_gain"
    assert swapped(plain(steps=20).data, record=record())[2][2].action == "swapped"


def test_stock_s_own_schedule_that_won_is_left_where_it_is():
    made = record()
    won = replace(made, recipes=tuple(replace(each, choice="karras") for each in made.recipes))
    assert swapped(plain(scheduler="karras").data, record=won)[2][2].code == "no_gain"
    assert swapped(plain(scheduler="normal").data, record=won)[2][2].action == "swapped"


def test_steps_that_come_by_a_link_are_left_to_the_run():
    graph = plain(steps=7)
    source = graph.add("PrimitiveInt", [8])
    graph.node(2)["inputs"].append(
        {"name": "steps", "type": "INT", "widget": {"name": "steps"}, "link": None}
    )
    graph.link(source, 2, "steps")
    assert swapped(graph.data, record=record())[2][2].action == "swapped"
