"""What held-out errors say, as pure functions of arrays: comparison, margin, equal steps, knee, and
the sentences made of them.

Errors are arrays (R,), one number a held-out row: the RMS distance per element from the teacher's
end; inf for a run that came to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..record import Choice, Recipe
from ..record.choice import OURS

CONFIDENCE = 1.959964  # two-sided 95 % of a normal distribution
DIGITS = 6
NEGLIGIBLE = 0.02  # a difference of 2 % is none, however sure
OFFSETS = "+offsets"
DEFAULT_STOCK = {
    "flow": "simple",
    "ve": "normal",
}  # the schedule that hosts are most often left at, by parametrisation


def summarised(errors: np.ndarray, apart: float | None = None) -> dict:
    """rms (root of the mean square over rows), median and, where `apart` is known, different: the
    share of rows with an error above it."""
    found = {
        "rms": _rounded(np.sqrt(np.mean(np.square(errors)))),
        "median": _rounded(np.median(errors)),
    }
    return found if apart is None else found | {"different": _rounded(np.mean(errors > apart))}


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

    Paired by row: the margin is Student's t times the standard error of log(ratio) by
    linearisation, whose part of row r is (ours_r^2 / mean - theirs_r^2 / mean) / 2. None where rows
    are too few, or an error is zero or not finite, to say.
    """
    squares = [np.square(errors, dtype=np.float64) for errors in (ours, theirs)]
    means = [float(each.mean()) for each in squares]
    if not all(0 < mean < math.inf for mean in means):
        return None, None
    ratio = math.sqrt(means[0] / means[1])
    if len(ours) < 2:
        return ratio, None
    parts = (squares[0] / means[0] - squares[1] / means[1]) / 2
    return ratio, _student(len(ours) - 1) * float(parts.std(ddof=1)) / math.sqrt(len(ours))


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
    return found | {"verdict": verdict(recipe.choice, best, ratio, margin)}


def outcome(ratio: float | None, margin: float | None) -> str:
    """ "better" or "worse" where the margin leaves no doubt and the difference is at least
    NEGLIGIBLE, else "equal"."""
    if ratio is None or margin is None or abs(math.log(ratio)) < max(margin, NEGLIGIBLE):
        return "equal"
    return "better" if ratio < 1 else "worse"


def verdict(choice: str, best: str, ratio: float | None, margin: float | None) -> str:
    """One plain sentence about a recipe and the stock choice that is best in hindsight."""
    if choice == best:
        return f"the stock choice {best} itself, the best of them here"
    if ratio is None:
        return "no comparison: an error was zero or not finite"
    if margin is None:
        return f"{ratio:.2f} of the error of the best stock choice ({best}), on one sample, which proves nothing"
    return _SENTENCES[choice == OURS, outcome(ratio, margin)].format(
        choice=choice, best=best, ratio=ratio
    )


_SENTENCES = {
    (True, "better"): "{ratio:.2f} of the error of the best stock choice ({best})",
    (True, "equal"): "no gain: {best} is as good",
    (True, "worse"): "worse: {ratio:.2f} times the error of {best}; use {best}",
    (False, "better"): "the stock choice {choice}, at {ratio:.2f} of the error of {best}",
    (False, "equal"): "the stock choice {choice}; no other is clearly better",
    (
        False,
        "worse",
    ): "the stock choice {choice}, at {ratio:.2f} times the error of {best}; use {best}",
}


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


def knee(curve: Mapping[int, float | None]) -> int | None:
    """Where more steps begin to buy less: the point of {steps: error} furthest below the line
    between its ends.

    In (steps, log error), each scaled to its range, along the least error so far (the "kneedle"
    rule). None with fewer than three points.
    """
    steps = np.array([n for n in sorted(curve) if curve[n]], dtype=np.float64)
    if len(steps) < 3:
        return None
    levels = np.minimum.accumulate(np.log([curve[int(n)] for n in steps]))
    if levels[0] == levels[-1]:
        return int(steps[0])
    across, down = (
        (steps - steps[0]) / (steps[-1] - steps[0]),
        (levels[0] - levels) / (levels[0] - levels[-1]),
    )
    return int(steps[(down - across).argmax()])


def curve_key(recipe: Recipe) -> str:
    """The name of the curve a recipe belongs to: its sampler, with "+offsets" where it has any."""
    return recipe.sampler + (OFFSETS if recipe.offsets is not None else "")


def recommendation(
    recipes: Sequence[Recipe],
    curves: Mapping[str, Mapping[int, float | None]],
    knees: Mapping[str, int | None],
) -> str:
    """What to use, in plain words; it may be stock. recipes: those with evidence; curves and knees:
    by `curve_key`."""
    measured = [
        recipe
        for recipe in recipes
        if recipe.evidence.get("rms") is not None and recipe.evidence.get("best_stock")
    ]
    if not measured:
        return "Nothing was measured, so nothing is recommended."
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
    return " ".join(
        [_advice(there, knees.get(best) == steps), *(_tally(key, measured) for key in curves)]
    )[:1800]


def _advice(there: Sequence[Recipe], at_knee: bool) -> str:
    ours = min(there, key=lambda recipe: recipe.evidence["rms"])
    least, stock = _best_stock(there)
    evidence, place = (
        ours.evidence,
        f"At {ours.steps} steps" + (", where the error curve bends," if at_knee else ""),
    )
    if (
        not ours.choice.ours
        or outcome(evidence["ratio"], evidence["margin"]) != "better"
        or evidence["rms"] >= least
    ):
        return f"{place} use stock ({stock}): no recipe here is clearly better."
    equal = evidence.get("equals_stock_steps")
    match = f"; stock needs {equal} steps to match it" if equal and equal > ours.steps else ""
    return f"{place} use {described(ours)}: {verdict('ours', evidence['best_stock'], evidence['ratio'], evidence['margin'])}{match}."


def _best_stock(recipes: Sequence[Recipe]) -> tuple[float, str]:
    """(error, "schedule + sampler") of the best stock run beside any of the recipes."""
    found = [
        (each["rms"], label, recipe.sampler)
        for recipe in recipes
        for label, each in recipe.evidence["stock"].items()
    ]
    least, label, sampler = min(each for each in found if each[0] is not None)
    return least, Choice(Choice.read(label).schedule, Choice.read(label).sampler or sampler)


_COUNTED = {
    "better": "clearly better than every stock choice at",
    "equal": "no clear difference from the best of them at",
    "worse": "clearly worse than the best of them at",
}


def _tally(key: str, measured: Sequence[Recipe]) -> str:
    found = [
        outcome(recipe.evidence["ratio"], recipe.evidence["margin"])
        for recipe in measured
        if curve_key(recipe) == key
    ]
    parts = [f"{words} {found.count(word)}" for word, words in _COUNTED.items() if word in found]
    return (
        f"{key.replace(OFFSETS, ' with offsets')}: {', '.join(parts)} of {len(found)} step counts."
        if found
        else ""
    )


def described(recipe: Recipe) -> str:
    """A recipe in a few words: "euler with the distilled schedule and offsets", "dpmpp_2m with beta"."""
    if not recipe.choice.ours:
        return recipe.choice if recipe.choice.sampler else f"{recipe.sampler} with {recipe.choice}"
    name = (
        "the distilled sampler"
        if recipe.sampler == "distilled"
        else f"{recipe.sampler} with the distilled schedule"
    )
    return name + (" and offsets" if recipe.offsets is not None else "")


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
