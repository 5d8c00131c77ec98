"""Latent diffusion's names of a UNet's weights, which number its blocks through, from diffusers'."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNET_PARTS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_RESNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_BLOCK = re.compile(
    r"(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)


def _unet_name(name: str, per_block: int) -> str:
    stem, _, last = name.rpartition(".")
    if stem in _UNET_PARTS:
        return f"{_UNET_PARTS[stem]}.{last}"
    middle = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", name)
    if middle:
        part, at, rest = middle.groups()
        place = 2 * int(at) if part == "resnets" else 2 * int(at) + 1
        return f"middle_block.{place}.{_inner(part, rest)}"
    found = _BLOCK.fullmatch(name)
    if found is None:
        return name
    side, level, part, at, rest = found.groups()
    if side == "down_blocks":
        place = 1 + int(level) * (per_block + 1)
        if part == "downsamplers":
            return f"input_blocks.{place + per_block}.0.op.{rest.removeprefix('conv.')}"
        slot = 0 if part == "resnets" else 1
        return f"input_blocks.{place + int(at)}.{slot}.{_inner(part, rest)}"
    place = int(level) * (per_block + 1)
    if part == "upsamplers":
        return f"output_blocks.{place + per_block}.{{up}}.{rest}"
    slot = 0 if part == "resnets" else 1
    return f"output_blocks.{place + int(at)}.{slot}.{_inner(part, rest)}"


def _inner(part: str, rest: str) -> str:
    """Names inside a block: those of residual blocks differ, those of attention don't."""
    if part != "resnets":
        return rest
    stem, _, last = rest.rpartition(".")
    return f"{_RESNET_PARTS[stem]}.{last}" if stem in _RESNET_PARTS else rest


def unet_names(config: Mapping, names: list[str]) -> dict[str, tuple[str, ...]]:
    """{original name: (diffusers' name,)} of Stable Diffusion 1, 2 and XL.

    An upsampler stands after its block's attention, or in that place where there is none.
    """
    per_block = int(config.get("layers_per_block") or 2)
    found: dict[str, tuple[str, ...]] = {_unet_name(name, per_block): (name,) for name in names}
    with_attention = {
        name.split(".")[1] for name in found if re.match(r"output_blocks\.\d+\.1\.", name)
    }
    settled: dict[str, tuple[str, ...]] = {}
    for name, parts in found.items():
        slot = "2" if name.split(".")[1] in with_attention else "1"
        settled[name.replace("{up}", slot)] = parts
    return settled
