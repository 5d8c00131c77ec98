"""Which of a record's recipes serves what a graph asks for, and in what words: the sampler, the
start, the evidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..scheduler.errors import RecipeError, StepDistillError
from ..scheduler.record import Recipe, Record
from ..scheduler.record.verdict_words import evidence_words
from ..scheduler.record.words import counted
from ..scheduler.samplers import SAMPLERS, ode_sampler_for
from ..scheduler.samplers.multistep import LINEAR
from ..scheduler.sigmas import stock_schedule, strictly_decreasing
from ..scheduler.sigmas.noise_table import NoiseTable
from ..scheduler.store.sidecar import check_worth_solving, solved
from .names import DISTILLED, STOCK

__all__ = ["counted", "evidence_words"]  # for those who ask for them here

MOST_SOLVED = 40  # steps; beyond, a distilled schedule gains nothing and takes long to solve
SAME_START = 1e-4  # relative, as between sigma_max of keys
ALIASES = {"ddim": "euler"}  # other names of the same steps
KEPT = 64  # solved schedules that are remembered


@dataclass(frozen=True)
class Asked:
    """What a graph asks for. sampler: the host's name; rule: the sampler whose recipe serves it
    (None: none does); note: how they differ, in words. steps: N. start: the first sigma, or None
    for the model's sigma_max. offsets: whether query offsets can be used."""

    sampler: str
    rule: str | None
    note: str
    steps: int
    start: float | None
    offsets: bool


def asked(sampler: str, steps: int, start: float | None, offsets: bool) -> Asked:
    """What serves a sampler by its name in the host: itself, or the ODE sampler whose steps are
    most like its own, or nothing."""
    if sampler in SAMPLERS or sampler == DISTILLED:
        return Asked(sampler, sampler, "", steps, start, offsets)
    if sampler in ALIASES:
        return Asked(sampler, ALIASES[sampler], "", steps, start, offsets)
    rule = ode_sampler_for(sampler)
    note = (
        f"it is {rule}'s schedule, not measured for {sampler}"
        if rule
        else f"no schedule is distilled for {sampler}"
    )
    return Asked(sampler, rule, note, steps, start, False)


def recipe_for(
    record: Record, wanted: Asked, gram: Callable[[], object], sigma_min: float, again: bool = False
) -> tuple[Recipe, str]:
    """(the recipe, what must be said of it, or ""); with `again` the record is for another range
    and only its inner products count.

    gram: asked for the inner products (None: there are none) only when they are needed. Raises
    RecipeError where nothing serves.
    """
    if wanted.rule is None:
        raise RecipeError(f"{wanted.note[:1].upper()}{wanted.note[1:]}.")
    if not again:
        found = _stated(record, wanted)
        if found is not None:
            return found
    products = gram()
    if products is None:
        raise RecipeError(_missing(record, wanted))
    check_worth_solving(record, wanted.rule, wanted.steps, wanted.start is None and not again)
    if wanted.steps > MOST_SOLVED:
        raise RecipeError(
            f"The record has no recipe for {wanted.steps} steps, and none is solved above {MOST_SOLVED}."
        )
    rule = wanted.rule if wanted.rule in LINEAR else "dpmpp_2m"
    recipe = replace(
        _solved(products, rule, wanted.steps, wanted.start, sigma_min), sampler=wanted.rule
    )
    words = (
        _UNFITTED
        if wanted.rule == DISTILLED
        else ""
        if rule == wanted.rule
        else f"it was solved as for {rule}"
    )
    return recipe, "; ".join(part for part in (words, wanted.note) if part)


def states(record: Record, wanted: Asked) -> bool:
    """Whether the sampler's own recipe for these steps and this start stands in the record."""
    try:
        return bool(
            record.recipe(wanted.rule, wanted.steps, _own_start(record, wanted), wanted.offsets)
        )
    except RecipeError:
        return False


def _stated(record: Record, wanted: Asked) -> tuple[Recipe, str] | None:
    """A recipe that stands in the record: the sampler's own, or for `distilled` that of the sampler
    it runs as without coefficients."""
    start = _own_start(record, wanted)
    for rule, words in (
        (wanted.rule, wanted.note),
        *([("dpmpp_2m", _UNFITTED)] if wanted.rule == DISTILLED else []),
    ):
        try:
            return replace(
                record.recipe(rule, wanted.steps, start, wanted.offsets), sampler=wanted.rule
            ), words
        except RecipeError:
            continue
    return None


def _solved(products, rule: str, steps: int, start: float | None, sigma_min: float) -> Recipe:
    """`sidecar.solved`, remembered: a graph asks for the same ones again and again."""
    known = (id(products), rule, steps, start, sigma_min)
    if known not in _kept:
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        top = float(products.sigmas[0])
        _kept[known] = (
            products,
            solved(
                products,
                rule,
                steps,
                top if start is None or _same(start, top) else start,
                sigma_min,
            ),
        )
    return _kept[known][1]


_kept: dict[tuple, tuple[object, Recipe]] = {}  # with the products, so that their id stays theirs
_UNFITTED = "no coefficients were fitted for that, so the sampler runs as dpmpp_2m"


def default_sampler(record: Record) -> str:
    """The sampler whose schedule a caller gets that cannot say its own: one that hosts are often
    left at, of those in the record."""
    usual = (
        ("euler", "dpmpp_2m") if record.model.parametrisation == "flow" else ("dpmpp_2m", "euler")
    )
    known = {recipe.sampler for recipe in record.recipes}
    others = [name for name in SAMPLERS if name in known]
    return next((name for name in usual if name in known), others[0] if others else usual[0])


def stock_recipe(table: NoiseTable, wanted: Asked, denoise: float = 1.0) -> Recipe:
    """The stock schedule that stands in: exactly N steps, as the host's own `simple` cuts it for a
    denoise, or from a start."""
    start = wanted.start
    if start is None or _same(start, table.sigma_max):
        sigmas = stock_schedule(STOCK, table, wanted.steps)
    elif denoise < 1:
        sigmas = stock_schedule(STOCK, table, int(wanted.steps / denoise))[-wanted.steps - 1 :]
    else:
        sigmas = _even_from(table, float(start), wanted.steps)
    choice = f"{STOCK} + dpmpp_2m" if wanted.sampler == DISTILLED else STOCK
    return Recipe(wanted.sampler, wanted.steps, float(sigmas[0]), sigmas, choice=choice)


def settled(recipe: Recipe, sigma_max: float) -> Recipe:
    """The recipe with a start that is the model's sigma_max up to a host's rounding put exactly
    there: hosts scale noise by that."""
    if recipe.start_sigma == sigma_max or not _same(recipe.start_sigma, sigma_max):
        return recipe
    return replace(recipe, start_sigma=sigma_max, sigmas=(sigma_max, *recipe.sigmas[1:]))


def _own_start(record: Record, wanted: Asked) -> float | None:
    """The start that the record's own recipes state, where it is the one asked for up to a host's
    rounding."""
    if wanted.start is None:
        return None
    stated = {recipe.start_sigma for recipe in record.recipes}
    return next((start for start in stated if _same(start, wanted.start)), wanted.start)


def _missing(record: Record, wanted: Asked) -> str:
    try:
        record.recipe(wanted.rule, wanted.steps, _own_start(record, wanted), wanted.offsets)
    except RecipeError as problem:
        return str(problem)
    return "This record is for another range of noise."


def _even_from(table: NoiseTable, start: float, steps: int) -> np.ndarray:
    """`simple` from any sigma: even places in the table, from the start's down to the table's beginning."""
    logs, places = np.log(table.sigmas), np.arange(1, len(table.sigmas) + 1)
    first = float(np.interp(math.log(start), logs, places))
    sigmas = np.exp(np.interp(first * (1 - np.arange(steps) / steps), places, logs))
    sigmas[0] = start
    try:
        return strictly_decreasing(np.append(sigmas, 0.0))
    except StepDistillError:  # a start at the table's very end: nothing but halving is left
        return np.append(start * 0.5 ** np.arange(steps), 0.0)


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME_START)
