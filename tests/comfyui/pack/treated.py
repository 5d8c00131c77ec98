"""Tiny models as artists load them: quantised, in little memory, with a LoRA."""

from __future__ import annotations

import os
from pathlib import Path

from .tiny_classes import tiny_class

PLAIN, FP8, SCALED, LITTLE, GGUF = "plain", "fp8", "fp8 scaled", "partly loaded", "gguf"
WAYS = (PLAIN, FP8, SCALED, LITTLE, GGUF)
BUNDLED = "bundled flow"
FP8_MOST = 448.0  # of float8_e4m3fn
SMALL = 0.4  # of the weights that a model of little memory holds
RANK = 2


def treated(name: str, way: str):
    """A ModelPatcher of a class, or of the bundled flow checkpoint."""
    import torch

    if name == BUNDLED:
        return _bundled(way)
    if way == FP8:
        return tiny_class(name, dtype=torch.float8_e4m3fn)
    model = tiny_class(name)
    return partly_loaded(model) if way == LITTLE else model


def partly_loaded(model):
    """The ModelPatcher, of whose layers some wait outside and are fetched at each call, as a host loads
    a model that its memory does not hold."""
    from comfy.model_patcher import ModelPatcher

    class OfLittleMemory(ModelPatcher):
        def load(self, *arguments, **named):
            named["lowvram_model_memory"] = int(SMALL * self.model_size())
            named["full_load"] = False
            return super().load(arguments[0] if arguments else named.pop("device_to"), **named)

    return OfLittleMemory(model.model, model.load_device, model.offload_device)


def with_lora(model, seed: int, strength: float):
    """A clone with a LoRA of seeded random numbers on its two largest layers, by the host's loader."""
    import comfy.sd
    import torch

    layers = {
        key.removesuffix(".weight"): weight.shape
        for key, weight in model.model.state_dict().items()
        if key.startswith("diffusion_model.") and key.endswith(".weight") and weight.dim() == 2
    }
    largest = sorted(layers, key=lambda name: (-layers[name].numel(), name))[:2]
    generator, file = torch.Generator().manual_seed(seed), {}
    for name in largest:
        out, inner = layers[name]
        file[f"{name}.lora_up.weight"] = torch.randn(out, RANK, generator=generator) / RANK
        file[f"{name}.lora_down.weight"] = torch.randn(RANK, inner, generator=generator) / inner
    return comfy.sd.load_lora_for_models(model, None, file, strength, 0.0)[0]


def _bundled(way: str):
    import comfy.sd
    import comfy.utils

    path = Path(os.environ["STEPDISTILL_TEST_ROOT"]) / "scheduler/checkpoints/flow.safetensors"
    weights = comfy.utils.load_torch_file(str(path))
    if way == SCALED:
        weights = _scaled(weights)
    if way == GGUF:
        return _gguf(weights)
    return comfy.sd.load_diffusion_model_state_dict(weights)


def _scaled(weights: dict) -> dict:
    """In float8 with a scale a layer, as such files are made."""
    import torch

    made = {"scaled_fp8": torch.zeros(0, dtype=torch.float8_e4m3fn)}
    for name, weight in weights.items():
        if not _is_layer(name, weight):
            made[name] = weight
            continue
        scale = weight.float().abs().max() / FP8_MOST
        made[name] = (weight.float() / scale).to(torch.float8_e4m3fn)
        made[name.removesuffix("weight") + "scale_weight"] = scale
    return made


def _is_layer(name: str, weight) -> bool:
    return name.endswith(".weight") and weight.dim() == 2


def _gguf(weights: dict):
    """By the loader of the GGUF pack, from a file of eight bits a weight."""
    import folder_paths
    import gguf

    import nodes

    folders = map(Path, folder_paths.get_folder_paths("diffusion_models"))
    path = next(each for each in folders if each.is_dir()) / "flow-q8.gguf"
    writer = gguf.GGUFWriter(str(path), "sd3")
    for name, weight in weights.items():
        values = weight.float().numpy()
        kind = gguf.GGMLQuantizationType.F32
        if _is_layer(name, weight) and weight.shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return nodes.NODE_CLASS_MAPPINGS["UnetLoaderGGUF"]().load_unet(path.name)[0]
