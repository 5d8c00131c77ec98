"""What is told of a recipe that was learnt from one picture, beside the truth on others.

    python -m benchmarks.claims            # both bundled checkpoints; half an hour
    python -m benchmarks.claims --kinds eps --cfgs 3

Recipes are learnt as the Few-Step KSampler does, from one recorded picture of 24 steps; eight pictures of
other digits and seeds are drawn with each. told: as near as so many steps of dpmpp_2m on its best schedule,
by the record; true: from how many on that is so of the eight, beside 120 steps. elsewhere: the error on them
over that on the picture of the fit.
"""

from __future__ import annotations

import argparse

import torch

from benchmarks.tables import mean
from scheduler.checkpoints import load_checkpoint
from scheduler.checkpoints.asked import of_classes
from scheduler.denoiser import start_state
from scheduler.distilling.run import distill
from scheduler.record import Conditions
from scheduler.record.evidence_table import table
from scheduler.recordings import record_run
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import stock_schedule, table_for

SCHEDULES = ("beta", "karras", "simple", "sgm_uniform", "exponential", "kl_optimal")
USUAL = {"flow": "beta", "ve": "karras"}
LEARNT = ((3, 5), (7, 11), (1, 21))  # digits and seeds
OTHERS = (0, 1, 2, 4, 5, 6, 8, 9)
FULL, FINE, MOST = 24, 120, 28
CALLS_A_STEP = 6.5


class Bed:
    """A checkpoint at a guidance, and its eight pictures in very many steps."""

    def __init__(self, kind: str, cfg: float):
        self.of, self.cfg = load_checkpoint(kind), cfg
        self.process = self.of.parametrisation
        self.table = table_for(self.of.sigma_min, self.of.sigma_max, self.process, self.of.shift)
        self.noise, self.others = self.noised(len(OTHERS), 900), of_classes(self.of, OTHERS, cfg)
        self.fine = self.stock(USUAL[self.process], FINE)
        self.curve = {
            steps: min(self.error(self.stock(name, steps)) for name in SCHEDULES)
            for steps in range(3, MOST + 1)
        }

    def noised(self, rows: int, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(rows, *self.of.latent_shape, generator=generator)

    def stock(self, name: str, steps: int) -> torch.Tensor:
        sigmas = stock_schedule(name, self.table, steps)
        x = start_state(self.noise, sigmas[0], self.process)
        return sample(self.others, x, sigmas, "dpmpp_2m")

    def error(self, drawn: torch.Tensor) -> float:
        return float((drawn - self.fine).square().mean().sqrt())

    def learnt(self, digit: int, seed: int, steps: int):
        """The recipe for so many steps that is learnt from one picture."""
        denoise = of_classes(self.of, [digit], self.cfg)
        sigmas = stock_schedule(USUAL[self.process], self.table, FULL)
        x = start_state(self.noised(1, seed), sigmas[0], self.process)
        run = record_run(denoise, x, sigmas, "dpmpp_2m", self.process)
        record = distill(
            denoise,
            self.of.latent_shape,
            self.of.sigma_max,
            self.of.sigma_min,
            self.process,
            samplers=("distilled",),
            steps=steps,
            budget=int(CALLS_A_STEP * steps),
            recordings=[run],
            conditions=Conditions(shift=self.of.shift),
            evidence_budget=0,
        )
        return record.recipe("distilled", steps)


def rows_of(kind: str, cfg: float, counts: list[int]) -> list[tuple]:
    bed, rows = Bed(kind, cfg), []
    for digit, seed in LEARNT:
        for steps in counts:
            recipe = bed.learnt(digit, seed, steps)
            if not recipe.choice.ours:
                continue
            error = bed.error(run_recipe(bed.others, bed.noise, recipe, bed.process))
            true = next((each for each in sorted(bed.curve) if bed.curve[each] <= error), MOST)
            found = recipe.evidence
            told = found.get("equals_stock_steps") or found.get("beats_stock_steps")
            shares = found["ratio"], error / bed.curve[steps]
            rows.append((kind, cfg, digit, steps, told, true, *shares, error / found["rms"]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=["flow", "eps"])
    parser.add_argument("--cfgs", type=float, nargs="+", default=[2.0, 3.0, 7.0])
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 6, 8])
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        row for kind in args.kinds for cfg in args.cfgs for row in rows_of(kind, cfg, args.steps)
    ]
    header = ("", "cfg", "digit", "steps", "told", "true", "share told", "true", "elsewhere")
    print(table(header, [(*row[:6], *(f"{each:.2f}" for each in row[6:])) for row in rows]))
    counted = [row for row in rows if row[4]]
    over = sum(row[4] > row[5] for row in counted)
    means = mean(row[4] / row[5] for row in counted), mean(row[8] for row in rows)
    print(
        f"told over true {means[0]:.2f}, more than true {over} of {len(counted)}; elsewhere {means[1]:.2f}"
    )


if __name__ == "__main__":
    main()
