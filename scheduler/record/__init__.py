"""The record: one file that holds all recipes of one checkpoint, with provenance and evidence."""

from .choice import Choice
from .file_form import plain
from .inner_products import Gram
from .model import OFFSETS, Conditions, Model, Recipe, Record, curve_key, load_record
from .provenance import now
from .rules import SAME_START

__all__ = [
    "OFFSETS",
    "SAME_START",
    "Choice",
    "Conditions",
    "Gram",
    "Model",
    "Recipe",
    "Record",
    "curve_key",
    "load_record",
    "now",
    "plain",
]
