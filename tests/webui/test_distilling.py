"""Distilling inside the real host, by its API: to the end, interrupted and taken up again, found in
the store, and refused."""

from __future__ import annotations

import pytest

from scheduler.record import Record
from scheduler.store import Store
from tests.webui.jobs import API, WISH, ended


def test_distil_interrupt_resume_and_find_again(host):
    """What was finished before an interrupt is not asked again; the record is kept, used, and found
    without a model call."""
    host.post(f"{API}/distill", WISH)
    cut = ended(host, stop=lambda progress: progress["phase"] == "euler")
    assert cut["state"] == "interrupted" and host.get(f"{API}/records") == []
    host.get("/witness")
    host.post(f"{API}/distill", WISH)
    done = ended(host)
    heard = host.get("/witness")
    asked = len(heard["calls"])
    assert done["state"] == "done" and done["planned"] < cut["planned"]  # less what was restored
    assert heard["decoded"] == 0  # nothing is drawn for nothing
    warned = [line for line in host.server.log.splitlines() if "autocorrection" in line]
    assert not any("StepDistill" in line for line in warned)
    record = Record.from_json(host_export(host, done["record_name"]))
    assert asked < record.provenance["model_calls"]
    assert (
        record.conditions.cfg == 3
        and record.conditions.latent_shape == (4, 8, 8)
        and record.model.prediction == "eps"
    )
    host.get("/witness")
    host.post(f"{API}/distill", WISH)
    again = ended(host)
    assert (
        again["record_name"] == done["record_name"]
        and "Nothing had to be drawn" in again["text"]
        and not host.get("/witness")["calls"]
    )
    told, sigmas = host.draw(sampler_name="Euler", scheduler="Distilled", steps=3, cfg_scale=3)
    fits = f"exact | {done['record_name']} | 3 steps of Euler"
    assert told["StepDistill"].startswith(fits)  # and which stock schedule it is, where stock won
    assert sigmas == pytest.approx(record.recipe("euler", 3, offsets=False).sigmas[:-1], rel=2e-4)


def host_export(host, name: str) -> str:
    import json

    return json.dumps(host.get(f"{API}/records/{name}"))


def test_two_prompts_and_a_lora(host):
    """One set of trajectories a prompt; the LoRA of a prompt is part of the record's key."""
    host.post(
        f"{API}/distill",
        WISH | {"prompt": None, "prompts": ["a cat <lora:bend:0.5>", "a dog"], "steps": [3, 3]},
    )
    done = ended(host)
    record = Store(host.server.store).load(done["record_name"])
    assert done["state"] == "done" and record.conditions.prompts == 2
    assert [(each["name"], each["strength"]) for each in record.model.patches] == [("bend", 0.5)]


def test_records_travel(host, record):
    """Export gives the very record that import took."""
    text = record.to_json()
    name = host.server._asked(_posted(host, text.encode()))["name"]
    assert Record.from_json(host_export(host, name)) == record
    assert [entry["name"] for entry in host.get(f"{API}/records")] == [name]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"samplers": ["lcm"]}, "stochastic"),
        ({"samplers": ["none such"]}, "unknown"),
        ({"quality": "best"}, "unknown"),
        ({"steps": [0, 0]}, "whole numbers"),
        ({"colour": "red"}, "Unknown: colour"),
        ({"width": "wide"}, "could not be read"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_in_a_sentence(host, wish, words):
    """Before anything runs."""
    status, text = host.refused(f"{API}/distill", WISH | wish)
    assert status == 422 and words in text


def test_what_is_no_record_is_refused(host):
    """By import, in a sentence; and names that are not there by export."""
    assert host.refused(f"{API}/records", b"{")[0] == 422
    assert host.refused(f"{API}/records/../../config", {}, "GET")[0] == 404
    assert host.refused(f"{API}/records/none", {}, "GET")[0] == 404


def test_a_store_that_cannot_be_written_to(host, tmp_path):
    """The record is still there to be exported from the panel, and the sentence says why it was not
    kept; pictures are drawn."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    host.post("/sdapi/v1/options", {"stepdistill_store": str(blocked / "store")})
    try:
        host.post(f"{API}/distill", WISH | {"steps": [3, 3]})
        done = ended(host)
        assert done["state"] == "done" and done["record_name"] == "" and "not kept" in done["text"]
        told, _ = host.draw(sampler_name="Euler", scheduler="Distilled")
        assert told["StepDistill"].startswith("stock")
    finally:
        host.post("/sdapi/v1/options", {"stepdistill_store": ""})


def _posted(host, body: bytes):
    import urllib.request

    return urllib.request.Request(
        host.server.address + f"{API}/records",
        body,
        {"Content-Type": "application/json"},
        method="POST",
    )
