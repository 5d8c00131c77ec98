"""Judges a checkpoint's pictures (needs scikit-learn).

    python -m tools.quality flow|eps|FILE [--grid out.png]

Recognised: the share of class-conditional samples that a classifier, trained on half of the real
digits, takes for the class asked for. Copies: the share of samples nearer to a training picture
than half of what new real digits are, at the median.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scheduler.checkpoints import digits
from scheduler.checkpoints.load import Checkpoint, load_checkpoint

STEPS = 100
GUIDANCES = (1.0, 2.0, 3.0, 4.0)
SAMPLES = 500
COPIES_AT = 3.0
JITTERED = 8


def schedule(checkpoint: Checkpoint, steps: int) -> list[float]:
    """A plain schedule, sigma_max first and 0 last.

    Evenly shifted for flow (SD3's own), else Karras' with rho 7 (arXiv 2206.00364).
    """
    if checkpoint.parametrisation == "flow":
        t = np.linspace(1, 0, steps + 1)
        return (checkpoint.shift * t / (1 + (checkpoint.shift - 1) * t)).tolist()
    high = checkpoint.sigma_max ** (1 / 7)
    low = checkpoint.sigma_min ** (1 / 7)
    return [*((high + np.linspace(0, 1, steps) * (low - high)) ** 7).tolist(), 0.0]


def draw(
    checkpoint: Checkpoint, classes: Tensor, cfg: float, steps: int = STEPS, seed: int = 0
) -> Tensor:
    """Samples of the classes (B,) by Euler's method on `schedule`: pictures (B, height, width)."""
    denoise = checkpoint.denoiser(classes, cfg)
    sigmas = schedule(checkpoint, steps)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(classes), *checkpoint.latent_shape, generator=generator) * sigmas[0]
    for now, following in zip(sigmas, sigmas[1:], strict=False):
        denoised = denoise(x, torch.full((len(classes),), now))
        x = denoised + (following / now) * (x - denoised)
    return checkpoint.decode(x)


def in_turn(count: int) -> Tensor:
    """The classes 0..9, 0..9, ... (count,)."""
    return torch.arange(count) % digits.CLASSES


@lru_cache
def judge(side: int) -> tuple[Callable[[Tensor], np.ndarray], float]:
    """A classifier of pictures (B, side, side), and its accuracy on real digits.

    On the half of them that it was not trained on.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.svm import SVC

    pictures, classes = digits.load_digits()
    features = _features(digits.render(pictures, side))
    ours, others, known, asked = train_test_split(
        features, classes.numpy(), test_size=0.5, random_state=0, stratify=classes.numpy()
    )
    machine = SVC(C=10, gamma=0.3).fit(ours, known)
    return lambda seen: machine.predict(_features(seen)), float(machine.score(others, asked))


def _features(pictures: Tensor) -> np.ndarray:
    return digits.shrink(pictures).flatten(1).numpy()


def nearest(pictures: Tensor, side: int) -> np.ndarray:
    """Each picture's root-mean-square distance, in the data's 8x8, to the nearest training picture.

    As that is or jittered.
    """
    real, _ = digits.load_digits()
    trained = real[~digits.held_out(len(real))]
    generator = torch.Generator().manual_seed(0)
    views = [digits.render(trained, side)]
    views += [digits.render(trained, side, generator) for _ in range(JITTERED)]
    drawn = torch.tensor(_features(pictures))
    distances = [torch.cdist(drawn, torch.tensor(_features(view))).amin(dim=1) for view in views]
    return torch.stack(distances).amin(dim=0).numpy() / 8


def measure(path: str | Path, samples: int = SAMPLES) -> dict:
    """All figures of a checkpoint file, as they go into its metadata."""
    checkpoint = load_checkpoint(path)
    side = checkpoint.metadata["latent"]["picture"][0]
    classes = in_turn(samples)
    recognise, accuracy = judge(side)
    recognised = {}
    drawn = {}
    for cfg in GUIDANCES:
        parts = [draw(checkpoint, part, cfg, seed=i) for i, part in enumerate(classes.split(100))]
        drawn[cfg] = torch.cat(parts)
        share = (recognise(drawn[cfg]) == classes.numpy()).mean()
        recognised[f"guidance {cfg:g}"] = round(float(share), 4)
    return {
        "samples": samples,
        "steps": STEPS,
        "sampler": "euler",
        "judge_accuracy": round(accuracy, 4),
        "recognised": recognised,
        "nearest": _copies(drawn[COPIES_AT], side),
    }


def _copies(drawn: Tensor, side: int) -> dict:
    real, _ = digits.load_digits()
    new = nearest(digits.render(real[digits.held_out(len(real))], side), side)
    ours = nearest(drawn, side)
    limit = float(np.median(new)) / 2
    return {
        "guidance": COPIES_AT,
        "median_of_samples": round(float(np.median(ours)), 4),
        "median_of_held_out_digits": round(float(np.median(new)), 4),
        "copies_below": round(limit, 4),
        "share_of_copies": round(float((ours < limit).mean()), 4),
        "share_of_copies_among_held_out_digits": round(float((new < limit).mean()), 4),
    }


def save_grid(checkpoint: Checkpoint, path: Path, rows: int = 6) -> None:
    """A picture: `rows` rows of samples, a column a class, at guidance 1, 2 and 4, enlarged."""
    from matplotlib import image

    parts = [draw(checkpoint, in_turn(rows * digits.CLASSES), cfg) for cfg in (1.0, 2.0, 4.0)]
    pictures = torch.cat(parts).unflatten(0, (-1, digits.CLASSES))
    framed = torch.nn.functional.pad(pictures, (1, 1, 1, 1), value=0.5)
    sheet = framed.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
    enlarged = sheet.repeat_interleave(2, 0).repeat_interleave(2, 1)
    image.imsave(path, enlarged.numpy(), cmap="gray", vmin=0, vmax=1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", help="flow, eps, or a file")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--grid", type=Path, help="write a sheet of samples here")
    arguments = parser.parse_args()
    if arguments.grid:
        save_grid(load_checkpoint(arguments.checkpoint), arguments.grid)
    print(json.dumps(measure(arguments.checkpoint, arguments.samples), indent=1))


if __name__ == "__main__":
    main()
