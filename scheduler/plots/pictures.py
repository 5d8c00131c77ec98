"""A grid of pictures: what several recipes draw from the same seeds, and how it differs.

Needs matplotlib, imported when first used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..files import PathLike
from .style import INK, SOFT, Style, bare, head, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

CELL = 1.18  # inches: a picture of the grid
LABELS = 1.6  # inches: the labels at its left
MOST_DIFFERENCE = 0.25


@dataclass(frozen=True)
class PictureRow:
    """One row of the grid.

    A label, smaller lines below it, pictures (B, H, W) in [0, 1] or (B, H, W, 3), and errors (B,)
    or None.
    """

    label: str
    detail: str
    pictures: np.ndarray
    errors: np.ndarray | None = None


def plot_pictures(
    rows: Sequence[PictureRow],
    path: PathLike,
    columns: Sequence[str] = (),
    title: str = "",
    subtitle: str = "",
) -> None:
    """The same seeds drawn in several ways, a row each.

    At the right: how each differs from the first row's, the teacher. A row's label stands at its
    left, each picture's error below it. Raises OutputError.
    """
    count = len(rows[0].pictures)
    width = LABELS + 2 * CELL * count + 0.6
    height = 1.12 + (CELL + 0.22) * len(rows)
    figure = new_figure(width, height)
    grid = figure.add_gridspec(
        len(rows),
        2 * count + 1,
        width_ratios=[1] * count + [0.35] + [1] * count,
        wspace=0.05,
        hspace=0.22,
        left=LABELS / width,
        right=1 - 0.1 / width,
        top=1 - 1.05 / height,
        bottom=0.25 / height,
    )
    for i, row in enumerate(rows):
        for j, picture in enumerate(row.pictures):
            axis = figure.add_subplot(grid[i, j])
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            bare(axis)
            if i == 0 and j < len(columns):
                axis.set_title(columns[j], fontsize=9.5, color=SOFT, pad=4)
            if row.errors is not None:
                axis.set_xlabel(f"{row.errors[j]:.2f}", fontsize=8.5, color=SOFT, labelpad=2)
            if i > 0:
                beside = figure.add_subplot(grid[i, count + 1 + j])
                _draw_difference(beside, picture - rows[0].pictures[j])
        _row_label(figure, grid[i, 0].get_position(figure), row)
    _explain_differences(figure, grid[0, count + 1].get_position(figure))
    head(figure, title, subtitle)
    save(figure, path)


def _draw_difference(axis: Axes, difference: np.ndarray) -> None:
    grey = difference if difference.ndim == 2 else difference.mean(-1)
    axis.imshow(
        grey, cmap="PuOr_r", vmin=-MOST_DIFFERENCE, vmax=MOST_DIFFERENCE, interpolation="nearest"
    )
    bare(axis)


def _explain_differences(figure: Figure, place: Bbox) -> None:
    text = (
        "Difference from the teacher's picture\n"
        "orange: too light, violet: too dark\n"
        f"(full colour at {MOST_DIFFERENCE:g} of the range)"
    )
    figure.text(place.x0, place.y0, text, fontsize=9.5, color=SOFT, va="bottom", linespacing=1.45)


def _row_label(figure: Figure, place: Bbox, row: PictureRow) -> None:
    left = 0.14 / figure.get_figwidth()
    middle = (place.y0 + place.y1) / 2
    above = middle + 0.03 / figure.get_figheight()
    bold: Style = {"fontsize": 12, "fontweight": "bold", "color": INK}
    figure.text(left, above, row.label, va="bottom", **bold)
    figure.text(left, middle, row.detail, va="top", fontsize=9, color=SOFT, linespacing=1.35)
