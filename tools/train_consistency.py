"""Trains a consistency-type student of the bundled eps checkpoint, to try step-distilled models on.

    python -m tools.train_consistency --out consistency.safetensors
    python -m tools.train_consistency --out consistency.safetensors --steps 3000 --pairs 2048

Without guidance, for four steps: at the noise levels of those alone (`sgm_uniform`, as makers of eps models
put them) the student learns to answer each state of the teacher's path with the path's own end (consistency
distillation, arXiv 2303.01469, with the end itself as its target). It is run by euler, without noise added
on the way. On one quiet CPU core it takes about ten minutes. Seeded.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from scheduler.checkpoints import Checkpoint, digits, load_checkpoint
from scheduler.checkpoints.load import nearest_timestep
from scheduler.checkpoints.unet import UNet
from scheduler.denoiser import Denoiser
from scheduler.rows import noise_for
from scheduler.sigmas import sd_table, stock_schedule
from tools.train import write
from tools.train_turbo import arguments, averaged

TEACHER = "eps"
PAIR_SEED = 910_000  # no test and no fit draws from seeds up there
MAKER_STEPS = 4
BETWEEN = 4  # steps of heun from one level to the next
BATCH, RATE = 64, 2e-4


def maker_sigmas(steps: int = MAKER_STEPS) -> list[float]:
    """The student's own schedule, (steps + 1,)."""
    return stock_schedule("sgm_uniform", sd_table(), steps).tolist()


@dataclass(frozen=True)
class Paths:
    """states: (L, P, C, H, W), the teacher's at the student's levels; ends: (P, C, H, W); classes: (P,)."""

    states: Tensor
    ends: Tensor
    classes: Tensor


@torch.no_grad()
def drawn_paths(teacher: Checkpoint, count: int, batch: int = 256) -> Paths:
    """The teacher's paths through the student's levels, without guidance."""
    classes, states, ends = torch.arange(count) % 10, [], []
    levels = maker_sigmas()
    for k, some in enumerate(classes.split(batch)):
        noise = noise_for(teacher.latent_shape, len(some), PAIR_SEED + k, torch.device("cpu"))
        x, seen, denoise = noise * levels[0], [], teacher.denoiser(some)
        for here, below in zip(levels, levels[1:], strict=False):
            seen.append(x)
            x = _walked(denoise, x, _between(here, below))
        states.append(torch.stack(seen))
        ends.append(x)
    return Paths(torch.cat(states, 1), torch.cat(ends), classes)


def _walked(denoise: Denoiser, x: Tensor, sigmas: np.ndarray) -> Tensor:
    """Heun's method down these (EDM, arXiv 2206.00364, algorithm 1 without noise)."""
    for here, below in zip(sigmas, sigmas[1:], strict=False):
        slope = (x - denoise(x, torch.full((len(x),), float(here)))) / here
        end = x + (below - here) * slope
        if below > 0:
            after = (end - denoise(end, torch.full((len(x),), float(below)))) / below
            end = x + (below - here) * (slope + after) / 2
        x = end
    return x


def _between(here: float, below: float) -> np.ndarray:
    """Levels from one to the next, evenly in the logarithm; the last go on to 0."""
    if below:
        return np.geomspace(here, below, BETWEEN + 1)
    return np.append(np.geomspace(here, here / 20, 2 * BETWEEN), 0.0)


def consistency_loss(model: nn.Module, paths: Paths, chosen: Tensor, level: Tensor) -> Tensor:
    """Mean squared distance of the answers from the ends, over the noise level: at the top the network's
    own output counts for much of the answer."""
    x, ends = paths.states[level, chosen], paths.ends[chosen]
    sigma = torch.tensor(maker_sigmas()[:-1], dtype=torch.float32)[level]
    s = sigma[:, None, None, None]
    context, _ = digits.conditioning(paths.classes[chosen])
    output = model(x / (s**2 + 1).sqrt(), nearest_timestep(sigma).float(), context)
    return (((x - s * output) - ends).square() / s).mean()


def trained(teacher: Checkpoint, paths: Paths, steps: int, seed: int) -> tuple[UNet, float]:
    """The student, averaged over its last steps, and its last loss."""
    student, average = (_copy(teacher) for _ in range(2))
    student.requires_grad_(True).train()
    optimiser = torch.optim.AdamW(student.parameters(), lr=RATE, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    loss, began = math.nan, time.monotonic()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min((step + 1) / 100, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        chosen = torch.randint(len(paths.ends), (BATCH,), generator=generator)
        level = torch.randint(MAKER_STEPS, (BATCH,), generator=generator)
        now = consistency_loss(student, paths, chosen, level)
        optimiser.zero_grad()
        now.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        averaged(average, student, step)
        loss = now.item() if math.isnan(loss) else 0.99 * loss + 0.01 * now.item()
        if step % 100 == 99:
            spent = f"{time.monotonic() - began:.0f} s"
            print(f"step {step + 1} of {steps}, loss {loss:.4f}, {spent}", flush=True)
    return average, loss


def _copy(teacher: Checkpoint) -> UNet:
    whole = load_checkpoint(teacher.name).model
    assert isinstance(whole, UNet)
    return whole


def main() -> None:
    asked = arguments(__doc__, pairs=1024, steps=700)
    torch.set_num_threads(1)
    teacher = load_checkpoint(TEACHER)
    paths = drawn_paths(teacher, asked.pairs)
    print(f"{asked.pairs} paths drawn", flush=True)
    student, loss = trained(teacher, paths, asked.steps, asked.seed)
    made = {
        "name": "eps-consistency",
        "distilled": {
            "from": TEACHER,
            "kind": "consistency, without guidance",
            "sigmas": maker_sigmas(),
            "pairs": asked.pairs,
            "steps": asked.steps,
            "seed": asked.seed,
            "loss": round(loss, 5),
        },
    }
    write(student, teacher.metadata | made, asked.out)


if __name__ == "__main__":
    main()
