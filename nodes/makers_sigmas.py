"""Maker's Sigmas: says of a step-distilled MODEL which run it was made for."""

from __future__ import annotations

from .fields import CATEGORY


class StepDistillMakersSigmas:
    """Leaves the maker's own sigmas on a MODEL, where every node after it finds them."""

    DESCRIPTION = (
        "For a step-distilled model (Turbo, Lightning, ...) whose name does not say how many steps it was "
        "made for: connect a scheduler node with its maker's own steps. Few-Step KSampler and Distill "
        "Schedule then take that run as the truth, and learn fewer steps from it."
    )
    CATEGORY = CATEGORY
    SEARCH_ALIASES = ("step-distilled", "own sigmas")
    FUNCTION = "make"
    RETURN_TYPES = ("MODEL",)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("The model, for Few-Step KSampler or Distill Schedule.",)

    @classmethod
    def INPUT_TYPES(cls):
        model = {"tooltip": "The step-distilled model, its ModelSampling nodes already applied."}
        sigmas = {
            "tooltip": "Its maker's own schedule: BasicScheduler with the steps and the scheduler that its "
            "maker names, or ManualSigmas."
        }
        return {"required": {"model": ("MODEL", model), "sigmas": ("SIGMAS", sigmas)}}

    def make(self, model, sigmas):
        """Raises ScheduleError for what is no whole schedule."""
        from .host.makers_run import give

        clone = model.clone()
        give(clone, sigmas)
        return (clone,)
