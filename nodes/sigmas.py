"""Distilled Sigmas: a schedule for any node that takes SIGMAS."""

from __future__ import annotations

from .fields import CATEGORY, DENOISE, IF_MISSING, MODEL, USE_RECORD, samplers, steps


class StepDistillSigmas:
    """A recipe's schedule as SIGMAS. Query offsets and coefficients cannot go along: the recipe
    made without them is taken."""

    DESCRIPTION = "The distilled schedule for a sampler, as sigmas for SamplerCustom and the like."
    CATEGORY = CATEGORY
    SEARCH_ALIASES = ("distilled scheduler", "align your steps", "custom sigmas")
    FUNCTION = "make"
    HAS_INTERMEDIATE_OUTPUT = True  # newer hosts then show the text of a cached run too
    RETURN_TYPES = ("SIGMAS", "STRING")
    RETURN_NAMES = ("sigmas", "info")
    OUTPUT_TOOLTIPS = (
        "The schedule: one sigma more than steps, ending in 0.",
        "Where it comes from and what was measured.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        tooltip = (
            "The sampler that will run these sigmas: a schedule is made for one sampler. Choose the "
            "same one there."
        )
        required = {
            "model": MODEL,
            "sampler_name": (samplers(), {"default": "euler", "tooltip": tooltip}),
            "steps": steps(8),
        }
        return {
            "required": required | {"denoise": DENOISE, "if_missing": IF_MISSING},
            "optional": {"record": USE_RECORD},
        }

    @classmethod
    def IS_CHANGED(cls, **_):
        from .host.store import revision

        return revision()

    def make(self, model, sampler_name, steps, denoise, if_missing, record=None):
        """The sigmas and their info; raises StepDistillError."""
        import torch

        from ..scheduler.lookup.words import info
        from .expected import cfg_not_known
        from .host.downstream import runs_after, shared
        from .host.running_prompt import running_node
        from .lookup import find
        from .names import DISTILLED
        from .page.card_data import shown

        offsets = sampler_name == DISTILLED  # our own sampler looks its recipe up by these sigmas
        under = shared(runs_after(running_node()))
        found = find(
            model,
            sampler_name,
            steps,
            denoise,
            record=record,
            offsets=offsets,
            if_missing=if_missing,
            **under.of(model),
        )
        sigmas = torch.tensor(found.recipe.sigmas, dtype=torch.float32)
        text = f"{info(found)} {cfg_not_known(found.match, under)}".strip()
        return {
            "ui": {"stepdistill": [shown(found, info=text)], "text": [text]},
            "result": (sigmas, text),
        }
