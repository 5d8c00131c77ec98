"""Pipelines of diffusers with random weights at the size of SDXL or FLUX, made on the device, without text
encoders: they are called with embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

STD = 0.02  # of the weights: answers stay finite in bfloat16
SDXL = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
SMALL_SDXL = SDXL | {
    "sample_size": 8,
    "block_out_channels": (32, 32, 32),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1, 1),
    "attention_head_dim": (2, 2, 2),
    "cross_attention_dim": 32,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 32,
}
FLUX = {
    "in_channels": 64,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 768,
    "guidance_embeds": True,
    "axes_dims_rope": (16, 56, 56),
}
SMALL_FLUX = FLUX | {
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 32,
    "axes_dims_rope": (4, 6, 6),
}
TOKENS = {"sdxl": 77, "flux": 512}


@dataclass(frozen=True)
class Subject:
    """A pipeline, what it is called with, and the network that answers."""

    name: str
    pipe: Any
    call: dict[str, Any]
    network: Any


def subject(kind: str, device: str, tiny: bool) -> Subject:
    """ "sdxl" (guided: two evaluations a step) or "flux"; tiny: of a few layers, at 64x64."""
    dtype = torch.float32 if tiny else torch.bfloat16
    size = 64 if tiny else 1024
    made = (_sdxl if kind == "sdxl" else _flux)(device, dtype, tiny)
    made.pipe.set_progress_bar_config(disable=True)
    call = made.call | {"height": size, "width": size}
    return Subject(f"{kind}, {size}x{size}, {str(dtype)[6:]}", made.pipe, call, made.network)


def _random(kind: type, config: dict, device: str, dtype: torch.dtype) -> Any:
    """A network of random weights, made where it runs."""
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            network = kind(**config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)
    for name, each in network.named_parameters():
        if name.endswith("weight") and each.dim() > 1:
            each.normal_(0, max(STD, each.shape[1] ** -0.5 / 2))
    return network.to(dtype)


def _vae(channels: int, device: str, dtype: torch.dtype) -> Any:
    from diffusers import AutoencoderKL

    with torch.device(device):
        return AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            norm_num_groups=4,
            latent_channels=channels,
        ).to(dtype)


def _normal(*shape: int, device: str, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(device, dtype)


def _sdxl(device: str, dtype: torch.dtype, tiny: bool) -> Subject:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    config = SMALL_SDXL if tiny else SDXL
    network = _random(UNet2DConditionModel, config, device, dtype)
    pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
    about = {"device": device, "dtype": dtype}
    pipe = StableDiffusionXLPipeline(
        vae=_vae(4, **about),
        text_encoder=None,
        text_encoder_2=None,
        tokenizer=None,
        tokenizer_2=None,
        unet=network,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
        ),
        add_watermarker=False,
    )
    text = _normal(1, TOKENS["sdxl"], config["cross_attention_dim"], **about)
    call = {
        "prompt_embeds": text,
        "negative_prompt_embeds": torch.zeros_like(text),
        "pooled_prompt_embeds": _normal(1, pooled, **about),
        "negative_pooled_prompt_embeds": torch.zeros(1, pooled, **about),
        "guidance_scale": 5.0,
    }
    return Subject("", pipe, call, network)


def _flux(device: str, dtype: torch.dtype, tiny: bool) -> Subject:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    config = SMALL_FLUX if tiny else FLUX
    network = _random(FluxTransformer2DModel, config, device, dtype)
    about = {"device": device, "dtype": dtype}
    pipe = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=_vae(16, **about),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        transformer=network,
    )
    call = {
        "prompt_embeds": _normal(1, TOKENS["flux"], config["joint_attention_dim"], **about),
        "pooled_prompt_embeds": _normal(1, config["pooled_projection_dim"], **about),
        "guidance_scale": 3.5,
    }
    return Subject("", pipe, call, network)
