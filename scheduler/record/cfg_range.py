"""One recipe over a range of cfg: where it was checked, and between which ends it counts as checked.

A recipe's evidence keeps the checks under "cfg_checks": at which cfg, its error and the best stock pair's
there, and whether it held. It serves from the lowest to the highest cfg at which it held, as far as no check
in between failed: measured on the bundled checkpoints, one recipe between two checked ends stays as near to
a recipe of its own as at the ends (benchmarks/kin.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Recipe, Record

CHECKS = "cfg_checks"
FITTED_AT = "cfg"  # of a recipe's evidence: where it was fitted, if not at its record's
MOST_CHECKS = 50
SAME_CFG = 1e-6


def with_check(record: Record, recipe: Recipe, cfg: float, found: Mapping) -> Record:
    """The record with one more check of one of its recipes. found: verdict, rms, stock_rms, rows, ...; a
    check at a cfg that was checked before takes its place."""
    kept = [each for each in checks_of(recipe) if abs(each["cfg"] - cfg) > SAME_CFG]
    entry = {"cfg": float(cfg), "holds": found["verdict"] == "holds", **_told(found)}
    checks = sorted([*kept, entry][-MOST_CHECKS:], key=lambda each: each["cfg"])
    new = replace(recipe, evidence=recipe.evidence | {CHECKS: checks})
    return replace(
        record, recipes=tuple(new if each is recipe else each for each in record.recipes)
    )


def checks_of(recipe: Recipe) -> list[dict]:
    """The checks of a recipe at other cfgs than its own."""
    return list(recipe.evidence.get(CHECKS, ()))


def fitted_at(recipe: Recipe, own: float | None) -> float | None:
    """The cfg that a recipe was fitted at. own: its record's."""
    return recipe.evidence.get(FITTED_AT, own)


def made_at(record: Record, recipe: Recipe) -> float | None:
    """The same of one that runs, by its record as it was made."""
    known = {_numbers(each): each for each in record.recipes}
    return fitted_at(known.get(_numbers(recipe), recipe), record.conditions.cfg)


def check_at(record: Record, recipe: Recipe, cfg: float | None) -> dict | None:
    """The check of one that runs at the very cfg, where it has numbers, by its record as it was made."""
    made = [each for each in record.recipes if _numbers(each) == _numbers(recipe)]
    for each in checks_of(made[0]) if made and cfg is not None else ():
        if abs(each["cfg"] - cfg) <= SAME_CFG:
            return each if each.get("stock_rms") and "rms" in each else None
    return None


def stamped(record: Record, known: Record, cfg: float | None) -> Record:
    """A record whose recipes that `known` does not have say at which cfg they were fitted, where that is
    not the record's own (which holds for all near it)."""
    own = record.conditions.cfg
    if cfg is None or own is None or abs(cfg - own) <= SAME_CFG:
        return record
    old = set(known.recipes)
    recipes = (
        each
        if each in old
        else replace(each, evidence=each.evidence | {FITTED_AT: each.evidence.get(FITTED_AT, cfg)})
        for each in record.recipes
    )
    return replace(record, recipes=tuple(recipes))


def span(recipe: Recipe, own: float | None) -> tuple[float, float] | None:
    """(lowest, highest) cfg that a recipe made at `own` serves by its checks; None where it has none that
    held."""
    own = fitted_at(recipe, own)
    if own is None:
        return None
    checks = checks_of(recipe)
    failed = [each["cfg"] for each in checks if not each["holds"]]
    above = min((cfg for cfg in failed if cfg > own), default=float("inf"))
    below = max((cfg for cfg in failed if cfg < own), default=float("-inf"))
    held = [each["cfg"] for each in checks if each["holds"] and below < each["cfg"] < above]
    return (min(own, *held), max(own, *held)) if held else None


def with_checks_of(recipe: Recipe, before: Recipe) -> Recipe:
    """A recipe whose evidence was made anew, with the checks that the same one had."""
    kept = checks_of(before)
    return replace(recipe, evidence=recipe.evidence | {CHECKS: kept}) if kept else recipe


def with_checks_from(record: Record, other: Record) -> Record:
    """A record with the checks that another version of it has of the very same recipes."""
    known = {_numbers(each): each for each in other.recipes}
    recipes = (with_checks_of(each, known.get(_numbers(each), each)) for each in record.recipes)
    return replace(record, recipes=tuple(recipes))


def _numbers(recipe: Recipe) -> tuple:
    """Without the start, which a host may round."""
    return recipe.sampler, recipe.sigmas[1:], recipe.offsets, recipe.coefficients


def whole_span(record: Record) -> tuple[float, float] | None:
    """The widest of all recipes' spans, for an index; None where none has one."""
    found = [span(each, record.conditions.cfg) for each in record.recipes]
    spans = [each for each in found if each is not None]
    if not spans:
        return None
    return min(low for low, _ in spans), max(high for _, high in spans)


def at_cfg(record: Record, cfg: float) -> Record | None:
    """The record as one made at another cfg: those of its recipes that serve there, without what was seen
    at its own alone (inner products, summary); None where none does."""
    own = record.conditions.cfg
    held = [_moved(each, own, cfg) for each in record.recipes if _within(span(each, own), cfg)]
    if not held:
        return None
    conditions = replace(record.conditions, cfg=float(cfg))
    return replace(record, conditions=conditions, recipes=tuple(held), evidence={}, gram=None)


def _moved(recipe: Recipe, own: float | None, cfg: float) -> Recipe:
    """A recipe as one of another cfg: where it was made it holds."""
    others = [each for each in checks_of(recipe) if abs(each["cfg"] - cfg) > SAME_CFG]
    here = {"cfg": fitted_at(recipe, own), "holds": True}
    checks = sorted([*others, here], key=lambda each: each["cfg"])
    evidence = {name: each for name, each in recipe.evidence.items() if name != FITTED_AT}
    return replace(recipe, evidence=evidence | {CHECKS: checks})


def _within(ends: tuple[float, float] | None, cfg: float) -> bool:
    return ends is not None and ends[0] - SAME_CFG <= cfg <= ends[1] + SAME_CFG


def _told(found: Mapping) -> dict:
    names = ("rms", "stock_rms", "stock", "rows", "calls")
    return {name: found[name] for name in names if name in found}
