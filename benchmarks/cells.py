"""One step count at a few model calls: the cells of the tables of `benchmarks.quality --table`.

A cell is a bed, a step count and a number of model calls; its figure the held-out RMS over that of the best
stock pair in hindsight at as many steps, and at twice as many.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import run
from benchmarks.subjects import CHECKPOINTS, MOSAICS, SMALL, subject
from benchmarks.trial import Trial, rms
from scheduler.errors import BudgetError

STEPS = (4, 6, 8)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Mark:
    """What is to be reached at so many model calls, one number for each of STEPS. Of the ratio to the
    best stock pair at N: mean, cell and seed, of that at 2N: double_mean and double_cell. None: no mark."""

    calls: tuple[int, ...]
    mean: float | None = None
    cell: float | None = None
    seed: float | None = None
    double_mean: float | None = None
    double_cell: float | None = None

    @property
    def name(self) -> str:
        return "/".join(map(str, dict.fromkeys(self.calls)))


@dataclass(frozen=True)
class Table:
    """beds, and what is to be reached on them."""

    beds: tuple[str, ...]
    marks: tuple[Mark, ...]


TABLES = {
    "mosaics": Table(
        MOSAICS,
        (
            Mark((60, 75, 90), mean=0.45, cell=0.95),
            Mark((120, 200, 300), mean=0.30, cell=0.75, double_mean=0.90, double_cell=1.5),
            Mark((1000,) * 3, mean=0.25, double_cell=1.0),
        ),
    ),
    "checkpoints": Table(
        CHECKPOINTS,
        (
            Mark((130,) * 3, mean=0.50, cell=0.9, seed=1.0),
            Mark((500,) * 3, mean=0.38, double_mean=1.0),
            Mark((1000,) * 3, mean=0.33, double_cell=1.3),
        ),
    ),
    "small": Table(SMALL, (Mark((130,) * 3), Mark((500,) * 3), Mark((1000,) * 3))),
}


def measured(
    table: Table, beds: Sequence[str], seeds: Sequence[int], folder: Path, save: Path | None
) -> list[dict]:
    """The cells of some beds, as plain data; those that are in `save` are not measured again."""
    results = json.loads(save.read_text()) if save and save.exists() else []
    done = {_key(each) for each in results}
    for label in beds:
        trial = Trial(subject(label), folder=folder)
        for mark in table.marks:
            for steps, budget in zip(STEPS, mark.calls, strict=True):
                for seed in seeds:
                    cell = {"bed": label, "steps": steps, "budget": budget, "seed": seed}
                    if _key(cell) in done:
                        continue
                    results.append(cell | figures(trial, steps, seed, budget=budget))
                    if save:
                        save.parent.mkdir(parents=True, exist_ok=True)
                        save.write_text(json.dumps(results))
    return results


def figures(trial: Trial, steps: int, seed: int, **how) -> dict:
    """What a cell says of one distillation. how: what `runs.run` takes."""
    try:
        record, about = run(trial.subject, steps=steps, seed=seed, **how)
    except BudgetError as refusal:
        return {"refused": str(refusal)}
    recipe = record.recipe("distilled", steps)
    (best, least), (_, double) = trial.best(steps), trial.best(2 * steps)
    error = rms(trial.recipe(recipe))
    return {
        "calls": about["calls"],
        "evaluations": about["evaluations"],
        "seconds": round(about["seconds"], 2),
        "own_seconds": round(about["own_seconds"], 2),
        "rows": about["plan"].get("rows"),
        "choice": str(recipe.choice),
        "best_stock": best,
        "rms": error,
        "over": error / least,
        "over_double": error / double,
    }


def _key(cell: dict) -> tuple:
    return cell["bed"], cell["steps"], cell["budget"], cell["seed"]
