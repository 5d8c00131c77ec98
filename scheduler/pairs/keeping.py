"""A pair's records in a store: found by both models together, and added to, never thinned out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..lookup.differences import PATCH_MISSING, PATCH_OTHER
from ..lookup.key import Key
from ..lookup.match import EXACT, Match
from ..lookup.model_facts import ModelFacts
from ..lookup.shelves import Shelf
from ..record import Record
from ..record.pair_half import FIRST, SECOND, half_patch, hand_over_step, pair_half

_SAME = 1e-6


def pair_keys(first: ModelFacts, second: ModelFacts) -> tuple[ModelFacts, ModelFacts]:
    """What each half's records are looked up by: the model, and which half it is with whom."""
    found = []
    for half, mine, other in ((FIRST, first, second), (SECOND, second, first)):
        patch = half_patch(half, known_by(other))
        found.append(replace(mine, patches=(*mine.patches, patch)))
    return found[0], found[1]


def known_by(model: ModelFacts) -> str:
    """What tells a model from all others, LoRAs included."""
    named = model.fingerprint.id if model.fingerprint is not None else model.name
    patches = (f"{each['name']}@{each['strength']:.2f}" for each in model.patches)
    return "|".join([named, *sorted(patches)])


def found_for(shelves: Iterable[Shelf], key: Key, steps: int) -> Match | None:
    """The nearest record of a half, for the key's sampler, with a recipe for so many steps."""
    for shelf in shelves:
        for match in shelf.matches(key):
            same = not any(each.code in (PATCH_MISSING, PATCH_OTHER) for each in match.differences)
            if (
                same
                and match.allowed
                and any(_is(each, key.sampler, steps) for each in match.record.recipes)
            ):
                return match
    return None


def whole(made: Record, shelf: Shelf) -> Record:
    """A half's record with the recipes that its shelf has for other step counts, handed over alike."""
    key = Key.of(made)
    names = {recipe.sampler for recipe in made.recipes}
    for match in shelf.matches(replace(key, sampler=next(iter(names)))):
        earlier = match.record
        if match.kind != EXACT or {each.sampler for each in earlier.recipes} != names:
            continue
        mine, theirs = pair_half(made), pair_half(earlier)
        if mine is None or theirs is None or abs(mine.hand_over / theirs.hand_over - 1) > _SAME:
            continue
        new = {(each.sampler, each.steps) for each in made.recipes}
        kept = [each for each in earlier.recipes if (each.sampler, each.steps) not in new]
        recipes = sorted((*made.recipes, *kept), key=lambda each: (each.sampler, each.steps))
        return replace(made, recipes=tuple(recipes))
    return made


def _is(recipe, sampler: str | None, steps: int) -> bool:
    named = sampler is None or recipe.sampler == sampler
    return named and recipe.steps == steps and hand_over_step(recipe) is not None
