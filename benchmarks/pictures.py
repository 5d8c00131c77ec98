"""The picture grid of the README: the flow checkpoint at 4 and 6 steps on held-out seeds and
digits, in the same columns."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.quality import run
from benchmarks.subjects import subject
from benchmarks.trial import REFERENCE_NODES, Trial, rms
from scheduler.denoiser import start_state
from scheduler.distilling.plan import budget_for
from scheduler.evidence.verdicts import DEFAULT_STOCK
from scheduler.plots.curves import PictureRow, plot_pictures
from scheduler.record import Choice
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import baselines

LABEL, STEPS, COLUMNS = "flow:3", (4, 6), 5


def draw(path: Path, preset: str, rows: int, folder: Path | None) -> None:
    """Distil, then draw: teacher, and for each of STEPS the default stock schedule with euler, the
    best stock pair in hindsight, and ours.

    Errors at the left are over all `rows`, as in the tables; those below the pictures are the
    pictures' own.
    """
    of = subject(LABEL)
    trial = Trial(of, rows, folder)
    record, about = run(of, ("distilled",), budget_for(preset, ("distilled",), range(4, 13)))
    grid = [
        PictureRow(
            "teacher",
            f"heun, {REFERENCE_NODES} nodes\n{2 * REFERENCE_NODES - 1} model calls",
            _decoded(of, trial.end),
        )
    ]
    for steps in STEPS:
        default = DEFAULT_STOCK[of.parametrisation]
        pairs = trial.stock_pairs(steps)
        best = min(pairs, key=lambda name: rms(pairs[name]))
        grid.append(_stock_row(trial, "default", f"{default} + euler", steps))
        grid.append(_stock_row(trial, "best stock", best, steps))
        ends = run_recipe(
            trial.denoise, trial.noise, record.recipe("distilled", steps), of.parametrisation
        )
        grid.append(_row(trial, "distilled", steps, "schedule, coefficients,\nquery offsets", ends))
    title = "The same seeds, drawn in 4 and in 6 model calls"
    spent = f"distilled in {about['calls']} model calls"
    under = f"flow checkpoint, guidance {of.cfg:g}   |   seeds and digits that no fit has seen   |   {spent}"
    digits = [5 + k % 5 for k in range(COLUMNS)]
    plot_pictures(grid, path, [f"digit {digit}" for digit in digits], title, under)
    _slim(path)
    for row in grid:
        print(f"{row.label}: {row.detail!r}")


def _stock_row(trial: Trial, label: str, pair: str, calls: int) -> PictureRow:
    name, sampler = Choice.read(pair).schedule, Choice.read(pair).sampler
    steps = (calls + 1) // 2 if sampler == "heun" else calls
    sigmas = baselines(trial.subject.table, steps, *trial.subject.sigma_range)[name]
    start = start_state(trial.noise, float(sigmas[0]), trial.subject.parametrisation)
    return _row(
        trial, label, calls, f"{name},\n{sampler}", sample(trial.denoise, start, sigmas, sampler)
    )


def _row(trial: Trial, label: str, calls: int, detail: str, ends: torch.Tensor) -> PictureRow:
    errors = trial.errors(ends)
    return PictureRow(
        label,
        f"{calls} calls, error {rms(errors):.3f}\n{detail}",
        _decoded(trial.subject, ends),
        errors[:COLUMNS],
    )


def _slim(path: Path) -> None:
    """A palette of 256 colours: a third of the bytes, to the eye the same."""
    from PIL import Image  # matplotlib brings it

    picture = Image.open(path).convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def _decoded(of, latents: torch.Tensor):
    return of.model.decode(latents[:COLUMNS]).numpy()
