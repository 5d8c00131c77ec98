"""Nodes for the matrix of models and routes: a tiny model of a class, and what the library draws with it."""

from __future__ import annotations

import json

CATEGORY = "testing"
MODELS: dict = {}  # (name, way) -> MODEL, made once
KEPT: dict = {}  # name -> a LATENT's samples


class TestClass:
    """A model of a class with its prompts and an empty latent."""

    RETURN_TYPES, FUNCTION, CATEGORY = (
        ("MODEL", "CONDITIONING", "CONDITIONING", "LATENT"),
        "make",
        CATEGORY,
    )

    @classmethod
    def INPUT_TYPES(cls):
        from .tiny_classes import TINY
        from .treated import BUNDLED, WAYS

        rows = ("INT", {"default": 1})
        return {"required": {"which": ([*TINY, BUNDLED],), "way": (WAYS,), "rows": rows}}

    def make(self, which, way, rows):
        import torch

        from .nodes import TestDigits
        from .tiny_classes import TINY, conditioning
        from .treated import BUNDLED, treated

        if (which, way) not in MODELS:
            MODELS[which, way] = treated(which, way)
        model = MODELS[which, way].clone()
        if which == BUNDLED:
            yes, no = (TestDigits().make(digits)[0] for digits in ("3", "-1"))
            return model, yes, no, {"samples": torch.zeros(rows, 16, 8, 8)}
        yes, no = (conditioning(which, seed) for seed in (1, 2))
        shape = map(int, TINY[which].shape.split("x"))
        return model, yes, no, {"samples": torch.zeros(rows, *shape)}


class TestLora:
    """A MODEL with a LoRA of seeded random numbers."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "make", CATEGORY

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "seed": ("INT", {"default": 0})}}

    def make(self, model, seed):
        from .treated import with_lora

        return (with_lora(model, seed, 1.0),)


class TestKeep:
    """Keeps a latent of whatever kind under a name, for TestLibrary."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "keep", CATEGORY, True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"samples": ("LATENT",), "name": ("STRING", {})}}

    def keep(self, samples, name):
        KEPT[name] = samples["samples"]
        return {"ui": {"text": [name]}}


class TestLibrary:
    """Draws with a recipe by the library's own loop around the host's guider, and says how far what was
    kept is from that, relative to its size."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "draw", CATEGORY, True

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent_image": ("LATENT",),
                "seed": ("INT", {"default": 0}),
                "cfg": ("FLOAT", {"default": 3.0}),
                "recipe": (
                    "STRING",
                    {"tooltip": "JSON: sampler, sigmas, offsets, coefficients, process"},
                ),
                "kept": ("STRING", {}),
            }
        }

    def draw(self, model, positive, negative, latent_image, seed, cfg, recipe, kept):
        import comfy.sample
        import comfy.samplers
        import torch

        asked = json.loads(recipe)
        samples = comfy.sample.fix_empty_latent_channels(model, latent_image["samples"])
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        drawn = guider.sample(
            comfy.sample.prepare_noise(samples, seed),
            samples,
            comfy.samplers.KSAMPLER(_by_the_library(asked)),
            torch.tensor(asked["sigmas"], dtype=torch.float32),
            disable_pbar=True,
            seed=seed,
        )
        return {"ui": {"text": [repr(_apart(KEPT[kept], drawn))]}}


def _by_the_library(asked: dict):
    from .nodes import project

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        def denoise(x, sigma):
            return model(x, sigma.to(x), **(extra_args or {}))

        if asked["coefficients"] is not None:
            numbers = (asked["sigmas"], asked["coefficients"], asked["offsets"], asked["process"])
            return project("samplers.distilled").sample_distilled(denoise, x, *numbers)
        return project("samplers").sample(denoise, x, asked["sigmas"], asked["sampler"])

    return sampler


def _apart(found, wanted) -> float:
    import torch

    found, wanted = (
        torch.cat([part.flatten() for part in each.unbind()]) if each.is_nested else each.flatten()
        for each in (found, wanted)
    )
    return float((found - wanted).norm() / wanted.norm())


MADE = (TestClass, TestLora, TestKeep, TestLibrary)
NODES = {cls.__name__: cls for cls in MADE}
