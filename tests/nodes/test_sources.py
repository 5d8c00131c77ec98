"""Sources beside ComfyUI's store: listed for the panel, named where they have what the store lacks, and
never used unasked."""

from __future__ import annotations

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
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return stores.store()


def test_the_panel_lists_them(store, tmp_path):
    assert listing.sources({}) == {"sources": [], "problems": []}
    source = sources.beside(store.folder).add(str(folder_of(tmp_path / "ann")))
    (row,) = listing.sources({})["sources"]
    assert row["name"] == "ann" and row["line"].startswith("3 records · by Ann · 20")
    (source.folder / "source.json").write_text("{")
    found = listing.sources({})
    assert found["sources"] == [] and found["problems"][0][0] == "ann"


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
