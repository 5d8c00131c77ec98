"""Load, Save and Record from Text without ComfyUI."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.nodes.made import recipe, record, solvable
from tests.nodes.pack import module

load, save, from_text, names, keeping = (
    module(f"nodes.records.{name}") for name in ("load", "save", "from_text", "names", "keeping")
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A stand-in for ComfyUI's folder_paths; its output and user folders."""

    def get_save_image_path(prefix, root):
        folder, _, name = prefix.replace("\\", "/").rpartition("/")
        place = tmp_path / "output" / folder
        place.mkdir(parents=True, exist_ok=True)
        return str(place), name, 1 + sum(1 for path in place.glob(f"{name}_*")), folder, prefix

    (tmp_path / "output").mkdir()
    paths = {
        "get_output_directory": lambda: str(tmp_path / "output"),
        "get_user_directory": lambda: str(tmp_path / "user"),
    }
    monkeypatch.setitem(
        sys.modules,
        "folder_paths",
        SimpleNamespace(get_save_image_path=get_save_image_path, **paths),
    )
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return tmp_path


def saved(given, prefix="stepdistill/record"):
    return save.StepDistillSave().save(given, prefix)["result"][0]


def test_a_saved_record_is_loaded_and_read_again(host):
    text = saved(record())
    (name,) = names.record_names()
    offered = load.StepDistillLoad.INPUT_TYPES()["required"]["name"][0]
    assert offered == [name, *names.published_names()]
    found, info = load.StepDistillLoad().load(name)["result"]
    assert found == record() and "euler 3 steps" in info and "shift 3" in info
    assert from_text.StepDistillFromText().read(text)["result"] == (record(),)
    assert (host / "output/stepdistill/record_00001_.json").read_text(encoding="utf-8") == text
    saved(record())
    assert (host / "output/stepdistill/record_00002_.json").exists() and names.record_names() == [
        name
    ]


def test_saving_what_the_store_has_keeps_its_inner_products(host):
    whole = solvable()
    made = replace(whole, gram=None)
    name = module("nodes.host.store").store().put(whole)
    assert keeping.stored_name(made) == keeping.stored_name(whole) == name
    saved(made)
    assert module("nodes.host.store").store().load(name) == whole


def test_taking_the_place_of_an_earlier_record_is_said(host):
    saved(record())
    shown = save.StepDistillSave().save(record(recipe(sigmas=[1.0, 0.7, 0.4, 0.0])), "x")["ui"][
        "text"
    ][0]
    assert "in the place of an earlier record" in shown and len(names.record_names()) == 1
    assert (
        "in the place"
        not in save.StepDistillSave().save(record(name="another"), "x")["ui"]["text"][0]
    )


def test_a_name_that_a_link_feeds_is_judged_when_it_comes():
    node = load.StepDistillLoad
    assert node.VALIDATE_INPUTS() is True and node.IS_CHANGED() != node.IS_CHANGED()


def test_an_empty_store_offers_a_sentence_instead_of_names(host):
    only = load.StepDistillLoad.INPUT_TYPES()["required"]["name"][0][0]
    assert "Distill Schedule" in load.StepDistillLoad.VALIDATE_INPUTS(only)
    with pytest.raises(ValueError, match="no records yet"):
        load.StepDistillLoad().load(only)


@pytest.mark.parametrize("name", ["published: ays-sdxl", "published: optimal-steps-flux"])
def test_published_tables_are_offered_by_name(host, name):
    assert load.StepDistillLoad.VALIDATE_INPUTS(name) is True
    answer = load.StepDistillLoad().load(name)
    record_, _ = answer["result"]
    assert record_ == module("scheduler.presets").preset(name.removeprefix("published: "))
    assert answer["ui"]["stepdistill"][0]["source"] == "published"
    assert load.StepDistillLoad.IS_CHANGED(name) == name


def test_unknown_and_broken_records_are_named(host):
    saved(record())
    (host / "store" / "broken.json").write_text("{", encoding="utf-8")
    assert "no record 'gone'" in load.StepDistillLoad.VALIDATE_INPUTS("gone")
    assert "broken cannot be used" in load.StepDistillLoad.VALIDATE_INPUTS("broken")
    with pytest.raises(ValueError, match="broken cannot be used"):
        load.StepDistillLoad().load("broken")
    assert load.StepDistillLoad.VALIDATE_INPUTS(names.record_names()[0]) is True


def test_a_loaded_record_is_stale_only_when_its_own_file_changes(host):
    saved(record())
    (name,) = names.record_names()
    before = load.StepDistillLoad.IS_CHANGED(name)
    saved(record(name="another"))
    assert load.StepDistillLoad.IS_CHANGED(name) == before
    path = module("nodes.host.store").store().path(name)
    path.write_text(
        path.read_text(encoding="utf-8").replace('"cfg": 3.0', '"cfg": 3.5'), encoding="utf-8"
    )
    assert load.StepDistillLoad.IS_CHANGED(name) != before
    assert load.StepDistillLoad.IS_CHANGED("gone") != load.StepDistillLoad.IS_CHANGED("gone")


@pytest.mark.parametrize("prefix", ["../out", "/etc/x", "", ".", "a/../../b", "x\0y"])
def test_a_prefix_that_leads_out_of_the_output_folder_is_refused(host, prefix):
    with pytest.raises(ValueError, match="output folder"):
        saved(record(), prefix)
    assert names.record_names() == []


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_text_says_what_to_paste(text):
    with pytest.raises(ValueError, match="paste a record"):
        from_text.StepDistillFromText().read(text)


@pytest.mark.parametrize("text", ["{", "[]", '{"stepdistill": 99}', "__import__('os')"])
def test_broken_text_is_one_sentence(text):
    with pytest.raises(module("scheduler.errors").RecordError) as raised:
        from_text.StepDistillFromText().read(text)
    assert "\n" not in str(raised.value)


def test_record_text_is_no_dynamic_prompt():
    assert (
        from_text.StepDistillFromText.INPUT_TYPES()["required"]["text"][1]["dynamicPrompts"]
        is False
    )
