"""The picture grid of the README: the flow checkpoint at 4 and 6 steps.

On held-out seeds and digits, in the same columns.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.runs import run
from benchmarks.subjects import subject
from benchmarks.trial import Trial, rms
from scheduler.denoiser import start_state
from scheduler.evidence.plan import equal_calls_steps
from scheduler.evidence.verdicts import DEFAULT_STOCK
from scheduler.plots import PictureRow, plot_pictures
from scheduler.record import Choice
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import baselines

LABEL = "flow:3"
STEPS = (4, 6)
COLUMNS = 5


def draw(path: Path, effort: str, folder: Path | None) -> None:
    """Distil, then draw.

    The teacher, and for each of STEPS the default stock schedule with euler, the best stock pair in
    hindsight, and ours. Errors at the left are over all rows of the tables; those below the pictures
    are the pictures' own.
    """
    of = subject(LABEL)
    trial = Trial(of, folder=folder)
    record, about = run(of, steps=STEPS, effort=effort)
    nodes = of.reference_nodes
    spent = f"heun, {nodes} nodes\n{2 * nodes - 1} model calls"
    grid = [PictureRow("teacher", spent, _decoded(of, trial.end))]
    for steps in STEPS:
        default = DEFAULT_STOCK[of.parametrisation]
        pairs = trial.stock_pairs(steps)
        best = min(pairs, key=lambda name: rms(pairs[name]))
        grid.append(_stock_row(trial, "default", f"{default} + euler", steps))
        grid.append(_stock_row(trial, "best stock", best, steps))
        recipe = record.recipe("distilled", steps)
        ends = run_recipe(trial.denoise, trial.noise, recipe, of.parametrisation)
        grid.append(_row(trial, "distilled", steps, "schedule, coefficients,\nquery offsets", ends))
    title = "The same seeds, drawn in 4 and in 6 model calls"
    under = "   |   ".join(
        (
            f"flow checkpoint, guidance {of.cfg:g}",
            "seeds and digits that no fit has seen",
            f"distilled in {about['calls']} model calls",
        )
    )
    digits = [f"digit {5 + k % 5}" for k in range(COLUMNS)]
    plot_pictures(grid, path, digits, title, under)
    _slim(path)
    for row in grid:
        print(f"{row.label}: {row.detail!r}")


def _stock_row(trial: Trial, label: str, pair: str, calls: int) -> PictureRow:
    choice = Choice.read(pair)
    steps = equal_calls_steps(choice.sampler, calls)
    sigmas = baselines(trial.subject.table, steps, *trial.subject.sigma_range)[choice.schedule]
    start = start_state(trial.noise, float(sigmas[0]), trial.subject.parametrisation)
    ends = sample(trial.denoise, start, sigmas, choice.sampler)
    return _row(trial, label, calls, f"{choice.schedule},\n{choice.sampler}", ends)


def _row(trial: Trial, label: str, calls: int, detail: str, ends: torch.Tensor) -> PictureRow:
    errors = trial.errors(ends)
    detail = f"{calls} calls, error {rms(errors):.3f}\n{detail}"
    return PictureRow(label, detail, _decoded(trial.subject, ends), errors[:COLUMNS])


def _slim(path: Path) -> None:
    """A palette of 256 colours: a third of the bytes, to the eye the same."""
    from PIL import Image  # matplotlib brings it

    picture = Image.open(path).convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def _decoded(of, latents: torch.Tensor):
    return of.model.decode(latents[:COLUMNS]).numpy()
