"""Each family of pipelines with a call of it and its denoiser written down by hand."""

from __future__ import annotations

import torch

from tests.diffusers import made
from tests.diffusers.reference import Reference

NAMES = ("sd", "sd_v", "sdxl", "sd3", "flux", "qwen", "wan")


def case(name: str):
    """(pipeline, what it is called with, its Reference)."""
    size = {"height": 64, "width": 64}
    text = made.text()
    if name in ("sd", "sd_v"):
        kind = "v_prediction" if name == "sd_v" else "epsilon"
        pipe, call = made.sd(kind), {"prompt": "a fox", "guidance_scale": 3.0}
        return pipe, call, Reference(pipe, call, "doubled", 3.0, kind)
    if name == "sdxl":
        pipe, call = made.sdxl(), {"prompt": "a fox", "guidance_scale": 3.0, **size}
        return pipe, call, Reference(pipe, call, "doubled", 3.0)
    if name == "sd3":
        pipe, call = made.sd3(), {"prompt": "a fox", "guidance_scale": 3.0, **size}
        return pipe, call, Reference(pipe, call, "doubled", 3.0, "flow")
    if name == "flux":
        pipe, call = made.flux(), {**text, **size, "guidance_scale": 3.5}
        return pipe, call, Reference(pipe, call, "single", 1.0, "flow", per_thousand=True)
    embeds = {"prompt_embeds": text["prompt_embeds"]}
    if name == "qwen":
        mask = torch.ones(1, 5, dtype=torch.long)
        pipe, call = made.qwen(), {**embeds, "prompt_embeds_mask": mask, **size}
        return pipe, call, Reference(pipe, call, "single", 1.0, "flow", per_thousand=True)
    pipe = made.wan()
    call = {**embeds, "negative_prompt_embeds": -embeds["prompt_embeds"], "height": 32, "width": 32}
    call |= {"num_frames": 5, "guidance_scale": 3.0}
    return pipe, call, Reference(pipe, call, "pair", 3.0, "flow")
