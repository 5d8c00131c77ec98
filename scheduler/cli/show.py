"""show: a record as tables for people."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from itertools import groupby

from ..errors import RecordError
from ..record import Recipe, Record, load_record
from ..record.evidence_table import column_notes, evidence_table
from ..record.schema import json_schema
from ..record.verdict_words import described, recommendation
from ..record.words import about
from .console import add_json, command, print_json

DESCRIPTION = """\
Shows what a record holds: the model and conditions it was made for, and for each sampler and step count the
error on held-out samples beside the best stock schedule at equal model calls. The error is the distance, RMS
per latent element, from what the model draws with many steps."""
EXAMPLES = """\
  python -m scheduler show my.json
  python -m scheduler show my.json --sampler euler --sigmas
  python -m scheduler show my.json --json
  python -m scheduler show --schema > record.schema.json"""
WIDTH = 118


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "show", "print a record as readable tables", DESCRIPTION, EXAMPLES, run
    )
    parser.add_argument("record", metavar="RECORD", nargs="?", help="a record file")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of record files instead"
    )
    parser.add_argument("--sampler", help="this sampler only")
    parser.add_argument(
        "--sigmas", action="store_true", help="the schedules too, with their offsets"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the record."""
    if arguments.schema:
        print_json(json_schema())
        return 0
    if arguments.record is None:
        raise RecordError("No record is named; give a record file.")
    record = load_record(arguments.record)
    recipes = [recipe for recipe in record.recipes if arguments.sampler in (None, recipe.sampler)]
    if not recipes and arguments.sampler:
        record.recipe(arguments.sampler, 1)  # says what there is
    if arguments.json:
        print_json(_data(record, recipes))
        return 0
    show_record(record, recipes)
    if arguments.sigmas:
        print("\n" + "\n".join(_sigmas(recipe) for recipe in sorted(recipes, key=_order)))
    return 0


def show_record(record: Record, recipes: Sequence[Recipe] | None = None) -> None:
    """Print a record, or some of its recipes, for people."""
    print(about(record))
    recipes = record.recipes if recipes is None else recipes
    for (sampler, offsets, start), group in groupby(sorted(recipes, key=_order), key=_curve):
        name = f"{sampler}{' with offsets' if offsets else ''}"
        print(f"\n{name}, from sigma {start:g}\n{evidence_table(list(group))}")
    notes = column_notes([each for each in recipes if "rms" in each.evidence])
    if notes:
        print(f"\n{notes}")
    advice = recommendation(record)
    if advice:
        print("\n" + textwrap.fill(advice, WIDTH))


def _sigmas(recipe: Recipe) -> str:
    sigmas = ", ".join(f"{sigma:.5g}" for sigma in recipe.sigmas)
    text = f"{described(recipe)}, {recipe.steps} steps: {sigmas}"
    if recipe.offsets:
        text += f"\n    offsets {', '.join(f'{offset:+.3f}' for offset in recipe.offsets)}"
    return text


def _start(recipe: Recipe) -> float:
    return float(f"{recipe.start_sigma:.4g}")  # hosts and tables agree to about that


def _curve(recipe: Recipe) -> tuple[str, bool, float]:
    return recipe.sampler, recipe.offsets is not None, _start(recipe)


def _order(recipe: Recipe) -> tuple:
    sampler, offsets, start = _curve(recipe)
    return sampler, offsets, -start, recipe.steps


def _data(record: Record, recipes: Sequence[Recipe]) -> dict:
    rows = [
        {
            "sampler": recipe.sampler,
            "steps": recipe.steps,
            "offsets": recipe.offsets is not None,
            "start_sigma": recipe.start_sigma,
            "choice": recipe.choice,
            "sigmas": list(recipe.sigmas),
            "evidence": recipe.evidence,
        }
        for recipe in recipes
    ]
    return {
        "model": record.model.name,
        "cfg": record.conditions.cfg,
        "evidence": record.evidence,
        "recipes": rows,
    }
