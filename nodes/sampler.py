"""Distilled Sampler: a recipe whole, coefficients and query offsets included, as SAMPLER and SIGMAS."""

from __future__ import annotations

from .fields import CATEGORY, DENOISE, IF_MISSING, MODEL, USE_RECORD, steps


class StepDistillSampler:
    """The distilled sampler and its sigmas, to be used together in SamplerCustom or SamplerCustomAdvanced."""

    DESCRIPTION = (
        "The distilled sampler with its own sigmas. Connect both to the same sampling node."
    )
    CATEGORY = CATEGORY
    SEARCH_ALIASES = ("few steps", "fewer steps", "fast sampler", "speed", "optimal steps")
    FUNCTION = "make"
    HAS_INTERMEDIATE_OUTPUT = True  # newer hosts then show the text of a cached run too
    RETURN_TYPES = ("SAMPLER", "SIGMAS", "STRING")
    RETURN_NAMES = ("sampler", "sigmas", "info")
    OUTPUT_TOOLTIPS = (
        "The sampler, with the recipe inside. On other sigmas than its own it runs as dpmpp_2m.",
        "The sigmas that the recipe was made for.",
        "Where it comes from and what was measured.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        required = {"model": MODEL, "steps": steps(6), "denoise": DENOISE, "if_missing": IF_MISSING}
        return {"required": required, "optional": {"record": USE_RECORD}}

    @classmethod
    def IS_CHANGED(cls, **_):
        from .host.store import revision

        return revision()

    def make(self, model, steps, denoise, if_missing, record=None):
        """The sampler, its sigmas and their info; raises StepDistillError."""
        import torch
        from comfy.samplers import KSAMPLER

        from ..scheduler.lookup.words import info
        from .dropdowns.sampler_function import bound
        from .lookup import find
        from .names import DISTILLED
        from .page.card_data import shown

        found = find(model, DISTILLED, steps, denoise, record=record, if_missing=if_missing)
        sigmas = torch.tensor(found.recipe.sigmas, dtype=torch.float32)
        text = info(found)
        result = (KSAMPLER(bound(found)), sigmas, text)
        return {"ui": {"stepdistill": [shown(found)], "text": [text]}, "result": result}
