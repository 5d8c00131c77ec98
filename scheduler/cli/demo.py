"""demo: the whole job on the bundled flow checkpoint, in under two minutes."""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Stopped
from ..evidence.verdicts import DEFAULT_STOCK
from ..files import make_folder
from ..record import Recipe, Record
from ..record.evidence_table import error_text, table
from ..record.verdict import BETTER, outcome
from ..record.verdict_words import described
from .console import command, positive_or_zero, say
from .distill import Settings, conditions_of, distilled
from .models import Asked, from_checkpoint

if TYPE_CHECKING:  # torch is imported where a command first needs it
    import numpy as np
    import torch

    from ..checkpoints import Checkpoint
    from ..plots import PictureRow

DESCRIPTION = """\
Shows all of StepDistill on a small bundled checkpoint (handwritten digits, a flow model of SD3's kind):
records a teacher on the digits 0 to 4, distils recipes of 1 to 20 steps for euler and dpmpp_2m, measures
them on other noise and the digits 5 to 9 beside every stock schedule at equal model calls, and writes the
record and three pictures into a folder. It takes under two minutes on two cores. Ctrl-C is safe: the same
command goes on from the recorded teacher."""
EXAMPLES = """\
  python -m scheduler demo
  python -m scheduler demo --output somewhere/else --cfg 3"""
SAMPLERS = ("euler", "dpmpp_2m")
STEPS = range(1, 21)
BUDGET = 16_000
ROWS = 10
PLOTS = ("schedules.png", "error_against_steps.png", "pictures.png")
TITLE = "error against the many-step picture, on held-out seeds and digits"
LEGEND = """\
s: a stock schedule, because ours did not beat it when distilling. ours/stock: the better of ours beside the
best stock schedule. stock needs: the fewest steps at which the best stock schedule reaches our error."""
PICTURES = 5
PICTURE_NODES = 100
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
    from ..distilling.planning import EVIDENCE_ROWS
    from ..evidence import full_budget

    rows = math.ceil(EVIDENCE_ROWS / ROWS) * ROWS  # whole batches, as `distill` measures them
    asked = from_checkpoint(
        argparse.Namespace(
            model="flow",
            device="cpu",
            classes=range(5),
            test_classes=range(5, 10),
            cfg=arguments.cfg,
        )
    )
    settings = Settings(
        samplers=SAMPLERS,
        steps=STEPS,
        budget=BUDGET,
        effort="thorough",
        evidence_budget=full_budget(SAMPLERS, STEPS, rows),
        conditions=conditions_of(asked, arguments.cfg, arguments.seed),
        samples=ROWS,
        seed=arguments.seed,
        resume=folder / "resume",
    )
    try:
        record = distilled(asked, settings)
    except Stopped as stop:
        stop.args = ("stopped; the same command goes on from what is finished.",)
        raise
    record.save(folder / "record.json")
    print(report(record))
    draw(record, asked, folder, arguments.seed)
    files = ", ".join(("record.json", *PLOTS))
    say(f"\nDone in {time.monotonic() - began:.0f} s. In {folder.resolve()}: {files}")
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
    ratio = recipe.evidence["ratio"]
    return (
        f"Your {recipe.steps} steps match {'more than ' if more else ''}stock's {equal}: "
        f"{described(recipe)} has {ratio:.2f} of the error of {recipe.sampler} "
        f"with the best stock schedule ({recipe.evidence['best_stock']})."
    )


def _matched(recipe: Recipe, record: Record) -> tuple[bool, int]:
    """(False, M) where stock needs M steps to match, (True, M) where all M that were tried do not."""
    equal = recipe.evidence.get("equals_stock_steps")
    if equal:
        return False, equal
    return True, max(int(steps) for steps in record.evidence["stock_curve"][recipe.sampler])


def _clearly_better(recipe: Recipe) -> bool:
    return outcome(recipe.evidence.get("ratio"), recipe.evidence.get("margin")) == BETTER


def _table(record: Record, sampler: str) -> str:
    default = DEFAULT_STOCK[record.model.parametrisation]
    found: dict[int, dict[bool, Recipe]] = {}
    for recipe in record.recipes:
        if recipe.sampler == sampler and recipe.evidence.get("best_stock"):
            found.setdefault(recipe.steps, {})[recipe.offsets is not None] = recipe
    ours = ("schedule", "and offsets", "ours/stock", "stock needs")
    header = ("steps", default, "best stock", "", *ours)
    rows = [_row(record, found[steps], default) for steps in sorted(found)]
    return table(header, rows, left=(3,))


def _row(record: Record, variants: dict[bool, Recipe], default: str) -> tuple:
    ours = min(variants.values(), key=lambda recipe: recipe.evidence["rms"] or math.inf)
    more, equal = _matched(ours, record)
    evidence = ours.evidence
    stock = evidence["stock"]
    best = evidence["best_stock"]
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
    if recipe is None:
        return "-"
    return error_text(recipe.evidence["rms"]) + (" " if recipe.choice.ours else "s")


def draw(record: Record, asked: Asked, folder: Path, seed: int) -> None:
    """The three pictures."""
    from .. import plots

    plots.plot_schedules(record, folder / PLOTS[0])
    plots.plot_errors(record, folder / PLOTS[1])
    digits = [f"digit {5 + k % 5}" for k in range(PICTURES)]
    rows, recipe = picture_rows(record, asked, seed)
    title = f"What {recipe.steps} model calls draw"
    under = (
        f"{asked.name} checkpoint, guidance {record.conditions.cfg:g}   |   "
        "held-out seeds, one a column; below each picture its error"
    )
    plots.plot_pictures(rows, folder / PLOTS[2], digits, title, under)


def picture_recipe(record: Record) -> Recipe:
    """The best recipe at the fewest steps, from four up, at which ours is clearly ahead.

    Else simply the best at the first of these.
    """
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


def picture_rows(record: Record, asked: Asked, seed: int) -> tuple[list[PictureRow], Recipe]:
    """Teacher, default stock, best stock and ours on the same held-out noise, with errors.

    And the recipe that is ours.
    """
    import torch

    from ..denoiser import start_state
    from ..distilling.run import EVIDENCE_SEED
    from ..evidence.held_out import HeldOut
    from ..rows import noise_for
    from ..samplers import sample
    from ..samplers.distilled import run_recipe
    from ..sigmas import table_for

    assert asked.evidence_denoise is not None and asked.checkpoint is not None  # it is a checkpoint
    denoise = asked.evidence_denoise
    ours = picture_recipe(record)
    rows = record.evidence["seeds"]
    noise = noise_for(asked.latent_shape, rows, seed + EVIDENCE_SEED, torch.device("cpu"))
    noise = noise[:PICTURES]
    noise_table = table_for(asked.sigma_min, asked.sigma_max, asked.parametrisation, asked.shift)
    held_out = HeldOut(
        denoise,
        noise,
        noise_table,
        asked.parametrisation,
        (asked.sigma_min, asked.sigma_max),
        PICTURE_NODES,
    )
    pictures = _Pictures(asked.checkpoint, held_out.end)
    drawn = [pictures.of_teacher(f"heun\n{PICTURE_NODES} nodes")]
    for label, name in (
        ("default stock", DEFAULT_STOCK[asked.parametrisation]),
        ("best stock", ours.evidence["best_stock"]),
    ):
        sigmas = held_out.schedules(ours.steps)[name]
        end = sample(
            denoise, start_state(noise, sigmas[0], asked.parametrisation), sigmas, ours.sampler
        )
        drawn.append(pictures.row(label, f"{ours.sampler}\n{name}", end))
    end = run_recipe(denoise, noise, ours, asked.parametrisation)
    drawn.append(pictures.row("distilled", f"{ours.sampler}\n{_kind(ours)}", end))
    return drawn, ours


def _kind(recipe: Recipe) -> str:
    if recipe.offsets is not None:
        return "schedule and offsets"
    return "schedule" if recipe.choice.ours else f"stock won: {recipe.choice}"


@dataclass(frozen=True)
class _Pictures:
    """Makes the rows of the picture grid from latents (B, C, H, W)."""

    checkpoint: Checkpoint
    teacher: torch.Tensor

    def of_teacher(self, detail: str) -> PictureRow:
        return self._row("teacher", detail, self.teacher, None)

    def row(self, label: str, detail: str, latents: torch.Tensor) -> PictureRow:
        """One with its errors."""
        from ..rows import row_errors

        errors = row_errors(latents, self.teacher)
        rms = math.sqrt(float((errors**2).mean()))
        return self._row(label, f"{detail}\nerror {rms:.3f}", latents, errors)

    def _row(
        self, label: str, detail: str, latents: torch.Tensor, errors: np.ndarray | None
    ) -> PictureRow:
        from ..plots import PictureRow

        pictures = self.checkpoint.decode(latents).cpu().numpy()
        return PictureRow(label, detail, pictures, errors)
