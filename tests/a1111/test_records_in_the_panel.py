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
    answers = actions.removed(label, "")
    assert "no way back" in answers[0] and store.records() != []
    assert answers[5:] == ({"value": "Remove it for good"}, names.name_of(label))
    said, listed, plot, table, file, *asks = actions.removed(label, answers[6])
    assert (plot, table, file) == ("", "", {"value": None, "visible": False})
    assert asks == [{"value": "Remove"}, ""]
    assert listed == {"choices": ["Automatic", "Stock schedule"], "value": "Automatic"}
    assert store.records() == []


@pytest.mark.parametrize("what", ["renamed", "noted"])
def test_mistakes_are_a_sentence(actions, names, stored, what):
    work = getattr(actions, what)
    assert "The stock schedule is no record" in work("Stock schedule", "x")[0]
    assert "no record of the loaded checkpoint yet" in work("Automatic", "x")[0]
    assert "Write it into the field" in work(names.label_of(stored), "  ")[0]


@pytest.mark.slow
def test_every_button_takes_the_record_that_automatic_takes(
    actions, names, webui, checkpoint, stored
):
    webui.modules.sd_models.model_data.sd_model = checkpoint
    label = names.label_of(stored)
    assert "64x64" in actions.shown("Automatic")[2]
    assert f"Noted of {label}: x" in actions.noted("Automatic", "x")[0]
    assert f"Remove {label}? There is no way back" in actions.removed("Automatic", "")[0]
    said, listed = actions.renamed("Automatic", "my dog")
    assert "my dog" in said and listed["value"] == "Automatic"
    for work in (actions.shown, actions.exported):
        assert "The stock schedule is no record" in work("Stock schedule")[0]


@pytest.mark.slow
def test_a_record_without_error_curves_is_shown_by_its_schedules(webui, record):
    """Such as one that was learnt from pictures: nothing was measured on others."""
    pytest.importorskip("matplotlib")
    plot = made.ours("a1111.plot_view").record_plot
    assert "<svg" in plot(replace(record, evidence={}))


def test_what_was_checked_alone_is_not_said_to_be_its_own_rows(webui, record):
    views = made.ours("a1111.panel_views")
    seen = {"rms": 0.1, "best_stock": "karras + dpmpp_2m", "verdict": "seen"}
    for rows, word in (({"fit": 1}, "on its own rows"), ({"checked": 1}, ">checked<")):
        won = replace(record.recipe("distilled", 6), choice="ours", evidence=seen | {"rows": rows})
        assert word in views.record_html(replace(record, recipes=(won,)))


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


@pytest.mark.parametrize("prompts", ["", "a cat\na dog\na fox"])
@pytest.mark.parametrize("pixels", [64, 512])
def test_the_price_of_distilling_holds(webui, monkeypatch, prompts, pixels):
    """Small latents are learnt with more care, and several prompts cost more."""
    import re

    from scheduler.distilling.planning import plan_request
    from scheduler.distilling.request import request_of

    module = webui.modules.sd_samplers_kdiffusion
    listed = [(n, f"sample_{f}", [], {}) for n, f in (("DPM++ 2M", "dpmpp_2m"), ("Euler", "euler"))]
    monkeypatch.setattr(module, "samplers_k_diffusion", listed, raising=False)
    actions, choices = made.ours("a1111.panel_actions"), made.ours("a1111.panel_choices")
    for above, name in (("DPM++ 2M", "dpmpp_2m"), ("Euler", "euler")):
        chosen = ["Distilled", choices.SAMPLER_ABOVE]
        page = (0, 0, above, pixels, pixels)
        told = actions.priced("instant", chosen, 4, 8, False, prompts, *page)
        (calls,) = re.findall(r"At most as long as ([\d,]+) steps", told)
        sets = [lambda x, sigma: x] * max(prompts.count("\n") + 1, 1)
        shape = (4, pixels // 8, pixels // 8)
        request = request_of(
            sets, shape, 14.6, 0.03, "ve", ("distilled", name), range(4, 9), None, 0
        )
        planned = plan_request(request, None, 0, None).calls
        assert planned <= int(calls.replace(",", "")) < 1.1 * planned
        if not prompts:  # as the page is built
            made_with = dict(sampling=above, width=pixels, height=pixels)
            for part, value in made_with.items():
                control = SimpleNamespace(elem_id=f"txt2img_{part}", value=value)
                actions.after(control)
            assert actions.price_as_left() == told


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
