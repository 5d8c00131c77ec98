"""What the record nodes say on their faces: a record in words, and as data for the front end."""

from __future__ import annotations


def about(record) -> str:
    """What a record is for and what it recommends, in a few lines."""
    from ...scheduler.cli.show import about as lines

    held = f"Recipes:    {contents(record)}"
    advice = record.evidence.get("recommendation")
    return "\n".join([lines(record), held, *([advice] if advice else [])])


def contents(record) -> str:
    """The samplers of a record, each with its step counts: "distilled 4-12, euler 4-12"."""
    found: dict[str, set[int]] = {}
    for recipe in record.recipes:
        found.setdefault(recipe.sampler, set()).add(recipe.steps)
    return (
        ", ".join(f"{sampler} {min(steps)}-{max(steps)} steps" for sampler, steps in found.items())
        or "none"
    )


def payload(record=None, recipe=None, info: str = "") -> dict:
    """The node's data for the front end: of a record, or of one recipe of it."""
    from ...scheduler.sigmas.noise_table import table_for
    from ..lookup import Found
    from .card_data import shown

    if recipe is None:
        return shown(record=record, info=info)
    model = record.model
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    return shown(Found(recipe, info, "record", table, record))
