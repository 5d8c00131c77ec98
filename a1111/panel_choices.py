"""The samplers that the panel offers to distil for, by the host's names; and what it remembers."""

from __future__ import annotations

from typing import Any

from .host import distillable, option, sampler_labels
from .names import LABEL, NAME
from .words import USUAL as USUAL_STEPS
from .words import pictures, steps_of_work

SAMPLER_ABOVE = "the one above"
KEPT = "stepdistill_panel"  # among the host's settings
USUAL: dict[str, Any] = {
    "quality": "instant",
    "samplers": [LABEL, SAMPLER_ABOVE],
    "least": 4,
    "most": 8,
    "rows": 1,
    "measure": False,
}


def usual(name: str) -> Any:
    """What a control was left at, else how it comes."""
    kept = option(KEPT, {})
    value = kept.get(name) if isinstance(kept, dict) else None
    if type(value) is not type(USUAL[name]):
        return USUAL[name]
    if name != "samplers":
        return value
    there = set(sampler_choices())  # another host's list may have been kept
    return [each for each in value if each in there]


def sampler_choices() -> list[str]:
    """Ours, the page's own, and each that recipes can be made for."""
    labels = sampler_labels()
    others = [labels.get(name, name) for name in distillable() if name != NAME]
    return [LABEL, SAMPLER_ABOVE, *others]


def chosen_samplers(chosen: list[str], above: str) -> tuple[tuple[str, ...], str]:
    """(the library's names of the samplers that were ticked, what is to be said of them)."""
    from ..scheduler.samplers.names import ode_sampler_for

    labels = sampler_labels()
    names = {label: name for name, label in labels.items()}
    found, told = [], ""
    for each in chosen:
        name = names.get(above, "") if each == SAMPLER_ABOVE else names.get(each, each)
        twin = ode_sampler_for(name)
        if each == SAMPLER_ABOVE and twin is not None:
            told = f"{above} adds noise at each step: its deterministic twin is {labels.get(twin, twin)}."
            name = twin
        if name in distillable() and name not in found:
            found.append(name)
        elif each == SAMPLER_ABOVE and name not in found:
            told = f"No recipe is made for {above}; {LABEL} takes its place."
    return tuple(found), told


def price(
    quality: str,
    chosen: list[str],
    least: float,
    most: float,
    measure: bool,
    above: str = "",
    prompts: int = 1,
    cells: int = 1,
) -> str:
    """What Distill will cost at most, before it runs. above: the page's sampler. prompts: how many.
    cells: numbers of a latent; small ones are learnt with more care."""
    from ..scheduler.distilling.effort import budget_for, effort_named
    from ..scheduler.errors import StepDistillError

    counts = range(int(min(least, most)), int(max(least, most)) + 1)
    samplers = chosen_samplers(list(chosen), above or "DPM++ 2M")[0]
    try:
        calls = budget_for(quality, samplers, counts, max(prompts, 1), elements=cells)
    except StepDistillError:
        return ""
    many = pictures(max(calls // USUAL_STEPS, 1))
    told = f"At most {steps_of_work(calls)}: {many} of {USUAL_STEPS} steps"
    if not measure:
        return f"{told}."
    if not effort_named(quality).evidence_rows:
        return (
            f"{told}. Recipes of {quality} quality are not measured: choose a higher one for that."
        )
    return f"{told}, and the measuring besides."
