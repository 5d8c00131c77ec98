"""What runs where no recipe serves, always by its name.

In this order: the stock schedule that a record of the model measured as the best for the sampler;
what stood there before, where the caller knows it; a published table of the model's family for the
sampler; the host's own usual. A start below sigma_max has only the second and the last: records
measure, and papers publish, whole runs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RecipeError, StepDistillError
from ..record import Choice, Recipe, Record
from ..record.choice import PUBLISHED as PUBLISHED_CHOICE
from ..samplers.names import DISTILLED, RELATIVE
from . import SIMPLE
from .rules import Rule
from .starts import same_start
from .wanted import Wanted

if TYPE_CHECKING:
    from ..sigmas.noise_table import NoiseTable
    from .model_facts import ModelFacts

MEASURED, BEFORE, PUBLISHED, USUAL = "measured", "before", "published", "usual"
SAME_FAMILY = 0.01  # relative, of sigma_max: a table is of no use to a model with another one
_MOST_WHOLE = 100_000  # steps of a whole run that a tiny denoise is cut from


@dataclass(frozen=True)
class StandIn:
    """A schedule in the place of a recipe.

    origin: MEASURED, BEFORE, PUBLISHED or USUAL. schedule: the stock schedule's name, or the
    preset's. steps: at how many it was measured, where it was. own_paths: whether with the very
    sampler, a stochastic one, and not with the one that serves it.
    """

    origin: str
    schedule: str
    steps: int | None = None
    own_paths: bool = False


def stand_in(
    wanted: Wanted,
    rule: Rule,
    facts: ModelFacts,
    records: Iterable[Record] = (),
    before: str | None = None,
    usual: str = SIMPLE,
) -> tuple[Recipe, StandIn]:
    """The schedule that runs, and where it comes from.

    records: of the model, the nearest first. before, usual: names of stock schedules; others are
    passed over.
    """
    from ..sigmas import STOCK

    whole = wanted.start is None or same_start(wanted.start, facts.sigma_max)
    found = _measured(wanted, rule, facts, records) if whole else None
    if found is None and before in STOCK:
        found = _stock(BEFORE, before, wanted, facts)
    if found is None and whole:
        found = _published(wanted, rule, facts)
    return found or _stock(USUAL, usual if usual in STOCK else SIMPLE, wanted, facts)


def measures(record: Record, wanted: Wanted, rule: Rule, facts: ModelFacts) -> bool:
    """Whether a record measured a stock schedule for a stock sampler's run, which stands in then."""
    whole = wanted.start is None or same_start(wanted.start, facts.sigma_max)
    ours = rule.serves == DISTILLED
    return whole and not ours and _measured(wanted, rule, facts, [record]) is not None


def measured_best(
    records: Iterable[Record], sampler: str, steps: int, names: Collection[str]
) -> tuple[str, int] | None:
    """(the stock schedule with the least measured error for a sampler, at how many steps).

    Of the first record that measured any of `names` over the whole range of noise, at the step
    count nearest to `steps`. None where none did.
    """
    for record in records:
        rows: dict[int, dict[str, float]] = {recipe.steps: {} for recipe in record.recipes}
        for recipe in record.recipes:
            if same_start(recipe.start_sigma, record.model.sigma_max):
                rows[recipe.steps] |= _errors(recipe, sampler, names)
        measured = [n for n, errors in rows.items() if errors]
        if measured:
            nearest = min(measured, key=lambda n: abs(math.log(n / steps)))
            return min(rows[nearest], key=rows[nearest].__getitem__), nearest
    return None


def _errors(recipe: Recipe, sampler: str, names: Collection[str]) -> dict[str, float]:
    """The errors of the stock schedules that a recipe was measured beside, run with one sampler."""
    found = {}
    for label, each in recipe.evidence.get("stock", {}).items():
        choice, error = Choice.read(label), each.get("rms")
        runs = choice.sampler or recipe.sampler
        if runs == sampler and choice.schedule in names and error is not None:
            found[choice.schedule] = error
    won = recipe.choice
    if not found and won.schedule in names and (won.sampler or recipe.sampler) == sampler:
        return {won.schedule: 0.0}  # chosen by the guard, and not measured again
    return found


def _measured(
    wanted: Wanted, rule: Rule, facts: ModelFacts, records: Iterable[Record]
) -> tuple[Recipe, StandIn] | None:
    from ..sigmas import STOCK, baselines, published_for

    if rule.serves is None:
        return None
    names = (*STOCK, *published_for(facts.table))
    records = list(records)
    own = rule.on_paths and measured_best(records, rule.on_paths, wanted.steps, names)
    best = own or measured_best(records, _runs(rule), wanted.steps, names)
    if best is None:
        return None
    name, steps = best
    known = baselines(facts.table, wanted.steps, facts.sigma_min, facts.sigma_max)
    return _recipe(wanted, known[name], name), StandIn(MEASURED, name, steps, bool(own))


def _published(wanted: Wanted, rule: Rule, facts: ModelFacts) -> tuple[Recipe, StandIn] | None:
    from ..presets import preset_recipe

    if rule.serves is None:
        return None
    for name in facts.published:
        try:
            found = preset_recipe(name, wanted.steps, _runs(rule))
        except RecipeError:  # none for this sampler, or for so many steps
            continue
        if _of_family(name, facts):
            return _recipe(wanted, found.sigmas, PUBLISHED_CHOICE), StandIn(PUBLISHED, name)
    return None


def _of_family(name: str, facts: ModelFacts) -> bool:
    from ..presets import preset
    from .key import Key, same_noise

    theirs = Key.of(preset(name))
    top = math.isclose(theirs.sigma_max, facts.sigma_max, rel_tol=SAME_FAMILY)
    return top and same_noise(theirs, facts)


def _stock(origin: str, name: str, wanted: Wanted, facts: ModelFacts) -> tuple[Recipe, StandIn]:
    sigmas = stock_run(name, facts.table, wanted)
    return _recipe(wanted, sigmas, name), StandIn(origin, name)


def stock_run(name: str, table: NoiseTable, wanted: Wanted) -> np.ndarray:
    """A stock schedule of exactly N steps, (N+1,), from the start of a run.

    Whole, as the hosts cut it for a denoise, or from any sigma.
    """
    from ..sigmas import stock_schedule

    start, steps = wanted.start, wanted.steps
    if start is None or same_start(start, table.sigma_max):
        return stock_schedule(name, table, steps)
    if wanted.denoise < 1:
        whole = min(int(steps / wanted.denoise), max(steps, _MOST_WHOLE))
        return stock_schedule(name, table, whole)[-steps - 1 :]
    below = table.sigmas[table.sigmas < start * (1 - 1e-6)]
    if name == SIMPLE or not len(below):
        return _even_from(table, start, steps)
    cut = replace(table, sigmas=np.append(below, start))
    return stock_schedule(name, cut, steps)


def _even_from(table: NoiseTable, start: float, steps: int) -> np.ndarray:
    """`simple` from any sigma: even places in the table, from the start's down to the beginning."""
    from ..sigmas import strictly_decreasing

    logs = np.log(table.sigmas)
    places = np.arange(1, len(table.sigmas) + 1)
    first = float(np.interp(math.log(start), logs, places))
    sigmas = np.exp(np.interp(first * (1 - np.arange(steps) / steps), places, logs))
    sigmas[0] = start
    try:
        return strictly_decreasing(np.append(sigmas, 0.0))
    except StepDistillError:  # a start at the table's very end: nothing but halving is left
        return np.append(start * 0.5 ** np.arange(steps), 0.0)


def _runs(rule: Rule) -> str:
    """The stock sampler that a stand-in runs with."""
    return RELATIVE if rule.serves in (None, DISTILLED) else rule.serves


def _recipe(wanted: Wanted, sigmas, name: str) -> Recipe:
    ours = wanted.sampler == DISTILLED
    choice = Choice(name, RELATIVE if ours else None)
    return Recipe(wanted.sampler or RELATIVE, wanted.steps, float(sigmas[0]), sigmas, choice=choice)
