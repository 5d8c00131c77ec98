"""--node: the names that people and the page give to nodes."""

from __future__ import annotations

import copy
import json

import pytest

from scheduler import cli
from scheduler.errors import WorkflowError
from scheduler.workflow import parse, swap
from tests.workflow.test_swap import nested
from tests.workflow_graphs import advanced, plain


def changed(data: dict, *names: str, to: str = "distilled") -> list[tuple]:
    report = swap(parse(json.dumps(data)), to, None, list(names))
    return [
        (each.graph, each.number, each.action)
        for each in report.outcomes
        if each.action == "swapped"
    ]


def test_the_pages_own_name_of_a_node_in_a_subgraph():
    """88:6 is node 6 in the instance 88; deeper, 88:12:6."""
    assert changed(nested(), "2:1:1") == [("Deep", 1, "swapped")]
    assert changed(nested(), "2:1:4") == [("Deep", 4, "swapped")]


def test_a_sampler_stands_for_what_makes_its_sigmas():
    assert changed(nested(), "2:1:5") == [("Deep", 4, "swapped")]
    assert changed(advanced("Flux2Scheduler", [20, 64, 64]).data, "6") == [(None, 5, "swapped")]


def test_a_subgraph_stands_for_all_in_it():
    assert len(changed(nested(), "2:1")) == 2


@pytest.mark.parametrize("name", ["99", "88:6", "2:9:1", "2:1:99", "1:1", "", ":", "2:", "x"])
@pytest.mark.parametrize("to", ["distilled", "stock", "few"])
def test_an_unknown_name_is_an_error(name, to):
    with pytest.raises(WorkflowError, match="There is no node .* what chooses a schedule: 2:1:1"):
        swap(parse(json.dumps(nested())), to, None, [name])


def test_one_unknown_name_among_known_ones_changes_nothing():
    document = parse(json.dumps(plain().data))
    with pytest.raises(WorkflowError):
        swap(document, "distilled", None, ["2", "77"])
    assert json.loads(document.text()) == plain().data


def test_a_node_that_chooses_no_schedule_is_said():
    report = swap(parse(json.dumps(plain().data)), "distilled", None, ["3"])
    assert [each.line for each in report.outcomes] == ["node 3 VAEDecode: it chooses no schedule"]


def test_put_back_of_what_was_not_changed_is_said_so():
    report = swap(parse(json.dumps(plain().data)), "stock", None, ["2"])
    assert [each.line for each in report.outcomes] == [
        "node 2 KSampler: StepDistill did not change it, so there is nothing to put back"
    ]


def test_a_subgraph_that_is_used_twice_is_said_to_change_in_both():
    data = nested()
    twice = copy.deepcopy(data["nodes"][1]) | {"id": 7}
    data["nodes"].append(twice)
    middle = data["definitions"]["subgraphs"][0]
    middle["nodes"].append(copy.deepcopy(middle["nodes"][0]) | {"id": 8})
    report = swap(parse(json.dumps(data)), "distilled", None, ["7:8:1"])
    assert report.changed == 1 and "'Deep' (2 times)" in report.warning


def test_subgraphs_in_themselves_end():
    data = nested()
    deep = data["definitions"]["subgraphs"][1]
    deep["nodes"].append({"id": 40, "type": deep["id"]})
    assert len(changed(data, "2")) == 2
    with pytest.raises(WorkflowError):
        changed(data, "2:1" + ":40" * 30 + ":99")


def test_the_command_says_so(tmp_path, capsys):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(nested()), "utf-8")
    assert cli.main(["swap", str(path), "--node", "5:6", "--check"]) == 1
    assert "There is no node 5:6 here; what chooses" in capsys.readouterr().err
    assert cli.main(["swap", str(path), "--node", "2:1:1", "--check", "--unmeasured"]) == 0
    assert "1 node changed" in capsys.readouterr().out


def test_stdout_gets_the_very_bytes(tmp_path, capsysbinary):
    text = json.dumps(plain().data, indent=1).replace("\n", "\r\n")
    path = tmp_path / "a.json"
    path.write_bytes(text.encode())
    assert cli.main(["swap", str(path), "-o", str(tmp_path / "b.json")]) == 0
    capsysbinary.readouterr()
    assert cli.main(["swap", str(tmp_path / "b.json"), "--to", "stock", "-o", "-"]) == 0
    assert capsysbinary.readouterr().out == text.encode()
