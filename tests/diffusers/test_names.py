"""A pipeline's fingerprint is that of the file it came from: held to diffusers' own conversion of the
makers' files."""

from __future__ import annotations

import math

import pytest
import torch

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

from diffusers.loaders import single_file_utils as theirs
from safetensors.torch import save_file

from scheduler.diffusers import key_of_pipeline
from scheduler.diffusers.original_names import original_names
from scheduler.diffusers.tiny import tiny_unet
from scheduler.diffusers.weights import _parts, fingerprint_of, model_of, patches_of
from scheduler.fingerprint import fingerprint_file
from scheduler.fingerprint.kinship import SAME, kinship
from scheduler.lookup.lora import lora_patch
from tests.diffusers import made

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import

FLUX_WIDTH = 3072  # which diffusers' conversion takes for granted


def originals(model) -> dict[str, torch.Tensor]:
    """A model's weights as its makers' file holds them."""
    tensors = model.state_dict()
    names = original_names(type(model).__name__, model.config, tensors)
    return {
        name: torch.cat([part for each in given for part in _parts(each, tensors)])
        for name, given in names.items()
    }


def unets():
    deep = {
        "block_out_channels": (8, 16, 16, 16),
        "layers_per_block": 2,
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "attention_head_dim": 4,
    }
    wide = {
        "block_out_channels": (8, 16, 16),
        "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 1, 2),
        "use_linear_projection": True,
        "attention_head_dim": 4,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 80,
    }
    return {"sd1": deep, "sdxl": wide}


def _converted(model):
    file = originals(model)
    kind = type(model).__name__
    if kind == "UNet2DConditionModel":
        file = {f"model.diffusion_model.{name}": tensor for name, tensor in file.items()}
        return theirs.convert_ldm_unet_checkpoint(file, dict(model.config))
    convert = {
        "SD3Transformer2DModel": theirs.convert_sd3_transformer_checkpoint_to_diffusers,
        "WanTransformer3DModel": theirs.convert_wan_transformer_to_diffusers,
        "FluxTransformer2DModel": theirs.convert_flux_transformer_checkpoint_to_diffusers,
    }[kind]
    return convert(file)


def check(model, lacking=()):
    expected = {k: v for k, v in model.state_dict().items() if k not in lacking}
    found = _converted(model)
    assert set(expected) == set(found)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_unet_has_its_makers_names(kind):
    check(tiny_unet(**unets()[kind]))


@pytest.mark.parametrize("name", ["sd3", "wan"])
def test_a_transformer_has_its_makers_names(name):
    check(model_of(getattr(made, name)()))


def test_flux_has_its_makers_names(monkeypatch):
    """diffusers' conversion knows one width alone, so its split is told ours."""
    model = model_of(made.flux())
    width = 32
    split = torch.split

    def ours(tensor, sizes, dim=0):
        return split(tensor, [size * width // FLUX_WIDTH for size in sizes], dim)

    monkeypatch.setattr(torch, "split", ours)
    check(model)


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux", "qwen", "wan"])
def test_the_fingerprint_is_that_of_the_makers_file(tmp_path, name):
    """In half precision too, and with a prefix, as checkpoints have it."""
    pipe = getattr(made, name)()
    file = {
        f"model.diffusion_model.{key}": tensor.half().contiguous()
        for key, tensor in originals(model_of(pipe)).items()
    }
    save_file(file, tmp_path / "model.safetensors")
    there = fingerprint_file(tmp_path / "model.safetensors")
    here = fingerprint_of(pipe)
    assert kinship(here, there).kind == SAME
    model_of(pipe).half()
    assert fingerprint_of(pipe).id == there.id


def test_a_lora_is_a_patch_and_leaves_the_fingerprint():
    pytest.importorskip("peft", reason="peft is not installed: pip install .[diffusers]")
    from peft import LoraConfig

    pipe = made.sd()
    before = fingerprint_of(pipe)
    pipe.unet.add_adapter(LoraConfig(r=2, lora_alpha=4, target_modules=["to_q", "to_v"]), "style")
    with torch.no_grad():
        for name, parameter in pipe.unet.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    assert fingerprint_of(pipe).id == before.id
    (one,) = patches_of(pipe)
    assert one["strength"] == pytest.approx(1.0) and one["name"].startswith("lora-")
    pipe.unet.set_adapters("style", 0.5)
    (half,) = patches_of(pipe)
    assert half["strength"] == pytest.approx(0.5) and half["name"] == one["name"]
    pipe.unet.disable_adapters()
    assert patches_of(pipe) == ()


def test_a_lora_has_the_name_that_its_file_has_in_comfyui(tmp_path):
    """nodes/host/weights.py gives the host's (up, down) of a file's layers to the same function."""
    pytest.importorskip("peft", reason="peft is not installed: pip install .[diffusers]")
    pipe = made.sd()
    path = made.lora_file(pipe.unet, tmp_path)
    pairs = made.lora_pairs(path)
    pipe.load_lora_weights(str(path), adapter_name="style")
    pipe.set_adapters("style", 0.7)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        pipe.unet.to(dtype)
        (found,) = patches_of(pipe)
        assert found["strength"] == pytest.approx(0.7)
        assert found | {"strength": 1.0} == lora_patch(pairs, 1.0)


def test_offloaded_weights_are_read_where_they_lie():
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")
    pipe = made.sd()
    before = fingerprint_of(pipe)
    accelerate.cpu_offload(pipe.unet, torch.device("cpu"))
    assert next(pipe.unet.parameters()).device.type == "meta"
    assert fingerprint_of(pipe).id == before.id


@pytest.mark.parametrize(
    ("name", "shift", "shape", "guidance"),
    [
        ("sd", None, (4, 8, 8), (7.5, None)),
        ("sdxl", None, (4, 8, 8), (5.0, None)),
        ("sd3", 3.0, (4, 8, 8), (7.0, None)),
        ("flux", math.exp(1.15), (4, 8, 8), (1.0, 3.5)),
        ("qwen", math.exp(1.15), (4, 1, 8, 8), (1.0, None)),
        ("wan", 3.0, (4, 3, 8, 8), (5.0, None)),
    ],
)
def test_the_key_is_as_the_uis_make_it(name, shift, shape, guidance):
    """FLUX's and Qwen-Image's shift is the UIs', at every size; latents have the UIs' shape."""
    pipe = getattr(made, name)()
    frames = {"num_frames": 9} if name == "wan" else {}
    key = key_of_pipeline(pipe, height=64, width=64, **frames)
    assert key.shift == (None if shift is None else pytest.approx(shift))
    assert key.latent_shape == shape
    assert (key.cfg, key.guidance) == guidance


def test_guidance_is_counted_as_the_uis_do():
    assert key_of_pipeline(made.sd(), guidance_scale=0.0).cfg == 1.0
    flux = made.flux()
    assert key_of_pipeline(flux, true_cfg_scale=4.0).cfg == 1.0  # nothing is negated
    assert key_of_pipeline(flux, true_cfg_scale=4.0, negative_prompt="x").cfg == 4.0
    assert key_of_pipeline(made.flux(guided=False)).guidance is None
