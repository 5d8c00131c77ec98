"""Put back is exact in bytes: for any layout that a page, a program or an editor writes."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.record import Record
from scheduler.workflow import open_workflow, parse, swap
from tests.examples import examples
from tests.workflow.test_pictures import chunk, png
from tests.workflow.test_swap import nested
from tests.workflow_graphs import advanced, plain, prompt, record

NAME = 'café "☕", [1, 2], {"a": 1}, C:\\temp\\u00e4 \x7f'


def named(data: dict, text: str) -> dict:
    """The same with a text that looks like other layouts."""
    note = {"id": "n", "type": "Note", "widgets_values": [text]}
    if "nodes" in data:
        return data | {"nodes": [*data["nodes"], note]}
    return data | {"99": {"inputs": {"text": text}, "class_type": "CLIPTextEncode"}}


GRAPHS = {
    "plain": plain().data,
    "advanced": advanced("Flux2Scheduler", [20, 64, 64]).data,
    "nested": nested(),
    "prompt": prompt(),
}
TARGETS = ("distilled", "carried", "baked", "few")
NOTHING = (("few", "advanced"), ("few", "nested"))  # nothing is changed there


def the_record() -> Record:
    """A record whose own text is full of what a layout could be mistaken by."""
    made = record()
    return replace(made, conditions=replace(made.conditions, name=NAME))


def there(text: str, to: str):
    """What a swap writes, and its report."""
    document = parse(text)
    given_record = the_record() if to in ("carried", "baked") else None
    report = swap(document, "distilled" if to == "carried" else to, given_record)
    return document.text(), report


def and_back(text: str) -> str:
    document = parse(text)
    swap(document, "stock")
    return document.text()


def ragged(value: object, rng: random.Random, depth: int = 0) -> str:
    """JSON as no program lays it out: short lists on one line, others spread, spaces anywhere."""

    def gap() -> str:
        return rng.choice(["", "", " ", "\n" + " " * depth, "\r\n\t"])

    if isinstance(value, dict) and value:
        parts = [
            f"{gap()}{json.dumps(key)}{rng.choice(['', ' '])}:{gap()}{ragged(each, rng, depth + 1)}"
            for key, each in value.items()
        ]
        return "{" + ",".join(parts) + gap() + "}"
    if isinstance(value, list) and value:
        parts = [gap() + ragged(each, rng, depth + 1) for each in value]
        return "[" + f"{rng.choice(['', ' '])},".join(parts) + gap() + "]"
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def prettier(value: object, margin: str = "") -> str:
    """JSON as editors format it: what fits stays on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) < 60 or not value or not isinstance(value, (dict, list)):
        return flat.replace("{", "{ ").replace("}", " }") if isinstance(value, dict) else flat
    inner = margin + "  "
    if isinstance(value, dict):
        rows = [f"{json.dumps(key)}: {prettier(each, inner)}" for key, each in value.items()]
    else:
        rows = [prettier(each, inner) for each in value]
    spread = f",\n{inner}".join(rows)
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n{inner}{spread}\n{margin}{last}"


@examples(120)
@given(
    graph=st.sampled_from(list(GRAPHS)),
    to=st.sampled_from(TARGETS),
    indent=st.sampled_from([None, 0, 1, 2, 3, 4, 8, "\t", " \t"]),
    spaced=st.booleans(),
    ascii_only=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    end=st.sampled_from(["", "\n", "\r\n", "\n\n"]),
    keys_sorted=st.booleans(),
)
def test_every_layout_goes_there_and_back(
    graph, to, indent, spaced, ascii_only, newline, mark, end, keys_sorted
):
    """Compact as the page saves, spaced as Python does, indented by any width, with CRLF, a byte
    order mark, escaped letters and any end."""
    separators = (", " if spaced and indent is None else ",", ": " if spaced else ":")
    text = json.dumps(
        named(GRAPHS[graph], NAME),
        indent=indent,
        separators=separators,
        ensure_ascii=ascii_only,
        sort_keys=keys_sorted,
    )
    text = mark + text.replace("\n", newline) + end
    written, report = there(text, to)
    assert report.exact or (to, graph) in NOTHING
    assert and_back(written) == text


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_layouts_of_no_program_go_there_and_back(graph, to, seed):
    text = ragged(named(GRAPHS[graph], NAME), random.Random(f"{graph}, {to}, {seed}"))
    written, report = there(text, to)
    if (to, graph) not in NOTHING:
        assert report.exact is (and_back(written) == text)
        # A list that is empty for a while may lose how it was laid out, which is said.
        assert report.exact or (to, graph) == ("few", "nested")


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("to", TARGETS)
def test_what_an_editor_formats_goes_there_and_back(graph, to):
    text = prettier(named(GRAPHS[graph], NAME)) + "\n"
    written, report = there(text, to)
    assert report.exact or (to, graph) in NOTHING
    assert and_back(written) == text
    # Lines that were not touched are as they were.
    assert len(set(text.splitlines()) - set(written.splitlines())) < 30


@pytest.mark.parametrize("to", TARGETS)
def test_own_spellings_stay(to):
    """Of numbers (1.0, 1e-3, -0) and of letters (an escaped slash, upper-case escapes)."""
    data = named(plain(cfg=7.0).data, "a/b <i> ü\ud800é")
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    text = text.replace("7.0", "7.00").replace("0.5", "5e-1").replace("50.5", "5.05E+1")
    text = text.replace("a/b", "a\\/b").replace("<i>", "\\u003Ci\\u003e")
    text = text.replace("\ud800", "\\uD800").replace("é", "\\u00E9")
    written, report = there(text, to)
    assert report.exact and and_back(written) == text
    assert "a\\/b \\u003Ci\\u003e ü\\uD800\\u00E9" in written and "5e-1" in written


@pytest.mark.parametrize("carrier", ["png", "webp"])
def test_what_a_picture_holds_comes_out_as_it_was(tmp_path, carrier):
    text = json.dumps(named(plain().data, NAME), ensure_ascii=True)
    path = tmp_path / f"a.{carrier}"
    if carrier == "png":
        path.write_bytes(png(chunk(b"tEXt", b"workflow\0" + text.encode())))
    else:
        Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        image = Image.new("RGB", (8, 8))
        exif = image.getexif()
        exif[0x010F] = "workflow:" + text
        image.save(path, exif=exif)
    document = open_workflow(path)
    assert document.text() == text
    report = swap(document, "distilled", the_record())
    assert report.exact and and_back(document.text()) == text


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("empty", ["[ ]", "[\n]", "[ \n \n ]"])
def test_empty_lists_stay_as_they_were_written(to, empty):
    text = json.dumps(plain().data, separators=(",", ":")).replace(
        '"links":null', f'"links":{empty}'
    )
    written, report = there(text, to)
    assert empty in text and report.exact and and_back(written) == text


def unlisted(data: dict) -> dict:
    """Outputs, and inputs of subgraphs, that do not list their links, as some programs leave them."""
    data = json.loads(json.dumps(data))
    inner = data.get("definitions", {}).get("subgraphs", [])
    for scope in (data, *inner):
        for node in scope["nodes"]:
            for output in node.get("outputs", []):
                output["links"] = (output["links"] or [])[1:]
        for entry in scope.get("inputs", []):
            entry["linkIds"] = entry["linkIds"][1:]
    return data


@pytest.mark.parametrize("graph", ["plain", "advanced", "nested"])
@pytest.mark.parametrize("to", TARGETS)
def test_links_that_their_origin_does_not_list_go_back(graph, to):
    text = json.dumps(unlisted(GRAPHS[graph]))
    written, report = there(text, to)
    assert report.exact or (to, graph) in NOTHING
    assert and_back(written) == text
