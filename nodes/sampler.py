"""Distilled Sampler: a recipe whole, coefficients and query offsets included, as SAMPLER and SIGMAS."""

from __future__ import annotations

from .fields import CATEGORY, DENOISE, IF_MISSING, LEARN, MODEL, USE_RECORD, steps


class StepDistillSampler:
    """The distilled sampler and its sigmas, to be used together in SamplerCustom or SamplerCustomAdvanced."""

    DESCRIPTION = (
        "The distilled sampler with its own sigmas. Connect both to the same sampling node."
    )
    CATEGORY = CATEGORY
    SEARCH_ALIASES = ("distilled sampler", "custom sampler")
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
        return {"required": required, "optional": {"record": USE_RECORD, "learn": LEARN}}

    @classmethod
    def IS_CHANGED(cls, **_):
        from .host.store import revision

        return revision()

    def make(self, model, steps, denoise, if_missing, record=None, learn=False):
        """The sampler, its sigmas and their info; raises StepDistillError."""
        import torch
        from comfy.samplers import KSAMPLER

        from ..scheduler.learning.keeping import WILL_KEEP
        from ..scheduler.lookup.words import info
        from .dropdowns.sampler_function import bound
        from .expected import cfg_not_known
        from .host.downstream import runs_after, shared
        from .host.running_prompt import running_node
        from .lookup import find
        from .names import DISTILLED
        from .page.card_data import shown

        node = running_node()
        under = shared(runs_after(node))
        found = find(
            model,
            DISTILLED,
            steps,
            denoise,
            record=record,
            if_missing=if_missing,
            **under.of(model),
        )
        sigmas = torch.tensor(found.recipe.sigmas, dtype=torch.float32)
        parts = [info(found), cfg_not_known(found.match, under), WILL_KEEP if learn else ""]
        text = " ".join(part for part in parts if part)
        sampler = KSAMPLER(bound(found, learn, None if node is None else node.id))
        ui = {"stepdistill": [shown(found, info=text)], "text": [text]}
        return {"ui": ui, "result": (sampler, sigmas, text)}
