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
        "guidance 4 · 1024x1024 · film grain at 0.8, merge-1 at 1 · standard · "
        "measured on 8 held-out samples"
    )
    assert "film grain at 0.8" in conditions(known)


@pytest.mark.parametrize("loras", [None, [], ["a", "b"], "text", 3])
def test_where_the_file_is_not_known_it_goes_by_its_weights(loras):
    assert "lora-349897370d at 0.8" in distinguished(made(loras))
    assert distinguished(made(patches=())).endswith("1024x1024 · not measured apart")
