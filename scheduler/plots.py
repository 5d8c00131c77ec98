"""Pictures of a record: its schedules, its error against steps, and a grid of what it draws. Needs matplotlib, imported when first used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import verdicts
from .errors import OutputError, RecipeError
from .files import PathLike, atomic_path
from .record import Recipe, Record
from .sigmas import STOCK, stock_schedule, table_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every kind of colour vision; each curve has its own marker besides.
OURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "D", "^", "v", "P")
INK, SOFT, FAINT = "#222222", "#6B6B6B", "#D4D4D4"
DPI = 160


@dataclass(frozen=True)
class PictureRow:
    """One row of the grid: a label, a second line below it, pictures (B, H, W) in [0, 1] or (B, H, W, 3), and errors (B,) or None."""

    label: str
    detail: str
    pictures: np.ndarray
    errors: np.ndarray | None = None


def plot_schedules(record: Record, path: PathLike, steps: int | None = None) -> None:
    """Sigma against step at one number of steps, linear and logarithmic: every recipe of the record over ComfyUI's stock schedules.

    `steps` None takes the knee, or the middle step count. The file's suffix says the format (png, svg, pdf). Raises RecipeError and OutputError.
    """
    steps = chosen_steps(record) if steps is None else steps
    recipes = [recipe for recipe in record.recipes if recipe.steps == steps and recipe.start_sigma == record.model.sigma_max]
    if not recipes:
        raise RecipeError(f"This record has no recipe with {steps} steps; it has {_counts(record)}.")
    figure = _figure(11, 4.8)
    axes = figure.subplots(1, 2)
    for axis, scale in zip(axes, ("linear", "log"), strict=True):
        _draw_stock(axis, record, steps)
        for k, recipe in enumerate(_distinct(recipes)):
            style = {"color": OURS[k % len(OURS)], "marker": MARKERS[k % len(MARKERS)], "markersize": 6, "linewidth": 2.2, "zorder": 3 + k}
            axis.plot(range(steps + 1), _shown(recipe.sigmas, scale), label=verdicts.described(recipe), markeredgecolor="white", **style)
        axis.set_yscale(scale)
        axis.set_ylabel("noise level sigma" if scale == "linear" else "sigma, logarithmic (the last, 0, left out)")
        axis.set_xlabel("step")
        axis.set_xticks(range(0, steps + 1, 1 + steps // 14))
        _plain_axes(axis)
    axes[0].legend(frameon=False, loc="best", fontsize=9)
    _title(figure, f"Schedules at {steps} steps", f"{_name(record)}   |   grey: ComfyUI's nine stock schedules for the same model")
    _save(figure, path)


def plot_errors(record: Record, path: PathLike, steps: int | None = None) -> None:
    """Held-out error against model calls, a panel for each sampler: ours, the best stock schedule, and the usual default.

    The knee is ringed; at `steps` (None: the knee) an arrow leads to the stock step count with the same error. Raises RecipeError, OutputError.
    """
    if not record.evidence.get("curve"):
        raise RecipeError("This record holds no measured errors; distil again with an evidence budget above 0.")
    samplers = list(dict.fromkeys(key.removesuffix(verdicts.OFFSETS) for key in record.evidence["curve"]))
    figure = _figure(max(5.6 * len(samplers), 7), 5.2)
    axes = np.atleast_1d(figure.subplots(1, len(samplers), sharey=True))
    for axis, sampler in zip(axes, samplers, strict=True):
        _draw_errors(axis, record, sampler, steps)
    axes[0].set_ylabel("error against the many-step picture (RMS per element)")
    rows = record.evidence.get("seeds")
    _title(figure, "Error against steps", f"{_name(record)}   |   {rows} held-out samples, equal model calls")
    _save(figure, path)


def plot_pictures(rows: Sequence[PictureRow], path: PathLike, columns: Sequence[str] = (), title: str = "", subtitle: str = "") -> None:
    """The same seeds drawn in several ways, a row each: (label and its error at the left, each picture's error below it). Raises OutputError."""
    count = len(rows[0].pictures)
    figure = _figure(2.6 + 1.05 * count, 0.95 + 1.27 * len(rows))
    grid = figure.add_gridspec(len(rows), count, left=2.5 / (2.6 + 1.05 * count), right=0.99, top=1 - 0.9 / figure.get_figheight(), bottom=0.05,
                               wspace=0.06, hspace=0.24)
    for i, row in enumerate(rows):
        worst = None if row.errors is None else float(np.max(row.errors))
        for j in range(count):
            axis = figure.add_subplot(grid[i, j])
            axis.imshow(row.pictures[j], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            _bare(axis)
            if i == 0 and j < len(columns):
                axis.set_title(columns[j], fontsize=9, color=SOFT, pad=4)
            if row.errors is not None:
                weight = "bold" if float(row.errors[j]) == worst else "normal"
                axis.set_xlabel(f"{row.errors[j]:.2f}", fontsize=8, color=SOFT, labelpad=2, fontweight=weight)
        _row_label(figure, grid[i, 0], row)
    _title(figure, title, subtitle)
    _save(figure, path)


def chosen_steps(record: Record) -> int:
    """The step count to show first: the least knee in the evidence, else the middle one of the record's."""
    counts = sorted({recipe.steps for recipe in record.recipes})
    if not counts:
        raise RecipeError("This record holds no recipes; distil some first.")
    knees = [each for each in record.evidence.get("knee", {}).values() if each in counts]
    return max(knees) if knees else counts[len(counts) // 2]


def _draw_stock(axis: Axes, record: Record, steps: int) -> None:
    model = record.model
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    default = verdicts.DEFAULT_STOCK[model.parametrisation]
    for name in STOCK:
        style = {"color": INK, "linewidth": 1.4, "linestyle": (0, (4, 2)), "zorder": 2} if name == default else {"color": FAINT, "linewidth": 1.2}
        axis.plot(range(steps + 1), _shown(stock_schedule(name, table, steps), axis.get_yscale()), label=f"stock: {name}" if name == default else None,
                  **style)


def _draw_errors(axis: Axes, record: Record, sampler: str, steps: int | None) -> None:
    recipes = [recipe for recipe in record.recipes if recipe.sampler == sampler and recipe.evidence.get("rms")]
    stock = _points(record.evidence.get("stock_curve", {}).get(sampler, {}))
    default = _default_curve(recipes, record.model.parametrisation, sampler)
    if default:
        axis.plot(*zip(*default, strict=True), color=FAINT, linewidth=1.8, linestyle=(0, (4, 2)), label=f"stock default ({_default_label(record, sampler)})")
    if stock:
        axis.plot(*zip(*stock, strict=True), color=SOFT, linewidth=1.8, marker=".", label="best stock schedule at each step count")
    for k, offsets in enumerate((False, True)):
        key = sampler + verdicts.OFFSETS * offsets
        ours = _points(record.evidence["curve"].get(key, {}))
        if ours:
            label = "distilled" + (" with offsets" if offsets else "")
            axis.plot(*zip(*ours, strict=True), color=OURS[k], linewidth=2.4, marker=MARKERS[k], markersize=6, markeredgecolor="white", label=label, zorder=4)
            _mark_knee(axis, dict(ours), record.evidence.get("knee", {}).get(key), OURS[k])
    _mark_equal(axis, recipes, record, steps)
    axis.set_yscale("log")
    axis.set_title(sampler, fontsize=12, color=INK, loc="left", fontweight="bold")
    axis.set_xlabel("steps (model calls a sample)")
    _plain_axes(axis)
    _readable_log(axis)
    axis.legend(frameon=False, fontsize=9, loc="upper right")


def _mark_knee(axis: Axes, ours: dict[int, float], knee: int | None, colour: str) -> None:
    if knee in ours:
        axis.plot([knee], [ours[knee]], marker="o", markersize=15, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.6, zorder=5)
        axis.annotate(f"knee: {knee}", (knee, ours[knee]), xytext=(-8, -18), textcoords="offset points", ha="right", fontsize=9, color=colour)


def _mark_equal(axis: Axes, recipes: Sequence[Recipe], record: Record, steps: int | None) -> None:
    """An arrow from ours to the stock step count of the same error, at one step count."""
    able = [recipe for recipe in recipes if (recipe.evidence.get("equals_stock_steps") or 0) > recipe.steps]
    wanted = chosen_steps(record) if steps is None else steps
    if not able:
        return
    ours = min(able, key=lambda recipe: (abs(recipe.steps - wanted), recipe.evidence["rms"]))
    error, equal = ours.evidence["rms"], ours.evidence["equals_stock_steps"]
    axis.annotate("", (equal, error), xytext=(ours.steps, error), arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 7}, zorder=6)
    axis.annotate(f"{ours.steps} steps match\nstock's {equal}", (equal, error), xytext=(6, 0), textcoords="offset points", fontsize=9, color=INK,
                  va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}, zorder=7)


def _points(curve: dict) -> list[tuple[int, float]]:
    return [(steps, error) for steps, error in sorted((int(steps), error) for steps, error in curve.items()) if error]


def _default_curve(recipes: Sequence[Recipe], parametrisation: str, sampler: str) -> list[tuple[int, float]]:
    name = verdicts.DEFAULT_STOCK[parametrisation] + (" + euler" if sampler == "distilled" else "")
    found = {recipe.steps: recipe.evidence["stock"][name]["rms"] for recipe in recipes if name in recipe.evidence.get("stock", {})}
    return _points(found)


def _default_label(record: Record, sampler: str) -> str:
    return verdicts.DEFAULT_STOCK[record.model.parametrisation] + (" + euler" if sampler == "distilled" else "")


def _distinct(recipes: Sequence[Recipe]) -> list[Recipe]:
    """One recipe for each different schedule of a sampler."""
    found = {(recipe.sampler, recipe.sigmas): recipe for recipe in reversed(recipes)}
    return list(reversed(found.values()))


def _shown(sigmas: Sequence[float], scale: str) -> np.ndarray:
    values = np.array(sigmas, dtype=np.float64)
    return np.where(values > 0, values, np.nan) if scale == "log" else values


def _counts(record: Record) -> str:
    return ", ".join(str(steps) for steps in sorted({recipe.steps for recipe in record.recipes})) or "none at all"


def _name(record: Record) -> str:
    cfg = record.conditions.cfg
    return (record.model.name or "unnamed model") + (f", guidance {cfg:g}" if cfg is not None else "")


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise OutputError("Plots need matplotlib, which is not installed; run: pip install matplotlib") from problem
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white")


def _title(figure: Figure, title: str, subtitle: str) -> None:
    """Title and subtitle at the top left, at the same height in inches whatever the figure's."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.14 / height, title, fontsize=15, fontweight="bold", color=INK, va="top")
    figure.text(0.012, 1 - 0.46 / height, subtitle, fontsize=10, color=SOFT, va="top")
    if not figure.axes or figure.axes[0].get_subplotspec().get_gridspec().left is None:
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.72 / height), w_pad=2)


def _row_label(figure: Figure, cell, row: PictureRow) -> None:
    place = cell.get_position(figure)
    middle = (place.y0 + place.y1) / 2
    figure.text(place.x0 - 0.012, middle, row.label, fontsize=11, fontweight="bold", color=INK, ha="right", va="bottom")
    figure.text(place.x0 - 0.012, middle - 0.008, row.detail, fontsize=9, color=SOFT, ha="right", va="top", linespacing=1.3)


def _plain_axes(axis: Axes) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(SOFT)
    axis.tick_params(colors=SOFT, labelcolor=INK)
    axis.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)


def _readable_log(axis: Axes) -> None:
    """0.05 rather than 5 x 10^-2, at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.xaxis.get_major_locator().set_params(integer=True)


def _bare(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _save(figure: Figure, path: PathLike) -> None:
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, facecolor="white")
    except ValueError as problem:  # matplotlib's word for a suffix that it cannot write
        raise OutputError(f"The plot could not be written: {problem}; name a file that ends in .png, .svg or .pdf.") from problem
