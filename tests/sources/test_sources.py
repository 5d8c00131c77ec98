"""Sources that are folders: added, looked up, updated, removed; nothing is served that was not published."""

from __future__ import annotations

import json
import os
import shutil
import socket

import pytest

from scheduler.errors import RecordError, SourceError, UnknownNameError
from scheduler.lookup.key import Key
from scheduler.lookup.match import EXACT, NEAREST, SOURCE
from scheduler.lookup.model_facts import facts_of_record
from scheduler.lookup.selection import STOCK, select
from scheduler.lookup.wanted import Wanted
from scheduler.lookup.words import info, match_sentence, reason
from scheduler.record import load_record
from scheduler.sources import Sources
from scheduler.sources.addresses import address_of
from scheduler.sources.fetching import fetch
from scheduler.sources.index_form import INDEX_FILE
from scheduler.sources.publishing import publish
from scheduler.sources.words import provenance, source_row
from scheduler.store import Store
from tests.sources.made import NAMES, records
from tests.weights import asked, record_of, weights

ONE, TWO, THREE = NAMES


def test_what_was_published_is_found_and_read_as_it_was(published, sources):
    source = sources.add(str(published), name="ann")
    assert source_row(source)["records"] == 3 and not source.note.left_out
    for name, record in records().items():
        (match, *_) = sources.matches(asked(record))
        assert match.kind == EXACT and match.place == SOURCE
        assert match.record == load_record(published / name) and match.name == f"ann/{name}"
        assert (match.origin.source, match.origin.by, match.origin.signed) == ("ann", "Ann", "")


def test_lookups_need_neither_the_folder_nor_any_network(published, sources, monkeypatch):
    sources.add(str(published))
    shutil.rmtree(published)

    def refused(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    fresh = Sources(sources.store)
    assert [match.kind for match in fresh.matches(asked(records()[ONE]))][0] == EXACT
    assert fresh.problems() == [] and len(fresh.all()) == 1


def test_nothing_unchecked_runs_unless_it_is_asked_for(published, sources):
    sources.add(str(published), name="ann")
    record = records()[ONE]
    facts, key = facts_of_record(record), asked(record, None)
    wanted = Wanted.of(facts, "euler", 4)
    for policy in ("exact", "near", "any"):
        found = select(wanted, facts, key, shelves=(sources,), policy=policy)
        assert found.source == STOCK
    said = reason(found.reason)
    assert "The source ann (by Ann, not signed) has a record of Made Up" in said
    assert "nobody has checked it on your model" in said
    found = select(wanted, facts, key, shelves=(Sources(sources.store, unchecked=True),))
    assert found.recipe.sigmas == record.recipe("euler", 4).sigmas
    assert info(found).startswith("Unchecked, from the source ann (by Ann, not signed)")
    assert "not measured. Made 20" in info(found) and "StepDistill 0.1.0, 10 model calls" in info(
        found
    )


def test_ones_own_records_come_first(published, sources):
    sources.add(str(published))
    record = records()[ONE]
    store = Store(sources.store)
    own = store.put(record)
    facts = facts_of_record(record)
    shelves = (store, Sources(sources.store, unchecked=True))
    found = select(Wanted.of(facts, "euler", 4), facts, asked(record, None), shelves=shelves)
    assert found.name == own and found.source == EXACT
    assert [brief.file for brief in store.records()] == [own] and store.problems() == []


def test_relatives_and_other_conditions_are_found_as_what_they_are(published, sources):
    sources.add(str(published))
    record = records()[ONE]
    (match, *_) = sources.matches(asked(record, cfg=14.0))
    assert match.kind == NEAREST and not match.allowed
    near = {name: value * 1.02 for name, value in weights(blocks=4).items()}
    (match, *_) = sources.matches(asked(record_of(near)), "any")
    assert match.kin.kind == "related"
    assert not list(sources.matches(asked(record_of(weights(seed=5, blocks=4))), "any"))
    assert "not used" in match_sentence(match)


def test_who_says_so_what_was_measured_and_by_which_version(published, sources):
    source = sources.add(str(published))
    said = provenance(source, records()[ONE])
    for part in ("Ann says so", "not signed", str(published), "not measured", "StepDistill 0.1.0"):
        assert part in said


def test_an_update_takes_what_changed_and_nothing_before_it_is_asked_for(published, sources):
    source = sources.add(str(published))
    record = record_of(weights(seed=9, blocks=4), name="New")
    record.save(published / "new.json")
    (published / ONE).unlink()
    publish(published)
    assert not list(sources.matches(asked(record)))
    assert list(sources.matches(asked(records()[ONE])))
    found = sources.update(source.name)
    assert list(sources.matches(asked(record))) and len(found.entries) == 3
    assert [each.record.conditions.cfg for each in sources.matches(asked(records()[ONE]))] == [7.0]
    kept = os.listdir(found.folder)
    assert len(kept) == 3 and len(os.listdir(found.folder / "records")) == 3


def test_a_source_that_cannot_be_read_any_more_keeps_what_it_had(published, sources):
    source = sources.add(str(published))
    (published / INDEX_FILE).write_text("{")
    with pytest.raises(SourceError, match="not usable"):
        sources.update(source.name)
    (published / INDEX_FILE).unlink()
    with pytest.raises(SourceError, match="store publish"):
        sources.update(source.name)
    assert len(sources.all()[0].entries) == 3 and list(sources.matches(asked(records()[ONE])))


def test_an_older_index_put_back_is_refused(published, sources):
    before = (published / INDEX_FILE).read_bytes()
    text = json.loads(before)
    text["created"] = "2036-01-01T00:00:00Z"
    (published / INDEX_FILE).write_text(json.dumps(text))
    source = sources.add(str(published))
    (published / INDEX_FILE).write_bytes(before)
    with pytest.raises(SourceError, match="older than the one at hand"):
        sources.update(source.name)


def test_stale_entries_are_left_out_each_with_its_reason(published, sources):
    (published / ONE).write_bytes((published / ONE).read_bytes().replace(b"Made Up", b"Made Xp"))
    (published / TWO).unlink()
    source = sources.add(str(published))
    left = dict(source.note.left_out)
    assert "another hash" in left[ONE] and left[TWO] == f"{TWO} is not there."
    assert [each["file"] for each in source.entries.values()] == [THREE]
    assert not list(sources.matches(asked(records()[ONE])))


def test_an_entry_that_lies_about_its_record_is_left_out_and_no_longer_served(published, sources):
    source = sources.add(str(published))
    text = json.loads((published / INDEX_FILE).read_text())
    entries = {each["file"]: each for each in text["records"]}
    entries[ONE]["cfg"] = 7.0
    (published / INDEX_FILE).write_text(json.dumps(text))
    source = sources.update(source.name)
    ((name, why),) = source.note.left_out
    assert name == ONE and why == "The index says another numbers than the record itself."
    assert ONE not in [each["file"] for each in source.entries.values()]


def test_links_in_a_folder_are_not_followed(published, sources, tmp_path):
    outside = tmp_path / "outside"
    shutil.move(published / "more", outside)
    os.symlink(outside, published / "more")
    shutil.move(published / ONE, outside / ONE)
    os.symlink(outside / ONE, published / ONE)
    source = sources.add(str(published))
    assert not source.entries
    assert all("is a link" in why for _, why in source.note.left_out)


def test_a_record_changed_on_disk_is_not_served(published, sources):
    source = sources.add(str(published), name="ann")
    for path in (source.folder / "records").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    fresh = Sources(sources.store)
    assert not list(fresh.matches(asked(records()[ONE])))
    assert len(fresh.problems()) == 3 and "was changed" in fresh.problems()[0][1]
    assert not sources.update("ann").note.left_out  # and fetched again
    assert not Sources(sources.store).problems()


def test_a_damaged_source_is_named_and_can_be_removed(published, sources):
    source = sources.add(str(published), name="ann")
    (source.folder / "source.json").write_text("[")
    fresh = Sources(sources.store)
    assert fresh.all() == [] and fresh.names() == ["ann"]
    ((name, why),) = fresh.damaged()
    assert name == "ann" and "remove it and add it again" in why
    with pytest.raises(SourceError):
        fresh.update("ann")
    fresh.remove("ann")
    assert fresh.names() == [] and not source.folder.exists()


def test_a_damaged_index_is_mended_by_an_update(published, sources):
    source = sources.add(str(published), name="ann")
    next(source.folder.glob("index-*.json")).write_text("{}")
    fresh = Sources(sources.store)
    assert "update the source" in fresh.damaged()[0][1]
    assert len(fresh.update("ann").entries) == 3 and fresh.damaged() == []


def test_a_source_is_added_once_and_names_are_plain(published, sources):
    sources.add(str(published), name="ann")
    with pytest.raises(SourceError, match="there already, as ann"):
        sources.add(str(published) + "/")
    for name in ("../x", "", "Ann", "a/b", "ann"):
        with pytest.raises(SourceError):
            sources.add(str(published), name=name)
    with pytest.raises(UnknownNameError, match="there are: ann"):
        sources.remove("../ann")


def test_nothing_is_left_of_one_that_could_not_be_added(published, sources):
    (published / INDEX_FILE).write_text("nothing")
    with pytest.raises(SourceError):
        sources.add(str(published))
    assert sources.names() == [] and not list(sources.store.glob(".sources/*"))


def test_nothing_is_left_of_one_whose_adding_was_stopped(published, sources):
    def stop(done, planned):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sources.add(str(published), heard=stop)
    assert sources.names() == []


def test_one_whose_adding_was_killed_is_named(published, sources):
    source = sources.add(str(published), name="ann")
    (source.folder / "source.json").unlink()
    assert sources.all() == [] and "not read to its end" in sources.damaged()[0][1]
    assert not list(sources.matches(asked(records()[ONE])))
    sources.remove("ann")
    assert sources.add(str(published), name="ann").entries


def test_a_source_that_takes_too_long_is_left(published, tmp_path):
    with pytest.raises(SourceError, match="took too long"):
        fetch(address_of(str(published)), tmp_path / "kept", most_seconds=-1)


def test_single_records_by_name(published, sources):
    sources.add(str(published), name="ann")
    assert sources.record("ann", "more/two") == load_record(published / TWO)
    with pytest.raises(UnknownNameError, match="store source show ann"):
        sources.record("ann", "../one")


def test_a_record_read_from_memory_was_checked_once(published, sources):
    source = sources.add(str(published))
    (sha256, *_) = source.entries
    assert source.record(sha256) is source.record(sha256)
    (source.folder / "records" / f"{sha256}.json").unlink()
    with pytest.raises(RecordError):
        source.content(sha256)


def test_another_process_sees_what_was_added_and_removed(published, sources):
    other = Sources(sources.store)
    key = asked(records()[ONE])
    assert not list(other.matches(key))
    sources.add(str(published), name="ann")
    assert list(other.matches(key))
    sources.remove("ann")
    assert not list(other.matches(key))


def test_a_model_without_a_fingerprint_finds_nothing(published, sources):
    sources.add(str(published))
    assert not list(sources.matches(Key(None, "flow", 0.003, 1.0)))
