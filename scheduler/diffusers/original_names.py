"""The names that a model's weights have in its makers' files and in the UIs, from those that diffusers
gives them; and which of diffusers' tensors make up one of those.

Each translation is {original name: (diffusers' names, in order along the first axis)}. A name that
ends in HALVES stands for the second half of a tensor followed by its first: diffusers keeps scale
before shift where the makers keep shift before scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .unet_names import unet_names

HALVES = "#swapped"
Names = dict[str, tuple[str, ...]]


def original_names(kind: str, config: Mapping, names: Iterable[str]) -> Names | None:
    """The translation for a model class of diffusers; None for one whose makers' names are not known.

    kind: the class's name. config: the model's. Classes whose names are the makers' own are
    translated by themselves.
    """
    given = [name for name in names]
    if kind in AS_THEY_ARE:
        return {name: (name,) for name in given}
    rename = _RENAMERS.get(kind)
    return None if rename is None else rename(config, given)


def _sd3(config: Mapping, names: list[str]) -> Names:
    """Stable Diffusion 3 and 3.5: queries, keys and values in one tensor."""
    last = int(config["num_layers"]) - 1
    found: Names = {}
    for name in names:
        stem, _, end = name.rpartition(".")
        block = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", stem)
        if block is None:
            _put(found, _SD3_PARTS.get(stem, stem), end, name)
            continue
        at, inner = int(block[1]), block[2]
        if inner in _SD3_JOINED:
            original, parts = _SD3_JOINED[inner]
            found[f"joint_blocks.{at}.{original}.{end}"] = tuple(
                f"transformer_blocks.{at}.{each}.{end}" for each in parts
            )
        if inner in _SD3_BLOCK:
            swapped = inner == "norm1_context.linear" and at == last
            original = f"joint_blocks.{at}.{_SD3_BLOCK[inner]}"
            _put(found, original, end, name + HALVES if swapped else name)
    head = _swapped(found, "final_layer.adaLN_modulation.1", "norm_out.linear")
    return _without_one(head, "pos_embed.pos_embed", "pos_embed")


_SD3_PARTS = {
    "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}
_SD3_JOINED = {
    "attn.to_q": ("x_block.attn.qkv", ("attn.to_q", "attn.to_k", "attn.to_v")),
    "attn.add_q_proj": (
        "context_block.attn.qkv",
        ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    ),
    "attn2.to_q": ("x_block.attn2.qkv", ("attn2.to_q", "attn2.to_k", "attn2.to_v")),
}
_SD3_BLOCK = {
    "attn.to_out.0": "x_block.attn.proj",
    "attn.to_add_out": "context_block.attn.proj",
    "attn2.to_out.0": "x_block.attn2.proj",
    "attn.norm_q": "x_block.attn.ln_q",
    "attn.norm_k": "x_block.attn.ln_k",
    "attn.norm_added_q": "context_block.attn.ln_q",
    "attn.norm_added_k": "context_block.attn.ln_k",
    "attn2.norm_q": "x_block.attn2.ln_q",
    "attn2.norm_k": "x_block.attn2.ln_k",
    "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1",
    "ff.net.0.proj": "x_block.mlp.fc1",
    "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1",
    "ff_context.net.2": "context_block.mlp.fc2",
}


def _flux(config: Mapping, names: list[str]) -> Names:
    """FLUX.1: double and single blocks, with queries, keys, values (and the MLP) in one tensor."""
    found: Names = {}
    for name in names:
        stem, _, end = name.rpartition(".")
        double = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", stem)
        single = re.fullmatch(r"single_transformer_blocks\.(\d+)\.(.+)", stem)
        block = double or single
        if block is None:
            _put(found, _FLUX_PARTS.get(stem, stem), end, name)
            continue
        ours = "transformer_blocks" if double else "single_transformer_blocks"
        theirs = "double_blocks" if double else "single_blocks"
        joined = _FLUX_JOINED if double else _FLUX_SINGLE_JOINED
        if block[2] in joined:
            original, parts = joined[block[2]]
            found[f"{theirs}.{block[1]}.{original}.{end}"] = tuple(
                f"{ours}.{block[1]}.{each}.{end}" for each in parts
            )
        inner = (_FLUX_BLOCK if double else _FLUX_SINGLE).get(block[2])
        if inner is not None:
            last = "scale" if inner.endswith("_norm") else end
            found[f"{theirs}.{block[1]}.{inner}.{last}"] = (name,)
    return _swapped(found, "final_layer.adaLN_modulation.1", "norm_out.linear")


_FLUX_PARTS = {
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "context_embedder": "txt_in",
    "x_embedder": "img_in",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}
_FLUX_JOINED = {
    "attn.to_q": ("img_attn.qkv", ("attn.to_q", "attn.to_k", "attn.to_v")),
    "attn.add_q_proj": (
        "txt_attn.qkv",
        ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    ),
}
_FLUX_SINGLE_JOINED = {
    "attn.to_q": ("linear1", ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")),
}
_FLUX_BLOCK = {
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
}
_FLUX_SINGLE = {
    "norm.linear": "modulation.lin",
    "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
    "proj_out": "linear2",
}


def _wan(config: Mapping, names: list[str]) -> Names:
    """Wan 2.1 and 2.2: other words for the same tensors."""
    return {_wan_name(name): (name,) for name in names}


_WAN_PARTS = (
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("condition_embedder.image_embedder.norm1", "img_emb.proj.0"),
    ("condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"),
    ("condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"),
    ("condition_embedder.image_embedder.norm2", "img_emb.proj.4"),
    (".attn1.", ".self_attn."),
    (".attn2.", ".cross_attn."),
    (".to_out.0.", ".o."),
    (".to_q.", ".q."),
    (".to_k.", ".k."),
    (".to_v.", ".v."),
    (".add_k_proj.", ".k_img."),
    (".add_v_proj.", ".v_img."),
    (".norm_added_k.", ".norm_k_img."),
    (".ffn.net.0.proj.", ".ffn.0."),
    (".ffn.net.2.", ".ffn.2."),
    (".scale_shift_table", ".modulation"),
)
_WAN_NORMS = {".norm2.": ".norm3.", ".norm3.": ".norm2."}


def _wan_name(name: str) -> str:
    if name == "scale_shift_table":
        return "head.modulation"
    if name.startswith("proj_out."):
        return "head.head." + name.removeprefix("proj_out.")
    for ours, theirs in _WAN_PARTS:
        name = name.replace(ours, theirs)
    if name.startswith("blocks."):
        swapped = next((ours for ours in _WAN_NORMS if ours in name), None)
        name = name.replace(swapped, _WAN_NORMS[swapped]) if swapped else name
    return name


def _put(found: Names, stem: str, end: str, name: str) -> None:
    found[f"{stem}.{end}" if stem else end] = (name,)


def _swapped(found: Names, original: str, ours: str) -> Names:
    return found | {
        f"{original}.{end}": (f"{ours}.{end}{HALVES}",)
        for end in ("weight", "bias")
        if f"{original}.{end}" in found
    }


def _without_one(found: Names, ours: str, theirs: str) -> Names:
    """A single tensor that has another name as a whole."""
    kept = {name: parts for name, parts in found.items() if parts != (ours,)}
    return kept | ({theirs: (ours,)} if len(kept) < len(found) else {})


AS_THEY_ARE = ("QwenImageTransformer2DModel",)
_RENAMERS = {
    "UNet2DConditionModel": unet_names,
    "SD3Transformer2DModel": _sd3,
    "FluxTransformer2DModel": _flux,
    "WanTransformer3DModel": _wan,
}
