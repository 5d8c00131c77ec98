"""Sources beside ComfyUI's store: listed for the panel, named where they have what the store lacks, and
never used unasked."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from tests.nodes import host
from tests.nodes.made import PROVENANCE, recipe
from tests.nodes.pack import module
from tests.sources.made import folder_of

lookup, expected, listing, stores, sources, publishing, record, identity = (
    module("nodes.lookup"),
    module("nodes.expected"),
    module("nodes.server.sources"),
    module("nodes.host.store"),
    module("scheduler.sources"),
    module("scheduler.sources.publishing"),
    module("scheduler.record"),
    module("nodes.host.model_facts"),
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "a store"))
    return stores.store()


def test_the_panel_lists_them(store, tmp_path):
    found = listing.sources({})
    assert found["sources"] == found["problems"] == []
    source = sources.beside(store.folder).add(str(folder_of(tmp_path / "ann")))
    (row,) = listing.sources({})["sources"]
    assert row["name"] == "ann" and row["line"].startswith("3 records · by Ann · 20")
    (source.folder / "source.json").write_text("{")
    found = listing.sources({})
    assert found["sources"] == [] and found["problems"][0][0] == "ann"


def test_the_command_that_the_panel_shows_adds_to_this_very_store(store, tmp_path):
    """From any folder, though its own name and the store's have blanks."""
    folder = folder_of(tmp_path / "of ann")
    shown = listing.sources({})["adding"]
    asked = shown.replace("ADDRESS", shlex.quote(str(folder))) + " --name ann"
    done = subprocess.run(asked, shell=True, cwd=tmp_path, capture_output=True, text=True)  # noqa: S602
    assert done.returncode == 0, done.stderr
    assert [each["name"] for each in listing.sources({})["sources"]] == ["ann"]


def test_what_a_source_has_is_named_and_not_used(store, tmp_path):
    model = host.patcher(file="tiny.safetensors")
    facts = identity.facts_of(model)
    conditions = facts.conditions(facts.key(3.0, (16, 8, 8)))
    about = record.Model.of(conditions, facts.process, facts.sigma_min, facts.sigma_max)
    own = record.Record(about, conditions, None, (recipe(),), {}, PROVENANCE)
    folder = tmp_path / "ann"
    folder.mkdir()
    own.save(folder / "a.json")
    publishing.publish(folder, by="Ann")
    sources.beside(store.folder).add(str(folder))
    steps = recipe().steps
    found = lookup.find(model, "euler", steps, cfg=3.0)
    assert found.match is None and found.source == "stock"
    _, info = expected.expected(model, None, True)
    assert "The source ann (by Ann, not signed) has a record of" in info
    assert "not used, for nobody has checked it on your model" in info
    store.put(own)
    assert lookup.find(model, "euler", steps, cfg=3.0).match.place == "store"
