"""A small SD1-type checkpoint with random weights, made at test time: one block of 320 channels, a
full-shaped CLIP-L and VAE.

Hosts take the shapes of CLIP and VAE from their own configurations, so those cannot shrink; the
UNet's follow its weights (A1111 is told by a .yaml of the same name). The UNet is wired so that its
prediction is nearly the input's own noise: pictures come out of it with about unit variance, and
the rest of the network, which sees prompt and time, moves it a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

CHANNELS, CONTEXT, EMBEDDED = 320, 768, 1280
Shapes = Iterator[tuple[str, tuple[int, ...]]]
YAML = """model:
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    linear_start: 0.00085
    linear_end: 0.0120
    num_timesteps_cond: 1
    timesteps: 1000
    first_stage_key: jpg
    cond_stage_key: txt
    image_size: 64
    channels: 4
    cond_stage_trainable: false
    conditioning_key: crossattn
    scale_factor: 0.18215
    use_ema: false
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        image_size: 32
        in_channels: 4
        out_channels: 4
        model_channels: 320
        attention_resolutions: [1]
        num_res_blocks: 1
        channel_mult: [1]
        num_heads: 8
        use_spatial_transformer: true
        transformer_depth: 1
        context_dim: 768
        use_checkpoint: false
        legacy: false
    first_stage_config:
      target: ldm.models.autoencoder.AutoencoderKL
      params:
        embed_dim: 4
        monitor: val/rec_loss
        ddconfig: {double_z: true, z_channels: 4, resolution: 256, in_channels: 3, out_ch: 3, ch: 128,
                   ch_mult: [1, 2, 4, 4], num_res_blocks: 2, attn_resolutions: [], dropout: 0.0}
        lossconfig: {target: torch.nn.Identity}
    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenCLIPEmbedder
"""


def write(folder: Path, name: str = "small", seed: int = 0) -> Path:
    """Make `name`.safetensors, in float16, and its .yaml in a folder; returns the former's path."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = torch.Generator().manual_seed(seed)
    weights = {key: _weight(key, shape, drawn) for key, shape in (*_unet(), *_clip(), *_vae())}
    _wire(weights)
    path = folder / f"{name}.safetensors"
    save_file({key: tensor.half().contiguous() for key, tensor in weights.items()}, path)
    path.with_suffix(".yaml").write_text(YAML, encoding="utf-8")
    return path


def write_lora(folder: Path, name: str = "bend", seed: int = 1) -> Path:
    """A LoRA of rank 4 on the attention of the first block."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, found = torch.Generator().manual_seed(seed), {}
    for part in ("attn1_to_q", "attn2_to_v"):
        width = CONTEXT if part == "attn2_to_v" else CHANNELS
        prefix = f"lora_unet_input_blocks_1_1_transformer_blocks_0_{part}"
        found[f"{prefix}.lora_down.weight"] = torch.randn(4, width, generator=drawn).half()
        found[f"{prefix}.lora_up.weight"] = torch.randn(CHANNELS, 4, generator=drawn).half()
        found[f"{prefix}.alpha"] = torch.tensor(4.0)
    path = folder / f"{name}.safetensors"
    save_file(found, path)
    return path


def _weight(key: str, shape: tuple[int, ...], drawn: torch.Generator) -> torch.Tensor:
    if key.endswith("bias"):
        return torch.zeros(shape)
    if len(shape) == 1:
        return torch.ones(shape)
    inputs = torch.Size(shape[1:]).numel()
    return torch.randn(shape, generator=drawn) * (0.02 if "embedding" in key else inputs**-0.5)


def _wire(weights: dict[str, torch.Tensor]) -> None:
    """Lead the input through: every pair of channels holds x and -x of one input channel, whose
    SiLUs differ by x."""
    first = weights["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(
        CHANNELS, 4, 3, 3
    )
    last = weights["model.diffusion_model.out.2.weight"] = torch.zeros(4, CHANNELS, 3, 3)
    for channel in range(CHANNELS):
        sign, source = 1 - 2 * (channel % 2), channel // 2 % 4
        first[channel, source, 1, 1] = sign
        last[source, channel, 1, 1] = sign * 8 / CHANNELS
    skip = "model.diffusion_model.output_blocks.1.0.skip_connection.weight"
    weights[skip] *= 0.2
    weights[skip][:, CHANNELS:, 0, 0] += torch.eye(CHANNELS)


def _unet() -> Shapes:
    root = "model.diffusion_model."
    yield from _linear(root + "time_embed.0", CHANNELS, EMBEDDED)
    yield from _linear(root + "time_embed.2", EMBEDDED, EMBEDDED)
    yield from _conv(root + "input_blocks.0.0", 4, CHANNELS)
    for block, inputs in (
        ("input_blocks.1.0", 1),
        ("middle_block.0", 1),
        ("middle_block.2", 1),
        ("output_blocks.0.0", 2),
    ):
        yield from _residual(f"{root}{block}.", inputs * CHANNELS)
    yield from _residual(root + "output_blocks.1.0.", 2 * CHANNELS)
    for block in ("input_blocks.1.1", "middle_block.1", "output_blocks.0.1", "output_blocks.1.1"):
        yield from _transformer(f"{root}{block}.")
    yield from _norm(root + "out.0", CHANNELS)
    yield from _conv(root + "out.2", CHANNELS, 4)


def _residual(at: str, inputs: int) -> Shapes:
    yield from _norm(at + "in_layers.0", inputs)
    yield from _conv(at + "in_layers.2", inputs, CHANNELS)
    yield from _linear(at + "emb_layers.1", EMBEDDED, CHANNELS)
    yield from _norm(at + "out_layers.0", CHANNELS)
    yield from _conv(at + "out_layers.3", CHANNELS, CHANNELS)
    if inputs != CHANNELS:
        yield from _conv(at + "skip_connection", inputs, CHANNELS, 1)


def _transformer(at: str) -> Shapes:
    yield from _norm(at + "norm", CHANNELS)
    yield from _conv(at + "proj_in", CHANNELS, CHANNELS, 1)
    inside = at + "transformer_blocks.0."
    for number, width in ((1, CHANNELS), (2, CONTEXT)):
        yield f"{inside}attn{number}.to_q.weight", (CHANNELS, CHANNELS)
        yield f"{inside}attn{number}.to_k.weight", (CHANNELS, width)
        yield f"{inside}attn{number}.to_v.weight", (CHANNELS, width)
        yield from _linear(f"{inside}attn{number}.to_out.0", CHANNELS, CHANNELS)
    yield from _linear(inside + "ff.net.0.proj", CHANNELS, 8 * CHANNELS)
    yield from _linear(inside + "ff.net.2", 4 * CHANNELS, CHANNELS)
    for number in (1, 2, 3):
        yield from _norm(f"{inside}norm{number}", CHANNELS)
    yield from _conv(at + "proj_out", CHANNELS, CHANNELS, 1)


def _clip() -> Shapes:
    root = "cond_stage_model.transformer.text_model."
    yield root + "embeddings.token_embedding.weight", (49408, 768)
    yield root + "embeddings.position_embedding.weight", (77, 768)
    for layer in range(12):
        at = f"{root}encoder.layers.{layer}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{at}self_attn.{part}", 768, 768)
        yield from _norm(at + "layer_norm1", 768)
        yield from _norm(at + "layer_norm2", 768)
        yield from _linear(at + "mlp.fc1", 768, 3072)
        yield from _linear(at + "mlp.fc2", 3072, 768)
    yield from _norm(root + "final_layer_norm", 768)


def _vae() -> Shapes:
    root = "first_stage_model."
    yield from _conv(root + "encoder.conv_in", 3, 128)
    inputs = 128
    for level, width in enumerate((128, 256, 512, 512)):
        for block in range(2):
            yield from _vae_block(f"{root}encoder.down.{level}.block.{block}.", inputs, width)
            inputs = width
        if level < 3:
            yield from _conv(f"{root}encoder.down.{level}.downsample.conv", width, width)
    yield from _vae_middle(root + "encoder.mid.")
    yield from _norm(root + "encoder.norm_out", 512)
    yield from _conv(root + "encoder.conv_out", 512, 8)
    yield from _conv(root + "decoder.conv_in", 4, 512)
    yield from _vae_middle(root + "decoder.mid.")
    inputs = 512
    for level, width in ((3, 512), (2, 512), (1, 256), (0, 128)):
        for block in range(3):
            yield from _vae_block(f"{root}decoder.up.{level}.block.{block}.", inputs, width)
            inputs = width
        if level > 0:
            yield from _conv(f"{root}decoder.up.{level}.upsample.conv", width, width)
    yield from _norm(root + "decoder.norm_out", 128)
    yield from _conv(root + "decoder.conv_out", 128, 3)
    yield from _conv(root + "quant_conv", 8, 8, 1)
    yield from _conv(root + "post_quant_conv", 4, 4, 1)


def _vae_middle(at: str) -> Shapes:
    yield from _vae_block(at + "block_1.", 512, 512)
    yield from _norm(at + "attn_1.norm", 512)
    for part in ("q", "k", "v", "proj_out"):
        yield from _conv(f"{at}attn_1.{part}", 512, 512, 1)
    yield from _vae_block(at + "block_2.", 512, 512)


def _vae_block(at: str, inputs: int, outputs: int) -> Shapes:
    yield from _norm(at + "norm1", inputs)
    yield from _conv(at + "conv1", inputs, outputs)
    yield from _norm(at + "norm2", outputs)
    yield from _conv(at + "conv2", outputs, outputs)
    if inputs != outputs:
        yield from _conv(at + "nin_shortcut", inputs, outputs, 1)


def _linear(at: str, inputs: int, outputs: int) -> Shapes:
    yield at + ".weight", (outputs, inputs)
    yield at + ".bias", (outputs,)


def _conv(at: str, inputs: int, outputs: int, size: int = 3) -> Shapes:
    yield at + ".weight", (outputs, inputs, size, size)
    yield at + ".bias", (outputs,)


def _norm(at: str, width: int) -> Shapes:
    yield at + ".weight", (width,)
    yield at + ".bias", (width,)
