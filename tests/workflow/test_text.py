"""JSON in and out without loss: layouts, spellings of numbers, order; and what is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import WorkflowError
from scheduler.workflow.text import read, write

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(
    VALUES,
    st.sampled_from([None, 0, 1, 2, 4, "\t"]),
    st.booleans(),
    st.sampled_from(["", "\n", "\r\n"]),
)
def test_every_usual_layout_comes_out_as_it_went_in(value, indent, ascii_only, end):
    """Whatever Python or a page has written, at whatever indent."""
    value = {"nodes": value}
    for separators in (
        ((",", ": "), (",", ":")) if indent is not None else ((", ", ": "), (",", ":"))
    ):
        text = (
            json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only) + end
        )
        again, layout = read(text)
        assert json.loads(write(again, layout)) == value
        assert layout.exact and write(again, layout) == text


@pytest.mark.parametrize("indent", [None, 1, 2, 4, "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_layouts_are_recognised(indent, newline):
    value = {
        "id": "ä",
        "nodes": [{"id": 1, "pos": [1.5, -2], "flags": {}, "inputs": []}],
        "links": [[1, 2, 0]],
    }
    text = json.dumps(value, indent=indent, ensure_ascii=False).replace("\n", newline) + newline
    again, layout = read(text)
    assert layout.exact and write(again, layout) == text


@pytest.mark.parametrize(
    "number",
    [
        "1.0",
        "1",
        "1e-7",
        "1E5",
        "1.50",
        "-0",
        "-0.0",
        "18446744073709551615",
        "0.10000000000000001",
        "NaN",
    ],
)
def test_numbers_keep_their_spelling(number):
    text = f'{{"nodes": [{number}]}}'
    value, layout = read(text)
    assert write(value, layout) == text and layout.exact


def test_a_byte_order_mark_stays():
    value, layout = read('\ufeff{"nodes": []}\n')
    assert write(value, layout) == '\ufeff{"nodes": []}\n'


def test_a_layout_of_nobodys_stays_as_it_is():
    text = '{ "b" :[1,\n2],   "a":{} }'
    value, layout = read(text)
    assert layout.exact and write(value, layout) == text and list(value) == ["b", "a"]


def test_half_characters_are_escaped():
    """They cannot be written as UTF-8."""
    value, layout = read('{"a": "\\ud800 ü"}')
    write(value, layout).encode("utf-8")
    assert json.loads(write(value, layout)) == {"a": "\ud800 ü"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON at line 1"),
        ('{"nodes": [', "cut short"),
        ('{"nodes": 1, "nodes": 2}', "stands twice"),
        ("[" * 201 + "]" * 201, "nested more than 200 deep"),
        ("[" * 1_000_000, "nested"),
        ('{"nodes": ' + "9" * 5000 + "}", "digits"),
    ],
)
def test_what_is_refused(text, says):
    with pytest.raises(WorkflowError, match=says):
        read(text)


def test_not_a_number_is_one():
    """ComfyUI writes NaN into the prompts of its pictures."""
    assert math.isnan(read('{"is_changed": [NaN]}')[0]["is_changed"][0])
