"""The panel's list of sources."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from tests.a1111 import made
from tests.a1111.test_schedule import KEY, drawn, picture
from tests.sources.made import folder_of


def test_sources_are_listed_as_text(webui, tmp_path):
    from scheduler.sources import Sources

    shown = made.ours("a1111.source_list").sources_html
    store = made.ours("a1111.stores").store().folder
    none = html.unescape(shown())
    assert "No source" in none and f"source add ADDRESS --folder {store}</code>" in none
    source = Sources(store).add(str(folder_of(tmp_path / "ann", by="<b>Ann</b>")))
    assert "ann: 3 records · by &lt;b&gt;Ann&lt;/b&gt; · 20" in shown()
    (source.folder / "source.json").write_text("{")
    assert "ann is not used: What was kept of the source ann is damaged" in shown()


@pytest.fixture
def ann(webui, record, tmp_path):
    """The record of the checkpoint in the source ann, and nothing in the store."""
    sources, publishing = made.ours("scheduler.sources"), made.ours("scheduler.sources.publishing")
    folder = tmp_path / "ann"
    folder.mkdir()
    record.save(folder / "a.json")
    publishing.publish(folder, by="Ann")
    here = sources.beside(made.ours("a1111.stores").store().folder)
    here.add(str(folder))
    return "unchecked, from ann: a"


def test_a_sources_record_is_chosen_by_hand_and_named_unchecked(
    webui, checkpoint, record, ann, capsys
):
    """The parameters say so, and the line below the picture."""
    assert made.ours("a1111.record_list").listed()[2:] == [ann]
    unasked = picture()
    stock = drawn(webui, checkpoint, unasked)
    assert unasked.extra_generation_params[KEY].startswith("stock | ")
    p = picture(stepdistill_record=ann)
    sigmas = drawn(webui, checkpoint, p)
    assert sigmas == pytest.approx(list(record.recipe("euler", 4).sigmas), rel=1e-4)
    assert list(sigmas) != list(stock)
    told = p.extra_generation_params
    assert told[KEY].startswith("unchecked | unchecked  from ann  a | 4 steps of ")
    assert "4 steps, unchecked, from the source ann." in capsys.readouterr().out
    assert made.ours("a1111.infotext").record_of(told) == ann


def test_it_is_shown_and_exported_but_never_changed(webui, ann, monkeypatch):
    actions = made.ours("a1111.record_actions")
    monkeypatch.setattr(actions.gr, "update", lambda **told: told, raising=False)
    said, file = actions.exported(ann)
    assert said == "" and file["value"].endswith("unchecked-from-ann-a.json")
    for change in (
        actions.removed(ann, ""),
        actions.renamed(ann, "mine"),
        actions.noted(ann, "told"),
    ):
        assert "source" in change[0] and "never changed" in change[0]


def test_a_relatives_record_serves_where_any_may_and_is_named_unchecked(
    webui, checkpoint, record, capsys
):
    samples = {
        name: held
        | {"values": [value * (1 + 0.1 * (-1) ** k) for k, value in enumerate(held["values"])]}
        for name, held in record.model.samples.items()
    }
    relative = replace(record.model, name="Dream", fingerprint="w1-dream", samples=samples)
    made.ours("a1111.stores").store().put(replace(record, model=relative))
    webui.opts.stepdistill_policy = "near"
    p = picture()
    drawn(webui, checkpoint, p)
    assert p.extra_generation_params[KEY].startswith("stock | ")
    webui.opts.stepdistill_policy = "any"
    drawn(webui, checkpoint, p)
    assert p.extra_generation_params[KEY].startswith("unchecked | ")
    said = capsys.readouterr().out
    assert "4 steps, unchecked, from kin: other weights of the same family (" in said
