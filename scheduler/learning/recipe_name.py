"""The name of a recipe by its numbers."""

from __future__ import annotations

import hashlib
import json

from ..record import Recipe


def recipe_name(recipe: Recipe) -> str:
    """Eight hex digits that name a recipe by its numbers, wherever it lies."""
    numbers = [recipe.sampler, recipe.sigmas, recipe.offsets, recipe.coefficients]
    data = json.dumps([*numbers, str(recipe.choice)]).encode()
    return hashlib.blake2b(data, digest_size=4).hexdigest()
