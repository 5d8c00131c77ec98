"""A graph is read as the page runs it: what a subgraph's use holds, Set and Get, Use Everywhere."""

from __future__ import annotations

import json

import pytest

from scheduler.workflow import parse, survey, swap
from scheduler.workflow.facts import facts_of, step_distilled
from tests.workflow_graphs import Graph, advanced, inner, plain, record

TURBO = "sd_xl_turbo.safetensors"


def facts(data: dict):
    document = parse(json.dumps(data))
    site = survey(document).sites[0]
    found = facts_of(document, site)
    return found, step_distilled(document, site, found)


def swapped(data: dict, to: str = "distilled", given=None):
    text = json.dumps(data)
    document = parse(text)
    report = swap(document, to, given)
    written = json.loads(document.text())
    if report.changed:
        assert report.exact
        swap(document, "stock")
    assert document.text() == text
    return report, written


def promoted(held: object, stale: list, *, uses: int = 1, deep: bool = False, **more) -> dict:
    """A subgraph that promotes steps, cfg and the file; held: the values that its use keeps."""
    names = {"steps": "INT", "cfg": "FLOAT", "ckpt_name": "COMBO"}
    whole = inner("Draw", names)
    whole.add("CheckpointLoaderSimple", [stale[2]], ckpt_name=(-10, 2))
    whole.add(
        "KSampler",
        [1, "fixed", stale[0], stale[1], "euler", "simple", 1.0],
        model=1,
        steps=(-10, 0),
        cfg=(-10, 1),
    )
    scopes = [whole.as_subgraph({"LATENT": (2, 0)})]
    use = whole.data["id"]
    held = list(held) if isinstance(held, (list, tuple)) else held
    sockets = ([f"{name}:{kind}" for name, kind in names.items()], ["LATENT"])
    if deep:
        middle = inner("Middle", names)
        at = {name: (-10, k) for k, name in enumerate(names)}
        middle.add(use, ["stale", "too", 0], sockets=sockets, **at)
        for entry in middle.node(1)["inputs"]:
            entry["widget"] = {"name": entry["name"]}
        scopes.insert(0, middle.as_subgraph({"LATENT": (1, 0)}))
        use = middle.data["id"]
    outer = Graph()
    for _ in range(uses):
        outer.add(use, held, sockets=sockets)
    for node in outer.data["nodes"]:
        node["properties"] |= more
    return outer.data | {"definitions": {"subgraphs": scopes}}


@pytest.mark.parametrize("deep", [False, True])
def test_promoted_values_come_from_the_use(deep):
    found, why = facts(promoted([30, 6.5, "my.safetensors"], [4, 1.0, TURBO], deep=deep))
    assert (found.steps, found.cfg, found.files, why) == (30, 6.5, ("my",), None)
    found, why = facts(promoted([4, 1.0, TURBO], [30, 6.5, "my.safetensors"], deep=deep))
    assert found.steps == 4 and why is not None and "sd_xl_turbo" in why


@pytest.mark.parametrize("held", [[], None, [1, 2], "x", {}])
def test_a_use_that_holds_none_has_the_inner_ones(held):
    found, _ = facts(promoted(held, [12, 5.0, "my.safetensors"]))
    assert (found.steps, found.cfg, found.files) == (12, 5.0, ("my",))


def test_values_in_the_order_of_the_uses_own_list():
    listed = [["-1", "ckpt_name"], ["9", "seed"], ["-1", "steps"], ["-1", "cfg"]]
    data = promoted(["my.safetensors", 5, 30, 6.5], [4, 1.0, TURBO], proxyWidgets=listed)
    assert facts(data)[0].steps == 30 and facts(data)[0].files == ("my",)
    named = promoted({"steps": 30, "cfg": 6.5, "ckpt_name": "my.safetensors"}, [4, 1.0, TURBO])
    assert facts(named)[0].steps == 30


def test_uses_that_differ():
    """No value is made up, and a step-distilled one among them counts."""
    data = promoted([30, 6.5, "my.safetensors"], [4, 1.0, "my.safetensors"], uses=2)
    data["nodes"][1]["widgets_values"] = [4, 1.0, "my.safetensors"]
    found, why = facts(data)
    assert found.steps is None and found.cfg is None and "4 steps at cfg 1" in why
    data["nodes"][1]["widgets_values"] = [30, 6.5, TURBO]
    assert "sd_xl_turbo" in facts(data)[1]


def test_a_promoted_value_may_itself_be_linked():
    data = promoted([4, 1.0, TURBO], [4, 1.0, TURBO])
    number = {"id": 9, "type": "PrimitiveInt", "widgets_values": [25, "fixed"], "mode": 0}
    data["nodes"].append(number | {"outputs": [{"name": "INT", "type": "INT", "links": [70]}]})
    data["nodes"][0]["inputs"][0]["link"] = 70
    data["links"].append([70, 9, 0, 1, 0, "INT"])
    assert facts(data)[0].steps == 25


@pytest.mark.parametrize("kind", ["PrimitiveInt", "INTConstant", "PrimitiveNode", "easy int"])
def test_linked_values_are_the_ones_of_the_node_that_states_them(kind):
    graph = plain(steps=4, cfg=1.0)
    graph.add(kind, [30, "fixed"], sockets=([], ["INT"]))
    graph.data["nodes"][1]["inputs"].append(
        {"name": "steps", "type": "INT", "widget": {"name": "steps"}, "link": None}
    )
    graph.link(4, 2, "steps")
    found, why = facts(graph.data)
    assert found.steps == 30 and why is None


def test_linked_values_that_only_the_run_tells_are_not_guessed():
    graph = plain(steps=4, cfg=1.0)
    graph.add("Calculate", [1, 2, 3], sockets=([], ["INT"]))
    graph.node(2)["inputs"].append({"name": "steps", "type": "INT", "link": None})
    graph.link(4, 2, "steps")
    found, why = facts(graph.data)
    assert found.steps is None and why is None


def test_a_prompts_linked_values():
    sampler = {"steps": ["5", 0], "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
    prompt = {"2": {"class_type": "KSampler", "inputs": sampler | {"denoise": 1.0}}}
    prompt["5"] = {"class_type": "PrimitiveInt", "inputs": {"value": 4}}
    assert "4 steps at cfg 1" in facts(prompt)[1]


@pytest.mark.parametrize("kinds", [("SetNode", "GetNode"), ("easy setNode", "easy getNode")])
def test_set_and_get_hide_no_model(kinds):
    graph = Graph()
    graph.add("CheckpointLoaderSimple", [TURBO])
    graph.add(kinds[0], ["the model"], sockets=(["MODEL:MODEL"], ["*"]), MODEL=1)
    graph.add(kinds[1], ["the model"], sockets=([], ["MODEL"]))
    values = [1, "fixed", 20, 7.0, "euler", "simple", 1.0]
    graph.add("KSampler", values, model=3)
    assert "sd_xl_turbo" in facts(graph.data)[1]
    graph.node(3)["widgets_values"] = ["another"]
    assert facts(graph.data)[1] is None


def everywhere(noted: bool, sent: str = "model", opened: bool = True) -> dict:
    """A model or a scheduler that reaches a KSampler (node 2) without a link."""
    graph = plain(steps=8, file=TURBO if sent == "turbo" else "photo.safetensors")
    node = graph.node(2)
    if sent == "scheduler":
        graph.add("Scheduler Selector", ["karras"], sockets=([], ["COMBO"]))
        widget = {"name": "scheduler", "type": "COMBO", "widget": {"name": "scheduler"}}
        node["inputs"].append(widget | {"link": None})
        node["properties"]["ue_properties"] = {"widget_ue_connectable": {"scheduler": opened}}
        source, place, kind = 4, 4, "COMBO"
    else:
        graph.data["links"] = [row for row in graph.data["links"] if row[3] != 2]
        graph.node(1)["outputs"][0]["links"] = []
        node["inputs"][0]["link"] = None
        source, place, kind = 1, 0, "MODEL"
    graph.add("Anything Everywhere", [], sockets=(["anything:*"], []), anything=source)
    if noted:
        row = {"downstream": 2, "downstream_slot": place, "upstream": str(source)}
        row |= {"upstream_slot": 0, "controller": 4, "type": kind}
        graph.data["extra"]["ue_links"] = [row]
    return graph.data


@pytest.mark.parametrize("noted", [False, True])
def test_what_is_broadcast_counts_as_a_link(noted):
    assert "sd_xl_turbo" in facts(everywhere(noted, "turbo"))[1]
    report, _ = swapped(everywhere(noted, "scheduler"))
    assert report.changed == 0 and "Scheduler Selector" in report.outcomes[0].text
    assert report.outcomes[0].code == "linked"


def test_a_value_that_is_not_opened_to_broadcasts_is_the_nodes_own():
    report, _ = swapped(everywhere(False, "scheduler", opened=False))
    assert report.changed == 1


@pytest.mark.parametrize("noted", [False, True])
def test_a_record_that_would_feed_nothing_is_not_added_and_that_is_said(noted):
    report, written = swapped(everywhere(noted), given=record())
    kinds = {node["type"] for node in written["nodes"]}
    assert not any(kind.startswith("StepDistill") for kind in kinds)
    assert [each.action for each in report.outcomes] == ["swapped"]
    assert "the record is not carried to it" in report.outcomes[0].line


def test_a_record_goes_straight_to_nodes_that_take_one():
    """Distilled Sigmas has an input for it, however its model comes."""
    graph = advanced("Flux2Scheduler", [20, 64, 64])
    report, written = swapped(graph.data, given=record())
    assert any(node["type"] == "StepDistillFromText" for node in written["nodes"])
    assert not any(each.notes for each in report.outcomes)


def differing(lora: bool = True, reroute: bool = False) -> dict:
    """A BasicScheduler (node 5) whose model lacks what the guider's has."""
    graph = advanced("BasicScheduler", ["simple", 20, 1.0])
    origin = 1
    if lora:
        origin = graph.add("LoraLoaderModelOnly", ["style.safetensors", 1.0], model=1)
    if reroute:
        origin = graph.add("Reroute", [], **{"": origin})
    graph.data["links"] = [row for row in graph.data["links"] if row[3] != 2]
    graph.node(1)["outputs"][0]["links"] = [
        row[0] for row in graph.data["links"] if row[1] == 1 and row[2] == 0
    ]
    graph.link(origin, 2, "model")
    return graph.data


def test_a_schedulers_model_that_is_not_the_samplers_is_said():
    report, _ = swapped(differing())
    assert "it lacks node 7 LoraLoaderModelOnly" in report.outcomes[0].line
    report, _ = swapped(differing(lora=False, reroute=True))
    assert "not the one that is sampled" not in report.outcomes[0].line
    muted = differing()
    muted["nodes"][-1]["mode"] = 4
    report, _ = swapped(muted)
    assert "not the one that is sampled" not in report.outcomes[0].line


def test_circles_end():
    graph = plain()
    graph.add("GetNode", ["a"], sockets=([], ["MODEL"]))
    graph.add("SetNode", ["a"], sockets=(["x:MODEL"], ["*"]), x=4)
    graph.data["links"][0][1] = 4
    report, _ = swapped(graph.data)
    assert report.changed == 1
    data = promoted([1, 2, 3], [4, 1.0, TURBO])
    whole = data["definitions"]["subgraphs"][0]
    whole["nodes"].append({"id": 50, "type": whole["id"], "mode": 0})
    parse(json.dumps(data))
    facts(data)


def test_a_subgraph_that_holds_itself_twice_ends():
    data = promoted([30, 6.5, "my.safetensors"], [12, 5.0, "my.safetensors"])
    whole = data["definitions"]["subgraphs"][0]
    for k in (60, 61):
        fed = {"name": "steps", "type": "INT", "widget": {"name": "steps"}, "link": k}
        whole["nodes"].append({"id": k, "type": whole["id"], "mode": 0, "inputs": [fed]})
        row = {"id": k, "origin_id": -10, "origin_slot": 0, "target_id": k, "target_slot": 0}
        whole["links"].append(row | {"type": "INT"})
    found, _ = facts(data)
    assert found.steps is None


@pytest.mark.slow
def test_thousands_of_broadcasting_nodes_end():
    graph = plain()
    graph.add("Anything Everywhere", [], sockets=(["anything:*"], []), anything=1)
    sender = graph.node(4)
    graph.data["nodes"] += [sender | {"id": 100 + k} for k in range(1_500)]
    report, _ = swapped(graph.data)
    assert report.changed == 1
