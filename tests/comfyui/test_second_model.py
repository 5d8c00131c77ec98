"""Compare Schedules with a second MODEL: EasyCache, LazyCache and a LoRA on it, in the real ComfyUI."""

from __future__ import annotations

import re

import pytest
import torch
from safetensors.torch import save_file

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


def test_a_cache_of_another_pack_is_compared_by_its_name(server, client, flow):
    """One that hangs into the model's function, as TeaCache does; ComfyUI knows nothing of it."""
    s = scene()
    before = len(server.log())
    text = compared(client, s, s.add("TestTeaCache", model=s.model, threshold=0.3))
    assert len(row(text, "TeaCache, beta")) == len(row(text, "distilled")) == 2
    assert row(text, "TeaCache, beta") != row(text, "beta")  # it has skipped some
    for steps in (4, 6):
        (said,) = (line for line in text.splitlines() if f"of {steps} steps of distilled" in line)
        assert "TeaCache, beta" in said
    assert "Traceback" not in server.log()[before:]


def test_a_cache_on_the_first_model_is_refused_by_its_kind(client, flow):
    """Everything is measured against what this one draws."""
    s = scene()
    plain, s.model = s.model, s.add("TestTeaCache", model=s.model, threshold=0.3)
    with pytest.raises(Failed, match="carries TeaCache, which answers some steps from memory"):
        compared(client, s, plain)


@pytest.fixture(scope="module")
def lightning(server):
    """A small LoRA of the flow checkpoint, named as those for few steps are; its file's name."""
    generator = torch.Generator().manual_seed(0)
    key = "diffusion_model.joint_blocks.0.x_block.mlp.fc1"
    up, down = (torch.randn(shape, generator=generator) for shape in ((512, 4), (4, 128)))
    tensors = {f"{key}.lora_up.weight": 0.02 * up, f"{key}.lora_down.weight": 0.02 * down}
    folder = server.base / "models" / "loras"
    save_file(
        tensors | {f"{key}.alpha": torch.tensor(4.0)}, folder / "toy_lightning_4step.safetensors"
    )
    return "toy_lightning_4step.safetensors"


def test_a_lora_for_few_steps_is_compared_by_its_file(client, flow, lightning):
    s = scene()
    second = s.add("LoraLoaderModelOnly", model=s.model, lora_name=lightning, strength_model=1.0)
    text = compared(client, s, second, second_cfg=1.0)
    name = "toy_lightning_4step, beta"
    assert len(row(text, name)) == 2 and row(text, name) != row(text, "beta")
    assert any(name in line for line in text.splitlines() if "of 6 steps of distilled" in line)
    assert len(row(text, "distilled")) == 2  # the first model is known still: it has no LoRA


def test_another_kind_of_model_is_refused(client, flow):
    s = scene()
    other = s.add("UNETLoader", unet_name="eps.safetensors", weight_dtype="default")
    with pytest.raises(Failed, match="another kind of noise"):
        compared(client, s, other)
