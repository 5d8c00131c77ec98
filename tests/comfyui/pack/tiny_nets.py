"""Tiny models of classes that are not plain denoisers, with seeded random weights, made from the host's
own network classes and loaded as its loader loads their files."""

from __future__ import annotations

import torch

from .tiny_wan import SIZES, seeded

HUNYUAN = {
    "vec_in_dim": None,
    "context_in_dim": 64,
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "num_heads": 1,
    "depth": 1,
    "depth_single_blocks": 1,
    "theta": 256,
    "qkv_bias": True,
    "guidance_embed": False,
    "byt5": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
    "in_channels": 64,
    "out_channels": 64,
    "axes_dim": [64, 64],
    "patch_size": [1, 1],
}


def hunyuan_image(meanflow: bool):
    """HunyuanImage 2.1, the distilled one with its mean flow or the plain one."""
    from dataclasses import fields

    from comfy.ldm.hunyuan_video.model import HunyuanVideo, HunyuanVideoParams

    known = {each.name for each in fields(HunyuanVideoParams)}  # older hosts have fewer
    sizes = HUNYUAN | {"meanflow": meanflow}
    given = {name: value for name, value in sizes.items() if name in known}
    return _made(HunyuanVideo, image_model="hunyuan_video", **given)


def causal_wan():
    """A Wan that draws its video block after block; its file tells by its name alone, so the network is
    put into a Wan that was loaded."""
    import comfy.ops
    from comfy.ldm.wan.ar_model import CausalWanModel

    from .tiny_wan import tiny_wan

    patcher = tiny_wan(0)
    network = CausalWanModel(
        **SIZES, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init
    )
    network.load_state_dict(patcher.model.diffusion_model.state_dict(), strict=False)
    patcher.model.diffusion_model = network
    return patcher


def wan_of_frames():
    """Wan 2.2 of 5 B parameters' kind: under a mask each frame is asked at a time of its own."""
    from comfy.ldm.wan.model import WanModel

    return _made(WanModel, **SIZES | {"in_dim": 48, "out_dim": 48})


SOUND = {
    "in_channels": 8,
    "audio_in_channels": 128,
    "cross_attention_dim": 32,
    "audio_cross_attention_dim": 32,
    "attention_head_dim": 32,
    "audio_attention_head_dim": 32,
    "num_attention_heads": 1,
    "audio_num_attention_heads": 1,
    "caption_channels": 32,
    "num_layers": 1,
    "connector_attention_head_dim": 32,
    "connector_num_attention_heads": 1,
    "connector_num_layers": 1,
}


def video_with_sound():
    """LTX-2's kind: video and sound in one packed latent."""
    from comfy.ldm.lightricks.av_model import LTXAVModel

    return _made(LTXAVModel, config={"transformer": SOUND}, **SOUND)


def _made(kind, config: dict | None = None, **sizes):
    import json

    import comfy.ops
    import comfy.sd

    empty = kind(
        **sizes, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init
    )
    if config is None:
        return comfy.sd.load_diffusion_model_state_dict(seeded(empty, 0))
    metadata = {"config": json.dumps(config)}
    return comfy.sd.load_diffusion_model_state_dict(seeded(empty, 0), metadata=metadata)


NETS = {
    "mean flow": lambda: hunyuan_image(True),
    "hunyuan image": lambda: hunyuan_image(False),
    "autoregressive": causal_wan,
    "frames": wan_of_frames,
    "sound": video_with_sound,
}
