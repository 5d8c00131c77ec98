"""Measures recipes on held-out noise, and conditioning, against a fine teacher.

Beside every stock schedule at equal model calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..denoiser import AnyDenoiser
from ..record import SAME_START, Choice, Recipe, curve_key
from ..record.left_out import FEW_STOCK, LOWER_STARTS, TOO_SMALL
from ..samplers import model_calls
from ..samplers.names import ON_PATHS
from ..sigmas import NoiseTable, baselines
from ..streams import Streams
from . import verdicts
from .held_out import Few, Finished, HeldOut, Ranked
from .plan import (
    FEW,
    LONGER_SCHEDULES,
    WHOLE,
    EvidencePlan,
    Scope,
    calls_of,
    default_budget,
    least_budget,
    longer_steps,
    plan_evidence,
    stock_cells,
)
from .stock_run import StockRun

Curve = dict[int, float | None]
MOST_DIFFERENT = 0.1
HELD_OUT = "held_out"  # the kind of these rows: noise, and conditioning, that no fit has seen


@dataclass(frozen=True)
class Evidence:
    """What was measured.

    recipes: as given, with `evidence` filled where measured. summary: the record's own evidence
    (curve, stock_curve, knee, seeds, rows, left_out, recommendation). model_calls: what was spent,
    every row counted.
    """

    recipes: list[Recipe]
    summary: dict
    model_calls: int

    @property
    def left_out(self) -> list[dict]:
        """What was left out, and why, as codes (record.left_out)."""
        return self.summary.get("left_out", [])


def measure(
    denoise: AnyDenoiser,
    noise: torch.Tensor,
    recipes: Sequence[Recipe],
    table: NoiseTable,
    process: str,
    budget: int | None = None,
    sigma_min: float | None = None,
    on_call: Callable[[int], None] | None = None,
    finished: Finished | None = None,
    ranked: Ranked | None = None,
    on_found: Callable[[Evidence], None] | None = None,
    streams: Streams | None = None,
) -> Evidence:
    """The evidence for recipes, from unit Gaussian held-out `noise` (R, ...).

    Each row may have its own conditioning in `denoise`. Each recipe meets every baseline schedule
    with its own sampler at as many model calls; "distilled" meets every stock pair. The best of
    them is picked in hindsight, on these very rows, so that the comparison favours stock. `budget`:
    most model calls, every row counted (None: `default_budget`); with less, less is measured, and
    the summary says what was left out. Recipes that start below the others' start are not measured.
    `ranked`: (sampler, steps) -> stock schedules' names, the best first by what was recorded: with
    it the first few are run alone (plan.FEW), beside a cheaper reference. on_call(model calls so
    far) follows each; `finished` keeps runs for a later start (`HeldOut`); on_found hears what
    there is after each step count but the last. streams: of latents that were weighed for
    them. Raises DenoiserError, SigmaRangeError, and
    whatever on_call raises.
    """
    scope = WHOLE if ranked is None else FEW
    budget = default_budget(*_wanted(recipes), len(noise), scope) if budget is None else budget
    ours = [recipe for recipe in recipes if recipe.sampler not in ON_PATHS]  # see stochastic.py
    start = max((recipe.start_sigma for recipe in ours), default=table.sigma_max)
    whole = [recipe for recipe in ours if recipe.start_sigma >= start * (1 - SAME_START)]
    low = table.sigma_min if sigma_min is None else sigma_min
    if whole and ranked is None:
        scope = replace(scope, schedules=len(baselines(table, 1, low, start)))
    plan = plan_evidence(whole, len(noise), budget, scope) if whole and len(noise) else None
    if plan is None:
        return _nothing(recipes, whole, len(noise), budget, scope)
    left_out = [entry | {"budget": budget} for entry in plan.left_out]
    if ranked is not None:
        left_out.append({"code": FEW_STOCK, "schedules": scope.schedules})
    if len(whole) < len(ours):
        left_out.append({"code": LOWER_STARTS})
    few = None if ranked is None else Few(ranked, scope.schedules)
    about = (low, start), plan.nodes, on_call, finished, few, streams
    held_out = HeldOut(denoise, noise, table, process, *about)
    findings = _Findings(held_out, recipes, whole, plan, left_out)
    for steps in plan.steps:
        findings.measure(steps)
        if on_found is not None and steps != plan.steps[-1]:
            on_found(findings.evidence())
    return findings.evidence(plan.spare)


class _Findings:
    """What was measured of `whole` so far, as evidence of all `recipes`."""

    def __init__(
        self,
        held_out: HeldOut,
        recipes: Sequence[Recipe],
        whole: Sequence[Recipe],
        plan: EvidencePlan,
        left_out: list[dict],
    ):
        self.held_out, self.recipes, self.whole = held_out, recipes, whole
        self.plan, self.left_out = plan, left_out
        self._done: dict[tuple, Recipe] = {}

    def measure(self, steps: int) -> None:
        """Measure the recipes of one step count."""
        here = [recipe for recipe in self.whole if recipe.steps == steps]
        for recipe in _measured(self.held_out, here, self.plan):
            self._done[_identity(recipe)] = recipe

    def evidence(self, spare: int = 0) -> Evidence:
        """All of it, with stock followed beyond our steps for `spare` calls a row."""
        found = [self._done[name] for name in map(_identity, self.whole) if name in self._done]
        curves, stock_curves = _curves(found)
        _follow_stock(self.held_out, found, stock_curves, spare)
        found = _with_equal_steps(found, stock_curves)
        knees = {key: verdicts.knee(_faithful(key, curve, found)) for key, curve in curves.items()}
        rows = len(self.held_out.noise)
        summary = {
            "curve": curves,
            "stock_curve": stock_curves,
            "knee": knees,
            "seeds": rows,
            "rows": {HELD_OUT: rows},
            "left_out": self.left_out,
            "recommendation": verdicts.recommendation(found, curves, knees),
        }
        done = {_identity(recipe): recipe for recipe in found}
        filled = [done.get(_identity(recipe), recipe) for recipe in self.recipes]
        return Evidence(filled, summary, self.held_out.model.calls)


def _measured(held_out: HeldOut, recipes: Sequence[Recipe], plan: EvidencePlan) -> list[Recipe]:
    filled = []
    for recipe in recipes:
        stock: dict[str, np.ndarray] = {}
        for sampler, steps in stock_cells(recipe.sampler, recipe.steps, plan.pairs):
            if (sampler, steps) in plan.cells:
                for name, errors in held_out.run_all(sampler, steps).items():
                    stock[_label(name, sampler, recipe)] = errors
        ours = held_out.run_recipe(recipe)
        calls = calls_of(recipe.sampler, recipe.steps)
        found = verdicts.compared(recipe, ours, stock, held_out.apart, calls)
        if found.get("best_stock") is not None:
            streams = held_out.streams_beside(recipe, Choice.read(found["best_stock"]))
            found |= {"streams": streams} if streams else {}
        filled.append(replace(recipe, evidence=found))
    return filled


def _label(name: str, sampler: str, recipe: Recipe) -> Choice:
    """How a stock run is named beside a recipe.

    By its schedule, and by its sampler too where that is another than the recipe's.
    """
    return Choice(name, sampler if recipe.sampler == "distilled" else None)


def _curves(recipes: Sequence[Recipe]) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Error against steps: of ours by `curve_key`, of the best stock choice by sampler."""
    ours: dict[str, Curve] = {}
    stock: dict[str, Curve] = {}
    for recipe in sorted(recipes, key=lambda recipe: recipe.steps):
        found = recipe.evidence
        best = found["stock"][found["best_stock"]]
        ours.setdefault(curve_key(recipe), {})[recipe.steps] = found["rms"]
        stock.setdefault(recipe.sampler, {})[recipe.steps] = best["rms"]
    return ours, stock


def _faithful(key: str, curve: Curve, recipes: Sequence[Recipe]) -> Curve:
    """The part of a curve where at most MOST_DIFFERENT of the samples turn into other pictures.

    A bend before that means nothing.
    """
    strays = {
        recipe.steps: recipe.evidence.get("different", 0)
        for recipe in recipes
        if curve_key(recipe) == key
    }
    return {steps: error for steps, error in curve.items() if strays[steps] <= MOST_DIFFERENT}


def _follow_stock(
    held_out: HeldOut, recipes: Sequence[Recipe], stock_curves: dict[str, Curve], spare: int
) -> None:
    """Extend each stock curve beyond the most steps of ours.

    Until stock is as good as the best of ours, within `spare` calls a row.
    """
    for sampler, curve in stock_curves.items():
        own = [recipe for recipe in recipes if recipe.sampler == sampler]
        last = max(own, key=lambda recipe: recipe.steps)
        best = [Choice.read(label) for label in _best_labels(last)[:LONGER_SCHEDULES]]
        goal = min((each.evidence["rms"] for each in own if each.evidence["rms"]), default=0.0)
        for steps in longer_steps(last.steps):
            runs = [StockRun.at_equal_calls(choice, sampler, steps) for choice in best]
            spare -= sum(model_calls(run.sampler, run.steps) for run in runs)
            if spare < 0 or not runs or verdicts.equal_steps(goal, curve) is not None:
                break
            errors = [_error(run, held_out) for run in runs]
            curve[steps] = min((error for error in errors if error is not None), default=None)


def _best_labels(recipe: Recipe) -> list[str]:
    """The stock choices beside a recipe that came to something, the best first."""
    stock = recipe.evidence["stock"]
    sound = [label for label, each in stock.items() if each["rms"] is not None]
    return sorted(sound, key=lambda label: stock[label]["rms"])


def _error(run: StockRun, held_out: HeldOut) -> float | None:
    """Its RMS error over all rows; None where it came to nothing."""
    sigmas = held_out.schedules(run.steps)[run.schedule]
    return verdicts.summarised(held_out.run(run.sampler, sigmas))["rms"]


def _with_equal_steps(recipes: Sequence[Recipe], stock_curves: dict[str, Curve]) -> list[Recipe]:
    filled = []
    for recipe in recipes:
        error, curve = recipe.evidence["rms"], stock_curves[recipe.sampler]
        told = {"equals_stock_steps": verdicts.equal_steps(error, curve)}
        beaten = verdicts.beaten_steps(error, curve)
        if beaten is not None:
            told["beats_stock_steps"] = beaten
        filled.append(replace(recipe, evidence=recipe.evidence | told))
    return filled


def _wanted(recipes: Sequence[Recipe]) -> tuple[list[str], list[int]]:
    samplers = {recipe.sampler for recipe in recipes}
    steps = {recipe.steps for recipe in recipes}
    return sorted(samplers), sorted(steps)


def _identity(recipe: Recipe) -> tuple:
    return recipe.sampler, recipe.steps, recipe.start_sigma, recipe.offsets is not None


def _nothing(
    recipes: Sequence[Recipe], whole: Sequence[Recipe], rows: int, budget: int, scope: Scope
) -> Evidence:
    if not whole or not rows or budget == 0:
        return Evidence(list(recipes), {}, 0)
    least = least_budget(*_wanted(whole), rows, scope)
    left_out = [{"code": TOO_SMALL, "budget": budget, "least": least}]
    return Evidence(list(recipes), {"left_out": left_out}, 0)
