"""Apply Distilled Schedule: every KSampler downstream whose scheduler is `distilled` uses the
recipe for its own sampler and steps."""

from __future__ import annotations

from .fields import CATEGORY, LEARN, MODEL, USE_RECORD


class StepDistillApply:
    """Leaves on a MODEL which record its samplers use, and hangs the wrapper in that puts the
    recipes where they belong."""

    DESCRIPTION = (
        "Put this between the model and any KSampler, and choose 'distilled' as its scheduler: the "
        "recipe for that sampler, its steps and its denoise is used, with query offsets. Place it "
        "after ModelSampling nodes."
    )
    CATEGORY = CATEGORY
    SEARCH_ALIASES = ("distilled scheduler", "use a record")
    FUNCTION = "make"
    HAS_INTERMEDIATE_OUTPUT = True  # newer hosts then show the text of a cached run too
    RETURN_TYPES = ("MODEL", "STRING")
    RETURN_NAMES = ("model", "info")
    OUTPUT_TOOLTIPS = (
        "The model, ready for samplers whose scheduler is 'distilled'.",
        "What they will use.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        tooltip = (
            "Let stock samplers (euler, dpmpp_2m, res_multistep, uni_pc) ask the model at the noise "
            "levels that the recipe found better, where it has such. The 'distilled' sampler always "
            "does. Turn it off to use schedules alone."
        )
        required = {
            "model": MODEL,
            "use_offsets": ("BOOLEAN", {"default": True, "tooltip": tooltip}),
        }
        return {"required": required, "optional": {"record": USE_RECORD, "learn": LEARN}}

    @classmethod
    def IS_CHANGED(cls, **_):
        from .host.store import revision

        return revision()

    def make(self, model, use_offsets, record=None, learn=False):
        """The marked clone and its info; raises StepDistillError for a record of another model."""
        from ..scheduler.learning.keeping import WILL_KEEP
        from .dropdowns.apply_mark import Applied, mark
        from .dropdowns.apply_wrapper import hang
        from .expected import expected
        from .host.downstream import few_steps_after, runs_after
        from .host.running_prompt import running_node

        node = running_node()
        card, info = expected(model, record, use_offsets, runs_after(node), few_steps_after(node))
        info = f"{info} {WILL_KEEP}" if learn else info
        clone = model.clone()
        mark(clone, Applied(record, use_offsets, learn, None if node is None else node.id))
        hang(clone)
        return {
            "ui": {"stepdistill": [card | {"info": info}], "text": [info]},
            "result": (clone, info),
        }
