"""show: a record as tables for people."""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Sequence
from itertools import groupby

from ..evidence import verdicts
from ..record import Recipe, Record, load_record
from .console import add_json, command, error_text, print_json, table

DESCRIPTION = """\
Shows what a record holds: the model and conditions it was made for, and for each sampler and step count the error on
held-out samples beside the best stock schedule at equal model calls. The error is the distance, RMS per latent element,
from what the model draws with many steps."""
EXAMPLES = """\
  python -m scheduler show my.json
  python -m scheduler show my.json --sampler euler --sigmas
  python -m scheduler show my.json --json"""
HEADER = (
    "steps",
    "calls",
    "ours",
    "best stock",
    "",
    "ours/stock",
    "stock needs",
    "other picture",
    "",
)
NOTES = """\
calls: model calls a sample, the same for stock. ours/stock: the ratio of the errors and its 95 % margin. stock needs: the
fewest steps at which the best stock schedule reaches our error. other picture: the share of samples that come out as
another picture than the teacher's."""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "show", "print a record as readable tables", DESCRIPTION, EXAMPLES, run
    )
    parser.add_argument("record", metavar="RECORD", help="a record file")
    parser.add_argument("--sampler", help="this sampler only")
    parser.add_argument(
        "--sigmas", action="store_true", help="the schedules too, with their offsets"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the record."""
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
    for key, group in groupby(
        sorted(recipes, key=_order), key=lambda recipe: (verdicts.curve_key(recipe), _start(recipe))
    ):
        print(
            f"\n{key[0].replace(verdicts.OFFSETS, ' with offsets')}, from sigma {key[1]:g}\n{evidence_table(list(group))}"
        )
    if any(recipe.evidence for recipe in recipes):
        print(f"\n{NOTES}")
    if record.evidence.get("recommendation"):
        print("\n" + textwrap.fill(record.evidence["recommendation"], 118))


def about(record: Record) -> str:
    """The model, the conditions, the teacher and where the record comes from, in a few lines."""
    model, conditions, teacher, origin = (
        record.model,
        record.conditions,
        record.teacher,
        record.provenance,
    )
    shift = f", shift {model.shift:g}" if model.shift else ""
    kind = f"{model.prediction or model.parametrisation}{shift}, sigma {model.sigma_min:.4g} to {model.sigma_max:.4g}"
    under = [
        f"guidance {conditions.cfg:g}" if conditions.cfg is not None else "",
        "x".join(map(str, conditions.latent_shape or ())),
    ]
    under += [
        f"{conditions.prompts} prompts" if conditions.prompts else "",
        f"seed {conditions.seed}" if conditions.seed is not None else "",
    ]
    lines = [
        ("Model", f"{model.name or 'unnamed'} ({kind})"),
        ("Conditions", ", ".join(word for word in under if word) or "none stated"),
    ]
    if teacher:
        lines.append(
            (
                "Teacher",
                f"{teacher['solver']}, {teacher['nodes']} nodes, {teacher['samples']} samples",
            )
        )
    spent = f"{origin['model_calls']} model calls" + (
        f", {origin['evidence_calls']} more for the evidence"
        if origin.get("evidence_calls")
        else ""
    )
    lines.append(("Made", f"{origin['created']}, StepDistill {origin['version']}, {spent}"))
    if record.evidence.get("seeds"):
        lines.append(("Evidence", f"{record.evidence['seeds']} held-out samples"))
    return "\n".join(f"{name + ':':<12}{text}" for name, text in lines)


def evidence_table(recipes: Sequence[Recipe]) -> str:
    """One line a step count: ours beside the best stock choice."""
    return table(HEADER, [_row(recipe) for recipe in recipes], left=(4, 8))


def _row(recipe: Recipe) -> tuple:
    found, best = recipe.evidence, recipe.evidence.get("best_stock")
    if "rms" not in found:
        return (
            recipe.steps,
            "",
            "-",
            "-",
            "",
            "-",
            "-",
            "-",
            "not measured" + ("" if recipe.choice.ours else f" (stock: {recipe.choice})"),
        )
    stock = found["stock"][best]["rms"] if best in found.get("stock", {}) else None
    different = "-" if found.get("different") is None else f"{100 * found['different']:.0f} %"
    calls, equal = found.get("model_calls", ""), found.get("equals_stock_steps") or "-"
    return (
        recipe.steps,
        calls,
        error_text(found["rms"]),
        error_text(stock),
        best or "",
        _ratio(found),
        equal,
        different,
        _judged(recipe),
    )


def _ratio(found: dict) -> str:
    ratio, margin = found.get("ratio"), found.get("margin")
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" + (
        "" if margin is None else f" +-{min(100 * math.expm1(margin), 999):3.0f} %"
    )


def _judged(recipe: Recipe) -> str:
    word = {"better": "better", "equal": "no gain", "worse": "worse"}[
        verdicts.outcome(recipe.evidence.get("ratio"), recipe.evidence.get("margin"))
    ]
    return word if recipe.choice.ours else f"stock: {recipe.choice}"


def _sigmas(recipe: Recipe) -> str:
    text = f"{verdicts.described(recipe)}, {recipe.steps} steps: " + ", ".join(
        f"{sigma:.5g}" for sigma in recipe.sigmas
    )
    return text + (
        f"\n    offsets {', '.join(f'{offset:+.3f}' for offset in recipe.offsets)}"
        if recipe.offsets
        else ""
    )


def _start(recipe: Recipe) -> float:
    return float(f"{recipe.start_sigma:.4g}")  # hosts and tables agree to about that


def _order(recipe: Recipe) -> tuple:
    return recipe.sampler, recipe.offsets is not None, -_start(recipe), recipe.steps


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
