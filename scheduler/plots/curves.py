"""A record as curves: its schedules, and its error against steps.

Needs matplotlib, imported when first used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RecipeError
from ..evidence import verdicts
from ..evidence.verdicts import DEFAULT_STOCK
from ..files import PathLike
from ..record import Recipe, Record
from ..samplers.names import DISTILLED
from ..sigmas import STOCK, stock_schedule, table_for
from .style import (
    COLOURS,
    FAINT,
    INK,
    MARKERS,
    Style,
    head,
    legend_below,
    new_figure,
    plain_axes,
    readable_log,
    save,
    whole_steps,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST_ACROSS = 3  # panels beside each other
USUAL: Style = {"color": INK, "linestyle": (0, (4, 2))}
BEST_STOCK: Style = {"color": "#9A9A9A", "linewidth": 2.0, "marker": ".", "markersize": 7}

Points = list[tuple[int, float]]


def plot_schedules(
    record: Record, path: PathLike, steps: int | None = None, narrow: bool = False
) -> None:
    """Sigma against step at one number of steps, linear and logarithmic; `narrow`: the latter alone.

    The record's recipes over ComfyUI's stock schedules. `steps` None: `chosen_steps`. The file's
    suffix says the format (png, svg, pdf). Raises RecipeError and OutputError.
    """
    steps = chosen_steps(record) if steps is None else steps
    recipes = _distinct([recipe for recipe in record.recipes if recipe.steps == steps])
    if not recipes:
        raise RecipeError(
            f"This record has no recipe with {steps} steps; it has {_counts(record)}."
        )
    figure = new_figure(7 if narrow else 11, 5.2)
    axes = figure.subplots(1, 1 if narrow else 2, squeeze=False)[0]
    for axis in axes:
        _draw_schedules(axis, record, recipes, steps)
        axis.set_xlabel("step")
        plain_axes(axis)
        whole_steps(axis)
    axes[0].set_ylabel("noise level sigma")
    axes[-1].set_ylabel("sigma, logarithmic (without the last, 0)")
    readable_log(axes[-1])
    lines = _legend(axes[:1])
    head(figure, f"Schedules at {steps} steps", _about(record))
    legend_below(figure, lines, columns=min(len(lines), 3), gap=3)
    save(figure, path)


def plot_errors(record: Record, path: PathLike, steps: int | None = None) -> None:
    """Held-out error against steps, a panel for each sampler.

    Ours, the best stock schedule, and the usual default. Knees are ringed; at `steps` (None:
    `chosen_steps`) an arrow leads to the stock step count with the same error. Raises RecipeError
    and OutputError.
    """
    if not record.evidence.get("curve"):
        raise RecipeError(
            "This record holds no measured errors; distil again with an evidence budget above 0."
        )
    keys = [key.removesuffix(verdicts.OFFSETS) for key in record.evidence["curve"]]
    samplers = list(dict.fromkeys(keys))
    down = math.ceil(len(samplers) / MOST_ACROSS)
    across = math.ceil(len(samplers) / down)
    figure = new_figure(max(5.6 * across, 7), 5.4 + 4.3 * (down - 1))
    axes = np.atleast_1d(figure.subplots(down, across, sharey=True)).ravel()
    for axis in axes[len(samplers) :]:
        axis.set_visible(False)
    for axis, sampler in zip(axes, samplers, strict=False):
        _draw_errors(axis, record, sampler, steps)
        readable_log(axis)
        axis.tick_params(labelleft=True)
    for axis in axes[::across]:
        axis.set_ylabel("distance from the many-step picture (RMS)")
    samples = f"{record.evidence.get('seeds')} held-out samples"
    head(figure, "Error against steps", f"{_about(record)}   |   {samples}")
    legend_below(figure, _legend(axes), columns=4 if len(samplers) > 1 else 2, gap=2.5)
    save(figure, path)


def chosen_steps(record: Record) -> int:
    """The step count to show first.

    The highest knee in the evidence, else the middle one of the record's. Raises RecipeError.
    """
    counts = sorted({recipe.steps for recipe in record.recipes})
    if not counts:
        raise RecipeError("This record holds no recipes; distil some first.")
    knees = [knee for knee in record.evidence.get("knee", {}).values() if knee in counts]
    return max(knees) if knees else counts[len(counts) // 2]


def _draw_schedules(axis: Axes, record: Record, recipes: Sequence[Recipe], steps: int) -> None:
    model = record.model
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    default = DEFAULT_STOCK[model.parametrisation]
    others: Style = {"color": FAINT, "linewidth": 1.3}
    label: str | None = "the other stock schedules"
    for name in STOCK:
        if name != default:
            axis.plot(stock_schedule(name, table, steps)[:-1], label=label, **others)
            label = None  # one entry for all of them
    usual = stock_schedule(default, table, steps)
    axis.plot(usual[:-1], label=f"{default}, the usual default", linewidth=1.6, **USUAL)
    for k, recipe in enumerate(recipes):
        # Where two coincide, the earlier one shows as a wider line around the later.
        own = (len(recipes) - k) / len(recipes)
        style: Style = {
            "color": COLOURS[k % 6],
            "marker": MARKERS[k % 6],
            "linewidth": 1.4 + 3.4 * own,
            "markersize": 4.5 + 4.5 * own,
            "markeredgecolor": "white",
            "zorder": 3 + k,
        }
        axis.plot(recipe.sigmas[:-1], label=_recipe_label(recipe), **style)


def _recipe_label(recipe: Recipe) -> str:
    if recipe.coefficients is not None:
        return recipe.sampler
    won = "distilled" if recipe.choice.ours else f"{recipe.choice} (stock won)"
    offsets = ", for use with offsets" if recipe.offsets is not None else ""
    return f"{recipe.sampler}: {won}{offsets}"


def _draw_errors(axis: Axes, record: Record, sampler: str, steps: int | None) -> None:
    recipes = [
        recipe
        for recipe in record.recipes
        if recipe.sampler == sampler and recipe.evidence.get("rms")
    ]
    default = DEFAULT_STOCK[record.model.parametrisation]
    usual = _stock_points(recipes, default + (" + euler" if sampler == DISTILLED else ""))
    _line(axis, usual, f"{default}, the usual default", {"linewidth": 1.4, **USUAL})
    stock = _points(record.evidence.get("stock_curve", {}).get(sampler, {}))
    best = "best stock schedule at each step count"
    ours = ("", "StepDistill: schedule"), (verdicts.OFFSETS, "StepDistill: schedule and offsets")
    if sampler == DISTILLED:
        best = "best stock sampler and schedule at each step count"
        ours = ("", "stock won"), (verdicts.OFFSETS, "StepDistill: the distilled sampler")
    _line(axis, stock, best, BEST_STOCK)
    for k, (suffix, label) in enumerate(ours):
        points = _points(record.evidence["curve"].get(sampler + suffix, {}))
        style: Style = {
            "color": COLOURS[k],
            "marker": MARKERS[k],
            "linewidth": 2.2,
            "markersize": 5.5,
            "markeredgewidth": 0.6,
            "markeredgecolor": "white",
            "zorder": 4,
        }
        _line(axis, points, label, style)
    knee = _mark_knee(axis, record, sampler)
    _mark_equal(axis, recipes, steps or knee or chosen_steps(record))
    title = sampler + (" (stock: every sampler)" if sampler == DISTILLED else "")
    axis.set_title(title, fontsize=12, color=INK, loc="left", fontweight="bold")
    axis.set_xlabel("steps" if sampler == "heun" else "steps = model calls a sample")
    plain_axes(axis)
    whole_steps(axis)


def _line(axis: Axes, points: Points, label: str, style: Style) -> None:
    if points:
        axis.plot(*zip(*points, strict=True), label=label, **style)


def _mark_knee(axis: Axes, record: Record, sampler: str) -> int | None:
    """Ring the knee of the better of a sampler's two curves, and return it."""
    found = []
    for k, key in enumerate((sampler, sampler + verdicts.OFFSETS)):
        knee = record.evidence.get("knee", {}).get(key)
        curve = dict(_points(record.evidence["curve"].get(key, {})))
        if knee in curve:
            found.append((curve[knee], knee, COLOURS[k]))
    if not found:
        return None
    error, knee, colour = min(found)
    ring: Style = {
        "marker": "o",
        "markersize": 15,
        "markerfacecolor": "none",
        "markeredgecolor": colour,
        "markeredgewidth": 1.5,
    }
    axis.plot([knee], [error], zorder=5, **ring)
    place: Style = {"xytext": (-9, -9), "textcoords": "offset points", "ha": "right", "va": "top"}
    axis.annotate(f"knee: {knee}", (knee, error), fontsize=9.5, color=colour, **place)
    return knee


def _mark_equal(axis: Axes, recipes: Sequence[Recipe], wanted: int) -> None:
    """An arrow from ours to the stock step count of the same error.

    At the step count nearest to the wanted one.
    """
    able = [
        recipe
        for recipe in recipes
        if (recipe.evidence.get("equals_stock_steps") or 0) > recipe.steps + 1
    ]
    if not able:
        return
    ours = min(able, key=lambda recipe: (abs(recipe.steps - wanted), recipe.evidence["rms"]))
    error = ours.evidence["rms"]
    equal = ours.evidence["equals_stock_steps"]
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.3, "shrinkA": 6, "shrinkB": 0}
    axis.annotate("", (equal, error), xytext=(ours.steps, error), arrowprops=arrow, zorder=6)
    style: Style = {
        "xytext": (6, 4),
        "textcoords": "offset points",
        "ha": "left",
        "va": "bottom",
        "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.9},
        "fontsize": 9.5,
        "color": INK,
        "zorder": 7,
    }
    text = axis.annotate(f"{ours.steps} steps match\nstock's {equal}", (equal, error), **style)
    text.set_in_layout(False)  # or it would squeeze the axes; instead they get room for it
    left, right = axis.get_xlim()
    axis.set_xlim(left, max(right, equal + 0.27 * (right - left)))


def _legend(axes: Iterable[Axes]) -> dict[str, Artist]:
    """The lines of all axes by their labels."""
    found: dict[str, Artist] = {}
    for axis in axes:
        lines, labels = axis.get_legend_handles_labels()
        found |= dict(zip(labels, lines, strict=True))
    return found


def _points(curve: Mapping) -> Points:
    return sorted((int(steps), error) for steps, error in curve.items() if error)


def _stock_points(recipes: Sequence[Recipe], name: str) -> Points:
    errors = {}
    for recipe in recipes:
        stock = recipe.evidence.get("stock", {})
        if name in stock:
            errors[recipe.steps] = stock[name]["rms"]
    return _points(errors)


def _distinct(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The schedules that start highest, one recipe for each different one of a sampler."""
    start = max((recipe.start_sigma for recipe in recipes), default=0.0)
    found = {
        (recipe.sampler, recipe.sigmas): recipe
        for recipe in reversed(recipes)
        if recipe.start_sigma == start
    }
    return list(reversed(found.values()))


def _counts(record: Record) -> str:
    counts = sorted({recipe.steps for recipe in record.recipes})
    return ", ".join(map(str, counts)) or "none at all"


def _about(record: Record) -> str:
    name = record.model.name or "unnamed model"
    cfg = record.conditions.cfg
    return name if cfg is None else f"{name}, cfg {cfg:g}"
