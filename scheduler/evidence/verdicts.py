"""What held-out errors say, as pure functions of arrays: comparison, margin, equal steps, knee, and
what to recommend. The words for it are in record/verdict_words.py.

Errors are arrays (R,), one number a held-out row: the RMS distance per element from the teacher's
end; inf for a run that came to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..record import OFFSETS, Choice, Recipe, curve_key
from ..record.file_form import choice_data
from ..record.verdict import BETTER, outcome, verdict_of
from ..record.verdict_words import described

__all__ = ["OFFSETS", "curve_key", "described", "outcome"]  # for those who ask for them here

CONFIDENCE = 1.959964  # two-sided 95 % of a normal distribution
DIGITS = 6
DEFAULT_STOCK = {
    "flow": "simple",
    "ve": "normal",
}  # the schedule that hosts are most often left at, by process


def summarised(errors: np.ndarray, apart: float | None = None) -> dict:
    """rms (root of the mean square over rows), median and, where `apart` is known, different: the
    share of rows with an error above it."""
    found = {
        "rms": _rounded(float(np.sqrt(np.mean(np.square(errors))))),
        "median": _rounded(float(np.median(errors))),
    }
    return (
        found if apart is None else found | {"different": _rounded(float(np.mean(errors > apart)))}
    )


def picture_distance(ends: np.ndarray) -> float | None:
    """From which error on an end counts as another picture: half the median RMS distance between
    two rows' teacher ends (R, elements)."""
    if len(ends) < 2:
        return None
    squares = (ends**2).sum(1)
    distances = squares[:, None] + squares - 2 * ends @ ends.T
    return 0.5 * float(
        np.median(np.sqrt(np.maximum(distances[np.triu_indices(len(ends), 1)], 0) / ends.shape[1]))
    )


def paired_ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float | None, float | None]:
    """(ratio of the RMS errors, margin): with 95 % confidence the true ratio lies between ratio
    e^-margin and ratio e^margin.

    Paired by row: the margin is Student's t times the standard error of log(ratio), the larger of
    two: by linearisation, whose part of row r is (ours_r^2 / mean - theirs_r^2 / mean) / 2, and by
    the jackknife, which a single row that decides the ratio makes wide. None where rows are too
    few, or an error is zero or not finite, to say.
    """
    squares = [np.square(errors, dtype=np.float64) for errors in (ours, theirs)]
    means = [float(each.mean()) for each in squares]
    if not all(0 < mean < math.inf for mean in means):
        return None, None
    ratio = math.sqrt(means[0] / means[1])
    if len(ours) < 2:
        return ratio, None
    parts = (squares[0] / means[0] - squares[1] / means[1]) / 2
    linear = float(parts.std(ddof=1)) / math.sqrt(len(ours))
    return ratio, _student(len(ours) - 1) * max(linear, _jackknife(*squares))


def _jackknife(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The standard error of half the log ratio of means, from leaving each row out in turn."""
    rows = len(ours)
    left = [np.maximum(each.sum() - each, 1e-300 * each.sum()) for each in (ours, theirs)]
    logs = np.log(left[0] / left[1]) / 2
    return float(np.sqrt((rows - 1) / rows * np.square(logs - logs.mean()).sum()))


def compared(
    recipe: Recipe,
    ours: np.ndarray,
    stock: Mapping[str, np.ndarray],
    apart: float | None,
    calls: int,
) -> dict:
    """The evidence of one recipe, in the record's own words: its errors beside those of the stock
    schedules, by label."""
    found = summarised(ours, apart) | {"samples": len(ours), "model_calls": calls}
    table = {label: summarised(errors, apart) for label, errors in stock.items()}
    best = min(stock, key=lambda label: float(np.mean(np.square(stock[label]))))
    ratio, margin = paired_ratio(ours, stock[best])
    found |= {
        "stock": table,
        "best_stock": best,
        "ratio": _rounded(ratio),
        "margin": _rounded(margin),
    }
    return found | {"verdict": verdict_of(recipe.choice, best, ratio, margin)}


def equal_steps(error: float | None, curve: Mapping[int, float | None]) -> int | None:
    """The fewest stock steps whose error is not above `error`; None where the curve {steps: error}
    never gets there.

    Between measured step counts log error is taken as linear in log steps; nothing is guessed
    beyond the last.
    """
    if error is None or not curve:
        return None
    steps = np.array(sorted(curve))
    levels = np.array([math.inf if curve[n] is None else curve[n] for n in steps])
    logs = np.log(np.clip(levels, 1e-30, 1e30))
    every = np.arange(steps[0], steps[-1] + 1)
    reached = np.interp(np.log(every), np.log(steps), logs) <= math.log(max(error, 1e-30)) + 1e-6
    return int(every[reached.argmax()]) if reached.any() else None


def beaten_steps(error: float | None, curve: Mapping[int, float | None]) -> int | None:
    """The most stock steps of a curve {steps: error} that never comes as near as `error`; None
    where it does."""
    followed = [steps for steps, each in curve.items() if each is not None]
    if error is None or not followed or equal_steps(error, curve) is not None:
        return None
    return max(followed)


def knee(curve: Mapping[int, float | None]) -> int | None:
    """Where more steps begin to buy less: the point of {steps: error} furthest below the line
    between its ends.

    In (steps, log error), each scaled to its range, along the least error so far (the "kneedle"
    rule). None with fewer than three points.
    """
    points = [(n, error) for n, error in sorted(curve.items()) if error]
    if len(points) < 3:
        return None
    steps = np.array([n for n, _ in points], dtype=np.float64)
    levels = np.minimum.accumulate(np.log([error for _, error in points]))
    if levels[0] == levels[-1]:
        return int(steps[0])
    across = (steps - steps[0]) / (steps[-1] - steps[0])
    down = (levels[0] - levels) / (levels[0] - levels[-1])
    return int(steps[(down - across).argmax()])


def recommendation(
    recipes: Sequence[Recipe],
    curves: Mapping[str, Mapping[int, float | None]],
    knees: Mapping[str, int | None],
) -> dict:
    """What to use, as a record keeps it: {"steps", "sampler", "offsets"} of a recipe, or {"steps",
    "stock"} where none is clearly better; {} where nothing was measured.

    recipes: those with evidence; curves and knees: by `curve_key`. The step count is the knee of
    the best curve, or the fewest steps that are at least as good; where nothing of ours is clearly
    better there, the nearest of those where something is, and no farther from the teacher than
    stock is there: one step count speaks for no other.
    """
    measured = [
        recipe
        for recipe in recipes
        if recipe.evidence.get("rms") is not None and recipe.evidence.get("best_stock")
    ]
    if not measured:
        return {}
    shared = set.intersection(*(set(curve) for curve in curves.values()))
    best = min(
        curves,
        key=lambda key: _mean_log(
            {n: error for n, error in curves[key].items() if n in shared or not shared}
        ),
    )
    steps = knees.get(best) or max(curves[best])
    least = min(recipe.evidence["rms"] for recipe in measured if recipe.steps <= steps)
    steps = min(recipe.steps for recipe in measured if recipe.evidence["rms"] == least)
    there = [recipe for recipe in measured if recipe.steps == steps] or measured
    others = sorted({r.steps for r in measured} - {steps}, key=lambda n: (abs(n - steps), n))
    places = [there, *([r for r in measured if r.steps == n] for n in others)]
    most, stock = _best_stock(there)
    gaining = [each for each in map(_clearly_better, places) if each is not None]
    ours = next((each for each in gaining if each.evidence["rms"] <= most), None)
    if ours is None:
        advice = {"steps": there[0].steps, "stock": choice_data(stock)}
    else:
        offsets = ours.offsets is not None
        advice = {"steps": ours.steps, "sampler": ours.sampler, "offsets": offsets}
    return advice | ({"at_knee": True} if knees.get(best) == advice["steps"] else {})


def _clearly_better(there: Sequence[Recipe]) -> Recipe | None:
    """The best recipe of one step count, where it is ours and clearly better than all stock there."""
    best = min(there, key=lambda recipe: recipe.evidence["rms"])
    clear = outcome(best.evidence["ratio"], best.evidence["margin"]) == BETTER
    ours = best.choice.ours and clear and best.evidence["rms"] < _best_stock(there)[0]
    return best if ours else None


def _best_stock(recipes: Sequence[Recipe]) -> tuple[float, Choice]:
    """(error, schedule and sampler) of the best stock run beside any of the recipes."""
    found = [
        (each["rms"], label, recipe.sampler)
        for recipe in recipes
        for label, each in recipe.evidence["stock"].items()
    ]
    least, label, sampler = min(each for each in found if each[0] is not None)
    choice = Choice.read(label)
    return least, Choice(choice.schedule, choice.sampler or sampler)


def _mean_log(curve: Mapping[int, float | None]) -> float:
    return float(np.mean([math.log(error) if error else 50.0 for error in curve.values()]))


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t, by Cornish and Fisher's expansion: to 1 % from 3 degrees of
    freedom up."""
    z, v = CONFIDENCE, float(freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / v**k for k, term in enumerate(terms, start=1))


def _rounded(value: float | None) -> float | None:
    """Six significant digits: more would only fill the record."""
    return (
        None if value is None or not math.isfinite(value) else float(f"{float(value):.{DIGITS}g}")
    )
