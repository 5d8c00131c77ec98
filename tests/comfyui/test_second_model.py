"""Compare Schedules with a second MODEL: EasyCache, LazyCache and a LoRA on it, in the real ComfyUI."""

from __future__ import annotations

import re

import pytest

from tests.comfyui.client import Failed
from tests.comfyui.graphs import CFG, scene

CACHE = {"reuse_threshold": 0.2, "start_percent": 0.15, "end_percent": 0.95, "verbose": False}


def compared(client, s, second, **changed):
    """The table of a comparison with a second model."""
    settings = {"cfg": CFG, "sampler_name": "distilled", "schedulers": "distilled, beta"}
    settings |= {"steps": "4, 6", "seeds": 3, "noise_seed": 0, "second_model": second} | changed
    out = s.add("StepDistillCompare", model=s.model, **s.prompts, latent_image=s.latent, **settings)
    return client.run(s.graph).text(out)


def row(text, name):
    """The numbers of a line of the table, by step count."""
    (cells,) = re.findall(rf"^{re.escape(name)} +([\d.][\d. *]+)$", text, re.MULTILINE)
    return [float(each) for each in cells.replace("*", "").split()]


@pytest.mark.parametrize("name", ["EasyCache", "LazyCache"])
def test_a_step_cache_is_compared_at_equal_calls_and_seconds(server, client, flow, name):
    s = scene()
    before = len(server.log())
    text = compared(client, s, s.add(name, model=s.model, **CACHE))
    assert len(row(text, f"{name}, beta")) == len(row(text, "distilled")) == 2
    for steps in (4, 6):
        (said,) = (line for line in text.splitlines() if f"of {steps} steps of distilled" in line)
        assert f"{name}, beta draws" in said or f"{name}, beta has no run" in said
    skipped = re.findall(rf"{name} - skipped (\d+)/(\d+) steps", server.log()[before:])
    assert {"4", "6"} <= {whole for _, whole in skipped}  # each run as the user's would be
    if name == "LazyCache":  # EasyCache skips nothing of this checkpoint in a KSampler either
        assert any(int(count) > 0 for count, _ in skipped)


def test_without_a_cache_the_second_model_is_the_first(client, flow):
    s = scene(rows=1, digits="3")
    text = compared(client, s, s.model)
    assert row(text, "second model, beta") == row(text, "beta")


def test_its_guidance_may_be_its_own(client, flow):
    s = scene(rows=1, digits="3")
    text = compared(client, s, s.model, second_cfg=1.0)
    assert min(row(text, "second model, beta")) > max(row(text, "beta"))


def test_another_kind_of_model_is_refused(client, flow):
    s = scene()
    other = s.add("UNETLoader", unet_name="eps.safetensors", weight_dtype="default")
    with pytest.raises(Failed, match="another kind of noise"):
        compared(client, s, other)
