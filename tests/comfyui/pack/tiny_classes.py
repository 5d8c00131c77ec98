"""A tiny model of each class that the host knows, with seeded random weights: the host's own class and
network in a small size. Most such files its loader would take only in their maker's size, so these are
made as the loader makes them after it has looked at a file (`BASE.get_model`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .tiny_wan import SIZES as WAN
from .tiny_wan import seeded

TOKENS = 4
UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": (1, 1),
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "use_spatial_transformer": True,
    "context_dim": 32,
    "num_head_channels": 16,
    "num_heads": -1,
    "legacy": False,
}
FLUX = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 16,
    "context_in_dim": 32,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "txt_ids_dims": [],
}
CHROMA = FLUX | {
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 32,
    "hidden_dim": 32,
    "n_layers": 1,
}
RADIANCE = CHROMA | {
    "in_channels": 3,
    "out_channels": 3,
    "patch_size": 4,
    "nerf_hidden_size": 16,
    "nerf_mlp_ratio": 2,
    "nerf_depth": 1,
    "nerf_max_freqs": 4,
    "nerf_tile_size": 64,
    "nerf_final_head_type": "conv",
    "nerf_embedder_dtype": None,
    "use_x0": False,
    "use_sequential_txt_ids": False,
}
HUNYUAN = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 16,
    "context_in_dim": 32,
    "hidden_size": 32,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 256,
    "patch_size": [1, 2, 2],
    "qkv_bias": True,
    "guidance_embed": True,
    "byt5": False,
    "meanflow": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
LUMINA = {
    "patch_size": 2,
    "in_channels": 16,
    "dim": 32,
    "n_layers": 1,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 2,
    "multiple_of": 16,
    "ffn_dim_multiplier": 1.0,
    "qk_norm": True,
    "cap_feat_dim": 32,
    "axes_dims": [4, 6, 6],
    "axes_lens": [300, 64, 64],
}
COSMOS = {
    "max_img_h": 32,
    "max_img_w": 32,
    "max_frames": 16,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 64,
    "num_blocks": 1,
    "num_heads": 2,
    "crossattn_emb_channels": 32,
    "pos_emb_cls": "rope3d",
    "pos_emb_interpolation": "crop",
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
}
CASCADE = {
    "c_cond": 32,
    "c_hidden": [32, 32],
    "nhead": [2, 2],
    "blocks": [[1, 1], [1, 1]],
    "c_clip_text": 32,
    "c_clip_text_pooled": 32,
}


@dataclass(frozen=True)
class Tiny:
    """config: of comfy.supported_models. sizes: of its network. shape: of a latent without its batch.
    width, pooled: of a conditioning, pooled 0 for none. extra: what else it carries, name -> shape; of
    whole numbers below 8 where the shape begins with 0."""

    config: str
    sizes: dict
    shape: str
    width: int = 32
    pooled: int = 0
    extra: dict = field(default_factory=dict)


TINY = {
    "SD 1.5": Tiny("SD15", UNET | {"adm_in_channels": None}, "4x8x8"),
    "SDXL": Tiny(
        "SDXL",
        UNET | {"num_classes": "sequential", "adm_in_channels": 32 + 6 * 256},
        "4x8x8",
        pooled=32,
    ),
    "SVD": Tiny(
        "SVD_img2vid",
        UNET
        | {
            "in_channels": 8,
            "num_classes": "sequential",
            "adm_in_channels": 768,
            "use_temporal_attention": True,
            "use_temporal_resblock": True,
            "use_spatial_context": True,
            "merge_strategy": "learned_with_images",
            "video_kernel_size": [3, 1, 1],
            "extra_ff_mix_layer": True,
        },
        "4x8x8",
    ),
    "Stable Cascade": Tiny("Stable_Cascade_C", CASCADE, "16x8x8", pooled=32),
    "SD3": Tiny(
        "SD3",
        {
            "in_channels": 16,
            "patch_size": 2,
            "out_channels": 16,
            "depth": 1,
            "input_size": None,
            "adm_in_channels": 16,
            "context_embedder_config": {
                "target": "torch.nn.Linear",
                "params": {"in_features": 32, "out_features": 64},
            },
            "num_patches": 64,
            "pos_embed_max_size": 8,
            "qkv_bias": True,
        },
        "16x8x8",
        pooled=16,
    ),
    "AuraFlow": Tiny(
        "AuraFlow",
        {
            "dim": 64,
            "n_layers": 2,
            "n_double_layers": 1,
            "n_heads": 1,
            "global_conddim": 64,
            "cond_seq_dim": 32,
            "max_seq": 64,
        },
        "4x8x8",
    ),
    "PixArt": Tiny(
        "PixArtSigma",
        {
            "num_heads": 2,
            "patch_size": 2,
            "hidden_size": 32,
            "in_channels": 4,
            "depth": 1,
            "caption_channels": 32,
            "input_size": 64,
            "pe_interpolation": 1,
            "model_max_length": 8,
            "micro_condition": False,
        },
        "4x40x40",
    ),
    "HunyuanDiT": Tiny(
        "HunyuanDiT",
        {
            "hidden_size": 64,
            "depth": 2,
            "num_heads": 2,
            "text_states_dim": 32,
            "text_states_dim_t5": 32,
            "text_len": 4,
            "text_len_t5": 4,
        },
        "4x8x8",
        extra={
            "conditioning_mt5xl": "1x4x32",
            "attention_mask": "ones1x4",
            "attention_mask_mt5xl": "ones1x4",
        },
    ),
    "Flux": Tiny("Flux", FLUX | {"guidance_embed": True}, "16x8x8", pooled=16),
    "Flux schnell": Tiny("FluxSchnell", FLUX | {"guidance_embed": False}, "16x8x8", pooled=16),
    "Flux 2": Tiny(
        "Flux2",
        FLUX
        | {
            "in_channels": 128,
            "out_channels": 128,
            "vec_in_dim": None,
            "axes_dim": [4, 4, 4, 4],
            "mlp_ratio": 3.0,
            "theta": 2000,
            "global_modulation": True,
            "mlp_silu_act": True,
            "qkv_bias": False,
            "ops_bias": False,
            "default_ref_method": "index",
            "ref_index_scale": 10.0,
            "txt_ids_dims": [3],
            "patch_size": 1,
            "guidance_embed": True,
        },
        "128x4x4",
    ),
    "Chroma": Tiny("Chroma", CHROMA, "16x8x8", pooled=16),
    "Chroma Radiance": Tiny("ChromaRadiance", RADIANCE, "3x16x16", pooled=16),
    "Mochi": Tiny(
        "GenmoMochi",
        {
            "depth": 2,
            "patch_size": 2,
            "num_heads": 2,
            "hidden_size_x": 48,
            "hidden_size_y": 32,
            "mlp_ratio_x": 256.0,
            "mlp_ratio_y": 2.0,
            "learn_sigma": False,
            "in_channels": 12,
            "qk_norm": True,
            "qkv_bias": False,
            "out_bias": True,
            "attn_drop": 0.0,
            "patch_embed_bias": True,
            "posenc_preserve_area": True,
            "timestep_mlp_bias": True,
            "attend_to_padding": False,
            "timestep_scale": 1000.0,
            "use_t5": True,
            "t5_feat_dim": 32,
            "t5_token_length": 4,
        },
        "12x2x8x8",
        extra={"attention_mask": "ones1x4"},
    ),
    "LTX": Tiny(
        "LTXV",
        {
            "in_channels": 128,
            "cross_attention_dim": 32,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "caption_channels": 32,
            "num_layers": 1,
        },
        "128x2x4x4",
        extra={"attention_mask": "ones1x4"},
    ),
    "HunyuanVideo": Tiny("HunyuanVideo", HUNYUAN, "16x2x8x8", pooled=16),
    "HunyuanImage": Tiny(
        "HunyuanImage21",
        HUNYUAN
        | {
            "in_channels": 64,
            "out_channels": 64,
            "vec_in_dim": None,
            "axes_dim": [8, 8],
            "patch_size": [1, 1],
            "guidance_embed": False,
        },
        "64x8x8",
    ),
    "HunyuanVideo 1.5": Tiny(
        "HunyuanVideo15",
        HUNYUAN
        | {
            "in_channels": 65,
            "out_channels": 32,
            "vec_in_dim": None,
            "patch_size": [1, 1, 1],
            "guidance_embed": False,
            "vision_in_dim": 32,
            "use_cond_type_embedding": True,
        },
        "32x2x4x4",
        pooled=16,
    ),
    "Cosmos": Tiny(
        "CosmosT2V",
        COSMOS
        | {
            "block_config": "FA-CA-MLP",
            "block_x_format": "THWBD",
            "affline_emb_norm": True,
            "extra_per_block_abs_pos_emb": True,
            "extra_per_block_abs_pos_emb_type": "learnable",
        },
        "16x2x8x8",
    ),
    "Cosmos Predict2": Tiny("CosmosT2IPredict2", COSMOS, "16x1x8x8"),
    "Lumina 2": Tiny("Lumina2", LUMINA, "16x8x8", extra={"attention_mask": "ones1x4"}),
    "Z-Image": Tiny(
        "ZImage",
        LUMINA
        | {
            "dim": 256,
            "n_heads": 16,
            "n_kv_heads": 16,
            "z_image_modulation": True,
            "time_scale": 1000.0,
            "pad_tokens_multiple": 4,
        },
        "16x8x8",
    ),
    "Z-Image in pixels": Tiny(
        "ZImagePixelSpace",
        LUMINA
        | {
            "dim": 256,
            "n_heads": 16,
            "n_kv_heads": 16,
            "in_channels": 3,
            "patch_size": 4,
            "z_image_modulation": True,
            "time_scale": 1000.0,
            "pad_tokens_multiple": 4,
            "decoder_hidden_size": 32,
            "decoder_num_res_blocks": 1,
            "decoder_in_channels": 48,
            "decoder_max_freqs": 4,
        },
        "3x16x16",
    ),
    "PixelDiT": Tiny(
        "PixelDiTT2I",
        {
            "num_groups": 2,
            "hidden_size": 32,
            "pixel_hidden_size": 8,
            "pixel_attn_hidden_size": 32,
            "pixel_num_groups": 2,
            "patch_depth": 1,
            "pixel_depth": 1,
            "patch_size": 4,
            "txt_embed_dim": 32,
            "txt_max_length": 8,
        },
        "3x16x16",
    ),
    "Wan": Tiny("WAN21_T2V", WAN | {"text_dim": 32, "num_heads": 1}, "16x2x8x8"),
    "Wan 2.2 5B": Tiny(
        "WAN22_T2V", WAN | {"text_dim": 32, "in_dim": 48, "out_dim": 48}, "48x2x8x8"
    ),
    "HiDream": Tiny(
        "HiDream",
        {
            "attention_head_dim": 16,
            "axes_dims_rope": [4, 6, 6],
            "caption_channels": [32, 32],
            "max_resolution": [16, 16],
            "in_channels": 16,
            "llama_layers": [0, 1],
            "num_attention_heads": 2,
            "num_routed_experts": 2,
            "num_activated_experts": 1,
            "num_layers": 1,
            "num_single_layers": 1,
            "out_channels": 16,
            "patch_size": 2,
            "text_emb_dim": 16,
        },
        "16x8x8",
        pooled=16,
        extra={"conditioning_llama3": "1x2x4x32"},
    ),
    "OmniGen 2": Tiny(
        "Omnigen2",
        {
            "axes_dim_rope": [4, 6, 6],
            "axes_lens": [64, 64, 64],
            "hidden_size": 32,
            "in_channels": 16,
            "multiple_of": 16,
            "num_attention_heads": 2,
            "num_kv_heads": 2,
            "num_layers": 1,
            "num_refiner_layers": 1,
            "text_feat_dim": 32,
            "timestep_scale": 1000.0,
        },
        "16x8x8",
        extra={"attention_mask": "ones1x4"},
    ),
    "Qwen-Image": Tiny(
        "QwenImage",
        {
            "in_channels": 64,
            "num_layers": 1,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "axes_dims_rope": (4, 6, 6),
        },
        "16x1x8x8",
    ),
    "Kandinsky 5": Tiny(
        "Kandinsky5",
        {
            "in_text_dim": 32,
            "in_text_dim2": 16,
            "time_dim": 16,
            "model_dim": 64,
            "ff_dim": 64,
            "visual_embed_dim": 132,
            "num_text_blocks": 1,
            "num_visual_blocks": 1,
        },
        "16x2x8x8",
        pooled=16,
    ),
    "Krea 2": Tiny(
        "Krea2",
        {
            "features": 64,
            "tdim": 16,
            "txtdim": 16,
            "heads": 2,
            "kvheads": 1,
            "layers": 1,
            "txtlayers": 2,
            "txtheads": 1,
            "txtkvheads": 1,
        },
        "16x8x8",
    ),
    "Ernie": Tiny(
        "ErnieImage",
        {
            "hidden_size": 32,
            "num_attention_heads": 2,
            "num_layers": 1,
            "ffn_hidden_size": 32,
            "text_in_dim": 32,
            "rope_axes_dim": (4, 6, 6),
        },
        "128x4x4",
    ),
    "CogVideoX": Tiny(
        "CogVideoX_T2V",
        {
            "num_attention_heads": 1,
            "attention_head_dim": 64,
            "in_channels": 16,
            "time_embed_dim": 16,
            "text_embed_dim": 32,
            "num_layers": 1,
            "max_text_seq_length": 4,
            "use_rotary_positional_embeddings": True,
        },
        "16x2x8x8",
    ),
    "Stable Audio": Tiny(
        "StableAudio",
        {
            "global_cond_dim": 2 * 768,
            "project_cond_tokens": True,
            "embed_dim": 64,
            "depth": 1,
            "num_heads": 1,
            "cond_token_dim": 768,
        },
        "64x32",
        width=768,
    ),
    "ACE-Step": Tiny(
        "ACEStep",
        {
            "attention_head_dim": 16,
            "in_channels": 8,
            "inner_dim": 32,
            "mlp_ratio": 2.0,
            "num_attention_heads": 2,
            "num_layers": 1,
            "text_embedding_dim": 32,
            "lyric_encoder_vocab_size": 8,
            "lyric_hidden_size": 1024,
            "ssl_names": [],
            "ssl_encoder_depths": [],
            "ssl_latent_dims": [],
        },
        "8x16x16",
        extra={"conditioning_lyrics": "0x1x4"},
    ),
    "ACE-Step 1.5": Tiny(
        "ACEStep15",
        {
            "hidden_size": 32,
            "text_hidden_dim": 32,
            "num_dit_layers": 1,
            "num_lyric_layers": 1,
            "num_timbre_layers": 1,
            "num_tokenizer_layers": 1,
            "num_heads": 2,
            "num_kv_heads": 1,
            "head_dim": 16,
            "intermediate_size": 32,
            "fsq_dim": 32,
            "encoder_hidden_size": 32,
            "encoder_intermediate_size": 32,
            "encoder_num_heads": 2,
        },
        "64x16",
        extra={"conditioning_lyrics": "1x4x32"},
    ),
    "Hunyuan3D": Tiny(
        "Hunyuan3Dv2",
        {
            "in_channels": 64,
            "context_in_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "depth": 1,
            "depth_single_blocks": 1,
        },
        "64x32",
    ),
}


def tiny_class(name: str, seed: int = 0, dtype=None):
    """A ModelPatcher of a class. dtype: of its weights, computed with in float32."""
    import comfy.model_management
    import comfy.model_patcher
    import torch

    model = _network_made(TINY[name], dtype)
    model.diffusion_model.load_state_dict(seeded(model.diffusion_model, seed))
    place = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(model.eval(), place, torch.device("cpu"))


def _network_made(entry: Tiny, dtype):
    """The host's model; older hosts' networks know fewer sizes."""
    import comfy.supported_models
    import torch

    known = getattr(comfy.supported_models, entry.config)
    sizes = dict(entry.sizes)
    while True:
        config = known(known.unet_config | sizes)
        config.set_inference_dtype(dtype or torch.float32, None if dtype is None else torch.float32)
        config.unet_config |= sizes  # a class's own widths are its maker's
        try:
            return config.get_model(_beside(entry), "", device=torch.device("cpu"))
        except TypeError as problem:
            name = str(problem).rpartition("unexpected keyword argument ")[2].strip("'")
            if name not in sizes:
                raise
            del sizes[name]


def _beside(entry: Tiny) -> dict:
    """What a checkpoint of this class has beside its network."""
    import torch

    if not entry.config.startswith("StableAudio"):
        return {}
    from comfy.ldm.audio.embedders import NumberConditioner

    embedder = seeded(NumberConditioner(768, min_val=0, max_val=512), 1)
    names = ("seconds_start", "seconds_total")
    return {
        f"conditioner.conditioners.{name}.{key}": value.to(torch.float32)
        for name in names
        for key, value in embedder.items()
    }


def conditioning(name: str, seed: int) -> list:
    """A conditioning of seeded random numbers for a class."""
    import torch

    entry, generator = TINY[name], torch.Generator().manual_seed(seed)
    extra = {key: _of_shape(shape, generator) for key, shape in entry.extra.items()}
    if entry.pooled:
        extra["pooled_output"] = torch.randn(1, entry.pooled, generator=generator)
    return [[torch.randn(1, TOKENS, entry.width, generator=generator), extra]]


def _of_shape(shape: str, generator):
    import torch

    sizes = [int(each) for each in shape.removeprefix("ones").split("x")]
    if shape.startswith("ones"):
        return torch.ones(sizes, dtype=torch.long)
    if sizes[0] == 0:
        return torch.randint(0, 8, sizes[1:], generator=generator)
    return torch.randn(sizes, generator=generator)
