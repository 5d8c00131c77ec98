"""Recordings of the bundled checkpoints: the estimate of a run's own error over the true one, and what
of its steps its states and answers don't explain, for deterministic samplers."""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import torch

from scheduler.checkpoints import load_checkpoint
from scheduler.errors import RecordingError
from scheduler.record.evidence_table import table
from scheduler.recordings import record_run, usable
from scheduler.recordings.residuals import noise_shares
from scheduler.rows import noise_for
from scheduler.samplers import sample
from scheduler.sigmas import flow_table, sd_table, stock_schedule

SAMPLERS = ("euler", "dpmpp_2m", "heun", "uni_pc")
SCHEDULES = ("karras", "simple", "beta")
REFERENCE = {"flow": ("simple", 200), "ve": ("karras", 160)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[12, 25, 50])
    parser.add_argument("--rows", type=int, default=4)
    asked = parser.parse_args()
    ratios = defaultdict(list)
    rows = []
    for name in ("flow", "eps"):
        for cfg in (1.0, 3.0):
            for cells, key, ratio in measured(name, cfg, asked.steps, asked.rows):
                rows.append((name, f"{cfg:g}", *cells))
                ratios[key].append(ratio)
    header = ("model", "guidance", "schedule", "steps", "sampler", "true", "estimated", "ratio")
    print(table((*header, "unexplained", "usable"), rows, left=(0, 2, 4, 9)))
    print("\nestimated / true: geometric mean, least, most")
    for (sampler, steps), found in ratios.items():
        mean = np.exp(np.mean(np.log(found)))
        print(f"{sampler:10} {steps:3} steps  {mean:.2f}  {min(found):.2f}  {max(found):.2f}")


def measured(name: str, cfg: float, counts: list[int], rows: int):
    """(cells of a row of the table, (sampler, steps), ratio) of each run of a checkpoint."""
    checkpoint = load_checkpoint(name)
    process = checkpoint.parametrisation
    noises = flow_table(checkpoint.shift) if process == "flow" else sd_table()
    denoise = checkpoint.denoiser(torch.arange(rows) % 10, cfg)
    noise = noise_for(checkpoint.latent_shape, rows, 0, torch.device("cpu"))
    fine = stock_schedule(REFERENCE[process][0], noises, REFERENCE[process][1])
    true_end = sample(denoise, noise * float(fine[0]), fine, "dpmpp_2m")
    for steps in counts:
        for schedule in SCHEDULES:
            sigmas = stock_schedule(schedule, noises, steps)
            for sampler in SAMPLERS:
                run = record_run(denoise, noise * float(sigmas[0]), sigmas, sampler, process)
                error = float((run.vectors[steps] - true_end).square().mean().sqrt())
                estimate = run.description()["own_error"]
                share = float(np.median(noise_shares(run.sigmas, run.products)))
                numbers = (f"{error:.4f}", f"{estimate:.4f}", f"{estimate / error:.2f}")
                cells = (schedule, steps, sampler, *numbers, f"{share:.4f}", verdict(run))
                yield cells, (sampler, steps), estimate / error


def verdict(run) -> str:
    try:
        usable(run)
    except RecordingError as problem:
        return str(problem).split(";")[0]
    return "yes"


if __name__ == "__main__":
    main()
