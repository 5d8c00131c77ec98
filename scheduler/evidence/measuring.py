"""Measures recipes on held-out noise, and conditioning, beside every stock schedule at equal model
calls, against a fine teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ..denoiser import Denoiser
from ..record import SAME_START, Choice, Recipe, curve_key
from ..record.left_out import LOWER_STARTS, TOO_SMALL
from ..samplers import model_calls
from ..sigmas import NoiseTable, baselines
from . import verdicts
from .held_out import Finished, HeldOut
from .plan import (
    LONGER_SCHEDULES,
    STOCK_SCHEDULES,
    EvidencePlan,
    calls_of,
    default_budget,
    least_budget,
    longer_steps,
    plan_evidence,
    stock_cells,
)

Curve = dict[int, float | None]
MOST_DIFFERENT = 0.1
HELD_OUT = "held_out"  # the kind of these rows: noise, and conditioning, that no fit has seen


@dataclass(frozen=True)
class Evidence:
    """recipes: as given, with `evidence` filled where measured. summary: the record's own evidence
    (curve, stock_curve, knee, seeds, rows, left_out, recommendation). model_calls: what was spent,
    every row counted."""

    recipes: list[Recipe]
    summary: dict
    model_calls: int

    @property
    def left_out(self) -> list[dict]:
        """What was left out, and why, as codes (record.left_out)."""
        return self.summary.get("left_out", [])


def measure(
    denoise: Denoiser,
    noise: torch.Tensor,
    recipes: Sequence[Recipe],
    table: NoiseTable,
    parametrisation: str,
    budget: int | None = None,
    sigma_min: float | None = None,
    on_call: Callable[[int], None] | None = None,
    finished: Finished | None = None,
) -> Evidence:
    """The evidence for recipes, from unit Gaussian held-out `noise` (R, ...); each row may have its
    own conditioning in `denoise`.

    Each recipe meets every baseline schedule with its own sampler at as many model calls;
    "distilled" meets every stock pair. The best of them is picked in hindsight, on these very rows,
    so that the comparison favours stock. `budget`: most model calls, every row counted (None:
    `default_budget`); with less, less is measured, and the summary says what was left out. Recipes that start below the others' start are not measured. on_call(model calls so
    far) follows each; `finished` keeps runs for a later start (`HeldOut`). Raises DenoiserError,
    SigmaRangeError, and whatever on_call raises.
    """
    budget = default_budget(*_wanted(recipes), len(noise)) if budget is None else budget
    start = max((recipe.start_sigma for recipe in recipes), default=table.sigma_max)
    whole = [recipe for recipe in recipes if recipe.start_sigma >= start * (1 - SAME_START)]
    low = table.sigma_min if sigma_min is None else sigma_min
    schedules = len(baselines(table, 1, low, start)) if whole else STOCK_SCHEDULES
    plan = plan_evidence(whole, len(noise), budget, schedules) if whole and len(noise) else None
    if plan is None:
        return _nothing(recipes, whole, len(noise), budget)
    left_out = [entry | {"budget": budget} for entry in plan.left_out]
    if len(whole) < len(recipes):
        left_out.append({"code": LOWER_STARTS})
    held_out = HeldOut(
        denoise, noise, table, parametrisation, (low, start), plan.nodes, on_call, finished
    )
    found = _measured(held_out, [recipe for recipe in whole if recipe.steps in plan.steps], plan)
    curves, stock_curves = _curves(found)
    _follow_stock(held_out, found, stock_curves, plan.spare)
    found = _with_equal_steps(found, stock_curves)
    knees = {key: verdicts.knee(_faithful(key, curve, found)) for key, curve in curves.items()}
    summary = {
        "curve": curves,
        "stock_curve": stock_curves,
        "knee": knees,
        "seeds": len(noise),
        "rows": {HELD_OUT: len(noise)},
        "left_out": left_out,
        "recommendation": verdicts.recommendation(found, curves, knees),
    }
    done = {_identity(recipe): recipe for recipe in found}
    measured = [done.get(_identity(recipe), recipe) for recipe in recipes]
    return Evidence(measured, summary, held_out.model.calls)


def _measured(held_out: HeldOut, recipes: Sequence[Recipe], plan: EvidencePlan) -> list[Recipe]:
    filled = []
    for recipe in recipes:
        cells = [
            cell
            for cell in stock_cells(recipe.sampler, recipe.steps, plan.pairs)
            if cell in plan.cells
        ]
        runs = [
            (name, sampler, errors)
            for sampler, steps in cells
            for name, errors in held_out.run_all(sampler, steps).items()
        ]
        stock = {_label(name, sampler, recipe): errors for name, sampler, errors in runs}
        calls = calls_of(recipe.sampler, recipe.steps)
        filled.append(
            replace(
                recipe,
                evidence=verdicts.compared(
                    recipe, held_out.run_recipe(recipe), stock, held_out.apart, calls
                ),
            )
        )
    return filled


def _label(name: str, sampler: str, recipe: Recipe) -> str:
    """How a stock run is named beside a recipe: by its schedule, and by its sampler too where that
    is another than the recipe's."""
    return Choice(name, sampler if recipe.sampler == "distilled" else None)


def _curves(recipes: Sequence[Recipe]) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Error against steps: of ours by `curve_key`, of the best stock choice by sampler."""
    ours: dict[str, Curve] = {}
    stock: dict[str, Curve] = {}
    for recipe in sorted(recipes, key=lambda recipe: recipe.steps):
        found = recipe.evidence
        ours.setdefault(curve_key(recipe), {})[recipe.steps] = found["rms"]
        stock.setdefault(recipe.sampler, {})[recipe.steps] = found["stock"][found["best_stock"]][
            "rms"
        ]
    return ours, stock


def _faithful(key: str, curve: Curve, recipes: Sequence[Recipe]) -> Curve:
    """The part of a curve where at most MOST_DIFFERENT of the samples turn into other pictures: a
    bend before that means nothing."""
    strays = {
        recipe.steps: recipe.evidence.get("different", 0)
        for recipe in recipes
        if curve_key(recipe) == key
    }
    return {steps: error for steps, error in curve.items() if strays[steps] <= MOST_DIFFERENT}


def _follow_stock(
    held_out: HeldOut, recipes: Sequence[Recipe], stock_curves: dict[str, Curve], spare: int
) -> None:
    """Extend each stock curve beyond the most steps of ours, until stock is as good as the best of
    ours, within `spare` calls a row."""
    for sampler, curve in stock_curves.items():
        own = [recipe for recipe in recipes if recipe.sampler == sampler]
        last = max(own, key=lambda recipe: recipe.steps)
        errors = {
            label: each["rms"]
            for label, each in last.evidence["stock"].items()
            if each["rms"] is not None
        }
        goal = min(
            (recipe.evidence["rms"] for recipe in own if recipe.evidence["rms"]), default=0.0
        )
        for steps in longer_steps(last.steps):
            leaders = [
                _leader(label, sampler, steps)
                for label in sorted(errors, key=errors.get)[:LONGER_SCHEDULES]
            ]
            spare -= sum(model_calls(pair, count) for _, pair, count in leaders)
            if spare < 0 or not leaders or verdicts.equal_steps(goal, curve) is not None:
                break
            runs = [
                verdicts.summarised(held_out.run(pair, held_out.schedules(count)[name]))["rms"]
                for name, pair, count in leaders
            ]
            curve[steps] = min((error for error in runs if error is not None), default=None)


def _leader(label: str, sampler: str, steps: int) -> tuple[str, str, int]:
    """(schedule, sampler, its steps) of a stock label at as many model calls as `steps` steps."""
    choice = Choice.read(label)
    return (
        choice.schedule,
        choice.sampler or sampler,
        (steps + 1) // 2 if choice.sampler == "heun" else steps,
    )


def _with_equal_steps(recipes: Sequence[Recipe], stock_curves: dict[str, Curve]) -> list[Recipe]:
    filled = []
    for recipe in recipes:
        equal = verdicts.equal_steps(recipe.evidence["rms"], stock_curves[recipe.sampler])
        filled.append(replace(recipe, evidence=recipe.evidence | {"equals_stock_steps": equal}))
    return filled


def _wanted(recipes: Sequence[Recipe]) -> tuple[list[str], list[int]]:
    return sorted({recipe.sampler for recipe in recipes}), sorted(
        {recipe.steps for recipe in recipes}
    )


def _identity(recipe: Recipe) -> tuple:
    return recipe.sampler, recipe.steps, recipe.start_sigma, recipe.offsets is not None


def _nothing(
    recipes: Sequence[Recipe], whole: Sequence[Recipe], rows: int, budget: int
) -> Evidence:
    if not whole or not rows or budget == 0:
        return Evidence(list(recipes), {}, 0)
    least = least_budget(*_wanted(whole), rows)
    left_out = [{"code": TOO_SMALL, "budget": budget, "least": least}]
    return Evidence(list(recipes), {"left_out": left_out}, 0)
