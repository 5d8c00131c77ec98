"""What a recipe gains, in the host's own names of samplers and schedule types."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .host import sampler_labels

if TYPE_CHECKING:
    from ..scheduler.record import Recipe

HOSTS_NAMES = {
    "ddim_uniform": "ddim",
    "ays-sd1": "align_your_steps",
    "ays-sdxl": "align_your_steps",
}
LEAST_RATIO = 0.01  # below, an error is said as "less than a hundredth"


def schedule_label(name: str) -> str:
    """The host's label of a stock schedule, or "" where its list has none of that name."""
    module = sys.modules.get("modules.sd_schedulers")
    known = getattr(module, "schedulers_map", {})
    found = known.get(HOSTS_NAMES.get(name, name))
    return str(found.label) if found is not None else ""


def setting(schedule: str, sampler: str) -> str:
    """ "DPM++ 2M Karras": a sampler on a schedule as the host's lists call them."""
    sampler = sampler_labels().get(sampler, sampler)
    label = schedule_label(schedule)
    return f"{sampler} {label}" if label else sampler


def gain(recipe: Recipe) -> str:
    """ "as near as 14 steps of DPM++ 2M Karras", as far as it was measured; "" where it was not."""
    from ..scheduler.record import Choice
    from ..scheduler.samplers.names import DISTILLED, RELATIVE

    found = recipe.evidence
    best = found.get("best_stock")
    if not recipe.choice.ours or best is None:
        return ""
    choice = Choice.read(best)
    own = RELATIVE if recipe.sampler == DISTILLED else recipe.sampler
    rival = setting(choice.schedule, choice.sampler or own)
    equal, ratio = found.get("equals_stock_steps"), found.get("ratio")
    if equal and equal > recipe.steps:
        return f"as near as {equal} steps of {rival}"
    if ratio is None or ratio >= 1:
        return ""
    share = "less than a hundredth" if ratio < LEAST_RATIO else f"{ratio:.2f}"
    return f"{share} of the error of {recipe.steps} steps of {rival}"
