"""The look that all plots share: colours, type, axes, titles.

And writing a figure whole or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import OutputError
from ..files import PathLike, atomic_path

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every kind of colour vision; each curve has its own
# marker besides.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "D", "^", "v", "P")
INK, SOFT, FAINT = "#222222", "#6B6B6B", "#CFCFCF"
DPI = 160
HEAD = 0.78  # inches that title and subtitle take
LEGEND_LINE = 0.23  # inches that a line of the legend takes

Style = dict[str, Any]  # matplotlib's keyword arguments of a line or a text
LEAST_STEPS_SHOWN = 2.0  # along an axis


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that needs no display. Raises OutputError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise OutputError(
            "Plots need matplotlib, which is not installed; run: pip install matplotlib"
        ) from problem
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white")


def head(figure: Figure, title: str, subtitle: str) -> None:
    """Title and subtitle at the top left, at the same height in inches whatever the figure's."""
    height = figure.get_figheight()
    left = 0.14 / figure.get_figwidth()
    bold: Style = {"fontsize": 15, "fontweight": "bold", "color": INK}
    figure.text(left, 1 - 0.14 / height, title, va="top", **bold)
    figure.text(left, 1 - 0.47 / height, subtitle, va="top", fontsize=10, color=SOFT)


def settle(figure: Figure, bottom: float = 0.0) -> None:
    """Fit the axes below the head, `bottom` inches kept free below them."""
    height = figure.get_figheight()
    figure.tight_layout(rect=(0, bottom / height, 1, 1 - HEAD / height), w_pad=2.5)


def legend_below(figure: Figure, lines: Mapping[str, Artist], columns: int, gap: float) -> None:
    """The legend, label by label, at the figure's bottom; the axes are fitted above it."""
    figure.legend(
        list(lines.values()),
        list(lines),
        loc="lower left",
        bbox_to_anchor=(0.03, 0.0),
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        columnspacing=gap,
    )
    settle(figure, bottom=0.12 + LEGEND_LINE * math.ceil(len(lines) / columns))


def plain_axes(axis: Axes) -> None:
    """Left and bottom lines only, and a faint grid across."""
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(SOFT)
    axis.tick_params(which="both", color=SOFT, labelcolor=INK)
    axis.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)


def readable_log(axis: Axes) -> None:
    """0.05 rather than 5 x 10^-2, at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=50))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def whole_steps(axis: Axes) -> None:
    """Whole numbers along the axis of steps, and room for three of them: one or two step counts are
    no reason for tenths of a step."""
    from matplotlib.ticker import MaxNLocator

    low, high = axis.get_xlim()
    if high - low < LEAST_STEPS_SHOWN:
        middle = (low + high) / 2
        axis.set_xlim(middle - LEAST_STEPS_SHOWN / 2, middle + LEAST_STEPS_SHOWN / 2)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], nbins=12))


def bare(axis: Axes) -> None:
    """No lines and no ticks: for pictures."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def save(figure: Figure, path: PathLike) -> None:
    """Write the figure in the format that the suffix names; raises OutputError."""
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, facecolor="white")
    except ValueError as problem:  # matplotlib's word for a suffix that it cannot write
        raise OutputError(
            f"{path} could not be written ({problem}); name a file that ends in .png, .svg or .pdf."
        ) from problem
