"""The records as the panel lists them, and what its buttons do with them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from scheduler.store import Store
from tests.a1111 import made
from tests.a1111.test_schedule import picture


@pytest.fixture
def actions(webui, monkeypatch):
    found = made.ours("a1111.record_actions")
    monkeypatch.setattr(found.gr, "update", lambda **told: told, raising=False)
    return found


@pytest.fixture
def store(webui):
    return Store(made.ours("a1111.stores").store().folder)


@pytest.fixture
def names(webui):
    return made.ours("a1111.record_list")


def test_records_are_listed_in_words(names, record, stored):
    """Model, cfg, size, steps and date; no name of a file."""
    made_on = record.provenance["created"][:10]
    label = f"tiny, CFG 7, 64x64, 3-6 steps, {made_on}"
    assert names.listed() == ["Automatic", "Stock schedule", label]
    assert names.label_of(stored) == names.label_of(f"{stored}.json") == label
    assert names.name_of(label) == stored == names.name_of(stored)
    assert names.name_of("Automatic") == names.label_of("Automatic") == "Automatic"


def test_loras_stand_in_the_entry(names, record, store):
    patches = ({"name": "bend", "strength": 0.7, "fingerprint": "x"},)
    store.put(replace(record, model=replace(record.model, patches=patches)))
    assert ", bend 0.70, " in names.listed()[2]


def test_two_of_one_description_are_told_apart(names, record, store):
    fewer = tuple(each for each in record.recipes if each.sampler != "euler")
    files = [store.put(record), store.put(replace(record, recipes=fewer))]
    labels = names.listed()[2:]
    assert len(set(labels)) == 2 and all(" #" in each for each in labels)
    assert sorted(map(names.name_of, labels)) == sorted(f.removesuffix(".json") for f in files)


def test_a_picture_takes_the_record_by_its_entry(names, stored):
    script = made.ours("a1111.panel").StepDistillScript()
    for given in (names.label_of(stored), stored):
        p = picture()
        script.process(p, given)
        assert p.stepdistill_record == stored


def test_a_record_gets_a_name_and_a_note_and_goes(actions, names, store, record, stored):
    """The note stays through renaming and through distilling on purpose."""
    (said,) = actions.noted(names.label_of(stored), " for portraits ")
    assert "for portraits" in said
    said, listed = actions.renamed(names.label_of(stored), "my dog")
    assert listed["value"].startswith("my dog, CFG 7") and listed["value"] in listed["choices"]
    file = store.put(record)
    assert store.load(file).provenance["note"] == "for portraits"
    label = names.listed()[2]
    views = made.ours("a1111.status_view")
    assert views._listed(names.name_of(label), store.load(file)).endswith(". for portraits")
    said, listed = actions.removed(label)
    assert listed == {"choices": ["Automatic", "Stock schedule"], "value": "Automatic"}
    assert store.records() == []


@pytest.mark.parametrize("what", ["renamed", "noted"])
def test_mistakes_are_a_sentence(actions, names, stored, what):
    work = getattr(actions, what)
    assert "Choose a record" in work("Automatic", "x")[0]
    assert "Write it into the field" in work(names.label_of(stored), "  ")[0]


def test_what_was_chosen_to_distil_is_remembered(webui, monkeypatch):
    """As it was left, as far as this host has it."""
    choices = made.ours("a1111.panel_choices")
    listed = [("Euler", "sample_euler", [], {})]
    module = webui.modules.sd_samplers_kdiffusion
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    assert choices.usual("samplers") == ["Distilled", choices.SAMPLER_ABOVE]
    webui.opts.stepdistill_panel = {"samplers": ["Euler", "Gone"], "rows": 2, "most": "many"}
    assert choices.usual("samplers") == ["Euler"] and choices.usual("rows") == 2
    assert choices.usual("most") == 8


def test_a_checkpoint_that_waits_on_forge_is_the_one_that_is_shown(webui, checkpoint, tmp_path):
    """Chosen while another is loaded: the next picture loads it."""
    unloaded = made.ours("a1111.unloaded")
    data = webui.modules.sd_models.model_data
    data.sd_model = checkpoint
    assert unloaded.shown_model() is checkpoint and unloaded.waiting_file() is None
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"")
    data.forge_loading_parameters = {"checkpoint_info": SimpleNamespace(filename=str(other))}
    assert unloaded.shown_model() is None and unloaded.waiting_file() == other
    views = made.ours("a1111.status_view")
    tab = made.ours("a1111.next_picture").AsSet("Euler", "Automatic", 20, 7.0, 64, 64)
    assert "other" in views.status_html(tab) and views.use_button(tab) == {"visible": False}
    same = SimpleNamespace(filename=checkpoint.sd_checkpoint_info.filename)
    data.forge_loading_parameters = {"checkpoint_info": same}
    assert unloaded.shown_model() is checkpoint
