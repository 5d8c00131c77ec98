"""The plot and the picture grid of Compare Schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..comparison import OURS, Results
from .images import decoder, figure_image, from_pil, to_pil

if TYPE_CHECKING:
    import torch

NAMED = 3  # stock schedules with a colour of their own; the others are grey
WIDEST, LEAST, MOST = 4096, 144, 384  # pixels: of the grid, and of one picture's longer side
GAP, MARGIN = 10, 24
LEFT, TOP, BELOW = (
    96,
    98,
    26,
)  # pixels for the step counts, the names, and an error, beside pictures of the least size
SMALL, NAMES, LARGE, MOST_SCALE = 15, 18, 26, 1.8  # sizes of type there, and how much they grow
INK, SOFT, ACCENT, BLANK = (34, 34, 34), (107, 107, 107), (0, 114, 178), (238, 238, 238)


def plot(results: Results) -> tuple[torch.Tensor, str]:
    """Error against steps as IMAGE, a line for each schedule; with a sentence where it cannot be drawn."""
    return figure_image(lambda path: _plot(results, path))


def _plot(results: Results, path) -> None:
    from ...scheduler.plots.style import (
        head,
        new_figure,
        plain_axes,
        readable_log,
        save,
        settle,
        whole_steps,
    )

    figure = new_figure(9, 5.6)
    axis = figure.subplots()
    names = results.ranked()
    styles = _styles(names)
    for name in reversed(names):
        points = [
            (steps, results.rms(name, steps)) for steps in results.steps if results.rms(name, steps)
        ]
        if points:
            axis.plot(*zip(*points, strict=True), **styles[name])
    readable_log(axis)
    plain_axes(axis)
    whole_steps(axis)
    _label_ends(axis, results, styles)
    axis.set_xlabel("steps" if results.sampler == "heun" else "steps = model calls a sample")
    axis.set_ylabel("distance from the many-step picture (RMS)")
    other = " (stock schedules: dpmpp_2m)" if results.sampler == OURS else ""
    head(
        figure,
        f"Schedules with {results.sampler}{other}",
        f"{results.name}   |   {results.seeds} noises, drawn by every schedule",
    )
    settle(figure)
    save(figure, path)


def _styles(names: list[str]) -> dict[str, dict]:
    """Ours in the first colour and heavy, the best few others in colours of their own, the rest grey."""
    from ...scheduler.plots.style import COLOURS, MARKERS

    styles, place = {}, 1
    for name in names:
        if name == OURS:
            styles[name] = {
                "color": COLOURS[0],
                "marker": MARKERS[0],
                "linewidth": 2.8,
                "markersize": 7,
                "zorder": 6,
            }
        elif place <= NAMED:
            styles[name] = {
                "color": COLOURS[place],
                "marker": MARKERS[place],
                "linewidth": 1.8,
                "markersize": 5,
                "zorder": 5,
            }
            place += 1
        else:
            styles[name] = {
                "color": "#BDBDBD",
                "marker": ".",
                "linewidth": 1.1,
                "markersize": 5,
                "zorder": 2,
            }
        styles[name] |= {"markeredgecolor": "white", "markeredgewidth": 0.6}
    return styles


def _label_ends(axis, results: Results, styles: dict[str, dict]) -> None:
    """Each line's name at its right end, moved apart where they would cover each other, instead of
    a legend far away."""
    import numpy as np

    last = {
        name: [(n, results.rms(name, n)) for n in results.steps if results.rms(name, n)]
        for name in styles
    }
    ends = sorted(
        ((points[-1][1], points[-1][0], name) for name, points in last.items() if points),
        reverse=True,
    )
    low, high = np.log(axis.get_ylim())
    places = spread([float(np.log(error)) for error, _, _ in ends], 0.045 * (high - low), low)
    span = max(results.steps[-1] - results.steps[0], 1)
    for (error, steps, name), place in zip(ends, places, strict=True):
        style = styles[name]
        colour = style["color"] if style["zorder"] > 2 else "#7A7A7A"
        arrow = {
            "arrowstyle": "-",
            "color": style["color"],
            "linewidth": 0.7,
            "shrinkA": 2,
            "shrinkB": 3,
            "relpos": (0, 0.5),
        }
        axis.annotate(
            name,
            (steps, error),
            xytext=(results.steps[-1] + 0.05 * span, np.exp(place)),
            va="center",
            color=colour,
            fontsize=10 if style["zorder"] > 2 else 9,
            fontweight="bold" if name == OURS else "normal",
            arrowprops=arrow,
        )
    axis.set_xlim(results.steps[0] - 0.04 * span, results.steps[-1] + 0.3 * span)
    axis.set_xticks(
        [steps for steps in axis.get_xticks() if results.steps[0] <= steps <= results.steps[-1]]
    )


def spread(places: list[float], apart: float, lowest: float) -> list[float]:
    """Descending places moved as little as it takes to lie `apart` from each other and above the lowest."""
    found = []
    for place in places:
        found.append(min(place, found[-1] - apart) if found else place)
    floor = lowest + apart / 2
    for k in range(len(found) - 1, -1, -1):
        found[k] = max(found[k], floor)
        floor = found[k] + apart
    return found


def grid(results: Results, patcher, vae=None) -> torch.Tensor:
    """What was drawn from the first noise, as IMAGE (1, H, W, 3): a row a step count, the teacher
    first, then ours, then the others."""
    import comfy.model_management

    decode, names = decoder(patcher, vae), results.ranked()
    cells = {("teacher", None): to_pil(decode(results.teacher))}
    for name in names:
        for steps, end in results.ends[name].items():
            comfy.model_management.throw_exception_if_processing_interrupted()
            if end is not None:
                cells[name, steps] = to_pil(decode(end))
    return from_pil(_laid_out(results, names, cells))


class _Sheet:
    """The page that the grid is drawn on: pictures of one size in columns and rows, with type that
    grows with them."""

    def __init__(self, picture: tuple[int, int], columns: int, rows: int):
        from PIL import Image, ImageDraw

        self.cell = _cell_size(picture, columns)
        self.scale = min(max(max(self.cell) / LEAST, 1.0), MOST_SCALE)
        self.left, self.top, self.below, self.gap, self.margin = (
            self.of(each) for each in (LEFT, TOP, BELOW, GAP, MARGIN)
        )
        size = (self.x(columns) + self.margin - self.gap, self.y(rows) + self.margin // 2)
        self.canvas = Image.new("RGB", size, "white")
        self.draw = ImageDraw.Draw(self.canvas)

    def of(self, pixels: float) -> int:
        """A length of the smallest sheet on this one."""
        return round(pixels * self.scale)

    def x(self, column: int) -> int:
        return self.left + column * (self.cell[0] + self.gap)

    def y(self, row: int) -> int:
        return self.top + row * (self.cell[1] + self.below + self.gap)

    def text(
        self, place: tuple[float, float], text: str, size: int, colour: tuple, anchor: str = "ls"
    ) -> None:
        self.draw.text(place, text, fill=colour, font=_font(self.of(size)), anchor=anchor)

    def picture(self, column: int, row: int, picture) -> None:
        """A picture, or a blank where there is none."""
        from PIL import Image

        place = (self.x(column), self.y(row))
        self.canvas.paste(
            _resized(picture, self.cell) if picture else Image.new("RGB", self.cell, BLANK), place
        )

    def name(self, column: int, name: str, colour: tuple) -> None:
        """A name above its column, on two lines where one is too narrow for it."""
        font, room, middle = (
            _font(self.of(NAMES)),
            self.cell[0] + self.gap - self.of(6),
            self.x(column) + self.cell[0] / 2,
        )
        lines = [name]
        if self.draw.textlength(name, font=font) > room:
            breaks = [k + 1 for k, sign in enumerate(name) if sign == "_"] or [len(name) // 2]
            cut = min(breaks, key=lambda k: abs(k - len(name) / 2))
            lines = [name[:cut], name[cut:]]
        for k, line in enumerate(reversed(lines)):
            while len(line) > 3 and self.draw.textlength(line, font=font) > room:
                line = line[:-2] + "…"
            self.text((middle, self.top - self.of(12 + 21 * k)), line, NAMES, colour, "ms")


def _laid_out(results: Results, names: list[str], cells: dict):
    """The grid as a PIL picture: names above, step counts at the left, errors below each picture."""
    columns = ["teacher", *names]
    sheet = _Sheet(cells["teacher", None].size, len(columns), len(results.steps))
    about = f"{results.name}, {results.sampler}: the first of {results.seeds} noises, "
    about += "and its distance from the teacher's picture"
    sheet.text((sheet.margin, sheet.of(28)), about, SMALL, SOFT)
    for column, name in enumerate(columns):
        sheet.name(column, name, ACCENT if name == OURS else INK)
        for row, steps in enumerate(results.steps):
            sheet.picture(column, row, cells.get((name, None if name == "teacher" else steps)))
            if name != "teacher":
                place = (
                    sheet.x(column) + sheet.cell[0] / 2,
                    sheet.y(row) + sheet.cell[1] + sheet.of(19),
                )
                sheet.text(
                    place,
                    _error(results, name, steps),
                    SMALL,
                    ACCENT if name == OURS else SOFT,
                    "ms",
                )
    for row, steps in enumerate(results.steps):
        middle = sheet.y(row) + sheet.cell[1] / 2
        sheet.text((sheet.margin, middle), str(steps), LARGE, INK)
        sheet.text(
            (sheet.margin, middle + sheet.of(20)), "steps" if steps > 1 else "step", SMALL, SOFT
        )
    return sheet.canvas


def _error(results: Results, name: str, steps: int) -> str:
    """The first noise's own error."""
    from ...scheduler.record.evidence_table import error_text

    errors = results.errors[name].get(steps)
    if errors is None:
        return "not run"
    return error_text(float(errors[0])) if errors[0] < float("inf") else "not finite"


def _cell_size(picture: tuple[int, int], columns: int) -> tuple[int, int]:
    """(width, height) of a picture in the grid: its own size, within bounds that keep the grid viewable."""
    longer = max(picture)
    side = min(max(longer, LEAST), MOST, max(LEAST, (WIDEST - 120) // columns - GAP))
    return tuple(max(1, round(side * each / longer)) for each in picture)


def _resized(picture, size: tuple[int, int]):
    """Latents' few pixels are shown as they are, pictures are scaled smoothly."""
    from PIL import Image

    if picture.size == size:
        return picture
    few = size[0] >= 3 * picture.size[0]
    return picture.resize(size, Image.NEAREST if few else Image.LANCZOS)


def _font(size: int):
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1 has one size only
        return ImageFont.load_default()
