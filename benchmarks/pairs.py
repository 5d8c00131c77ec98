"""Jointly distilled pairs beside stock pairs at equal model calls, on tiny real pairs.

    python -m benchmarks.pairs [--steps 4,6,8] [--samplers euler,dpmpp_2m] [--search]

Errors on held-out classes and seeds, against the pair's own run of 120 steps. "best stock" is the best of all
stock schedules with every split, in hindsight on the test rows themselves, at N and at 2N steps of
the same sampler.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from benchmarks.pair_subjects import FIT_CLASSES, PairSubject, subjects
from scheduler.pairs.halves import Halves, Joint
from scheduler.pairs.run import FIT_ROWS, UNSEEN_ROWS, distill_pair
from scheduler.record.pair_half import hand_over_step
from scheduler.rows import row_errors
from scheduler.sigmas import baselines


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def best_stock(subject: PairSubject, truth: tuple, sampler: str, steps: int) -> tuple[float, str]:
    """The least error of every stock schedule with every split, and which."""
    halves, noise, end = truth
    found = []
    base = subject.base
    for name, sigmas in baselines(subject.table, steps, base.sigma_min, base.sigma_max).items():
        for step in range(1, steps):
            joint = Joint(np.asarray(sigmas), step)
            found.append(
                (rms(row_errors(halves.run(noise, joint, sampler), end)), f"{name}/{step}")
            )
    return min(found)


def ours(subject: PairSubject, sampler: str, steps: int, search: bool):
    """The pair's recipe, and the model calls that it cost."""
    fit: Halves = subject.halves(FIT_CLASSES, FIT_ROWS + UNSEEN_ROWS)
    base, sigma = subject.base, subject.sigma
    record = distill_pair(
        fit.first.denoise,
        fit.second.denoise,
        base.latent_shape,
        sigma,
        base.sigma_max,
        base.sigma_min,
        base.parametrisation,
        samplers=(sampler,),
        steps=steps,
        within=(sigma * 0.7, min(sigma * 1.3, base.sigma_max * 0.97)) if search else None,
        measure=False,
    ).first
    return record.recipes[0], record.provenance["model_calls"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", default="4,6,8")
    parser.add_argument("--samplers", default="euler,dpmpp_2m")
    parser.add_argument("--search", action="store_true", help="the hand-over too, within 30 %%")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    ratios: list[tuple[float, float]] = []
    print(
        "| pair | hand-over | sampler | N | calls | ours (m) | best stock at N | at 2N | ours / N | / 2N |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for subject in subjects():
        truth = subject.truth()
        halves, noise, end = truth
        for sampler in asked.samplers.split(","):
            for steps in map(int, asked.steps.split(",")):
                recipe, calls = ours(subject, sampler, steps, asked.search)
                step = hand_over_step(recipe)
                joint = Joint(np.asarray(recipe.sigmas), step)
                error = rms(row_errors(halves.run(noise, joint, sampler), end))
                stock, which = best_stock(subject, truth, sampler, steps)
                longer, _ = best_stock(subject, truth, sampler, 2 * steps)
                ratios.append((error / stock, error / longer))
                mark = "" if recipe.choice.ours else f" = {recipe.choice}"
                print(
                    f"| {subject.label} | {subject.hand_over:g} | {sampler} | {steps} | {calls} | "
                    f"{error:.4f} ({step}{mark}) | {stock:.4f} {which} | {longer:.4f} | "
                    f"{ratios[-1][0]:.2f} | {ratios[-1][1]:.2f} |",
                    flush=True,
                )
    means = np.exp(np.log(np.array(ratios)).mean(axis=0))
    worst = max(each[0] for each in ratios)
    print(f"\ngeometric means {means[0]:.3f} / {means[1]:.2f} of {len(ratios)}; worst {worst:.2f}")


if __name__ == "__main__":
    main()
