"""How good the recipes are, on seeds and classes never used in fitting.

Beside the best stock pair in hindsight on the test set itself.

    python -m benchmarks.quality                              # the standard preset on all beds
    python -m benchmarks.quality --preset quick --beds flow:3 digit-atoms
    python -m benchmarks.quality --ablation --beds flow:3     # what each part adds
    python -m benchmarks.quality --pictures pictures.png      # the flow checkpoint at 4 and 6 steps
    python -m benchmarks.quality --read a.json b.json         # print again what --save wrote, together

Beds: flow and eps (the bundled checkpoints), isotropic-16, low-rank-64, photo-patches, digit-atoms,
each with :guidance. Stock runs are kept between calls (--cache), since they take most of the time.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks import tables
from benchmarks.runs import STEPS, run
from benchmarks.subjects import ALL, Subject, subject
from benchmarks.trial import STOCK_SAMPLERS, Trial, rms
from scheduler.distilling.candidates import _best_stock
from scheduler.distilling.experiments import Experiments
from scheduler.distilling.meter import Meter
from scheduler.distilling.plan import QUALITY, budget_for, plan_for
from scheduler.distilling.recording import recorded
from scheduler.distilling.request import request_of
from scheduler.distilling.resume import FinishedParts
from scheduler.distilling.run import plan_request
from scheduler.distilling.tasks import DISTILLED_STOCK
from scheduler.record import Choice, Record

SHOWN = (4, 5, 6, 8, 10)
# Together, as a preset is defined; then one alone, for its share.
RUNS = (("euler", "dpmpp_2m", "distilled"), ("uni_pc",))
SLOW = ("flow", "eps")  # tested on half as many rows


def measure(label: str, preset: str, rows: int, folder: Path | None, seed: int = 0) -> dict:
    """Everything the tables say of one bed, as plain data."""
    of = subject(label)
    trial = Trial(of, rows // 2 if of.name in SLOW else rows, folder)
    cells = {
        n: {"stock": _stock(trial, n), "double": _stock(trial, 2 * n), "recipes": {}, "guard": {}}
        for n in SHOWN
    }
    runs = []
    for samplers in RUNS:
        budget = budget_for(preset, samplers, STEPS)
        record, about = run(of, samplers, budget, seed)
        runs.append(about)
        made = _experiments(of, samplers, budget, seed)
        for n in SHOWN:
            cells[n]["recipes"] |= _recipes(trial, record, samplers, n)
            for sampler in samplers:
                cells[n]["guard"][sampler] = _guard(trial, *made, sampler, n)
    return {
        "bed": of.name,
        "cfg": of.cfg,
        "preset": preset,
        "rows": len(trial.noise),
        "runs": runs,
        "cells": cells,
    }


def summarised(errors: np.ndarray, choice: str) -> dict:
    return {"rms": rms(errors), "median": float(np.median(errors)), "choice": choice}


def _stock(trial: Trial, calls: int) -> dict[str, dict]:
    """The best stock schedule of each sampler, in hindsight, and of all pairs."""
    found = {}
    for sampler in STOCK_SAMPLERS:
        errors = trial.stock(sampler, calls)
        best = min(errors, key=lambda name: rms(errors[name]))
        median = min(float(np.median(each)) for each in errors.values())
        found[sampler] = summarised(errors[best], best) | {"median": median}
    return found


def _recipes(trial: Trial, record: Record, samplers, steps: int) -> dict[str, dict]:
    """By sampler, and sampler + "+" for the variant with query offsets.

    That is the plain one where offsets did not win.
    """
    found = {}
    for sampler in samplers:
        recipe = record.recipe(sampler, steps, offsets=sampler == "distilled")
        found[sampler] = summarised(trial.recipe(recipe), recipe.choice)
        if sampler == "distilled":
            continue
        recipe = record.recipe(sampler, steps, offsets=True)
        without = "" if recipe.offsets is not None else ", no offsets"
        found[f"{sampler}+"] = summarised(trial.recipe(recipe), f"{recipe.choice}{without}")
    return found


def _experiments(of: Subject, samplers, budget: int, seed: int) -> tuple[Experiments, int]:
    """The experiments that the run had, and its guard's width.

    Made again outside the run's account, to hear what its guard would say without ours.
    """
    rows = plan_for(samplers, STEPS, budget, elements=math.prod(of.latent_shape)).rows
    low, high = of.sigma_range
    job = request_of(
        of.fitting(rows),
        of.latent_shape,
        high,
        low,
        of.parametrisation,
        samplers,
        STEPS,
        of.conditions.shift,
        seed,
    )
    plan = plan_request(job, budget, 0, rows)
    made = recorded(job, plan, Meter(plan.calls), FinishedParts(None, ()), torch.device("cpu"))
    return made, plan.effort.guards


def _guard(trial: Trial, made: Experiments, guards: int, sampler: str, steps: int) -> dict:
    """What the guard's ranking gives a user who distils nothing, on the test rows.

    Its stock schedule; for "distilled" its stock pair.
    """
    pairs = DISTILLED_STOCK if sampler == "distilled" else (sampler,)
    found = [(_best_stock(made, pair, steps, guards), pair) for pair in pairs]
    best, pair = min(found, key=lambda each: each[0].errors.mean())
    return summarised(trial.run(pair, best.sigmas), Choice(best.choice.schedule, pair))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=QUALITY, default="standard")
    parser.add_argument(
        "--beds", nargs="+", default=ALL, metavar="BED[:GUIDANCE]", help=f"default: {' '.join(ALL)}"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=48,
        help="held-out rows; the checkpoints get half as many (default 48)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the fitting noise")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "stepdistill-quality",
        metavar="FOLDER",
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="also write the figures as JSON, after each bed"
    )
    parser.add_argument(
        "--read", type=Path, nargs="+", metavar="FILE", help="measure nothing; print these"
    )
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--pictures", type=Path, metavar="PNG")
    args = parser.parse_args()
    if args.pictures:
        from benchmarks.pictures import draw

        return draw(args.pictures, args.preset, args.rows // 2, args.cache)
    if args.ablation:
        from benchmarks.ablation import ablate

        for label in args.beds:
            ablate(label, args.rows, args.cache)
        return
    if args.read:
        read = [each for path in args.read for each in json.loads(path.read_text())]
        print(tables.everything([tables.with_whole_steps(each) for each in read]))
        return
    results = []
    for label in args.beds:
        results.append(measure(label, args.preset, args.rows, args.cache, args.seed))
        print(tables.bed(results[-1]), flush=True)
        if args.save:
            args.save.write_text(json.dumps(results))
    print(tables.summary(results))


if __name__ == "__main__":
    main()
