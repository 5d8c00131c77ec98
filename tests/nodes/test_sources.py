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

lookup, expected, listing, stores, sources, publishing, record, identity, names, words = (
    module("nodes.lookup"),
    module("nodes.expected"),
    module("nodes.server.sources"),
    module("nodes.host.store"),
    module("scheduler.sources"),
    module("scheduler.sources.publishing"),
    module("scheduler.record"),
    module("nodes.host.model_facts"),
    module("nodes.records.names"),
    module("scheduler.lookup.words"),
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


@pytest.mark.slow
def test_the_command_that_the_panel_shows_adds_to_this_very_store(store, tmp_path):
    """From any folder, though its own name and the store's have blanks."""
    folder = folder_of(tmp_path / "of ann")
    shown = listing.sources({})["adding"]
    asked = shown.replace("ADDRESS", shlex.quote(str(folder))) + " --name ann"
    done = subprocess.run(asked, shell=True, cwd=tmp_path, capture_output=True, text=True)  # noqa: S602
    assert done.returncode == 0, done.stderr
    assert [each["name"] for each in listing.sources({})["sources"]] == ["ann"]


@pytest.fixture
def model():
    return host.patcher(file="tiny.safetensors")


@pytest.fixture
def own(model, store, tmp_path):
    """A record of the model, in the source ann."""
    facts = identity.facts_of(model)
    conditions = facts.conditions(facts.key(3.0, (16, 8, 8)))
    about = record.Model.of(conditions, facts.process, facts.sigma_min, facts.sigma_max)
    found = record.Record(about, conditions, None, (recipe(),), {}, PROVENANCE)
    folder = tmp_path / "ann"
    folder.mkdir()
    found.save(folder / "a.json")
    publishing.publish(folder, by="Ann")
    sources.beside(store.folder).add(str(folder))
    return found


def test_what_a_source_has_is_named_and_not_used(store, model, own):
    steps = recipe().steps
    found = lookup.find(model, "euler", steps, cfg=3.0)
    assert found.match is None and found.source == "stock"
    _, info = expected.expected(model, None, True)
    assert "The source ann (by Ann, not signed) has a record of" in info
    assert "not used, for nobody has checked it on your model" in info
    store.put(own)
    assert lookup.find(model, "euler", steps, cfg=3.0).match.place == "store"


def test_load_record_lists_them_and_choosing_one_is_asking(store, model, own):
    entry, loader = "unchecked, from ann: a", module("nodes.records.load").StepDistillLoad
    offered = loader.INPUT_TYPES()["required"]["name"][0]
    assert offered[:2] == [names.NO_RECORDS, entry]
    assert loader.VALIDATE_INPUTS(entry) is True
    assert loader.VALIDATE_INPUTS("unchecked, from ann: b").startswith(
        "The source ann has no record"
    )
    assert loader.IS_CHANGED(entry) == loader.IS_CHANGED(entry)
    found, text = loader().load(entry)["result"]
    assert found == own and text.startswith("Unchecked, from the source ann (by Ann, not signed). ")
    used = lookup.find(model, "euler", recipe().steps, cfg=3.0, record=found)
    assert used.recipe.sigmas == pytest.approx(recipe().sigmas)
    assert words.info(used).startswith(
        "Unchecked, from the source ann (by Ann, not signed): the record of "
    )
    again = loader().load(entry)["ui"]["stepdistill"][0]
    assert again["source"] == "record"
