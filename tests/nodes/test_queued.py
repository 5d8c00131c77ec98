"""What is done to a prompt when it is queued."""

from __future__ import annotations

import pytest

from tests.nodes.pack import module

queued = module("nodes.server.queued")


def marks(data):
    return [queued.INPUT in each["inputs"] for each in data["prompt"].values()]


def asked(**inputs):
    return {"prompt": {"1": {"class_type": "Any", "inputs": inputs}}}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path))
    return tmp_path


def test_a_node_that_names_our_entry_runs_again_when_the_store_has_changed(store):
    first = queued.queued(asked(scheduler="distilled", steps=6))
    again = queued.queued(asked(scheduler="distilled", steps=6))
    assert marks(first) == [True] and first == again
    (store / "new.json").write_text("{}")
    assert queued.queued(asked(scheduler="distilled", steps=6)) != first


def test_others_are_left_and_an_old_mark_is_taken_off():
    data = queued.queued(asked(scheduler="normal", stepdistill_store=1, text=["2", 0]))
    assert data["prompt"]["1"]["inputs"] == {"scheduler": "normal", "text": ["2", 0]}


@pytest.mark.parametrize("data", [{}, {"prompt": []}, {"prompt": {"1": {}}}, {"prompt": {"1": 2}}])
def test_any_other_request_is_the_hosts_to_refuse(data):
    before = str(data)
    assert str(queued.queued(data)) == before


def test_a_few_step_picture_is_drawn_anew_where_its_file_carries_something_else():
    def few(extra):
        inputs = {"steps": 6}
        entry = {"1": {"class_type": "StepDistillKSampler", "inputs": inputs}}
        queued.queued({"prompt": entry, "extra_data": {"extra_pnginfo": extra}})
        return inputs.get(queued.INPUT)

    carried = {"stepdistill_records": {"a": {"stepdistill": 2}}}
    noted = {"workflow": {"extra": {"stepdistill_drawn": {"1": {"of": "a", "how": "in full"}}}}}
    marks = [few({}), few(carried), few(noted)]
    assert marks[0] is None and len(set(marks)) == 3 and few(carried) == marks[1]
