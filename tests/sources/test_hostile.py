"""Hostile and stale sources: one sentence each, and nothing is served."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.source_fuzz import UNSIGNED, Bases, fit, tried
from scheduler.errors import SourceError
from scheduler.sources.index_form import INDEX_FILE, read_index
from scheduler.sources.signing import read_signature
from tests.examples import examples
from tests.sources.made import folder_of


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    found = Bases(tmp_path_factory.mktemp("bases"))
    found.check(tmp_path_factory.mktemp("store"))
    return found


def try_all(bases, place, numbers) -> None:
    rng = random.Random(0)
    for number in numbers:
        folder = place / str(number)
        kind = bases.case(number, folder / "folder", rng)
        _, said = tried(folder / "folder", folder / "store", bases.keys)
        assert all(map(fit, said)), (kind, said)


def test_a_hostile_or_stale_source_of_each_kind_serves_nothing(bases, tmp_path):
    assert len(bases.kinds) >= len(UNSIGNED)
    try_all(bases, tmp_path, range(len(bases.kinds)))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_hostile_or_stale_sources_serve_nothing(bases, tmp_path):
    try_all(bases, tmp_path, range(1000))


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> dict:
    folder = folder_of(tmp_path_factory.mktemp("index"))
    return json.loads((folder / INDEX_FILE).read_text())


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


@examples(300)
@given(data=st.data())
def test_an_index_with_anything_anywhere_is_read_or_refused_in_a_sentence(index, data):
    spoilt = json.loads(json.dumps(index))
    place = spoilt
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [each for each in _keys(place) if isinstance(place[each], (dict, list))]
        if not inner:
            break
        place = place[data.draw(st.sampled_from(inner))]
    keys = list(_keys(place))
    if keys:
        place[data.draw(st.sampled_from(keys))] = data.draw(PLAIN)
    _read(read_index, json.dumps(spoilt).encode("utf-8", "surrogatepass"))


@examples(300)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused_in_a_sentence(content):
    _read(read_index, content)
    _read(read_signature, content)


def _keys(value):
    return value if isinstance(value, dict) else range(len(value))


def _read(reader, content: bytes) -> None:
    try:
        reader(content)
    except SourceError as problem:
        assert fit(str(problem)), str(problem)
