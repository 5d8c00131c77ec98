"""What tells a record from another of its model, in a list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.record.words import conditions, distinguished
from tests.workflow_graphs import record

PATCHES = (
    {"name": "lora-349897370d", "strength": 0.8, "fingerprint": "a"},
    {"name": "merge-1", "strength": 1.0, "fingerprint": "b"},
)


def made(loras=None, patches=PATCHES, **provenance):
    plain = record(cfg=4.0)
    about = {} if loras is None else {"loras": loras}
    under = replace(plain.conditions, latent_shape=(16, 128, 128))
    model = replace(plain.model, patches=patches)
    return replace(
        plain, model=model, conditions=under, provenance=plain.provenance | about | provenance
    )


def test_guidance_size_loras_effort_and_evidence():
    known = made(["film grain"], plans=[{"steps": [4], "calls": 1, "effort": "standard"}])
    known = replace(known, evidence={"seeds": 8})
    assert distinguished(known) == (
        "cfg 4 · 1024x1024 · film grain at 0.8, merge-1 at 1 · standard · "
        "measured on 8 other pictures"
    )
    assert "film grain at 0.8" in conditions(known)


@pytest.mark.parametrize("loras", [None, [], ["a", "b"], "text", 3])
def test_where_the_file_is_not_known_it_goes_by_its_weights(loras):
    assert "lora-349897370d at 0.8" in distinguished(made(loras))
    assert distinguished(made(patches=())).endswith("1024x1024 · not measured on other pictures")


def test_several_loras_go_by_their_files_as_their_strengths_tell():
    second = {"name": "lora-0a", "strength": 0.4, "fingerprint": "c"}
    said = [{"name": "film grain", "strength": 0.8}, {"name": "ink", "strength": 0.4}]
    known = distinguished(made(said[::-1], patches=(second, *PATCHES)))
    assert "ink at 0.4, film grain at 0.8, merge-1 at 1" in known


def test_two_at_one_strength_are_both_named_at_it():
    second = {"name": "lora-0a", "strength": 0.8, "fingerprint": "c"}
    said = [{"name": "film grain", "strength": 0.8}, {"name": "ink", "strength": 0.8}]
    found = distinguished(made(said, patches=(second, *PATCHES)))
    assert "ink at 0.8" in found and "film grain at 0.8" in found


def test_a_strength_that_no_widget_says_leaves_the_hash():
    second = {"name": "lora-0a", "strength": 0.4, "fingerprint": "c"}
    said = [{"name": "film grain", "strength": 0.8}, {"name": "ink", "strength": None}]
    found = distinguished(made(said, patches=(second, *PATCHES)))
    assert "lora-0a at 0.4, film grain at 0.8" in found
