"""Schedules that vendors and papers publish, as records with their provenance.

One JSON file each, beside this one: step-distilled families (SDXL Turbo, SDXL Lightning, LCM,
Hyper-SD, PeRFlow, FLUX.1 schnell, FLUX.2 dev Turbo, Wan 2.2 Lightning, Qwen-Image Lightning, LTX-2
distilled) and searched tables (AYS, GITS, OptimalSteps).
Their sigmas are facts; `provenance` of each says where from and how they follow. No model call was
spent and nothing was measured, so a preset has neither teacher nor evidence.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..errors import RecipeError, UnknownNameError
from ..record import Recipe, Record, load_record

_FOLDER = Path(__file__).parent
PRESETS = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


@cache
def preset(name: str) -> Record:
    """A preset by name, one of PRESETS; raises UnknownNameError."""
    if name not in PRESETS:
        raise UnknownNameError(f"Preset {name!r} is unknown; use one of: {', '.join(PRESETS)}.")
    return load_record(_FOLDER / f"{name}.json")


def preset_recipe(name: str, steps: int, sampler: str | None = None) -> Recipe:
    """The recipe of a preset for N steps.

    sampler: which, where several are served (None: the vendor's first). Published schedules may
    start a little below the model's sigma_max; the recipe's start_sigma says so. Raises
    UnknownNameError, and RecipeError for a number of steps that nobody published.
    """
    found = [
        recipe
        for recipe in preset(name).recipes
        if recipe.steps == steps and sampler in (None, recipe.sampler)
    ]
    if not found:
        served = sorted({(recipe.sampler, recipe.steps) for recipe in preset(name).recipes})
        listed = ", ".join(f"{sampler} {n}" for sampler, n in served)
        raise RecipeError(
            f"The preset {name} has no recipe for {sampler or 'any sampler'} with {steps} steps; "
            f"it has: {listed}."
        )
    return found[0]
