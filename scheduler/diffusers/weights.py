"""A pipeline's weights under their makers' names, so that its fingerprint is that of the file and of the
UIs; and what changes them: LoRAs, IP-adapters, ControlNets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ..errors import CheckpointError
from ..fingerprint import Fingerprint, fingerprint_parts
from ..lookup.hooks import hook_patches
from ..lookup.key import patch
from ..lookup.lora import lora_patch
from .original_names import HALVES, original_names

ADDED = (".lora_", ".processor.", "encoder_hid_proj.", "image_projection_layers.")
OTHERS = ("controlnet", "motion_adapter")  # components that change what the model answers


def model_of(pipe: Any) -> Any:
    """The network that denoises; raises CheckpointError for a pipeline that has none of either name."""
    found = getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)
    if found is None:
        raise CheckpointError(
            f"{type(pipe).__name__} has neither a unet nor a transformer; give a pipeline that has one."
        )
    return found


def fingerprint_of(pipe: Any) -> Fingerprint | None:
    """Who a pipeline's model is, LoRAs aside; None where there is nothing to sample.

    Of a class whose makers' names are not known here the names are diffusers' own: such a model is
    found again by diffusers alone.
    """
    model = model_of(pipe)
    tensors = dict(own_weights(model))
    names = original_names(type(model).__name__, model.config, tensors)
    if names is None:
        names = {name: (name,) for name in tensors}
    parts = {
        name: [part for each in given for part in _parts(each, tensors)]
        for name, given in names.items()
        if all(each.removesuffix(HALVES) in tensors for each in given)
    }
    try:
        return fingerprint_parts(parts)
    except CheckpointError:
        return None


def own_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of a model's own weights: what adapters add is left out, and what is offloaded
    is read where it lies."""
    stored = dict(_offloaded(model))
    for name, tensor in model.state_dict().items():
        plain = name.replace(".base_layer.", ".")
        if not any(part in f".{name}" for part in ADDED):
            yield plain, stored.get(name, tensor)


def patches_of(pipe: Any) -> tuple[dict, ...]:
    """What changes the model now, as keys and records carry it."""
    model = model_of(pipe)
    found = sorted(_loras(model), key=lambda entry: (entry["name"], entry["strength"]))
    hooks = [name for name in OTHERS if getattr(pipe, name, None) is not None]
    return (*found, *_ip_adapters(model), *hook_patches(hooks))


def lora_names(pipe: Any) -> tuple[str, ...]:
    """The adapters' names, for people."""
    return tuple(getattr(model_of(pipe), "peft_config", None) or ())


def _parts(name: str, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    tensor = tensors[name.removesuffix(HALVES)]
    if not name.endswith(HALVES):
        return (tensor,)
    half = len(tensor) // 2
    return tensor[half:], tensor[:half]


def _offloaded(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of what accelerate keeps beside the model, whose own tensors are empty then."""
    for place, module in model.named_modules():
        hook = getattr(module, "_hf_hook", None)
        for each in getattr(hook, "hooks", (hook,)):
            kept = getattr(each, "weights_map", None)
            if kept is None:
                continue
            for name, tensor in module.named_parameters(recurse=False):
                if tensor.device.type == "meta":
                    yield f"{place}.{name}" if place else name, kept[name]


def _loras(model: Any) -> Iterator[dict]:
    """The active LoRAs of peft's layers: one patch an adapter, named by its own numbers."""
    layers = [each for each in model.modules() if getattr(each, "lora_A", None) is not None]
    adapters = {adapter for layer in layers for adapter in layer.active_adapters}
    for adapter in adapters:
        own = [layer for layer in layers if adapter in layer.lora_A]
        if not own or all(layer.disable_adapters for layer in own):
            continue
        pairs = [(layer.lora_A[adapter].weight, layer.lora_B[adapter].weight) for layer in own]
        yield lora_patch(pairs, _strength(own[0], adapter))


def _strength(layer: Any, adapter: str) -> float:
    """What the user set: the scaling without the LoRA's own alpha over rank."""
    own = layer.lora_alpha[adapter] / layer.r[adapter]
    return float(layer.scaling[adapter] / own) if own else 0.0


def _ip_adapters(model: Any) -> tuple[dict, ...]:
    """IP-adapters, by the strength that their attention has."""
    processors = getattr(model, "attn_processors", {}) or {}
    scales = [each.scale for each in processors.values() if hasattr(each, "to_k_ip")]
    if not scales:
        return ()
    first = scales[0]
    strength = float(first[0] if isinstance(first, (list, tuple)) else first)
    return (patch("ip-adapter", strength, ()),)
