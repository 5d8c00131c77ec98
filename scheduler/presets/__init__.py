"""Vendors' and papers' published schedules, as records with their provenance: a JSON file each."""

from .vendors import PRESETS, preset, preset_recipe

__all__ = ["PRESETS", "preset", "preset_recipe"]
