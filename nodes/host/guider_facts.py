"""A guider as far as a recipe depends on it: its class, its numbers, and the other models it asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...scheduler.lookup.guiders import guider_patch, number_patch, second_patches
from ...scheduler.lookup.held import digest, number, settings_of
from ...scheduler.lookup.model_facts import ModelFacts
from .model_facts import facts_of

# Those that do what a KSampler does.
USUAL = ("CFGGuider", "Guider_Basic")
# Known in other ways, or of one run alone.
OTHERWISE = ("model_patcher", "model_options", "original_conds", "conds", "cfg", "cfg1")
OF_A_RUN = ("inner_model", "loaded_models", "uncond_inner", "uncond_loaded")


def facts_under(guider: Any) -> ModelFacts:
    """Who a guider's MODEL is, under this guider: what `facts_of` says, and what is special of it."""
    facts = facts_of(guider.model_patcher)
    return replace(facts, patches=(*facts.patches, *guider_patches(guider)))


def guider_patches(guider: Any) -> tuple[dict, ...]:
    """A guider as keys and records carry it, as patches; none of the usual ones."""
    kind = type(guider).__name__
    held = _held(guider)
    models = {name: each for name, each in held.items() if _is_model(each)}
    if kind in USUAL and not models:
        return ()
    numbers = {name: number(each) for name, each in held.items() if number(each) is not None}
    rest = {name: each for name, each in held.items() if name not in models.keys() | numbers.keys()}
    found = [guider_patch(kind, digest(settings_of(rest)))]
    found += [number_patch(kind, name, value) for name, value in sorted(numbers.items())]
    for _, model in sorted(models.items()):
        found += second_patches(facts_of(model))
    return tuple(found)


def second_models(guider: Any) -> Iterator[Any]:
    """The MODELs that a guider asks beside its own."""
    return (each for each in _held(guider).values() if _is_model(each))


def _held(guider: Any) -> dict[str, Any]:
    known = (*OTHERWISE, *OF_A_RUN)
    own = getattr(guider, "__dict__", {})
    return {
        name: each for name, each in own.items() if name not in known and not name.startswith("_")
    }


def _is_model(value: Any) -> bool:
    return hasattr(value, "get_model_object")
