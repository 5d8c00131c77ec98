"""Kin's recipes among the starts of a distillation that is asked for: run beside its own, within the same
model calls, and left where those are better; so they need no check.

Measured (docs/kin.md): with 70 calls 3 to 17 % less error on kin of the bundled flow checkpoint, from a third
less to a sixth more on those of the eps checkpoint; with 300 nearly the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..lookup.key import Key
from ..lookup.model_facts import ModelFacts
from ..lookup.shelves import Shelf
from ..record import Recipe
from .finding import find_kin


@dataclass(frozen=True)
class KinStarts:
    """recipes: as `distill(starts=...)` takes them. words: a sentence on whose they are, or ""."""

    recipes: tuple[Recipe, ...] = ()
    words: str = ""


def starts_from(
    shelves: Sequence[Shelf],
    facts: ModelFacts,
    key: Key,
    samplers: Sequence[str],
    steps: Sequence[int],
) -> KinStarts:
    """Of each sampler and step count the nearest related model's recipe: of a store, and of the sources
    beside it; key: the model's with the conditions that are distilled for."""
    related = find_kin(shelves, facts, key)
    found: list[Recipe] = []
    titles: dict[str, None] = {}
    for sampler in samplers:
        for count in steps:
            for kin in related:
                recipe = kin.recipe(count, sampler=sampler)
                if recipe is not None:
                    found.append(recipe)
                    titles[kin.title] = None
                    break
    if not found:
        return KinStarts()
    what = "the recipe" if len(found) == 1 else "recipes"
    return KinStarts(tuple(found), f"Among its starts: {what} of {' and '.join(titles)}.")
