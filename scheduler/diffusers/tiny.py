"""A tiny Stable Diffusion pipeline with random weights, made on the spot: to try the commands on, and for
tests. What it draws is noise of its own kind.

    python -m scheduler.diffusers.tiny FOLDER
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"
START, END = "<|startoftext|>", "<|endoftext|>"
WIDTH = 32


def tiny_pipeline(seed: int = 0) -> Any:
    """A StableDiffusionPipeline of a few hundred kilobytes; eps, 64x64 pixels."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline

    torch.manual_seed(seed)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )
    pipe = StableDiffusionPipeline(
        vae.eval(),
        tiny_text_encoder(),
        tiny_tokenizer(),
        tiny_unet().eval(),
        scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_unet(**others: Any) -> Any:
    """Its network; others: of its configuration."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        **{
            "sample_size": 8,
            "in_channels": 4,
            "out_channels": 4,
            "block_out_channels": (16, 32),
            "layers_per_block": 1,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 4,
            "norm_num_groups": 4,
        }
        | others
    )


def tiny_text_encoder() -> Any:
    """A CLIP text encoder for `tiny_tokenizer`."""
    from transformers import CLIPTextConfig, CLIPTextModel

    size = len(_vocabulary())
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=size,
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=77,
            bos_token_id=size - 2,
            eos_token_id=size - 1,
            pad_token_id=size - 1,
        )
    ).eval()


def tiny_tokenizer() -> Any:
    """A CLIP tokenizer that knows letters alone."""
    from transformers import CLIPTokenizer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vocab.json").write_text(json.dumps(_vocabulary()), encoding="utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
        about = {"model_max_length": 77, "pad_token": END, "unk_token": END}
        (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
        return CLIPTokenizer.from_pretrained(str(folder))


def _vocabulary() -> dict[str, int]:
    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), START, END]
    return {word: place for place, word in enumerate(words)}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the folder to write the tiny pipeline to.")
    tiny_pipeline().save_pretrained(sys.argv[1])
    print(f"Written: {sys.argv[1]}")
