"""Fewer steps for step-distilled models: what is gained over stock at as many steps, beside their own run.

    python -m tools.train_turbo --out turbo.safetensors
    python -m benchmarks.turbo turbo.safetensors                  # 8 -> 7..2 and 4 -> 3, 2
    python -m benchmarks.turbo turbo.safetensors --rows 1 2 4     # rows that the fit may see
    python -m tools.train_consistency --out consistency.safetensors
    python -m benchmarks.turbo consistency.safetensors --own 4    # another kind of student, of the eps one

A cell: held-out RMS distance from the model's own run (classes and seeds never used in fitting) over that of
the best stock pair in hindsight (every stock schedule, euler and dpmpp_2m) at as many steps; and the guard's
verdict. `flow` in place of a file tries the same on the bundled checkpoint, which is not step-distilled.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from scheduler.checkpoints import Checkpoint, load_checkpoint
from scheduler.distilling.own_run import distill_own_run
from scheduler.record import Conditions
from scheduler.record.evidence_table import table
from scheduler.rows import noise_for, row_errors
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import baselines, flow_table, sd_table
from tools.train_turbo import maker_sigmas

FITTED_CLASS, TEST_CLASSES = 3, (0, 1, 5, 7, 8)
TEST_SEED, TEST_ROWS = 7_100_003, 8
STOCK_SAMPLERS = ("euler", "dpmpp_2m")


class Bench:
    """A model beside its own run of so many steps, on the test's classes."""

    def __init__(self, model: Checkpoint, own: Sequence[float]):
        self.model, self.own = model, np.array(own)
        self.process = model.parametrisation
        flow = self.process == "flow"
        self.table = flow_table(model.shift or 1.0) if flow else sd_table()
        classes = torch.tensor(TEST_CLASSES).repeat_interleave(TEST_ROWS)
        self.denoise = model.denoiser(classes)
        self.noise = noise_for(model.latent_shape, len(classes), TEST_SEED, torch.device("cpu"))
        self.end = sample(self.denoise, self.noise * float(own[0]), self.own, "euler")

    def rms(self, end: torch.Tensor) -> float:
        return float(np.sqrt((row_errors(end, self.end) ** 2).mean()))

    def stock(self, steps: int) -> tuple[str, float]:
        """The best stock pair in hindsight, and its error."""
        found = {}
        known = baselines(self.table, steps, self.model.sigma_min, self.model.sigma_max)
        for name, sigmas in known.items():
            for sampler in STOCK_SAMPLERS:
                start = self.noise * float(sigmas[0])
                found[f"{name} {sampler}"] = self.rms(sample(self.denoise, start, sigmas, sampler))
        best = min(found, key=lambda pair: found[pair])
        return best, found[best]

    def cell(self, steps: int, rows: int, seed: int) -> tuple:
        """One line of the table."""
        model = self.model
        record = distill_own_run(
            model.denoiser(torch.tensor([FITTED_CLASS])),
            model.latent_shape,
            self.own,
            steps,
            sigma_max=model.sigma_max,
            sigma_min=model.sigma_min,
            parametrisation=self.process,
            conditions=Conditions(cfg=1.0, shift=model.shift),
            samples=rows,
            seed=seed,
        )
        recipe = record.recipe("distilled", steps)
        error = self.rms(run_recipe(self.denoise, self.noise, recipe, self.process))
        pair, stock = self.stock(steps)
        calls = record.provenance["model_calls"]
        pays = -(-calls // (len(self.own) - 1 - steps))
        numbers = (f"{error:.4f}", f"{stock:.4f}", f"{error / stock:.2f}")
        return (
            f"{len(self.own) - 1} -> {steps}",
            rows,
            seed,
            calls,
            *numbers,
            pair,
            recipe.choice,
            pays,
        )


def makers(model: Checkpoint, own: int) -> list[float]:
    """Its maker's sigmas, (own + 1,): all of them, or each second, fourth, ... of them."""
    whole = model.metadata.get("distilled", {}).get("sigmas") or maker_sigmas()
    return list(whole[:: max((len(whole) - 1) // own, 1)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a student's file, or a bundled flow checkpoint")
    parser.add_argument("--own", type=int, nargs="+", default=[8, 4], help="steps of the own run")
    parser.add_argument("--rows", type=int, nargs="+", default=[4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    model = load_checkpoint(asked.model)
    rows = []
    for own in asked.own:
        bench = Bench(model, makers(model, own))
        for steps in range(own - 1, 1, -1):
            rows += [bench.cell(steps, count, seed) for count in asked.rows for seed in asked.seeds]
    header = (
        "steps",
        "rows",
        "seed",
        "calls",
        "ours",
        "stock",
        "ours/stock",
        "best stock pair",
        "chosen",
    )
    print(table((*header, "pays after"), rows, left=(0, 7, 8)))


if __name__ == "__main__":
    main()
