"""Tiny pipelines of each kind, built from configurations, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from scheduler.diffusers.tiny import (
    WIDTH,
    tiny_pipeline,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
)

PROMPTS = ["a fox", "a harbour"]


def sd(prediction: str = "epsilon", seed: int = 0):
    """Stable Diffusion 1 (or 2's v)."""
    from diffusers import EulerDiscreteScheduler

    pipe = tiny_pipeline(seed)
    pipe.scheduler = EulerDiscreteScheduler.from_config(
        pipe.scheduler.config, prediction_type=prediction
    )
    return pipe


def sdxl():
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    torch.manual_seed(0)
    first = tiny_text_encoder()
    config = CLIPTextConfig(**first.config.to_dict() | {"projection_dim": WIDTH})
    unet = tiny_unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        cross_attention_dim=2 * WIDTH,
        use_linear_projection=True,
    )
    pipe = StableDiffusionXLPipeline(
        vae=_vae(AutoencoderKL, 4),
        text_encoder=first,
        text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        tokenizer=tiny_tokenizer(),
        tokenizer_2=tiny_tokenizer(),
        unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
        ),
        add_watermarker=False,
    )
    return _quiet(pipe)


def sd3():
    from diffusers import (
        AutoencoderKL,
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    torch.manual_seed(0)
    config = CLIPTextConfig(**tiny_text_encoder().config.to_dict() | {"projection_dim": WIDTH})
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=1,
        in_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH,
        out_channels=4,
        pos_embed_max_size=16,
        qk_norm="rms_norm",
        dual_attention_layers=(0,),
    )
    pipe = StableDiffusion3Pipeline(
        transformer=_alive(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(AutoencoderKL, 4),
        text_encoder=CLIPTextModelWithProjection(config).eval(),
        tokenizer=tiny_tokenizer(),
        text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        tokenizer_2=tiny_tokenizer(),
        text_encoder_3=None,
        tokenizer_3=None,
    )
    return _quiet(pipe)


def flux(guided: bool = True):
    from diffusers import (
        AutoencoderKL,
        FlowMatchEulerDiscreteScheduler,
        FluxPipeline,
        FluxTransformer2DModel,
    )

    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=guided,
        axes_dims_rope=(4, 4, 8),
    )
    pipe = FluxPipeline(
        transformer=_alive(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, shift=3.0
        ),
        vae=_vae(AutoencoderKL, 4),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
    )
    return _quiet(pipe)


def qwen():
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )

    torch.manual_seed(0)
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
    )
    pipe = QwenImagePipeline(
        transformer=_alive(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=0.9,
            max_image_seq_len=8192,
            shift_terminal=0.02,
        ),
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False] * 3,
        ),
        text_encoder=None,
        tokenizer=None,
    )
    return _quiet(pipe)


def wan():
    from diffusers import (
        AutoencoderKLWan,
        UniPCMultistepScheduler,
        WanPipeline,
        WanTransformer3DModel,
    )

    torch.manual_seed(0)
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=4,
        text_dim=WIDTH,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    )
    pipe = WanPipeline(
        transformer=_alive(transformer),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        vae=AutoencoderKLWan(
            base_dim=3, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            temperal_downsample=[False, True, True], latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ),
        text_encoder=None,
        tokenizer=None,
    )  # fmt: skip
    return _quiet(pipe)


def _vae(kind, channels: int):
    return kind(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=channels,
    ).eval()


def _alive(model):
    """Weights that answer something: some layers are made as zeros."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if float(parameter.abs().max()) == 0:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def _quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def text(rows: int = 1) -> dict:
    """Embeddings for pipelines without a text encoder, one a row."""
    generator = torch.Generator().manual_seed(3)
    return {
        "prompt_embeds": torch.randn(rows, 5, WIDTH, generator=generator),
        "pooled_prompt_embeds": torch.randn(rows, WIDTH, generator=generator),
    }


def counted(pipe):
    """A function that says how many times a pipeline's network was evaluated since."""
    calls = []
    network = getattr(pipe, "transformer", None) or pipe.unet
    network.register_forward_pre_hook(lambda *_: calls.append(0))
    return lambda: len(calls)


def small_configuration(folder):
    """A folder with the configuration, and no weights, of tests/webui/checkpoint.py's kind of file."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig

    UNet2DConditionModel(
        block_out_channels=(320,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=768,
        attention_head_dim=8,
        sample_size=8,
    ).save_config(folder / "unet")
    AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    ).save_config(folder / "vae")
    EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
    ).save_config(folder / "scheduler")
    CLIPTextConfig(
        hidden_size=768,
        intermediate_size=3072,
        num_attention_heads=12,
        num_hidden_layers=12,
        vocab_size=49408,
        architectures=["CLIPTextModel"],
    ).save_pretrained(folder / "text_encoder")
    tiny_tokenizer().save_pretrained(folder / "tokenizer")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "safety_checker": [None, None],
        "image_encoder": [None, None],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def lora_file(unet, folder: Path) -> Path:
    """A LoRA of a network's attention, as trainers write them (kohya's names, with an alpha)."""
    torch.manual_seed(3)
    tensors = {}
    for name, layer in unet.named_modules():
        if name.endswith(("to_q", "to_v")):
            out, into = layer.weight.shape
            place = "lora_unet_" + name.replace(".", "_")
            tensors[f"{place}.lora_down.weight"] = torch.randn(2, into) / 4
            tensors[f"{place}.lora_up.weight"] = torch.randn(out, 2) / 4
            tensors[f"{place}.alpha"] = torch.tensor(1.0)
    path = folder / "style.safetensors"
    save_file(tensors, path)
    return path


def lora_pairs(path: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(down, up) of a file's layers."""
    file = load_file(path)
    downs = [name for name in file if name.endswith("lora_down.weight")]
    return [(file[name], file[name.replace("lora_down", "lora_up")]) for name in downs]
