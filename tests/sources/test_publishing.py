"""Publishing: one command makes an index, and brings it up to date."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from scheduler.errors import SourceError
from scheduler.record import Record
from scheduler.record.parser import parse_packed
from scheduler.sources import publishing
from scheduler.sources.entries import brief_of_entry, entry_of
from scheduler.sources.index_form import INDEX_FILE, read_index
from scheduler.sources.publishing import publish
from scheduler.store.scan import brief_of
from tests.sources.made import NAMES, records
from tests.weights import record_of, smooth_gram, weights


def index(folder):
    return read_index((folder / INDEX_FILE).read_bytes())


def test_the_index_says_what_is_needed_to_find_a_record(published):
    found = index(published)
    assert (found.name, found.by) == ("Ann's", "Ann")
    assert sorted(each["file"] for each in found.records) == sorted(NAMES)
    one = next(each for each in found.records if each["file"] == NAMES[0])
    assert one["cfg"] == 4.0 and one["latent_shape"] == [16, 64, 64] and one["steps"] == [4, 6]
    assert (
        one["fingerprint"] in found.models and one["bytes"] == (published / NAMES[0]).stat().st_size
    )


def test_an_entry_is_looked_up_as_its_record_would_be():
    patch = {"name": "lora", "strength": 0.5}
    record = replace(
        record_of(weights(blocks=4), patches=[patch], guidance=3.5, noise_scale=1.1),
        gram=smooth_gram(20),
    )
    content = record.to_json().encode()
    entry, model = entry_of("a.json", content, by="Ann")
    found = brief_of_entry(json.loads(json.dumps(entry)), {entry["fingerprint"]: model})
    wanted = brief_of(found.file, found.stamp, *parse_packed(content, "x"))
    assert found == replace(wanted, step_counts=()) and found.solvable  # counts: for lists alone


def test_publishing_again_changes_nothing_and_an_update_only_what_changed(published, monkeypatch):
    monkeypatch.setattr(publishing, "now", lambda: "2036-01-01T00:00:00Z")
    before = (published / INDEX_FILE).read_bytes()
    assert not publish(published).changed and (published / INDEX_FILE).read_bytes() == before
    record_of(weights(seed=4, blocks=4)).save(published / "new.json")
    assert publish(published).changed
    assert index(published).created.startswith("2036") and len(index(published).records) == 4
    assert index(published).by == "Ann"
    lines = before.splitlines()
    assert sum(line in (published / INDEX_FILE).read_bytes().splitlines() for line in lines) >= 8


def test_what_is_no_record_or_not_to_be_found_is_left_out_and_named(published):
    (published / "package.json").write_text("{}")
    (published / "odd name.json").write_bytes((published / NAMES[0]).read_bytes())
    (published / "twice.json").write_bytes((published / NAMES[0]).read_bytes())
    (published / ".hidden.json").write_text("{}")
    (published / "notes.txt").write_text("no record")
    record_of(None).save(published / "nobody.json")
    if os.name != "nt":
        os.symlink(published / NAMES[0], published / "link.json")
    found = publish(published)
    left = dict(found.left_out)
    assert set(left) == {"package.json", "odd name.json", "twice.json", "nobody.json"}
    assert "plain relative name" in left["odd name.json"] and "once more" in left["twice.json"]
    assert "names no model's weights" in left["nobody.json"] and found.records == 3


def test_no_folder_is_said(tmp_path):
    with pytest.raises(SourceError, match="is no folder"):
        publish(tmp_path / "nothing")


def test_an_unusable_index_is_made_anew(published):
    (published / INDEX_FILE).write_text("{")
    assert publish(published, name="Again").changed and index(published).name == "Again"


def test_what_was_measured_is_in_the_index(published):
    record = records()[NAMES[0]]
    evidence = {
        "rms": 0.04,
        "samples": 16,
        "best_stock": "beta",
        "stock": {"beta": {"rms": 0.1, "median": 0.1}},
    }
    recipes = (record.recipes[0], replace(record.recipes[1], evidence=evidence))
    changed: Record = replace(record, recipes=recipes)
    entry, _ = entry_of("a.json", changed.to_json().encode())
    assert entry["errors"] == {
        "sampler": "euler",
        "steps": 6,
        "rms": 0.04,
        "samples": 16,
        "stock": "beta",
        "stock_rms": 0.1,
    }
