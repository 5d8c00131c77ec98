"""A library as a picture: what each job's recipes gain, a line for each job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..files import PathLike
from .style import COLOURS, FAINT, INK, MARKERS, head, legend_below, new_figure, plain_axes, save

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LINE = 0.3  # inches that a job takes
MOST_JOBS = 120  # in one picture
LEAST_SHOWN = 0.01


def plot_library(
    jobs: Sequence[tuple[str, Mapping[int, float]]], path: PathLike, subtitle: str = ""
) -> None:
    """Each job's error over that of the best stock choice, by steps.

    jobs: (label, {steps: ratio}); those beyond the first 120 are left out, which the subtitle says. The
    file's suffix says the format. Raises OutputError.
    """
    shown = [(label, ratios) for label, ratios in jobs if ratios][:MOST_JOBS]
    counts = sorted({steps for _, ratios in shown for steps in ratios})
    figure = new_figure(10, 2.2 + LINE * max(len(shown), 2))
    axis = figure.subplots()
    for place, steps in enumerate(counts):
        points = [(ratios[steps], k) for k, (_, ratios) in enumerate(shown) if steps in ratios]
        axis.plot(
            [max(ratio, LEAST_SHOWN) for ratio, _ in points],
            [k for _, k in points],
            linestyle="",
            marker=MARKERS[place % len(MARKERS)],
            color=COLOURS[place % len(COLOURS)],
            label=f"{steps} steps",
        )
    axis.axvline(1.0, color=INK, linewidth=1, linestyle=(0, (4, 2)))
    axis.set_xscale("log")
    axis.set_xlim(LEAST_SHOWN, 2.0)
    ticks = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set_yticks(range(len(shown)), [label for label, _ in shown])
    axis.set_ylim(max(len(shown), 2) - 0.5, -0.5)
    axis.set_xlabel(
        "error beside the best stock sampler and schedule at as many steps (1: the same)"
    )
    plain_axes(axis)
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    left = len(jobs) - len(shown)
    note = f"{subtitle}{f'   |   {left} without numbers, or too many, not shown' if left else ''}"
    head(figure, "What the library's recipes gain", note)
    legend_below(figure, _legend(axis), columns=8, gap=2)
    save(figure, path)


def _legend(axis: Axes) -> dict[str, Artist]:
    lines, labels = axis.get_legend_handles_labels()
    return dict(zip(labels, lines, strict=True))
