"""The test nodes."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path

import numpy as np
import torch

ALIAS = "stepdistill_for_tests"
CATEGORY = "testing"


def project(name: str):
    """A module of the project's scheduler package, under a name of its own: sys.path stays as it is."""
    if ALIAS not in sys.modules:
        folder = Path(os.environ["STEPDISTILL_TEST_ROOT"]) / "scheduler"
        spec = importlib.util.spec_from_file_location(
            ALIAS, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[ALIAS] = module
        spec.loader.exec_module(module)
    return importlib.import_module(f"{ALIAS}.{name}")


def register_small_sd15() -> None:
    """Let the stock loaders take eps.safetensors: SD1.5 with other widths."""
    import comfy.supported_models

    known = comfy.supported_models.SD15
    sizes = {**known.unet_config, "context_dim": 32, "model_channels": 64}
    comfy.supported_models.models.append(
        type("StepDistillTinySD15", (known,), {"unet_config": sizes})
    )


def output_file(name: str) -> Path:
    """A file in the output folder; names are plain."""
    import folder_paths

    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"{name!r} is no plain name.")
    return Path(folder_paths.get_output_directory()) / name


class TestDigits:
    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"digits": ("STRING", {"default": "7"})}}

    def make(self, digits):
        classes = torch.tensor([int(word) for word in digits.split(",")])
        context, pooled = project("checkpoints.digits").conditioning(classes)
        return ([[context, {"pooled_output": pooled}]],)


class TestConditioning:
    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        numbers = {"seed": 0, "tokens": 4, "width": 4096, "pooled": 0}
        return {
            "required": {
                name: ("INT", {"default": value, "min": 0, "max": 2**32})
                for name, value in numbers.items()
            }
        }

    def make(self, seed, tokens, width, pooled):
        generator = torch.Generator().manual_seed(seed)
        extra = {"pooled_output": torch.randn(1, pooled, generator=generator)} if pooled else {}
        return ([[torch.randn(1, tokens, width, generator=generator), extra]],)


class TestWan:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seed": ("INT", {"default": 0})}}

    def make(self, seed):
        from .tiny_wan import tiny_wan

        return (tiny_wan(seed),)


class TestNet:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        from .tiny_nets import NETS

        return {"required": {"which": (list(NETS),)}}

    def make(self, which):
        from .tiny_nets import NETS

        return (NETS[which](),)


class TestLatent:
    RETURN_TYPES, FUNCTION, CATEGORY = ("LATENT",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        given = ("BOOLEAN", {"default": False, "tooltip": "a mask that keeps the first frame"})
        return {
            "required": {"shape": ("STRING", {"default": "16x8x8"}), "first_given": given},
            "optional": {"sound": ("STRING", {"default": ""})},
        }

    def make(self, shape, first_given, sound=""):
        samples = torch.zeros(1, *map(int, shape.split("x")))
        latent = {"samples": samples}
        if first_given:
            latent["noise_mask"] = torch.ones_like(samples[:, :1])
            latent["noise_mask"][:, :, 0] = 0
        if sound:
            from comfy.nested_tensor import NestedTensor

            parts = (samples, torch.zeros(1, *map(int, sound.split("x"))))
            latent["samples"] = NestedTensor(parts)
        return (latent,)


class TestRecorder:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        seconds = (
            "FLOAT",
            {
                "default": 0.0,
                "min": 0.0,
                "max": 10.0,
                "step": 0.001,
                "tooltip": "sleep this long at every model call",
            },
        )
        return {
            "required": {
                "model": ("MODEL",),
                "name": ("STRING", {"default": "runs"}),
                "seconds": seconds,
            }
        }

    def make(self, model, name, seconds):
        from .recorder import recorded

        return (recorded(model, output_file(f"{name}.jsonl"), seconds),)


class TestTeaCache:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "threshold": ("FLOAT", {"default": 0.2})}}

    def make(self, model, threshold):
        from .step_cache import remembering

        return (remembering(model, threshold),)


class TestSave:
    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "write", CATEGORY, True

    @classmethod
    def INPUT_TYPES(cls):
        text = ("STRING", {"forceInput": True})
        optional = {
            "samples": ("LATENT",),
            "sigmas": ("SIGMAS",),
            "low": ("SIGMAS",),
            "images": ("IMAGE",),
            "text": text,
        }
        return {"required": {"name": ("STRING", {"default": "saved"})}, "optional": optional}

    def write(self, name, samples=None, text=None, **tensors):
        tensors["samples"] = None if samples is None else samples["samples"]
        for kind, tensor in tensors.items():
            if tensor is not None:
                np.save(output_file(f"{name}.{kind}.npy"), tensor.detach().cpu().float().numpy())
        if text is not None:
            output_file(f"{name}.txt").write_text(text, encoding="utf-8")
        return {"ui": {"text": [text or name]}}


class TestSeen:
    """Lets a run of whatever latents happen, and keeps nothing."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "see", CATEGORY, True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"samples": ("LATENT",)}}

    def see(self, samples):
        return {"ui": {"text": [type(samples["samples"]).__name__]}}


class TestPicture:
    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"samples": ("LATENT",)}}

    def make(self, samples):
        return (samples["samples"][:, :3].movedim(1, -1).float().sigmoid().cpu(),)


class TestOddModel:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        from .odd_models import KINDS

        return {"required": {"model": ("MODEL",), "which": (list(KINDS),)}}

    def make(self, model, which):
        from .odd_models import odd

        return (odd(model, which),)


MADE = (
    TestDigits,
    TestConditioning,
    TestWan,
    TestRecorder,
    TestTeaCache,
    TestSave,
    TestPicture,
    TestOddModel,
    TestNet,
    TestLatent,
    TestSeen,
)
NODES = {cls.__name__: cls for cls in MADE}
