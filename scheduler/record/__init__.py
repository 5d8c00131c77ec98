"""The record: one file that holds all recipes of one checkpoint, with provenance and evidence."""

from .choice import Choice
from .model import SAME_START, Conditions, Model, Recipe, Record, load_record, now, plain

__all__ = [
    "SAME_START",
    "Choice",
    "Conditions",
    "Model",
    "Recipe",
    "Record",
    "load_record",
    "now",
    "plain",
]
