"""What a node tells the page about a schedule or a record: plain, small, JSON-able data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...scheduler.lookup import SIMPLE
from ...scheduler.lookup.starts import same_start
from ...scheduler.record.choice import Choice
from ..names import DISTILLED

if TYPE_CHECKING:
    from ...scheduler.lookup.match import Match
    from ...scheduler.lookup.selection import Selection
    from ...scheduler.record import Recipe, Record
    from ...scheduler.sigmas.noise_table import NoiseTable

MOST_POINTS = 400  # of one list; longer ones are thinned, their ends kept
MOST_ROWS = 200  # of the curve
LONGEST_INFO = 4000
SOURCES = {"given": "record"}  # how the page calls them, where it is not as lookup does


def shown(
    found: Selection | None = None,
    record: Record | None = None,
    sampler: str | None = None,
    steps: int | None = None,
    info: str = "",
    recipe: Recipe | None = None,
) -> dict:
    """The payload of a node's `ui`: for a schedule (`found`), or for a record.

    recipe: which of the record's; default: the one that it recommends, else of its default sampler, at
    its knee, or in the middle of its step counts. won: whether the schedule is a stock one that was
    measured as the best. Whatever is not known is None or empty; below 60 KB always.
    """
    if found is not None:
        from ...scheduler.lookup.words import info as in_words

        shown_as = _payload(found.recipe, found.record, found.table, info or in_words(found))
        shown_as |= {"source": SOURCES.get(found.source, found.source), "won": found.stock_won}
        if found.name:
            shown_as["record"] = found.name
        if found.stand_in is not None:
            shown_as["choice"] = found.stand_in.schedule
        return shown_as
    recipe = recipe or _typical(record, sampler, steps)
    return _payload(recipe, record, _table(record), info)


def _payload(
    recipe: Recipe | None, record: Record | None, table: NoiseTable | None, info: str
) -> dict:
    stock, sigmas = _stock_beside(recipe, table)
    return {
        "sampler": recipe.sampler if recipe else None,
        "steps": recipe.steps if recipe else None,
        "sigmas": _numbers(recipe.sigmas) if recipe else [],
        "stock": {"name": stock, "sigmas": _numbers(sigmas)},
        "offsets": bool(recipe and recipe.offsets),
        "choice": recipe.choice if recipe else None,
        "won": recipe is not None and recipe.choice.stock,
        "source": "record",
        "info": info[:LONGEST_INFO],
        "curve": curve(record, recipe.sampler) if recipe else curve(None, ""),
        "knee": _knee(record, recipe),
        "record": record.model.name if record is not None else None,
    }


def payload(record: Record, recipe: Recipe | None = None, info: str = "") -> dict:
    """The payload of a node that holds a record: of the record, or of one recipe of it."""
    return shown(record=record, recipe=recipe, info=info)


def of_match(match: Match | None, info: str) -> dict:
    """The payload of a node that takes whatever record serves: a record that was looked for says
    where it was found."""
    from ...scheduler.lookup.match import GIVEN, STORE
    from ...scheduler.lookup.selection import STOCK

    if match is None:
        return shown(info=info) | {"source": STOCK}
    there = match.kind if match.place == STORE else GIVEN
    return shown(record=match.record, info=info) | {"source": SOURCES.get(there, there)}


def compared(results, info: str) -> dict:
    """The payload of a comparison (contest.Results): ours beside the best of the others at each
    step count."""
    rows = []
    for steps in results.steps:
        errors = {name: results.rms(name, steps) for name in results.errors}
        others = {
            name: error for name, error in errors.items() if name != DISTILLED and error is not None
        }
        best = min(others, key=others.get) if others else None
        rows.append((errors.get(DISTILLED), others.get(best), best))
    lists = {
        "ours": [_digits(ours) for ours, _, _ in rows],
        "stock": [_digits(stock) for _, stock, _ in rows],
    }
    about = shown(info=info) | {
        "sampler": results.sampler,
        "source": "compared",
        "record": results.name,
    }
    return about | {
        "curve": {
            "steps": list(results.steps),
            **lists,
            "stock_name": [name for _, _, name in rows],
        }
    }


def curve(record: Record | None, sampler: str) -> dict:
    """Held-out errors by step count from sigma_max, ours beside the best stock choice: lists of
    equal length, None where not measured."""
    best: dict[int, Recipe] = {}
    for recipe in record.recipes if record is not None else ():
        whole = same_start(recipe.start_sigma, record.model.sigma_max)
        if (
            recipe.sampler == sampler
            and whole
            and (recipe.steps not in best or recipe.offsets is not None)
        ):
            best[recipe.steps] = recipe
    rows = [(n, best[n].evidence) for n in sorted(best)][:MOST_ROWS]
    names = [found.get("best_stock") for _, found in rows]
    stock = [
        _digits(found.get("stock", {}).get(name, {}).get("rms"))
        for name, (_, found) in zip(names, rows, strict=True)
    ]
    return {
        "steps": [n for n, _ in rows],
        "ours": [_digits(found.get("rms")) for _, found in rows],
        "stock": stock,
        "stock_name": names,
    }


def _knee(record: Record | None, recipe: Recipe | None) -> int | None:
    """From which step count on more steps gain little, by the record's own evidence for this
    recipe's sampler."""
    if record is None or recipe is None:
        return None
    from ...scheduler.record import curve_key

    return record.evidence.get("knee", {}).get(curve_key(recipe))


def _typical(record: Record | None, sampler: str | None, steps: int | None) -> Recipe | None:
    if record is None or not record.recipes:
        return None
    if sampler is None and steps is None:
        from ...scheduler.record.verdict_words import advised

        found = advised(record)
        if found is not None:
            return found
        steps = record.evidence.get("recommendation", {}).get("steps")  # of stock's
    if sampler is None:
        from ...scheduler.lookup.rules import default_sampler

        sampler = default_sampler(record, record.model.parametrisation)
        if any(each.sampler == DISTILLED for each in record.recipes):
            sampler = DISTILLED
    mine = sorted(
        (each for each in record.recipes if each.sampler == sampler), key=lambda each: each.steps
    ) or list(record.recipes)
    wanted = steps or _best_knee(record, sampler)
    exact = [each for each in mine if each.steps == wanted]
    return exact[-1] if exact else mine[len(mine) // 2]


def _best_knee(record: Record, sampler: str) -> int | None:
    """The knee of a sampler's recipes, of those with offsets where both have one."""
    from ...scheduler.record import OFFSETS

    knees = record.evidence.get("knee", {})
    return knees.get(sampler + OFFSETS) or knees.get(sampler)


def _table(record: Record | None) -> NoiseTable | None:
    if record is None:
        return None
    from ...scheduler.sigmas import table_for

    model = record.model
    return table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)


def _stock_beside(
    recipe: Recipe | None, table: NoiseTable | None
) -> tuple[str | None, Sequence[float]]:
    """The stock schedule that the recipe was measured against, or the usual one, at equal steps;
    none for other starts."""
    if recipe is None or table is None or not same_start(recipe.start_sigma, table.sigma_max):
        return None, ()
    from ...scheduler.errors import StepDistillError
    from ...scheduler.sigmas import PUBLISHED, STOCK, published_schedule, stock_schedule

    name = Choice.read(recipe.evidence.get("best_stock") or SIMPLE).schedule
    try:
        if name in PUBLISHED and name not in STOCK:
            return name, published_schedule(name, recipe.steps)
        return (name, stock_schedule(name, table, recipe.steps)) if name in STOCK else (None, ())
    except StepDistillError:
        return None, ()


def _numbers(values: Sequence[float]) -> list[float]:
    values = [float(value) for value in values]
    if len(values) > MOST_POINTS:
        places = [round(k * (len(values) - 1) / (MOST_POINTS - 1)) for k in range(MOST_POINTS)]
        values = [values[place] for place in places]
    return [_digits(value) for value in values]


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
