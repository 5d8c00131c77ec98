"""demo: the whole job on the bundled flow checkpoint, in about half a minute."""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Stopped
from ..files import make_folder
from ..record import Choice, Recipe, Record
from ..record.evidence_table import error_text, table
from ..record.verdict import BETTER, outcome
from ..record.verdict_words import described
from ..samplers.names import DISTILLED
from .console import command, positive_or_zero, say
from .distill import Settings, distilled
from .models import from_checkpoint

if TYPE_CHECKING:  # torch is imported where a command first needs it
    import numpy as np
    import torch

    from ..checkpoints import Checkpoint
    from ..checkpoints.asked import Asked
    from ..distilling.plan import Plan
    from ..plots import PictureRow

DESCRIPTION = """\
Shows all of StepDistill on a small bundled checkpoint (handwritten digits, a flow model of SD3's kind):
records a teacher on the digits 0 to 4, distils the sampler `distilled` for 4, 6 and 8 steps, measures it on
other noise and the digits 5 to 9 beside every pair of a stock sampler and a stock schedule, and writes the
record and three pictures into a folder. It takes about half a minute on two cores. Ctrl-C is safe: the same
command goes on from the recorded teacher."""
EXAMPLES = """\
  python -m scheduler demo
  python -m scheduler demo --output somewhere/else --cfg 3"""
SAMPLERS = (DISTILLED,)
STEPS = (4, 6, 8)
BUDGET = 2_000  # what the effort "standard" takes for each row, on all of them
ROWS = 10  # each digit twice
PLOTS = ("schedules.png", "error_against_steps.png", "pictures.png")
TITLE = "Error against the many-step picture, on seeds and digits that no fit has seen"
LEGEND = """\
best stock: the sampler and schedule that came nearest, of all, in hindsight. stock needs: the fewest steps
with which the best stock pair comes as near as ours."""
PICTURES = 5
FULL_STEPS = 24  # of a picture as it is drawn without us
PICTURE_NODES = 100
PICTURE_STEPS = STEPS


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "demo",
        "see the whole job on a bundled checkpoint, in half a minute",
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
        conditions=asked.conditions(arguments.cfg, arguments.seed),
        samples=ROWS,
        seed=arguments.seed,
        resume=folder / "resume",
        plan_words=plan_words,
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


def plan_words(plan: Plan) -> str:
    """What the demo is about to do, said before it begins."""
    steps = ", ".join(map(str, STEPS[:-1]))
    return (
        f"A small model that draws handwritten digits learns to draw in {steps} or {STEPS[-1]} steps: "
        f"at most {plan.calls:,} model calls, as many as {-(-plan.calls // FULL_STEPS)} pictures of "
        f"{FULL_STEPS} steps.\n"
        f"Then {plan.evidence:,} more measure it beside the stock samplers, on digits that it has not "
        "learnt from. Only this demo needs those: Few-Step KSampler learns a model of yours from one "
        "picture and some 40 calls."
    )


def report(record: Record) -> str:
    """The table and, in one sentence, what it says."""
    return "\n".join([f"\n{TITLE}\n{_table(record)}", LEGEND, "", headline(record)])


def headline(record: Record) -> str:
    """The most telling recipe of few steps: "Your 6 steps match stock's 11" (or beat them, where
    stock was not followed until it matches)."""
    able = [
        (recipe, _matched(recipe, record))
        for recipe in record.recipes
        if 3 <= recipe.steps <= 12 and _clearly_better(recipe)
    ]
    if not able:
        return "No recipe is clearly better than the best stock schedule here: keep stock."
    recipe, (more, equal) = max(able, key=lambda each: (each[1][1] / each[0].steps, -each[0].steps))
    ratio, best = recipe.evidence["ratio"], recipe.evidence["best_stock"]
    pair = f"{recipe.sampler} with the best stock schedule"
    if recipe.sampler == DISTILLED:
        pair = f"the best stock pair at {recipe.steps}"
    return (
        f"Your {recipe.steps} steps {'beat' if more else 'match'} stock's {equal}: "
        f"{described(recipe)} has {ratio:.2f} of the error of {pair} ({best})."
    )


def _matched(recipe: Recipe, record: Record) -> tuple[bool, int]:
    """(False, M) where stock needs M steps to match, (True, M) where all M that were tried do not."""
    equal = recipe.evidence.get("equals_stock_steps")
    if equal:
        return False, equal
    return True, max(int(steps) for steps in record.evidence["stock_curve"][recipe.sampler])


def _clearly_better(recipe: Recipe) -> bool:
    return outcome(recipe.evidence.get("ratio"), recipe.evidence.get("margin")) == BETTER


def _table(record: Record) -> str:
    header = ("steps", "best stock", "", "distilled", "share", "stock at twice", "stock needs")
    recipes = [each for each in record.recipes if each.evidence.get("best_stock")]
    return table(header, [_row(record, recipe) for recipe in recipes], left=(2,))


def _row(record: Record, recipe: Recipe) -> tuple:
    more, equal = _matched(recipe, record)
    evidence = recipe.evidence
    best = evidence["best_stock"]
    ratio = "-" if evidence["ratio"] is None else f"{evidence['ratio']:.2f}"
    return (
        recipe.steps,
        error_text(evidence["stock"][best]["rms"]),
        best,
        error_text(evidence["rms"]) + (" " if recipe.choice.ours else "s"),
        ratio,
        error_text(stock_error(record, recipe.sampler, 2 * recipe.steps)),
        f"over {equal}" if more else equal,
    )


def stock_error(record: Record, sampler: str, steps: int) -> float | None:
    """The error of the best stock pair beside a sampler; between measured step counts log error is
    taken as linear in log steps. None outside of them."""
    import numpy as np

    curve = record.evidence.get("stock_curve", {}).get(sampler, {})
    known = sorted((int(n), error) for n, error in curve.items() if error)
    if not known or not known[0][0] <= steps <= known[-1][0]:
        return None
    counts, errors = zip(*known, strict=True)
    return float(np.exp(np.interp(np.log(steps), np.log(counts), np.log(errors))))


def draw(record: Record, asked: Asked, folder: Path, seed: int) -> None:
    """The three pictures."""
    from .. import plots

    plots.plot_schedules(record, folder / PLOTS[0])
    plots.plot_errors(record, folder / PLOTS[1])
    digits = [f"digit {5 + k % 5}" for k in range(PICTURES)]
    rows, recipe = picture_rows(record, asked, seed)
    title = f"What {recipe.steps} steps draw, and what stock draws with twice as many"
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
    """The teacher, the best stock pair, ours, and that pair at twice the steps, on the same held-out
    noise, with errors; and the recipe that is ours."""
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
    drawn = [pictures.of_teacher(f"{PICTURE_NODES} steps\nheun")]
    best = Choice.read(ours.evidence["best_stock"])
    sampler = best.sampler or ours.sampler

    def of_stock(steps: int) -> PictureRow:
        sigmas = held_out.schedules(steps)[best.schedule]
        start = start_state(noise, sigmas[0], asked.parametrisation)
        end = sample(denoise, start, sigmas, sampler)
        return pictures.row("best stock", f"{steps} steps\n{sampler}\n{best.schedule}", end)

    drawn.append(of_stock(ours.steps))
    end = run_recipe(denoise, noise, ours, asked.parametrisation)
    drawn.append(pictures.row("distilled", f"{ours.steps} steps\n{_kind(ours)}", end))
    drawn.append(of_stock(2 * ours.steps))
    return drawn, ours


def _kind(recipe: Recipe) -> str:
    if recipe.coefficients is not None:
        return "with coefficients"
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
