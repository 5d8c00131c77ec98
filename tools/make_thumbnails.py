"""The pictures of the example workflows, drawn anew with the bundled flow checkpoint (needs matplotlib
and pillow).

    python -m tools.make_thumbnails

Large words and few things: the host shows them about 290 pixels wide. All pictures are of noise and
digits that no fit has seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from scheduler import Conditions, distill
from scheduler.checkpoints import load_checkpoint
from scheduler.record import Record
from scheduler.samplers import sample
from scheduler.sigmas import stock_schedule, table_for

FOLDER = Path(__file__).parents[1] / "example_workflows"
SIZE = (9.6, 4.4)  # inches of 100 pixels
INK, SOFT, OURS, STOCK = "#1d1d1f", "#5f6168", "#0068a8", "#c25400"
CFG, SEED, STEPS, FULL = 3.0, 21, 4, 24
TITLES = (
    ("2_ksampler.jpg", "KSampler, scheduler: distilled", 6),
    ("3_distilled_sampler.jpg", "Distilled Sampler: most of the gain", 9),
)


def main() -> None:
    """Write the four; the one-node way has a picture of its own (0_few_steps.jpg)."""
    record = _record()
    _curve(record).savefig(FOLDER / "1_distill_a_model.jpg")
    for file, title, digit in TITLES:
        pictures = [
            (_stock(STEPS, digit), f"stock\n{STEPS} steps", SOFT),
            (_ours(record, digit), f"distilled\n{STEPS} steps", OURS),
            (_stock(FULL, digit), f"stock\n{FULL} steps", SOFT),
        ]
        _row(title, pictures).savefig(FOLDER / file)
    _carried(_ours(record, 3)).savefig(FOLDER / "4_shared_with_its_record.jpg")


def _record() -> Record:
    """Recipes for 4 to 8 steps, measured on held-out noise."""
    model = load_checkpoint("flow")
    digits = torch.tensor([1, 5, 8, 2])
    return distill(
        lambda x, sigma: model.denoiser(digits[torch.arange(len(x)) % len(digits)], CFG)(x, sigma),
        model.latent_shape,
        model.sigma_max,
        model.sigma_min,
        model.parametrisation,
        samplers="distilled",
        steps=(4, 5, 6, 8),
        effort="instant",
        evidence_budget=900,
        conditions=Conditions(name="flow", cfg=CFG, shift=model.shift),
    )


def _ours(record: Record, digit: int) -> np.ndarray:
    denoise, noise = _scene(digit)
    return _picture(record.sample(denoise, noise, sampler="distilled", steps=STEPS))


def _stock(steps: int, digit: int) -> np.ndarray:
    denoise, noise = _scene(digit)
    model = load_checkpoint("flow")
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    sigmas = stock_schedule("simple", table, steps)
    return _picture(sample(denoise, noise * float(sigmas[0]), sigmas, "dpmpp_2m"))


def _scene(digit: int) -> tuple:
    model = load_checkpoint("flow")
    noise = torch.randn(1, *model.latent_shape, generator=torch.Generator().manual_seed(SEED))
    return model.denoiser(torch.tensor([digit]), CFG), noise


def _picture(latents: torch.Tensor) -> np.ndarray:
    return load_checkpoint("flow").decode(latents)[0].squeeze().clamp(0, 1).numpy()


# --- what is drawn ---


def _page(title: str) -> Figure:
    figure = Figure(figsize=SIZE, dpi=100, facecolor="#fafafa")
    figure.text(0.04, 0.86, title, size=31, weight="bold", color=INK)
    return figure


def _row(title: str, pictures: list) -> Figure:
    figure = _page(title)
    for place, (picture, words, colour) in enumerate(pictures):
        left = 0.04 + 0.32 * place
        axes = figure.add_axes((left, 0.27, 0.24, 0.52))
        axes.imshow(picture, cmap="gray", interpolation="bicubic", vmin=0, vmax=1)
        axes.axis("off")
        figure.text(left + 0.01, 0.05, words, size=23, weight="bold", color=colour)
    return figure


def _curve(record: Record) -> Figure:
    figure = _page("Distill a model once")
    axes = figure.add_axes((0.13, 0.2, 0.83, 0.6))
    rows = sorted((each for each in record.recipes if each.sampler == "distilled"), key=_steps)
    steps = [each.steps for each in rows]
    best = [each.evidence["stock"][each.evidence["best_stock"]]["rms"] for each in rows]
    axes.plot(steps, best, "--o", color=STOCK, linewidth=4, markersize=9, label="best stock")
    ours = [each.evidence["rms"] for each in rows]
    axes.plot(steps, ours, "-o", color=OURS, linewidth=5, markersize=11, label="distilled")
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.set_xticks(steps)
    axes.tick_params(labelsize=20)
    axes.set_xlabel("steps", size=23)
    axes.set_ylabel("error", size=23)
    axes.legend(fontsize=24, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _steps(recipe) -> int:
    return recipe.steps


def _carried(picture: np.ndarray) -> Figure:
    figure = _page("A picture with its record inside")
    axes = figure.add_axes((0.04, 0.1, 0.3, 0.67))
    axes.imshow(picture, cmap="gray", interpolation="bicubic", vmin=0, vmax=1)
    axes.axis("off")
    lines = ((0.6, "Open it anywhere:"), (0.42, "it draws the same,"), (0.24, "without your store"))
    for height, words in lines:
        figure.text(0.4, height, words, size=29, color=INK)
    return figure


if __name__ == "__main__":
    main()
