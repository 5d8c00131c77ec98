"""demo: the whole job on the bundled flow checkpoint, in under two minutes."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Stopped
from ..evidence.verdicts import DEFAULT_STOCK
from ..files import make_folder
from ..record import Choice, Recipe, Record
from ..record.evidence_table import error_text, table
from ..record.verdict import BETTER, outcome
from ..record.verdict_words import described
from .console import command, positive_or_zero, say
from .distill import conditions_of, distilled
from .models import Asked, from_checkpoint

if TYPE_CHECKING:
    import numpy as np

    from ..plots.curves import PictureRow

DESCRIPTION = """\
Shows all of StepDistill on a small bundled checkpoint (handwritten digits, a flow model of SD3's kind):
records a teacher on the digits 0 to 4, distils recipes of 1 to 20 steps for euler and dpmpp_2m,
measures them on other noise and the digits 5 to 9 beside every stock schedule at equal model calls, and
writes the record and three pictures into a folder. It takes under two minutes on two cores. Ctrl-C is
safe: the same command goes on from the recorded teacher."""
EXAMPLES = """\
  python -m scheduler demo
  python -m scheduler demo --output somewhere/else --cfg 3"""
SAMPLERS, STEPS = ("euler", "dpmpp_2m"), range(1, 21)
BUDGET = 16_000
ROWS = 10
PLOTS = ("schedules.png", "error_against_steps.png", "pictures.png")
TITLE = "error against the many-step picture, on held-out seeds and digits"
LEGEND = """\
s: a stock schedule, because ours did not beat it when distilling. ours/stock: the better of ours beside
the best stock schedule. stock needs: the fewest steps at which the best stock schedule reaches our
error."""
PICTURES, PICTURE_NODES = 5, 100
PICTURE_STEPS = range(4, 9)


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "demo",
        "see the whole job on a bundled checkpoint, in two minutes",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument(
        "--output",
        default="stepdistill-demo",
        metavar="FOLDER",
        help="where the results go (default: ./stepdistill-demo)",
    )
    parser.add_argument("--cfg", type=float, default=2.0, help="guidance scale (default 2)")
    parser.add_argument("--seed", type=positive_or_zero, default=0, help="of the noise (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Distil, measure, print the tables and draw the pictures."""
    began = time.monotonic()
    folder = make_folder(arguments.output)  # before any work: it may not be writable
    from ..distilling.run import EVIDENCE_ROWS
    from ..evidence import full_budget

    rows = -(-EVIDENCE_ROWS // ROWS) * ROWS  # whole batches, as `distill` measures them
    settings = {"model": "flow", "device": "cpu", "classes": range(5), "test_classes": range(5, 10)}
    asked = from_checkpoint(argparse.Namespace(**settings, cfg=arguments.cfg))
    options = {
        "samplers": SAMPLERS,
        "steps": STEPS,
        "budget": BUDGET,
        "evidence_budget": full_budget(SAMPLERS, STEPS, rows),
        "conditions": conditions_of(asked, arguments.cfg, arguments.seed),
        "samples": ROWS,
        "seed": arguments.seed,
        "resume": folder / "resume",
    }
    try:
        record = distilled(asked, options)
    except Stopped as stop:
        stop.args = ("stopped; the same command goes on from what is finished.",)
        raise
    record.save(folder / "record.json")
    print(report(record))
    draw(record, asked, folder, arguments.seed)
    say(
        f"\nDone in {time.monotonic() - began:.0f} s. In {folder.resolve()}: record.json, {', '.join(PLOTS)}"
    )
    return 0


def report(record: Record) -> str:
    """The tables and, in one sentence, what they say."""
    parts = [f"\n{sampler}: {TITLE}\n{_table(record, sampler)}" for sampler in SAMPLERS]
    return "\n".join([*parts, LEGEND, "", headline(record)])


def headline(record: Record) -> str:
    """The most telling recipe of few steps: "Your 6 steps match stock's 11"."""
    able = [
        (recipe, _matched(recipe, record))
        for recipe in record.recipes
        if 3 <= recipe.steps <= 12 and _clearly_better(recipe)
    ]
    if not able:
        return "No recipe is clearly better than the best stock schedule here: keep stock."
    recipe, (more, equal) = max(able, key=lambda each: (each[1][1] / each[0].steps, -each[0].steps))
    ratio, best, sampler = recipe.evidence["ratio"], recipe.evidence["best_stock"], recipe.sampler
    start = f"Your {recipe.steps} steps match {'more than ' if more else ''}stock's {equal}"
    stock = f"{sampler} with the best stock schedule ({best})"
    return f"{start}: {described(recipe)} has {ratio:.2f} of the error of {stock}."


def _matched(recipe: Recipe, record: Record) -> tuple[bool, int]:
    """(False, M) where stock needs M steps to match, (True, M) where all M that were tried do not do."""
    equal = recipe.evidence.get("equals_stock_steps")
    return (
        (False, equal)
        if equal
        else (True, max(int(steps) for steps in record.evidence["stock_curve"][recipe.sampler]))
    )


def _clearly_better(recipe: Recipe) -> bool:
    return outcome(recipe.evidence.get("ratio"), recipe.evidence.get("margin")) == BETTER


def _table(record: Record, sampler: str) -> str:
    default = DEFAULT_STOCK[record.model.parametrisation]
    found: dict[int, dict[bool, Recipe]] = {}
    for recipe in record.recipes:
        if recipe.sampler == sampler and recipe.evidence.get("best_stock"):
            found.setdefault(recipe.steps, {})[recipe.offsets is not None] = recipe
    header = (
        "steps",
        default,
        "best stock",
        "",
        "schedule",
        "and offsets",
        "ours/stock",
        "stock needs",
    )
    return table(
        header, [_row(record, found[steps], default) for steps in sorted(found)], left=(3,)
    )


def _row(record: Record, variants: dict[bool, Recipe], default: str) -> tuple:
    ours = min(variants.values(), key=lambda recipe: recipe.evidence["rms"] or math.inf)
    evidence, (more, equal) = ours.evidence, _matched(ours, record)
    stock, best = evidence["stock"], evidence["best_stock"]
    shown = [_own(variants.get(offsets)) for offsets in (False, True)]
    ratio = "-" if evidence["ratio"] is None else f"{evidence['ratio']:.2f}"
    return (
        ours.steps,
        error_text(stock[default]["rms"]),
        error_text(stock[best]["rms"]),
        best,
        *shown,
        ratio,
        f"over {equal}" if more else equal,
    )


def _own(recipe: Recipe | None) -> str:
    """Our error, marked where the recipe is a stock schedule that won."""
    return (
        "-"
        if recipe is None
        else error_text(recipe.evidence["rms"]) + (" " if recipe.choice.ours else "s")
    )


def draw(record: Record, asked: Asked, folder: Path, seed: int) -> None:
    """The three pictures."""
    from ..plots import curves as plots

    plots.plot_schedules(record, folder / PLOTS[0])
    plots.plot_errors(record, folder / PLOTS[1])
    digits = [5 + k % 5 for k in range(PICTURES)]
    rows, recipe = picture_rows(record, asked, seed)
    title = f"What {recipe.steps} model calls draw"
    under = (
        f"{asked.name} checkpoint, guidance {record.conditions.cfg:g}   |   "
        "held-out seeds, one a column; below each picture its error"
    )
    plots.plot_pictures(
        rows, folder / PLOTS[2], [f"digit {digit}" for digit in digits], title, under
    )


def picture_recipe(record: Record) -> Recipe:
    """The best recipe at the fewest steps, from four up, at which ours is clearly ahead; else
    simply the best at the first of these."""
    for steps in PICTURE_STEPS:
        there = [
            recipe
            for recipe in record.recipes
            if recipe.steps == steps and recipe.evidence.get("rms")
        ]
        best = min(there, key=lambda recipe: recipe.evidence["rms"])
        if best.choice.ours and _clearly_better(best):
            return best
    first = [recipe for recipe in record.recipes if recipe.steps == PICTURE_STEPS[0]]
    return min(first, key=lambda recipe: recipe.evidence.get("rms") or math.inf)


def picture_rows(record: Record, asked: Asked, seed: int) -> tuple[Sequence, Recipe]:
    """Teacher, default stock, best stock and ours on the same held-out noise, with errors, and the
    recipe that is ours."""
    import torch

    from ..distilling.run import EVIDENCE_SEED, noise_for
    from ..evidence.held_out import HeldOut
    from ..samplers.distilled import run_recipe
    from ..sigmas import table_for

    ours = picture_recipe(record)
    denoise = asked.evidence_denoise or asked.denoise
    shape, rows = asked.latent_shape, record.evidence["seeds"]
    noise = noise_for(shape, rows, seed + EVIDENCE_SEED, torch.device("cpu"))[:PICTURES]
    ends = asked.sigma_min, asked.sigma_max
    noise_table = table_for(*ends, asked.parametrisation, asked.shift)
    held_out = HeldOut(denoise, noise, noise_table, asked.parametrisation, ends, PICTURE_NODES)
    schedules = held_out.schedules(ours.steps)
    drawn = [("teacher", f"heun\n{PICTURE_NODES} nodes", held_out.end)]
    for label, recipe, detail in _rivals(ours, schedules, asked.parametrisation):
        latents = run_recipe(denoise, noise, recipe, asked.parametrisation)
        drawn.append((label, f"{ours.sampler}\n{detail}", latents))
    return [_picture_row(asked, held_out.end, *each) for each in drawn], ours


def _rivals(
    ours: Recipe, schedules: Mapping[str, np.ndarray], parametrisation: str
) -> list[tuple[str, Recipe, str]]:
    """(label, recipe, what it is) of the default stock schedule, the best one, and ours."""
    found = []
    for label, name in (
        ("default stock", DEFAULT_STOCK[parametrisation]),
        ("best stock", ours.evidence["best_stock"]),
    ):
        sigmas = tuple(schedules[name].tolist())
        stock = Recipe(ours.sampler, ours.steps, sigmas[0], sigmas, choice=Choice.read(name))
        found.append((label, stock, name))
    kind = "schedule" if ours.choice.ours else f"stock won: {ours.choice}"
    found.append(("distilled", ours, "schedule and offsets" if ours.offsets is not None else kind))
    return found


def _picture_row(asked: Asked, teacher, label: str, detail: str, latents) -> PictureRow:
    from ..plots.curves import PictureRow

    checkpoint = asked.checkpoint
    assert checkpoint is not None  # the demo's is bundled
    pictures = checkpoint.decode(latents).cpu().numpy()
    if label == "teacher":
        return PictureRow(label, detail, pictures)
    errors = (latents - teacher).float().flatten(1).square().mean(1).sqrt().cpu().numpy()
    rms = math.sqrt(float((errors**2).mean()))
    return PictureRow(label, f"{detail}\nerror {rms:.3f}", pictures, errors)
