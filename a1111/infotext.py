"""Our line in a picture's parameters: which record ran and how well it fits; read back when the
parameters are pasted."""

from __future__ import annotations

from typing import Any

from .names import AUTOMATIC, CHOICE_KEY, EXACT, FALLBACK, HIRES_KEY, KEY, NAME

SEPARATOR = " | "


def write(here: Any, steps: int) -> None:
    """Note in the parameters of a pass what its schedule is; below the picture too, where it is no
    exact hit."""
    from .schedule import stock_name

    found, p = here.found, here.p
    sampler = here.name
    if sampler == NAME and (found.recipe is None or found.recipe.coefficients is None):
        from ..scheduler.samplers.distilled import stock_sampler

        sampler = f"{sampler} as {stock_sampler(found.recipe) if found.recipe is not None else 'dpmpp_2m'}"
    parts = [
        found.source,
        found.name if found.recipe is not None else stock_name(),
        f"{steps} steps of {sampler}",
    ]
    p.extra_generation_params[HIRES_KEY if here.hires else KEY] = SEPARATOR.join(
        part.replace(",", " ").replace(":", " ") for part in parts
    )
    if here.choice != AUTOMATIC:
        p.extra_generation_params[CHOICE_KEY] = here.choice
    if hasattr(p, "comment") and found.source != EXACT:
        ran = f"the stock schedule '{stock_name()}' ran. " if found.source == FALLBACK else ""
        p.comment(f"StepDistill: {ran}{found.words}")


def foreign(p: Any, hires: bool) -> None:
    """Note that our sampler was given sigmas of another schedule."""
    p.extra_generation_params[HIRES_KEY if hires else KEY] = (
        "no recipe | given sigmas | distilled as dpmpp_2m"
    )


def record_of(parameters: dict) -> str:
    """What the panel's list of records is set to for pasted parameters."""
    from .stores import choices

    chosen = str(parameters.get(CHOICE_KEY, AUTOMATIC))
    return chosen if chosen in choices() else AUTOMATIC
