"""Trains a step-distilled student of the bundled flow checkpoint, to try step-distilled models on.

    python -m tools.train_turbo --out turbo.safetensors
    python -m tools.train_turbo --out turbo.safetensors --steps 6000 --pairs 8192

Rectified flow (arXiv 2209.03003, "reflow"), with guidance folded in: pairs of a noise and the picture that
the teacher draws of it under guidance 3 are joined by straight lines, and the student learns the velocity
along them, at the noise levels of its own eight steps alone. It is run without guidance, in eight or four
steps of euler. On one CPU core it takes about ten minutes. Seeded.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from scheduler.checkpoints import Checkpoint, digits, load_checkpoint
from scheduler.checkpoints.mmdit import MMDiT
from scheduler.rows import noise_for
from scheduler.samplers import sample
from scheduler.sigmas import flow_table, stock_schedule
from tools.train import EMA, write

TEACHER, GUIDANCE = "flow", 3.0
PAIR_SEED = 900_000  # no test and no fit draws from seeds up there
PAIR_STEPS = 20
MAKER_STEPS = 8
BATCH, RATE = 128, 3e-4


def maker_sigmas(steps: int = MAKER_STEPS) -> list[float]:
    """The student's own schedule, (steps + 1,): `simple` at shift 3. Four steps are every second of
    eight."""
    whole = stock_schedule("simple", flow_table(3.0), MAKER_STEPS)
    return whole[:: MAKER_STEPS // steps].tolist()


@dataclass(frozen=True)
class Pairs:
    """noise, ends: (P, C, H, W). classes: (P,)."""

    noise: Tensor
    ends: Tensor
    classes: Tensor


@torch.no_grad()
def drawn_pairs(teacher: Checkpoint, count: int, batch: int = 256) -> Pairs:
    """What the teacher draws of each noise under its guidance."""
    sigmas = stock_schedule("beta", flow_table(teacher.shift or 1.0), PAIR_STEPS)
    classes = torch.arange(count) % 10
    noise = torch.cat(
        [
            noise_for(teacher.latent_shape, batch, PAIR_SEED + k, torch.device("cpu"))
            for k in range(math.ceil(count / batch))
        ]
    )[:count]
    ends = [
        sample(teacher.denoiser(some, GUIDANCE), start * float(sigmas[0]), sigmas, "dpmpp_2m")
        for start, some in zip(noise.split(batch), classes.split(batch), strict=True)
    ]
    return Pairs(noise, torch.cat(ends), classes)


def reflow_loss(model: nn.Module, pairs: Pairs, chosen: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error of the velocity noise - end at x = (1 - s) end + s noise."""
    noise, ends = pairs.noise[chosen], pairs.ends[chosen]
    s = sigma[:, None, None, None]
    context, pooled = digits.conditioning(pairs.classes[chosen])
    velocity = model((1 - s) * ends + s * noise, sigma * 1000, context, pooled)
    return (velocity - (noise - ends)).square().mean()


def trained(teacher: Checkpoint, pairs: Pairs, steps: int, seed: int) -> tuple[MMDiT, float]:
    """The student, averaged over its last steps, and its last loss."""
    student, average = (_copy(teacher) for _ in range(2))
    student.requires_grad_(True).train()
    optimiser = torch.optim.AdamW(
        student.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01
    )
    levels = torch.tensor(maker_sigmas()[:-1], dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    loss, began = math.nan, time.monotonic()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min((step + 1) / 200, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        chosen = torch.randint(len(pairs.noise), (BATCH,), generator=generator)
        sigma = levels[torch.randint(len(levels), (BATCH,), generator=generator)]
        now = reflow_loss(student, pairs, chosen, sigma)
        optimiser.zero_grad()
        now.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        averaged(average, student, step)
        loss = now.item() if math.isnan(loss) else 0.99 * loss + 0.01 * now.item()
        if step % 250 == 249:
            print(
                f"step {step + 1} of {steps}, loss {loss:.4f}, {time.monotonic() - began:.0f} s",
                flush=True,
            )
    return average, loss


def _copy(teacher: Checkpoint) -> MMDiT:
    assert isinstance(teacher.model, MMDiT)
    copied = MMDiT()
    copied.load_state_dict(teacher.model.state_dict())
    return copied


@torch.no_grad()
def averaged(average: nn.Module, student: nn.Module, step: int) -> None:
    """Move the running average of a student's weights towards the student."""
    decay = min(EMA, (1 + step) / (10 + step))
    for kept, new in zip(average.parameters(), student.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def arguments(about: str | None, pairs: int, steps: int) -> argparse.Namespace:
    """What a student's script is asked for: out, pairs, steps and seed."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=pairs)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    asked = arguments(__doc__, pairs=8192, steps=6000)
    torch.set_num_threads(1)
    teacher = load_checkpoint(TEACHER)
    pairs = drawn_pairs(teacher, asked.pairs)
    student, loss = trained(teacher, pairs, asked.steps, asked.seed)
    made = {
        "name": "flow-turbo",
        "distilled": {
            "from": TEACHER,
            "kind": "reflow, guidance folded in",
            "guidance": GUIDANCE,
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
