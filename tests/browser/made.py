"""A record with made-up evidence, so that every part of a card has something to show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.record import Conditions, Model, Recipe, Record

STOCK = ("simple", "beta", "karras")


def made(name: str = "flow", bend: float = 1.4, created: str = "2026-11-21T00:00:00Z") -> Record:
    """Recipes of 4 to 8 steps for euler and the distilled sampler's own name; bend: of the
    schedules, to tell records apart."""
    recipes = [
        _recipe(sampler, steps, bend) for sampler in ("dpmpp_2m", "euler") for steps in range(4, 9)
    ]
    conditions = Conditions(name=name, cfg=3.0, latent_shape=(16, 8, 8))
    evidence = {
        "recommendation": {"steps": 6, "sampler": "euler", "offsets": False},
        "knee": {"euler": 6},
    }
    provenance = {"version": "0.1.0", "created": created, "model_calls": 100}
    return Record(
        Model.of(conditions, "flow", 0.003, 1.0), conditions, None, recipes, evidence, provenance
    )


def with_few_steps() -> Record:
    """The same with recipes for the distilled sampler: 6 steps do what 20 of stock's do."""
    record = made()
    fitted = []
    for steps in (4, 6, 8):
        each = _recipe("dpmpp_2m", steps, 1.4)
        evidence = each.evidence | {"equals_stock_steps": 4 * steps - 4}
        rows = [[0.0] * 4] * steps
        fitted.append(replace(each, sampler="distilled", coefficients=rows, evidence=evidence))
    return replace(record, recipes=(*record.recipes, *fitted))


def _recipe(sampler: str, steps: int, bend: float) -> Recipe:
    sigmas = np.append(np.geomspace(1.0, 0.05, steps) ** bend, 0.0)
    rms = 0.5 / steps**1.5
    stock = {each: {"rms": rms * (1.5 + k), "median": rms} for k, each in enumerate(STOCK)}
    evidence = {"rms": rms, "median": rms, "samples": 8, "model_calls": steps, "verdict": "better"}
    evidence |= {"stock": stock, "best_stock": "simple", "ratio": 0.667, "margin": 0.05}
    return Recipe(sampler, steps, 1.0, sigmas, evidence=evidence)
