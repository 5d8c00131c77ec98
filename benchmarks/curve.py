"""All of N = 4 to 12 for the distilled sampler from one run of a few hundred calls: how near each step
count comes, and whether more steps are ever worse than fewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.runs import STEPS, run
from benchmarks.subjects import subject
from benchmarks.tables import mean
from benchmarks.trial import Trial, rms

BUDGET = 600
SHOWN = (4, 6, 8, 10, 12)
RISES = 1.02  # an error above that of fewer steps by more


def measured(beds: Sequence[str], seeds: Sequence[int], folder: Path) -> list[dict]:
    """One run a bed and seed, as plain data."""
    found = []
    for label in beds:
        trial = Trial(subject(label), folder=folder)
        for seed in seeds:
            record, about = run(trial.subject, steps=STEPS, seed=seed, budget=BUDGET)
            errors = {n: rms(trial.recipe(record.recipe("distilled", n))) for n in STEPS}
            found.append(
                {
                    "bed": label,
                    "seed": seed,
                    "calls": about["calls"],
                    "rms": errors,
                    "over": {n: errors[n] / trial.best(n)[1] for n in SHOWN},
                    "over_double": {n: errors[n] / trial.best(2 * n)[1] for n in SHOWN},
                }
            )
    return found


def shown(results: list[dict]) -> str:
    """The table: at N / at 2N by step count, and where an error rises with the steps."""
    header = f"\n== N = {STEPS[0]} to {STEPS[-1]} in {BUDGET} calls: over the best stock pair's at N / at 2N"
    lines = [header, f"{'':24}{'calls':>7}" + "".join(f"{f'N={n}':>14}" for n in SHOWN)]
    for each in results:
        ratios = (f"{each['over'][n]:.2f} / {each['over_double'][n]:.2f}" for n in SHOWN)
        name = f"{each['bed']}, seed {each['seed']}"
        lines.append(f"{name:24}{each['calls']:7}" + "".join(f"{ratio:>14}" for ratio in ratios))
    means = (
        f"{mean(each['over'][n] for each in results):.2f} / "
        f"{mean(each['over_double'][n] for each in results):.2f}"
        for n in SHOWN
    )
    lines.append(f"{'geometric mean':31}" + "".join(f"{ratio:>14}" for ratio in means))
    risen = [name for each in results for name in _rises(each)]
    return "\n".join(
        [*lines, "worse with more steps:", *(f"  {name}" for name in risen or ["none"])]
    )


def _rises(result: dict) -> list[str]:
    errors = result["rms"]
    return [
        f"{result['bed']}, seed {result['seed']}: {n} steps {errors[n] / errors[n - 1]:.2f} times {n - 1}"
        for n in STEPS[1:]
        if errors[n] > RISES * errors[n - 1]
    ]
