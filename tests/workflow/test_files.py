"""Whole files: what is refused, hostile content, and the command."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from scheduler import cli
from scheduler.errors import WorkflowError
from scheduler.lookup.rules import rule_for
from scheduler.samplers.names import DISTILLED
from scheduler.sigmas import STOCK
from scheduler.workflow import open_workflow, parse, swap
from scheduler.workflow.kinds import KINDS, MADE, MEMORY, TABLE
from tests.examples import examples
from tests.workflow.test_swap import nested
from tests.workflow_graphs import advanced, plain, prompt, record

ROOT = Path(__file__).parents[2]
JUNK = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        3,
        2.5,
        "",
        "x",
        "2",
        [],
        {},
        [1],
        [[]],
        {"0": 1},
        {"id": 2, "type": "KSampler"},
        10**30,
        [None] * 6,
    ]
)


def full() -> dict:
    """A workflow with everything: dropdowns, makers, links into values, subgraphs, notes of earlier swaps."""
    graph = advanced("Flux2Scheduler", [20, 64, 64])
    graph.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=1)
    graph.add(
        "KSamplerAdvanced",
        ["enable", 1, "fixed", 20, 7.0, "euler", "normal", 0, 8, "enable"],
        model=1,
    )
    document = parse(json.dumps(graph.data | {"definitions": nested()["definitions"]}))
    swap(document, "baked", record(), ["7"])
    swap(document, "distilled", None, ["5"])
    swap(document, "distilled", record(), ["8"])
    return json.loads(document.text())


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path to every part of a JSON value."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path + (key,) for key, _ in parts] + [
        place for key, part in parts for place in places(part, path + (key,))
    ]


def damaged(data: dict, path: tuple, junk: object, how: str) -> None:
    for key in path[:-1]:
        data = data[key]
    if how == "twice" and isinstance(data, list):
        data.insert(path[-1], copy.deepcopy(data[path[-1]]))
    elif how == "gone":
        del data[path[-1]]
    else:
        data[path[-1]] = junk


BASES = {"graph": plain().data, "nested": nested(), "full": full(), "prompt": prompt()}


@examples(150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(list(BASES)), st.sampled_from(["distilled", "baked", "carried"]))
@pytest.mark.slow
def test_damaged_files_never_raise_anything_else_and_go_back(draw, base, to):
    """Any part replaced, doubled or gone: a sentence or a swap; and what had no notes before goes
    back exactly."""
    data = copy.deepcopy(BASES[base])
    for _ in range(draw.draw(st.integers(1, 3))):
        known = places(data)
        if known:
            damaged(
                data,
                draw.draw(st.sampled_from(known)),
                copy.deepcopy(draw.draw(JUNK)),
                draw.draw(st.sampled_from(["other", "twice", "gone"])),
            )
    text = json.dumps(data)
    try:
        document = parse(text)
        report = swap(
            document,
            "baked" if to == "baked" else "distilled",
            None if to == "distilled" else record(),
            None,
            True,
        )
        again = parse(document.text())
        swap(again, "stock")
    except WorkflowError as problem:
        assert str(problem).endswith(".")
        return
    if MEMORY not in text:
        assert again.text() == text
        assert report.exact or not report.changed


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"[]", "neither a list of nodes"),
        (b"{}", "neither a list of nodes"),
        (b'{"nodes": {}}', "neither a list of nodes"),
        (b'"nodes"', "neither a list of nodes"),
        (b"\xff\xfe{\0", "neither UTF-8 text nor"),
        (b"\x89PNG\r\n\x1a\n", "holds no workflow"),
        (record().to_json().encode(), "a StepDistill record"),
    ],
)
def test_what_is_no_workflow(tmp_path, content, says):
    path = tmp_path / "some file.json"
    path.write_bytes(content)
    with pytest.raises(WorkflowError, match=f"^some file.json: .*{says}"):
        open_workflow(path)


def test_a_file_of_more_than_50_mb_is_not_read(tmp_path):
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(50_000_001)
    with pytest.raises(WorkflowError, match="50,000,000"):
        open_workflow(path)


@pytest.mark.slow
def test_very_many_nodes_are_refused():
    graph = plain()
    graph.data["nodes"] = [graph.node(2) | {"id": k} for k in range(1_001)]
    with pytest.raises(WorkflowError, match="1,001 samplers"):
        swap(parse(json.dumps(graph.data)))


def test_subgraphs_that_hold_themselves_end():
    data = nested()
    deep = data["definitions"]["subgraphs"][1]
    deep["nodes"][0]["type"] = deep["id"]
    deep["outputs"][0]["linkIds"] = [1, 1, 1]
    swap(parse(json.dumps(data)))


def test_nodes_with_one_id_are_left():
    graph = plain()
    graph.data["nodes"].append(copy.deepcopy(graph.node(2)))
    document = parse(json.dumps(graph.data))
    report = swap(document)
    assert {outcome.code for outcome in report.outcomes} == {
        "damaged"
    } and "two nodes have the id 2" in report.outcomes[0].text


def run(*arguments) -> int:
    return cli.main(["swap", *map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "portrait.json"
    path.write_text(json.dumps(plain().data, indent=2) + "\n", "utf-8")
    return path


def test_the_command_writes_beside_the_file_and_puts_back(file, capsys):
    assert run(file, "--unmeasured") == 0
    written = file.with_name("portrait.distilled.json")
    said = capsys.readouterr().out
    assert (
        "scheduler karras -> distilled" in said
        and "1 sampler; 1 node changed, 0 left." in said
        and str(written) in said
    )
    assert run(file, "--unmeasured") == 1 and "exists already" in capsys.readouterr().err
    assert run(written, "--to", "stock") == 0
    assert file.with_name("portrait.stock.json").read_bytes() == file.read_bytes()


def test_check_writes_nothing(file, capsys):
    assert run(file, "--check") == 0
    assert "Nothing was written." in capsys.readouterr().out and [
        each.name for each in file.parent.iterdir()
    ] == ["portrait.json"]


def test_the_command_bakes_to_stdout(file, tmp_path, capsys):
    record().save(tmp_path / "my.json")
    assert run(file, "--to", "baked", "--record", tmp_path / "my.json", "-o", "-") == 0
    out, err = capsys.readouterr()
    assert (
        json.loads(out)["nodes"][1]["type"] == "SamplerCustom"
        and "Baked:" in err
        and "December 2025" in err
    )


def test_json_for_programs(file, capsys):
    assert run(file, "--unmeasured", "--json", "--node", 2, "-o", file) == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        told["changed"],
        told["samplers"],
        told["can_be_put_back"],
        told["nodes"][0]["node"],
    ) == (1, 1, True, 2)
    assert json.loads(file.read_text("utf-8"))["nodes"][1]["widgets_values"][5] == "distilled"


def test_mistakes_are_one_sentence(file, tmp_path, capsys):
    for arguments in (
        [file, "--to", "baked"],
        [tmp_path / "none.json"],
        [file, "--record", file],
        [tmp_path],
    ):
        assert run(*arguments) == 1
        said = capsys.readouterr().err
        assert (
            said.startswith("StepDistill: ") and said.count("\n") == 1 and "Traceback" not in said
        )


def test_nothing_to_swap_is_said(tmp_path, capsys):
    path = tmp_path / "a.json"
    path.write_text('{"nodes": []}', "utf-8")
    assert run(path) == 0 and "There is no sampler in this workflow." in capsys.readouterr().out


def test_the_table_agrees_with_the_library():
    assert TABLE["entry"] == DISTILLED
    other = set(TABLE["schedulers"]) ^ {*STOCK, DISTILLED}
    assert not other, (
        f"scheduler/workflow/node_kinds.json, schedulers, and the stock ones differ: {other}"
    )
    named = {spec["is"] for spec in KINDS.values() if "is" in spec}
    assert {name for name in named if rule_for(name).kind == "unknown"} == set()


def test_what_the_page_is_served_agrees_with_the_table():
    from tests.nodes.pack import module

    served = module("nodes.server.routes").kinds({})
    assert served == {
        "kinds": {kind: spec["role"] for kind, spec in KINDS.items()},
        "entry": DISTILLED,
    }


def test_without_a_record_no_torch_is_loaded(tmp_path):
    """A workflow is swapped and put back where there is no torch."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(plain(sampler="dpmpp_2m_sde").data), "utf-8")
    code = (
        "import sys\nfrom scheduler.workflow import open_workflow, swap\n"
        "document = open_workflow(sys.argv[1])\n"
        "assert swap(document).changed == swap(document, 'stock').changed == 1\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=ROOT)


def test_the_table_is_whole():
    for kind, spec in KINDS.items():
        for field in ("steps", "denoise", "scheduler", "sampler", "cfg", "start", "text"):
            assert spec.get(field) in (None, *spec["widgets"]), (kind, field)
        assert spec["role"] in (
            "dropdown",
            "maker",
            "modifier",
            "sampler",
            "guider",
            "selector",
            "switch",
            "ours",
            "few",
            "latent",
            "guidance",
        )
    assert set(MADE) <= set(KINDS)


def test_without_a_record_nothing_is_changed_that_is_not_known_to_gain(file, tmp_path, capsys):
    assert run(file) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 nodes changed" in said and "nothing is known of what it would gain" in said
    assert "--record" in said and "--unmeasured" in said
    assert [each.name for each in file.parent.iterdir()] == ["portrait.json"]
    record().save(tmp_path / "my.json")
    assert run(file, "--record", tmp_path / "my.json", "--check") == 0
    assert "0 nodes changed" not in capsys.readouterr().out
