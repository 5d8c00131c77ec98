"""Our line in a picture's parameters: what ran and how well it fits; read back when it is pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import AUTOMATIC, CHOICE_KEY, HIRES_KEY, KEY, LABEL, NAME

if TYPE_CHECKING:
    from ..scheduler.lookup.selection import Selection
    from .sampling_pass import Pass

SEPARATOR = " | "
SOURCES = {"given": "named"}  # as the parameters say it, where it is not as lookup does
RESTARTS = 20  # steps from which the sampler Restart makes a schedule of its own


def write(here: Pass, steps: int) -> None:
    """Note in a pass's parameters what its schedule is; below the picture too, unless it fits exactly."""
    from ..scheduler.lookup.rules import OWN_STEPS
    from ..scheduler.lookup.selection import EXACT
    from .recipes import in_words

    found, p = here.found, here.p
    key = HIRES_KEY if here.hires else KEY
    if here.choice != AUTOMATIC:
        p.extra_generation_params[CHOICE_KEY] = here.choice
    restarts = here.name == "restart_sampler" and steps >= RESTARTS
    if restarts or found.rule.kind == OWN_STEPS:
        _not_used(p, key, here.name)
        return
    p.extra_generation_params[key] = _line(_parts(found, here.name, steps))
    if found.source != EXACT:
        _comment(p, in_words(found))


def _parts(found: Selection, sampler: str, steps: int) -> list[str]:
    runs = f"{steps} steps of {sampler}"
    if sampler == NAME and found.runs_as != NAME:
        runs = f"{runs} as {found.runs_as}"
    if found.stand_in is not None:
        return [found.source, found.stand_in.schedule, runs]
    won = [f"stock's {found.recipe.choice}"] if found.stock_won else []
    return [SOURCES.get(found.source, found.source), found.name.removesuffix(".json"), runs, *won]


def _line(parts: list[str]) -> str:
    return SEPARATOR.join(part.replace(",", " ").replace(":", " ") for part in parts)


def foreign(p: Any, hires: bool) -> None:
    """Note that our sampler was given sigmas of another schedule."""
    p.extra_generation_params[HIRES_KEY if hires else KEY] = (
        "no recipe | given sigmas | distilled as dpmpp_2m"
    )
    _comment(
        p,
        f"The sampler {LABEL} was given another schedule, so it ran as DPM++ 2M on that; choose the "
        f"schedule type {LABEL} for its own recipe.",
    )


def unused(p: Any) -> None:
    """Note that the schedule type `Distilled` was chosen for a sampler that takes no schedule."""
    if getattr(p, "scheduler", None) not in (NAME, LABEL) or KEY in p.extra_generation_params:
        return
    _not_used(p, KEY, str(getattr(p, "sampler_name", "")))


def _not_used(p: Any, key: str, sampler: str) -> None:
    p.extra_generation_params[key] = _line(["not used", f"{sampler} makes its own schedule"])
    _comment(p, f"The sampler {sampler} makes its own schedule, whatever schedule type is chosen.")


def _comment(p: Any, sentence: str) -> None:
    """Something below the picture, on hosts that have a place for it."""
    if hasattr(p, "comment"):
        p.comment(f"StepDistill: {sentence}")


def record_of(parameters: dict) -> str:
    """What the panel's list of records is set to for pasted parameters."""
    from .stores import choices

    chosen = str(parameters.get(CHOICE_KEY, AUTOMATIC))
    return chosen if chosen in choices() else AUTOMATIC
