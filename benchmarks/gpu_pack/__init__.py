"""Nodes for benchmarks/gpu.py inside a ComfyUI: a FLUX of random weights, made on the device, and the most
device memory that a run took."""

from __future__ import annotations

import torch

FLUX = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 3072,
    "mlp_ratio": 4.0,
    "num_heads": 24,
    "depth": 19,
    "depth_single_blocks": 38,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
}
SMALL = {"hidden_size": 256, "num_heads": 2, "depth": 1, "depth_single_blocks": 1}


class BenchmarkFlux:
    """The model, loaded as the host's loader loads a file."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", "benchmark"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"tiny": ("BOOLEAN", {"default": False})}}

    def make(self, tiny):
        from dataclasses import MISSING, fields

        import comfy.model_management
        import comfy.ops
        import comfy.sd
        from comfy.ldm.flux.model import Flux, FluxParams

        sizes = FLUX | (SMALL if tiny else {})
        for each in fields(FluxParams):  # newer hosts have more
            if each.default is MISSING and each.name not in sizes:
                sizes[each.name] = False
        device = comfy.model_management.get_torch_device()
        dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
        network = Flux(
            **sizes, device=device, dtype=dtype, operations=comfy.ops.disable_weight_init
        )
        torch.manual_seed(0)
        weights = {name: _random(name, each) for name, each in network.state_dict().items()}
        return (comfy.sd.load_diffusion_model_state_dict(weights),)


def _random(name, tensor):
    if tensor.dim() < 2:
        return torch.ones_like(tensor) if name.endswith("scale") else torch.zeros_like(tensor)
    return torch.empty_like(tensor).normal_(0, tensor.shape[1] ** -0.5 / 2)


class BenchmarkPeak:
    """The most device memory since the last one ran, in MiB; text or latent: after what."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "tell", "benchmark", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"optional": {"latent": ("LATENT",), "text": ("STRING", {"forceInput": True})}}

    @classmethod
    def IS_CHANGED(cls, **_):
        return float("nan")

    def tell(self, latent=None, text=None):
        peak = 0
        if torch.cuda.is_available():
            peak = torch.cuda.max_memory_allocated() / 2**20
            torch.cuda.reset_peak_memory_stats()
        return {"ui": {"text": [str(peak)]}}


NODE_CLASS_MAPPINGS = {"BenchmarkFlux": BenchmarkFlux, "BenchmarkPeak": BenchmarkPeak}
