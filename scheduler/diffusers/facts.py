"""Who a pipeline's model is, and under which conditions it is called: the key of its records."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..fingerprint.step_distilled import detect
from ..lookup.families import published_for
from ..lookup.key import Key
from ..lookup.model_facts import ModelFacts
from .latents import Layout, layout_of
from .noise import PipelineNoise, noise_of
from .original_names import original_names
from .weights import fingerprint_of, lora_names, model_of, own_weights, patches_of

# The nominal mu of families that the UIs sample with another one than diffusers' configuration says.
MUS = {"QwenImageTransformer2DModel": 1.15}
# Families by the class that their UIs know them as.
HOST_CLASSES = {
    "StableDiffusionXLPipeline": "SDXL",
    "FluxPipeline": "Flux",
    "ChromaPipeline": "Chroma",
    "WanPipeline": "WAN21_T2V",
    "StableVideoDiffusionPipeline": "SVD_img2vid",
}
SD1_WIDTH = 768  # of the text that Stable Diffusion 1 attends to
PATCHED = ("FluxTransformer2DModel", "ChromaTransformer2DModel", "QwenImageTransformer2DModel")
FRAME_AXIS = ("QwenImageTransformer2DModel",)


def noise_of_pipeline(pipe: Any) -> PipelineNoise:
    """The noise of a pipeline's model; raises SigmaRangeError for an unknown kind."""
    name = type(pipe.scheduler).__name__
    config = dict(pipe.scheduler.config)
    if config.get("flow"):
        name = "FlowMatch"  # ours, in the place of such a scheduler
    return noise_of(config, name, MUS.get(type(model_of(pipe)).__name__))


def facts_of_pipeline(pipe: Any) -> ModelFacts:
    """Who a pipeline's model is, with the LoRAs and adapters that it has now.

    The fingerprint is that of the UIs for the same weights (Stable Diffusion 1, 2, XL, 3, FLUX.1,
    Qwen-Image and Wan; of others it is diffusers' own). Raises SigmaRangeError and CheckpointError.
    """
    noise, model = noise_of_pipeline(pipe), model_of(pipe)
    name = name_of(pipe)
    kind = type(model).__name__
    weights = [each for each, _ in own_weights(model)]
    originals = original_names(kind, model.config, weights)
    advice = detect((name, *lora_names(pipe)), weights=originals or weights)
    return ModelFacts(
        fingerprint_of(pipe),
        name,
        noise.process,
        noise.prediction,
        noise.shift,
        noise.table.sigma_min,
        noise.table.sigma_max,
        noise.table,
        patches_of(pipe),
        published_for(_host_class(pipe), advice),
        advice.text if advice is not None else "",
        tuple((each, None) for each in lora_names(pipe)),
    )


def key_of_pipeline(
    pipe: Any,
    sampler: str | None = None,
    facts: ModelFacts | None = None,
    **call: Any,
) -> Key:
    """What a record for a call of a pipeline is looked up by.

    call: what the pipeline is called with (height, width, guidance_scale, num_frames, ...); what is
    left out is the pipeline's default.
    """
    known = facts_of_pipeline(pipe) if facts is None else facts
    cfg, guidance = guidance_of(pipe, call)
    return known.key(cfg, latent_shape(pipe, call), guidance, sampler)


def name_of(pipe: Any) -> str:
    """What the pipeline was loaded from, without its folders; else its class."""
    for config in (getattr(pipe, "config", {}), model_of(pipe).config):
        path = str(config.get("_name_or_path") or "")
        if path:
            return Path(path.rstrip("/\\")).name[:300]
    return type(pipe).__name__


def guidance_of(pipe: Any, call: Mapping[str, Any]) -> tuple[float, float | None]:
    """(cfg, distilled guidance or None) of a call, as the UIs count them: without guidance cfg is 1."""
    given = _with_defaults(pipe, call)
    scale = given.get("guidance_scale")
    scale = 1.0 if scale is None else float(scale)
    embedded = bool(model_of(pipe).config.get("guidance_embeds"))
    if "true_cfg_scale" in given:
        negative = any(given.get(f"negative_prompt{end}") is not None for end in ("", "_embeds"))
        cfg = max(float(given["true_cfg_scale"] or 1.0), 1.0) if negative else 1.0
        return cfg, scale if embedded else None
    return (1.0, scale) if embedded else (max(scale, 1.0), None)


def takes(pipe: Any, distilled: bool) -> str:
    """The name by which a pipeline is called with its cfg, or with its distilled guidance; "" where
    it takes none."""
    known = inspect.signature(type(pipe).__call__).parameters
    embedded = bool(model_of(pipe).config.get("guidance_embeds"))
    if distilled:
        return "guidance_scale" if embedded else ""
    if "true_cfg_scale" in known:
        return "true_cfg_scale"
    return "guidance_scale" if "guidance_scale" in known and not embedded else ""


def size_of(pipe: Any, call: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(height, width) of a call, in pixels; None where the pipeline does not say its default."""
    given = _with_defaults(pipe, call)
    usual = getattr(pipe, "default_sample_size", None) or model_of(pipe).config.get("sample_size")
    side = usual * _factor(pipe) if isinstance(usual, int) else None
    return given.get("height") or side, given.get("width") or side


def latent_shape(pipe: Any, call: Mapping[str, Any]) -> tuple[int, ...] | None:
    """One sample's latent as the UIs shape it, or None for a pipeline that is not known."""
    model, (height, width) = model_of(pipe), size_of(pipe, call)
    kind, factor = type(model).__name__, _factor(pipe)
    channels = model.config.get("in_channels")
    if not (height and width and channels):
        return None
    if kind in PATCHED:
        sides = (2 * (height // (2 * factor)), 2 * (width // (2 * factor)))
        return (channels // 4, *((1,) if kind in FRAME_AXIS else ()), *sides)
    sides = (height // factor, width // factor)
    if kind in ("UNet2DConditionModel", "SD3Transformer2DModel"):
        return (channels, *sides)
    if kind == "WanTransformer3DModel":
        frames = int(_with_defaults(pipe, call).get("num_frames") or 1)
        temporal = int(getattr(pipe, "vae_scale_factor_temporal", 4))
        return (channels, (frames - 1) // temporal + 1, *sides)
    return None


def layout_for(pipe: Any, call: Mapping[str, Any], own: tuple[int, ...]) -> Layout:
    """How the latents of a call lie, of which one sample's shape in the pipeline is `own`."""
    height, width = size_of(pipe, call)
    return layout_of(own, height, width, _factor(pipe), type(model_of(pipe)).__name__ in FRAME_AXIS)


def _with_defaults(pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(type(pipe).__call__).parameters.values()
    empty = inspect.Parameter.empty
    defaults = {each.name: each.default for each in parameters if each.default is not empty}
    return defaults | {name: value for name, value in call.items() if value is not None}


def _factor(pipe: Any) -> int:
    """Pixels a latent's pixel."""
    for name in ("vae_scale_factor", "vae_scale_factor_spatial"):
        if isinstance(getattr(pipe, name, None), int):
            return int(getattr(pipe, name))
    return 8


def _host_class(pipe: Any) -> str:
    if type(pipe).__name__ == "StableDiffusionPipeline":
        return "SD15" if model_of(pipe).config.get("cross_attention_dim") == SD1_WIDTH else ""
    return HOST_CLASSES.get(type(pipe).__name__, "")
