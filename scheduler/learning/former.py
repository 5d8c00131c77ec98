"""What a better recipe leaves behind: the former one still serves the other cfgs at which it was checked,
from a record of its own there."""

from __future__ import annotations

from dataclasses import replace

from ..lookup.key import guidance_bucket
from ..record import Recipe, Record
from ..record.cfg_range import fitted_at, span, stamped
from ..store import Store
from ..store.joining import joined, same_run
from .choosing import exact_matches
from .situation import Situation


def keep_former(store: Store, situation: Situation, before: Record, after: Record) -> None:
    """Put the recipes that `after` has others in the place of where they hold, at the nearest end of
    their checks that has none of its own. Raises OutputError."""
    for recipe in before.recipes:
        for cfg in [] if recipe in after.recipes else _ends(before, recipe):
            if _kept_at(store, situation, before, recipe, cfg):
                break


def _ends(record: Record, recipe: Recipe) -> list[float]:
    """The ends of a recipe's checks that are cfgs of their own, the nearest first."""
    own = fitted_at(recipe, record.conditions.cfg)
    near = guidance_bucket(record.conditions.cfg)
    found = span(recipe, record.conditions.cfg) or ()
    ends = [each for each in found if guidance_bucket(each) != near]
    return sorted(ends, key=lambda each: abs(each - (own or 0.0)))


def _kept_at(
    store: Store, situation: Situation, before: Record, recipe: Recipe, cfg: float
) -> bool:
    """Whether the recipe serves from a record of this cfg now."""
    there = replace(situation, key=replace(situation.key, cfg=cfg))
    known = [each.record for each in exact_matches(there, (store,)) if each.by_check is None]
    if known and any(same_run(each, recipe) for each in known[0].recipes):
        return False
    own = fitted_at(recipe, before.conditions.cfg)
    conditions = replace(before.conditions, cfg=cfg)
    bare = replace(before, conditions=conditions, recipes=(recipe,), evidence={}, gram=None)
    moved = stamped(bare, replace(bare, recipes=()), own)
    store.put(joined(known[0], moved) if known else moved)
    return True
