"""Trains the bundled checkpoints.

    python -m tools.train flow|eps --work FOLDER

On one CPU core each takes under 20 minutes to train, then 2 (flow) to 6 minutes (eps) to judge
(quality.py). Needs scikit-learn. Seeded: a step's random numbers depend on the seed and the step
alone, so a run that was stopped and resumed ends as one that was not.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from scheduler.checkpoints import digits
from scheduler.checkpoints.load import BUNDLED, PREFIX, sd_sigmas
from scheduler.checkpoints.mmdit import MMDiT
from scheduler.checkpoints.unet import UNet
from scheduler.files import atomic_path, make_folder, write_bytes

SHIFT = 3.0
DROP_CLASS = 0.1
EMA = 0.999
SAVE_EVERY_SECONDS = 60
TRANSFORM = (
    "orthonormal DCT-II of each block x block square, "
    "channel = block * vertical + horizontal frequency, then (value - mean) / std"
)


@dataclass(frozen=True)
class Task:
    """What is trained, on what latents, for how long."""

    name: str
    side: int
    block: int
    build: Callable[[], nn.Module]
    loss: Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
    goal: str
    facts: dict
    steps: int
    batch: int
    rate: float


def spread_uniform(count: int, generator: torch.Generator) -> Tensor:
    """One uniform number in each of `count` equal parts of [0, 1), in random order.

    It makes less noise in the loss than independent ones.
    """
    order = torch.randperm(count, generator=generator)
    return (order + torch.rand(count, generator=generator)) / count


def flow_loss(
    model: nn.Module, latents: Tensor, classes: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean squared error of the velocity n - x0 at x = (1 - s) x0 + s n.

    s is uniform and then shifted (arXiv 2403.03206).
    """
    u = spread_uniform(latents.shape[0], generator)
    sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
    noise = torch.randn(latents.shape, generator=generator)
    s = sigma[:, None, None, None]
    context, pooled = digits.conditioning(classes)
    velocity = model((1 - s) * latents + s * noise, sigma * 1000, context, pooled)
    return (velocity - (noise - latents)).square().mean()


def eps_loss(
    model: nn.Module, latents: Tensor, classes: Tensor, generator: torch.Generator
) -> Tensor:
    """Squared error of the noise at a uniform timestep, weighted by sqrt(1 + sigma^2).

    Sampling uses D = x - sigma eps, so an error at high noise costs sigma times as much; the weight
    goes half of the way.
    """
    table = sd_sigmas().float()
    steps = (spread_uniform(latents.shape[0], generator) * len(table)).long()
    sigma = table[steps][:, None, None, None]
    noise = torch.randn(latents.shape, generator=generator)
    scale = (1 + sigma**2).sqrt()
    context, _ = digits.conditioning(classes)
    error = (model((latents + sigma * noise) / scale, steps.float(), context) - noise).square()
    return (error * scale).mean() / (1 + table**2).sqrt().mean()


GOALS = {
    "flow": "mean squared error of v = n - x0 at x = (1 - s) x0 + s n, s uniform and then shifted",
    "eps": "mean squared error of the noise at a uniform timestep, weighted by sqrt(1 + sigma^2)",
}
FLOW = {
    "parametrisation": "flow",
    "prediction": "flow",
    "shift": SHIFT,
    "host_latent": "ComfyUI's LATENT = latent / 1.5305 + 0.0609 (SD3)",
}
EPS = {
    "parametrisation": "ve",
    "prediction": "eps",
    "shift": None,
    "host_latent": "ComfyUI's LATENT = latent / 0.18215 (SD1.x)",
}
TASKS = {
    "flow": Task(
        "flow",
        side=32,
        block=4,
        build=MMDiT,
        loss=flow_loss,
        goal=GOALS["flow"],
        facts=FLOW,
        steps=8500,
        batch=128,
        rate=1.5e-3,
    ),
    "eps": Task(
        "eps",
        side=16,
        block=2,
        build=UNet,
        loss=eps_loss,
        goal=GOALS["eps"],
        facts=EPS,
        steps=5000,
        batch=64,
        rate=1e-3,
    ),
}


class Run:
    """A training run that can be put down and taken up again.

    The model, an average of its weights, the optimiser, the step.
    """

    def __init__(self, task: Task, seed: int, steps: int):
        torch.manual_seed(seed)
        self.task = task
        self.seed = seed
        self.steps = steps
        self.step = 0
        self.seconds = 0.0
        self.loss = math.nan
        self.model = task.build()
        self.average = task.build()
        start_small(self.model)
        self.average.load_state_dict(self.model.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=task.rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.pictures, self.classes = digits.load_digits()
        self.kept = digits.held_out(len(self.pictures))
        trained = digits.render(self.pictures[~self.kept], task.side)
        self.latents = digits.Latents.fitted(trained, task.block)

    def advance(self) -> None:
        """One optimiser step."""
        began = time.process_time()
        warm_up = (self.step + 1) / 200
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.step / self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = self.task.rate * min(warm_up, cosine)
        loss = self.task.loss(self.model, *self.examples())
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self._average()
        self.loss = loss.item() if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * loss.item()
        self.step += 1
        self.seconds += time.process_time() - began

    def examples(self) -> tuple[Tensor, Tensor, torch.Generator]:
        """Latents and classes of a random batch, and this step's generator.

        A tenth of the classes is dropped, so that guidance works.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        pool = (~self.kept).nonzero()[:, 0]
        chosen = pool[torch.randint(len(pool), (self.task.batch,), generator=generator)]
        drop = torch.rand(self.task.batch, generator=generator) < DROP_CLASS
        pictures = digits.render(self.pictures[chosen], self.task.side, generator)
        classes = self.classes[chosen].masked_fill(drop, digits.NO_CLASS)
        return self.latents.encode(pictures), classes, generator

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(EMA, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """The averaged weights' loss on the pictures that training never sees.

        Ten draws of noise each, classes given.
        """
        latents = self.latents.encode(digits.render(self.pictures[self.kept], self.task.side))
        classes = self.classes[self.kept]
        draws = [
            self.task.loss(self.average, latents, classes, torch.Generator().manual_seed(i)).item()
            for i in range(10)
        ]
        return sum(draws) / len(draws)

    def save_state(self, path: Path) -> None:
        """Everything that `load_state` needs."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "loss": self.loss,
            "plan": self.plan(),
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load_state(self, path: Path) -> None:
        """Take up a run that `save_state` put down; refused if it was of another plan."""
        state = torch.load(path, weights_only=True)
        if state["plan"] != self.plan():
            raise SystemExit(
                f"{path} belongs to another run ({state['plan']}); give another --work folder."
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        self.seconds = state["seconds"]
        self.loss = state["loss"]

    def plan(self) -> str:
        """What must not change between two parts of one run."""
        return f"{self.task.name}, {self.steps} steps of {self.task.batch}, seed {self.seed}"

    def metadata(self) -> dict:
        """What the file says of itself, without the quality figures."""
        task = self.task
        return {
            "name": task.name,
            **task.facts,
            "data": "scikit-learn load_digits: UCI Optical Recognition of Handwritten Digits "
            "(Alpaydin & Kaynak 1998), CC BY 4.0",
            "pictures": {
                "trained": int((~self.kept).sum()),
                "held_out": int(self.kept.sum()),
                "held_out_rule": "index % 6 == 5",
            },
            "licence": "Apache-2.0",
            "training": {
                "steps": self.step,
                "batch": task.batch,
                "seed": self.seed,
                "cpu_seconds": round(self.seconds),
            },
            "optimiser": {
                "kind": "AdamW",
                "rate": task.rate,
                "ema": EMA,
                "class_dropped": DROP_CLASS,
            },
            "loss": {"of": task.goal, "final": round(self.loss, 5)},
            "latent": {
                "picture": [task.side, task.side],
                "shape": [task.block**2, 8, 8],
                "transform": TRANSFORM,
                **asdict(self.latents),
            },
            "conditioning": {
                "context": [digits.TOKENS, digits.WORDS],
                "pooled": [digits.POOLED],
                "rule": digits.CONDITIONING_RULE,
            },
            "dtype": "float16",
        }


def start_small(model: nn.Module) -> None:
    """Zero the last layer of every residual branch.

    So training starts from the identity, as in DiT and LDM.
    """
    ends = ("adaLN_modulation.1", "final_layer.linear", "out_layers.3", "proj_out", "out.2")
    for name, module in model.named_modules():
        if name.endswith(ends) and hasattr(module, "weight"):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)


def write(model: nn.Module, metadata: dict, path: Path) -> None:
    """The weights in half precision under ComfyUI's names, put in place in one move."""
    tensors = {
        PREFIX + name: value.half().contiguous() for name, value in model.state_dict().items()
    }
    title = {
        "modelspec.title": f"StepDistill digits ({metadata['name']})",
        "modelspec.license": metadata["licence"],
    }
    write_bytes(path, save(tensors, {"format": "pt", "stepdistill": json.dumps(metadata), **title}))


def train(run: Run, work: Path) -> None:
    """Advance to the end; once a minute print, save the state and write a usable file."""
    state = work / f"{run.task.name}.state"
    last = time.monotonic()
    if state.exists():
        run.load_state(state)
    while run.step < run.steps:
        run.advance()
        if time.monotonic() - last > SAVE_EVERY_SECONDS or run.step == run.steps:
            last = time.monotonic()
            run.save_state(state)
            write(run.average, run.metadata(), work / f"{run.task.name}.safetensors")
            left = run.seconds / run.step * (run.steps - run.step)
            spent = f"{run.seconds:.0f} s of CPU, {left:.0f} s to go"
            print(f"{run.plan()}: step {run.step}, loss {run.loss:.4f}, {spent}", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(TASKS))
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        help="folder of the state (a stopped run goes on) and partial files",
    )
    parser.add_argument(
        "--out", type=Path, help="where the finished file goes (default: the bundled file)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--steps", type=int, help="optimiser steps (default: what the bundled file had)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = TASKS[arguments.name]
    make_folder(arguments.work)
    run = Run(task, arguments.seed, arguments.steps or task.steps)
    train(run, arguments.work)
    finish(run, arguments.work / f"{task.name}.safetensors", arguments.out or BUNDLED[task.name])


def finish(run: Run, trained: Path, out: Path) -> None:
    """Measure the quality of the finished file and put it, with the figures, where it belongs."""
    from tools.quality import measure

    quality = {"held_out_loss": round(run.held_out_loss(), 5), **measure(trained)}
    write(run.average, {**run.metadata(), "quality": quality}, out)
    print(json.dumps(quality, indent=1), f"\nwritten to {out}")


if __name__ == "__main__":
    main()
