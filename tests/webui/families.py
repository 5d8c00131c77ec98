"""Small checkpoints of Forge's other families, made at test time: an SDXL, an SD3 and a Flux, each the
family's own network in the fewest blocks that Forge knows it by, with random weights.

Their text encoders have two layers (extensions/small_parts); their decoders are full-shaped. The
wiring is that of checkpoint.py: a prediction is nearly the input's own noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.webui.checkpoint import (
    CHANNELS,
    EMBEDDED,
    Shapes,
    _conv,
    _linear,
    _norm,
    _residual,
    _vae,
    _weight,
)

UNET = "model.diffusion_model."
LAYERS = 2  # of text encoders
TEXT_XL, VECTOR_XL = 2048, 2816  # SDXL's context and vector
DEPTHS = (0, 0, 2, 2, 10, 10)  # of SDXL's transformers, by which Forge knows it
WIDE, PATCH = 64, 64  # SD3's width for one block, and the numbers of a patch: 16 channels, 2 x 2
FLUX, HEAD, T5 = 128, 128, 64


def sdxl(folder: Path, name: str = "small-xl") -> Path:
    shapes = [*_unet_xl(), *_clip_l("conditioner.embedders.0."), *_open_clip_g(), *_vae()]
    return _written(folder, name, shapes, _wire_xl)


def sd3(folder: Path, name: str = "small-sd3") -> Path:
    texts = [*_clip_l("text_encoders.clip_l."), *_clip_g(), *_t5()]
    return _written(folder, name, [*_mmdit(), *texts, *_vae_16("first_stage_model.")], _wire_sd3)


def flux(folder: Path, name: str = "small-flux") -> Path:
    texts = [*_clip_l("text_encoders.clip_l."), *_t5()]
    return _written(folder, name, [*_flux(), *texts, *_vae_16("vae.")], _wire_flux)


def _written(folder: Path, name: str, shapes: list, wire: Callable[[dict], None]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = torch.Generator().manual_seed(0)
    weights = {key: _weight(key, shape, drawn) for key, shape in shapes}
    wire(weights)
    path = folder / f"{name}.safetensors"
    save_file({key: tensor.half().contiguous() for key, tensor in weights.items()}, path)
    return path


# --- SDXL ------------------------------------------------------------------------------------------


def _unet_xl() -> Shapes:
    yield from _linear(UNET + "time_embed.0", CHANNELS, EMBEDDED)
    yield from _linear(UNET + "time_embed.2", EMBEDDED, EMBEDDED)
    yield from _linear(UNET + "label_emb.0.0", VECTOR_XL, EMBEDDED)
    yield from _linear(UNET + "label_emb.0.2", EMBEDDED, EMBEDDED)
    yield from _conv(UNET + "input_blocks.0.0", 4, CHANNELS)
    for block, depth in zip((1, 2, 4, 5, 7, 8), DEPTHS, strict=True):
        yield from _residual(f"{UNET}input_blocks.{block}.0.", CHANNELS)
        if depth:
            yield from _transformer_xl(f"{UNET}input_blocks.{block}.1.", depth)
    for block in (3, 6):
        yield from _conv(f"{UNET}input_blocks.{block}.0.op", CHANNELS, CHANNELS)
    yield from _residual(UNET + "middle_block.0.", CHANNELS)
    for block in range(9):
        yield from _residual(f"{UNET}output_blocks.{block}.0.", 2 * CHANNELS)
    for block in (2, 5):
        yield from _conv(f"{UNET}output_blocks.{block}.1.conv", CHANNELS, CHANNELS)
    yield from _norm(UNET + "out.0", CHANNELS)
    yield from _conv(UNET + "out.2", CHANNELS, 4)


def _transformer_xl(at: str, depth: int) -> Shapes:
    yield from _norm(at + "norm", CHANNELS)
    yield from _linear(at + "proj_in", CHANNELS, CHANNELS)
    for block in range(depth):
        inside = f"{at}transformer_blocks.{block}."
        for number, width in ((1, CHANNELS), (2, TEXT_XL)):
            yield f"{inside}attn{number}.to_q.weight", (CHANNELS, CHANNELS)
            yield f"{inside}attn{number}.to_k.weight", (CHANNELS, width)
            yield f"{inside}attn{number}.to_v.weight", (CHANNELS, width)
            yield from _linear(f"{inside}attn{number}.to_out.0", CHANNELS, CHANNELS)
        yield from _linear(inside + "ff.net.0.proj", CHANNELS, 8 * CHANNELS)
        yield from _linear(inside + "ff.net.2", 4 * CHANNELS, CHANNELS)
        for number in (1, 2, 3):
            yield from _norm(f"{inside}norm{number}", CHANNELS)
    yield from _linear(at + "proj_out", CHANNELS, CHANNELS)


def _wire_xl(weights: dict[str, torch.Tensor]) -> None:
    """As checkpoint.py wires an SD1: pairs of channels hold x and -x, and the last block's skip leads
    them through."""
    first = weights[UNET + "input_blocks.0.0.weight"] = torch.zeros(CHANNELS, 4, 3, 3)
    last = weights[UNET + "out.2.weight"] = torch.zeros(4, CHANNELS, 3, 3)
    for channel in range(CHANNELS):
        sign, source = 1 - 2 * (channel % 2), channel // 2 % 4
        first[channel, source, 1, 1] = sign
        last[source, channel, 1, 1] = sign * 8 / CHANNELS
    skip = UNET + "output_blocks.8.0.skip_connection.weight"
    weights[skip] *= 0.2
    weights[skip][:, CHANNELS:, 0, 0] += torch.eye(CHANNELS)


# --- SD3 -------------------------------------------------------------------------------------------


def _mmdit() -> Shapes:
    yield UNET + "pos_embed", (1, 64 * 64, WIDE)
    yield from _conv(UNET + "x_embedder.proj", 16, WIDE, 2)
    yield from _mlp(UNET + "t_embedder.mlp", 256, WIDE)
    yield from _mlp(UNET + "y_embedder.mlp", 2048, WIDE)
    yield from _linear(UNET + "context_embedder", 4096, WIDE)
    for block, parts in (("context_block", 2), ("x_block", 6)):
        at = f"{UNET}joint_blocks.0.{block}."
        yield from _linear(at + "attn.qkv", WIDE, 3 * WIDE)
        yield from _linear(at + "adaLN_modulation.1", WIDE, parts * WIDE)
    yield from _linear(at + "attn.proj", WIDE, WIDE)
    yield from _linear(at + "mlp.fc1", WIDE, 4 * WIDE)
    yield from _linear(at + "mlp.fc2", 4 * WIDE, WIDE)
    yield from _linear(UNET + "final_layer.linear", WIDE, PATCH)
    yield from _linear(UNET + "final_layer.adaLN_modulation.1", WIDE, 2 * WIDE)


def _mlp(at: str, inputs: int, width: int) -> Shapes:
    yield from _linear(at + ".0", inputs, width)
    yield from _linear(at + ".2", width, width)


def _wire_sd3(weights: dict[str, torch.Tensor]) -> None:
    """Patches go through as they are; the final norm makes of them what is left of the noise, in the
    scale of noise."""
    weights[UNET + "pos_embed"] = torch.zeros(1, 64 * 64, WIDE)
    embed = weights[UNET + "x_embedder.proj.weight"] = torch.zeros(WIDE, 16, 2, 2)
    for row in range(2):
        for column in range(2):
            for channel in range(16):
                embed[(row * 2 + column) * 16 + channel, channel, row, column] = 1
    weights[UNET + "final_layer.linear.weight"] = torch.eye(PATCH)
    _calm(weights, "adaLN_modulation")


def _calm(weights: dict[str, torch.Tensor], part: str) -> None:
    for key in weights:
        if part in key and key.endswith("weight"):
            weights[key] *= 0.2


# --- Flux ------------------------------------------------------------------------------------------


def _flux() -> Shapes:
    yield from _linear(UNET + "img_in", PATCH, FLUX)
    yield from _linear(UNET + "txt_in", T5, FLUX)
    for part, width in (("time_in", 256), ("guidance_in", 256), ("vector_in", 768)):
        yield from _linear(f"{UNET}{part}.in_layer", width, FLUX)
        yield from _linear(f"{UNET}{part}.out_layer", FLUX, FLUX)
    for side in ("img", "txt"):
        at = f"{UNET}double_blocks.0.{side}_"
        yield from _linear(at + "mod.lin", FLUX, 6 * FLUX)
        yield from _linear(at + "attn.qkv", FLUX, 3 * FLUX)
        yield from _linear(at + "attn.proj", FLUX, FLUX)
        yield from _scales(at + "attn.norm.")
        yield from _linear(at + "mlp.0", FLUX, 4 * FLUX)
        yield from _linear(at + "mlp.2", 4 * FLUX, FLUX)
    single = UNET + "single_blocks.0."
    yield from _linear(single + "linear1", FLUX, 7 * FLUX)
    yield from _linear(single + "linear2", 5 * FLUX, FLUX)
    yield from _scales(single + "norm.")
    yield from _linear(single + "modulation.lin", FLUX, 3 * FLUX)
    yield from _linear(UNET + "final_layer.linear", FLUX, PATCH)
    yield from _linear(UNET + "final_layer.adaLN_modulation.1", FLUX, 2 * FLUX)


def _scales(at: str) -> Shapes:
    for part in ("query_norm", "key_norm"):
        yield f"{at}{part}.scale", (HEAD,)


def _wire_flux(weights: dict[str, torch.Tensor]) -> None:
    """As SD3's, through half of the channels: the norm is over both halves."""
    weights[UNET + "img_in.weight"] = torch.eye(FLUX, PATCH)
    weights[UNET + "final_layer.linear.weight"] = torch.eye(PATCH, FLUX) * 0.5**0.5
    for part in ("adaLN_modulation", "mod.lin", "modulation.lin"):
        _calm(weights, part)


# --- text encoders and decoders --------------------------------------------------------------------


def _clip_l(root: str) -> Shapes:
    yield from _clip(root + "transformer.", 768)


def _clip_g() -> Shapes:
    yield from _clip("text_encoders.clip_g.transformer.", 1280)


def _clip(root: str, width: int) -> Shapes:
    at = root + "text_model."
    yield at + "embeddings.token_embedding.weight", (49408, width)
    yield at + "embeddings.position_embedding.weight", (77, width)
    for layer in range(LAYERS):
        inside = f"{at}encoder.layers.{layer}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{inside}self_attn.{part}", width, width)
        yield from _norm(inside + "layer_norm1", width)
        yield from _norm(inside + "layer_norm2", width)
        yield from _linear(inside + "mlp.fc1", width, 4 * width)
        yield from _linear(inside + "mlp.fc2", 4 * width, width)
    yield from _norm(at + "final_layer_norm", width)
    yield root + "text_projection.weight", (width, width)


def _open_clip_g() -> Shapes:
    at, width = "conditioner.embedders.1.model.", 1280
    yield at + "token_embedding.weight", (49408, width)
    yield at + "positional_embedding", (77, width)
    for layer in range(LAYERS):
        inside = f"{at}transformer.resblocks.{layer}."
        yield inside + "attn.in_proj_weight", (3 * width, width)
        yield inside + "attn.in_proj_bias", (3 * width,)
        yield from _linear(inside + "attn.out_proj", width, width)
        yield from _norm(inside + "ln_1", width)
        yield from _norm(inside + "ln_2", width)
        yield from _linear(inside + "mlp.c_fc", width, 4 * width)
        yield from _linear(inside + "mlp.c_proj", 4 * width, width)
    yield from _norm(at + "ln_final", width)
    yield at + "text_projection", (width, width)


def _t5() -> Shapes:
    at = "text_encoders.t5xxl.transformer."
    yield at + "shared.weight", (32128, T5)
    inside = at + "encoder.block.0.layer."
    for part in ("q", "k", "v", "o"):
        yield f"{inside}0.SelfAttention.{part}.weight", (T5, T5)
    yield inside + "0.SelfAttention.relative_attention_bias.weight", (32, 2)
    yield inside + "0.layer_norm.weight", (T5,)
    for part in ("wi_0", "wi_1"):
        yield f"{inside}1.DenseReluDense.{part}.weight", (2 * T5, T5)
    yield inside + "1.DenseReluDense.wo.weight", (T5, 2 * T5)
    yield inside + "1.layer_norm.weight", (T5,)
    yield at + "encoder.final_layer_norm.weight", (T5,)
    for number in range(8):  # Forge believes in no encoder of fewer than 17 weights
        yield f"{at}unused.{number}", (1,)


def _vae_16(root: str) -> Shapes:
    """A decoder of 16 latent channels, without the convolutions around its latent."""
    changed = {"encoder.conv_out": (32, 512, 3, 3), "decoder.conv_in": (512, 16, 3, 3)}
    for key, shape in _vae():
        name = key.removeprefix("first_stage_model.")
        part, _, kind = name.rpartition(".")
        if part in ("quant_conv", "post_quant_conv"):
            continue
        new = changed.get(part, shape)
        yield root + name, new if kind == "weight" else new[:1]
