"""A source's record that is chosen by hand, in a host's list: it serves before any check, and is named so."""

from __future__ import annotations

import pytest

from scheduler.errors import RecordError, UnknownNameError
from scheduler.lookup.given import given_match, select_from
from scheduler.lookup.key import Key
from scheduler.lookup.match import SOURCE
from scheduler.lookup.words import info, match_sentence
from scheduler.record import Record
from scheduler.sources import by_hand
from tests.sources.made import records

ENTRIES = [
    "unchecked, from ann: more/three",
    "unchecked, from ann: more/two",
    "unchecked, from ann: one",
]
WHOSE = "the source ann (by Ann, not signed)"


@pytest.fixture
def ann(sources, published):
    sources.add(str(published), name="ann")
    return sources


def test_every_record_has_an_entry_that_says_what_it_is(ann, sources):
    assert by_hand.entries(ann) == ENTRIES
    assert all(map(by_hand.is_entry, ENTRIES))
    assert not by_hand.is_entry("flow--1a2b") and not by_hand.is_entry("published: gits")


def test_long_lists_end(ann, monkeypatch):
    monkeypatch.setattr(by_hand, "MOST_LISTED", 2)
    assert by_hand.entries(ann) == ENTRIES[:2]


def test_it_serves_and_is_named_unchecked(ann):
    record = by_hand.record_of(ann, ENTRIES[2])
    assert record == records()["one.json"]
    match = given_match(record, Key.of(record))
    assert match.allowed and match.place == SOURCE
    assert match_sentence(match).endswith("used unchecked.")
    made = record.recipes[0]
    found = select_from(record, made.sampler, made.steps)
    assert found.recipe == made
    assert info(found).startswith(f"Unchecked, from {WHOSE}: the record of Made Up, ")


def test_in_a_file_it_is_a_record_like_any(ann):
    record = by_hand.record_of(ann, ENTRIES[2])
    again = Record.from_json(record.to_json())
    assert (record.origin.source, record.origin.by) == ("ann", "Ann") and again.origin is None
    assert info(select_from(again, None, 4)).startswith("From the record of Made Up")


def test_what_is_not_there_is_a_sentence(ann):
    with pytest.raises(UnknownNameError, match="The source ann has no record"):
        by_hand.record_of(ann, "unchecked, from ann: two")
    with pytest.raises(UnknownNameError, match="There is no source 'bob'; there are: ann"):
        by_hand.record_of(ann, "unchecked, from bob: two")
    (source,) = ann.all()
    for file in (source.folder / "records").iterdir():
        file.write_text("{}")
    with pytest.raises(RecordError, match="was changed since it was fetched"):
        by_hand.record_of(ann, ENTRIES[2])
