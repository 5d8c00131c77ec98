"""The Few-Step KSampler where its inputs and outputs stand alone, as in the host's app mode: each input says
what it is by itself, and the verdict is an output that a core node can show."""

from __future__ import annotations

import pytest

from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import few, tidy


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def test_every_input_says_what_it_is_by_itself(client):
    about = client.get("/object_info/StepDistillKSampler")["StepDistillKSampler"]["input"]
    inputs = about["required"] | about["optional"]
    for name, (_, options) in inputs.items():
        assert len(options["tooltip"]) > 15, name
    for name in ("steps", "record"):
        others = [
            each for each in inputs if each != name and f" {each} " in inputs[name][1]["tooltip"]
        ]
        assert others in ([], ["model"])


def test_the_verdict_can_be_shown_by_a_core_node(server, client):
    s = scene(rows=1, digits="3")
    out = few(s, learn="now")
    shown = s.add("PreviewAny", source=out[1])
    assert "recipe " in client.run(s.graph).text(shown)
