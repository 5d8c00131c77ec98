"""Draws the icon and the banner that registries show: docs/icon.svg, .png and docs/banner.svg, .png.

    python -m tools.make_registry_art

Many small steps down a curve, and a few that end at the same place.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "stepdistill"
matplotlib.rcParams["svg.fonttype"] = "path"

from matplotlib import pyplot as plt  # noqa: E402

FOLDER = Path(__file__).resolve().parent.parent / "docs"
ICON = (4.0, 4.0)  # inches at 100 dots: the registry takes icons of 400x400 at most
BANNER = (12.6, 5.4)  # and banners of 21:9
BACK, FAINT, BRIGHT, END = "#15161c", "#5b6078", "#f2a65a", "#f7e7ce"
MANY = 25
FEW = np.array([0.0, 0.16, 0.36, 0.58, 0.8, 1.0])


def curve(t: np.ndarray) -> np.ndarray:
    """How far down the noise is after a share t of the run."""
    return (1 - t) ** 1.7 * (1 + 0.35 * np.sin(2.2 * np.pi * t))


def draw(size: tuple[float, float], name: str, title: str = "") -> None:
    """One drawing as SVG and PNG."""
    figure = plt.figure(figsize=size, dpi=100, facecolor=BACK)
    room = [0.1, 0.12, 0.8, 0.76] if not title else [0.52, 0.16, 0.42, 0.68]
    axes = figure.add_axes(room)
    axes.axis("off")
    smooth, many = np.linspace(0, 1, 200), np.linspace(0, 1, MANY)
    axes.plot(smooth, curve(smooth), color=FAINT, linewidth=2)
    axes.scatter(many, curve(many), s=26, color=FAINT, zorder=2)
    axes.plot(FEW, curve(FEW), color=BRIGHT, linewidth=4, zorder=3)
    axes.scatter(FEW[:-1], curve(FEW[:-1]), s=190, color=BRIGHT, zorder=4)
    axes.scatter(FEW[-1:], curve(FEW[-1:]), s=420, color=END, zorder=5)
    axes.set_xlim(-0.08, 1.1)
    axes.set_ylim(-0.12, 1.12)
    if title:
        figure.text(0.06, 0.53, title, color=END, fontsize=44, fontweight="bold")
        figure.text(0.065, 0.4, "your model, in a few steps", color=BRIGHT, fontsize=20)
    for kind in ("svg", "png"):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(FOLDER / f"{name}.{kind}", facecolor=BACK, metadata=metadata)
    plt.close(figure)


if __name__ == "__main__":
    draw(ICON, "icon")
    draw(BANNER, "banner", "StepDistill")
