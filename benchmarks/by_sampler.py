"""The recipes of every sampler at several step counts from one distillation, beside each sampler's best
stock schedule in hindsight and what the guard would give a user who distils nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.runs import run
from benchmarks.subjects import Subject, subject
from benchmarks.trial import STOCK_SAMPLERS, Trial, rms
from scheduler.distilling.experiments import Experiments
from scheduler.distilling.meter import Meter
from scheduler.distilling.recording import recorded
from scheduler.distilling.request import request_of
from scheduler.distilling.resume import FinishedParts
from scheduler.distilling.run import plan_request
from scheduler.distilling.searches import Search
from scheduler.distilling.wishes import Wish
from scheduler.fit.candidate import DISTILLED
from scheduler.record import Choice, Record

SHOWN = (4, 5, 6, 8, 10)
# Together, as an artist asks for them; then one alone, for its share.
RUNS = (("euler", "dpmpp_2m", DISTILLED), ("uni_pc",))


def measure(label: str, effort: str, rows: int, folder: Path | None, seed: int = 0) -> dict:
    """Everything the tables say of one bed, as plain data."""
    of = subject(label)
    trial = Trial(of, rows, folder)
    cells = {
        n: {"stock": _stock(trial, n), "double": _stock(trial, 2 * n), "recipes": {}, "guard": {}}
        for n in SHOWN
    }
    runs = []
    for samplers in RUNS:
        record, about = run(of, samplers, SHOWN, seed, effort=effort)
        runs.append(about)
        made = _experiments(of, samplers, effort, seed)
        for n in SHOWN:
            cells[n]["recipes"] |= _recipes(trial, record, samplers, n)
            for sampler in samplers:
                cells[n]["guard"][sampler] = _guard(trial, made, sampler, n)
    return {
        "bed": of.name,
        "cfg": of.cfg,
        "effort": effort,
        "rows": len(trial.noise),
        "runs": runs,
        "cells": cells,
    }


def summarised(errors: np.ndarray, choice: object) -> dict:
    return {"rms": rms(errors), "median": float(np.median(errors)), "choice": str(choice)}


def _stock(trial: Trial, calls: int) -> dict[str, dict]:
    """The best stock schedule of each sampler, in hindsight, and of all pairs."""
    found = {}
    for sampler in STOCK_SAMPLERS:
        errors = trial.stock(sampler, calls)
        best = min(errors, key=lambda name: rms(errors[name]))
        median = min(float(np.median(each)) for each in errors.values())
        found[sampler] = summarised(errors[best], best) | {"median": median}
    return found


def _recipes(trial: Trial, record: Record, samplers: Sequence[str], steps: int) -> dict[str, dict]:
    """By sampler, and sampler + "+" for the variant with query offsets.

    That is the plain one where offsets did not win.
    """
    found = {}
    for sampler in samplers:
        recipe = record.recipe(sampler, steps, offsets=sampler == DISTILLED)
        found[sampler] = summarised(trial.recipe(recipe), recipe.choice)
        if sampler == DISTILLED:
            continue
        recipe = record.recipe(sampler, steps, offsets=True)
        without = "" if recipe.offsets is not None else ", no offsets"
        found[f"{sampler}+"] = summarised(trial.recipe(recipe), f"{recipe.choice}{without}")
    return found


def _experiments(of: Subject, samplers: Sequence[str], effort: str, seed: int) -> Experiments:
    """The experiments that the run had, made again outside its account, to hear what its guard would
    say without ours."""
    low, high = of.sigma_range
    job = request_of(
        of.fitting_any(seed),
        of.latent_shape,
        high,
        low,
        of.parametrisation,
        samplers,
        SHOWN,
        of.conditions.shift,
        seed,
    )
    plan = plan_request(job, None, 0, None, effort)
    return recorded(job, plan, Meter(plan.calls), FinishedParts(None, ()), torch.device("cpu"))


def _guard(trial: Trial, made: Experiments, sampler: str, steps: int) -> dict:
    """What the guard's own choice gives on the test rows: a stock schedule; for "distilled" a pair."""
    search = Search(made, Wish(sampler, steps, sampler == DISTILLED), ())
    search.begin()
    best = search.stock
    assert best is not None  # every sampler has a guard
    choice = Choice(best.choice.schedule, best.sampler)
    return summarised(trial.run(best.sampler, best.sigmas), choice)
