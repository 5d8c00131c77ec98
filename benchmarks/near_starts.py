"""A recipe served from a start near its own, beside one fitted from there, stock, and a solved one.

    python -m benchmarks.near_starts            # both bundled checkpoints, 4, 6 and 8 steps, ten minutes
    python -m benchmarks.near_starts --kinds flow --steps 6 --trials 1

Recipes are fitted as the Few-Step KSampler does, from one recorded picture of 24 steps at each denoise
(6.5 model calls a step at most), and measured on eight others of other digits, pictures drawn in full with
noise added: RMS from 100 steps of dpmpp_2m. Geometric means, with the worst case; stock is the best in
hindsight of fifteen pairs. own: one fitted from this very start. solved: from the recorded inner products,
with dpmpp_2m, which is what served such a start before.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass

import torch

from benchmarks.tables import mean
from scheduler.checkpoints import load_checkpoint
from scheduler.checkpoints.asked import of_classes
from scheduler.distilling.run import distill
from scheduler.lookup.serving import stretched_to
from scheduler.lookup.solving import solved
from scheduler.lookup.stand_in import stock_run
from scheduler.lookup.wanted import Wanted
from scheduler.record import Conditions, Record
from scheduler.record.evidence_table import table
from scheduler.recordings import Recording
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_from
from scheduler.sigmas import stock_schedule, table_for

DENOISES = (0.3, 0.35, 0.4, 0.5, 0.55, 0.6, 0.7, 0.8)
DIGITS = (5, 1, 8, 2, 9, 0, 4, 7, 3, 6)  # of the pictures that are begun with
ASKED = (3, 4, 6, 7, 1, 2, 5, 9)  # of what is drawn over them
SAMPLERS = ("euler", "dpmpp_2m", "uni_pc")
SCHEDULES = ("simple", "sgm_uniform", "beta", "normal", "karras")
CFG = 3.0
FULL, FINE, CALLS_A_STEP = 24, 100, 6.5
FURTHEST = 0.31  # of denoise


@dataclass
class Bed:
    """A checkpoint, pictures of it, and noise."""

    kind: str
    trial: int

    def __post_init__(self):
        self.of = load_checkpoint(self.kind)
        self.process = self.of.parametrisation
        self.table = table_for(self.of.sigma_min, self.of.sigma_max, self.process, self.of.shift)
        self.generator = torch.Generator().manual_seed(1 + self.trial)
        sigmas = stock_schedule("beta", self.table, FULL)
        noise = self._noise((len(DIGITS), *self.of.latent_shape))
        self.pictures = sample(
            of_classes(self.of, DIGITS, CFG), noise * sigmas[0], sigmas, "dpmpp_2m"
        )
        self.asked = of_classes(self.of, ASKED, CFG)
        self.learns_with = of_classes(self.of, [(3 + 4 * self.trial) % 10], CFG)

    def start(self, denoise: float) -> float:
        return float(self.table.percent_to_sigma(1 - denoise))

    def noised(self, pictures: torch.Tensor, sigma: float) -> torch.Tensor:
        kept = 1 - sigma if self.process == "flow" else 1.0
        return kept * pictures + sigma * self._noise(pictures.shape)

    def stock(self, name: str, steps: int, start: float):
        return stock_run(name, self.table, Wanted(None, steps, start))

    def learnt(self, denoise: float, steps: int) -> Record:
        """As the Few-Step KSampler learns, from the first picture."""
        start, of = self.start(denoise), self.of
        recording = Recording(of.latent_shape, self.process, "dpmpp_2m")

        def listen(x, sigma):
            answer = self.learns_with(x, sigma)
            recording.step(x, sigma, answer)
            return answer

        x = self.noised(self.pictures[:1], start)
        recording.finish(sample(listen, x, self.stock("beta", FULL, start), "dpmpp_2m"))
        return distill(
            self.learns_with,
            of.latent_shape,
            of.sigma_max,
            of.sigma_min,
            self.process,
            samplers=("distilled",),
            steps=steps,
            budget=int(CALLS_A_STEP * steps),
            recordings=(recording,),
            conditions=Conditions(shift=of.shift),
            start_sigma=start,
            evidence_budget=0,
            device=torch.device("cpu"),
        )

    def _noise(self, shape) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator)


def measured(bed: Bed, steps: int) -> list[tuple[float, dict]]:
    """(how far above its own start in denoise, errors) for every pair of starts."""
    records = {denoise: bed.learnt(denoise, steps) for denoise in DENOISES}
    rows = []
    for denoise in DENOISES:
        start = bed.start(denoise)
        x = bed.noised(bed.pictures[2:], start)
        fine = sample(bed.asked, x, bed.stock("simple", FINE, start), "dpmpp_2m")

        def error(drawn, fine=fine):
            return mean(
                float((a - b).square().mean().sqrt()) for a, b in zip(drawn, fine, strict=True)
            )

        own = records[denoise].recipe("distilled", steps, start)
        errors = {"own": error(run_from(bed.asked, x, own, bed.process))}
        for times in (1, 2):
            pairs = (
                (bed.stock(name, times * steps, start), each)
                for name in SCHEDULES
                for each in SAMPLERS
            )
            errors[f"stock x{times}"] = min(error(sample(bed.asked, x, *pair)) for pair in pairs)
        for other, record in records.items():
            if other == denoise or abs(other - denoise) > FURTHEST:
                continue
            found = {"near": _near(bed, record, other, steps, start, x, error)}
            if other > denoise:
                recipe = solved(record.gram, "dpmpp_2m", steps, start, bed.of.sigma_min)
                found["solved"] = error(sample(bed.asked, x, recipe.sigmas, "dpmpp_2m"))
            if found["near"] is not None:
                rows.append((round(denoise - other, 2), errors | found))
    return rows


def _near(
    bed: Bed, record: Record, other: float, steps: int, start: float, x, error
) -> float | None:
    recipe = record.recipe("distilled", steps, bed.start(other))
    if recipe.sigmas[-2] >= start:
        return None
    moved = stretched_to(recipe, start, record.model)
    return error(run_from(bed.asked, x, moved, bed.process))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=["flow", "eps"])
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 6, 8])
    parser.add_argument("--trials", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    header = (
        "above by",
        "cases",
        "over own",
        "worst",
        "over stock",
        "worst",
        "over stock x2",
        "over solved",
    )
    for kind in args.kinds:
        groups = defaultdict(list)
        for trial in range(args.trials):
            for steps in args.steps:
                for apart, errors in measured(Bed(kind, trial), steps):
                    groups[apart].append(errors)
        print(f"\n== {kind}: error of a recipe from another denoise, over that of others")
        print(table(header, [_row(apart, groups[apart]) for apart in sorted(groups)]), flush=True)


def _row(apart: float, found: list[dict]) -> tuple:
    def over(name: str) -> list[float]:
        return [each["near"] / each[name] for each in found if name in each]

    own, stock, twice, other = (over(name) for name in ("own", "stock x1", "stock x2", "solved"))
    means = [f"{mean(each):.2f}" if each else "" for each in (own, stock, twice, other)]
    return (
        f"{apart:+.2f}",
        len(found),
        means[0],
        f"{max(own):.2f}",
        means[1],
        f"{max(stock):.2f}",
        *means[2:],
    )


if __name__ == "__main__":
    main()
