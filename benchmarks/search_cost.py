"""What each search costs in model calls and wall time.

The paper's search, BOSS, GITS and the inner-product dynamic programmes.

    python -m benchmarks.search_cost                  # 65,536 elements: the paper's search takes minutes
    python -m benchmarks.search_cost --elements 4096  # under a minute
    python -m benchmarks.search_cost --no-paper       # ours alone

One run, one denoiser (the ideal one of a mixture of eight broad Gaussians, flow), one grid, one set
of noise. All schedules N = 1..steps are made. A model call is one evaluation for one sample; the
paper's search pays for its own Euler teacher, the others share one recorded teacher, whose calls
are counted with each. "beyond" is time outside the model, recording included: wall, and processor
seconds of all threads, which a busy machine doesn't distort as much. The last columns are
root-mean-square end errors of Euler under the schedule on held-out noise against a 240-node Heun
teacher.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from scheduler.denoiser import start_state
from scheduler.fit.teacher import record_teacher
from scheduler.samplers import LINEAR, sample
from scheduler.search.boss_gits import boss_paths, gits_paths
from scheduler.search.dynamic_programming import schedules_from
from scheduler.search.oss import median_schedule, oss_search, oss_sigmas
from scheduler.sigmas import log_snr_grid

SIGMA_MIN = 0.002
SHOWN = (5, 10, 20)


class TimedMixture:
    """E[x0 | x] of eight isotropic Gaussians, fast on large latents; remembers how long it took."""

    def __init__(self, elements: int, variance: float = 0.3, spread: float = 1.0):
        rng = torch.Generator().manual_seed(3)
        # Centres in a few directions only: else a large latent would know its component from the
        # first step on.
        self.means = spread * torch.randn(8, elements, generator=rng) / max(elements / 64, 1) ** 0.5
        self.squares = self.means.square().sum(1)
        self.variance = variance
        self.seconds = np.zeros(2)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        began = clocks()
        s = float(sigma[0])
        alpha = 1 - s
        flat = x.flatten(1)
        noisy = alpha**2 * self.variance + s**2
        share = ((alpha * flat @ self.means.T - alpha**2 * self.squares / 2) / noisy).softmax(1)
        gain = alpha * self.variance / noisy
        answer = gain * flat + (1 - gain * alpha) * (share @ self.means)
        self.seconds = self.seconds + clocks() - began
        return answer.reshape(x.shape)


def clocks() -> np.ndarray:
    """(wall, processor) seconds."""
    return np.array([time.perf_counter(), time.process_time()])


class Stopwatch:
    """Seconds since the start: wall in all, wall and processor outside the model."""

    def __init__(self, model: TimedMixture):
        self.model = model
        self.inside = model.seconds
        self.began = clocks()

    def read(self) -> np.ndarray:
        spent = clocks() - self.began
        return np.append(spent[0], spent - (self.model.seconds - self.inside))


def paper(model, noise, grid, steps):
    watch = Stopwatch(model)
    ascending = grid[::-1]
    found = oss_search(model, noise, ascending, steps)
    paths = {n: median_schedule(found.schedules(n)) for n in range(1, steps + 1)}
    schedules = {n: oss_sigmas(path, ascending) for n, path in paths.items()}
    return found.model_calls, watch.read(), schedules


def teacher_searches(model, noise, grid, steps, solver):
    """Everything that one recorded teacher serves.

    (name, model calls, seconds, schedules of Euler) of each.
    """
    watch = Stopwatch(model)
    teacher = record_teacher(model, noise, grid, "flow", solver)
    recording = watch.read()

    def timed(search):
        watch = Stopwatch(model)
        found = search()
        return teacher.model_calls, recording + watch.read(), found

    def on_grid(paths):
        return {len(path) - 1: teacher.sigmas[path] for path in paths}

    yield f"BOSS, {solver} teacher", *timed(lambda: on_grid(boss_paths(teacher.gram, steps)))
    yield f"GITS 1.15, {solver} teacher", *timed(lambda: on_grid(gits_paths(teacher.gram, steps)))
    yield (
        f"ours, one-step (euler), {solver}",
        *timed(lambda: schedules_from(teacher.gram, "euler", steps)),
    )
    yield (
        f"ours, two-step (dpmpp_2m), {solver}",
        *timed(lambda: schedules_from(teacher.gram, "dpmpp_2m", steps)),
    )
    yield (
        f"ours, all {len(LINEAR)} samplers, {solver}",
        *timed(lambda: [schedules_from(teacher.gram, name, steps) for name in LINEAR]),
    )


def errors(model, noise, reference, schedules) -> str:
    """End errors of Euler at the step counts shown; empty for other samplers' tables."""
    if not isinstance(schedules, dict) or not all(n in schedules for n in SHOWN):
        return ""
    ends = [sample(model, start_state(noise, 1.0, "flow"), schedules[n], "euler") for n in SHOWN]
    return "".join(f"{(end - reference).square().mean().sqrt():9.5f}" for end in ends)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        ("samples", 16),
        ("elements", 65536),
        ("nodes", 60),
        ("steps", 30),
        ("threads", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--no-paper", action="store_true", help="leave the paper's search out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = TimedMixture(args.elements)
    noise = torch.randn(args.samples, args.elements)
    held_out = torch.randn(8, args.elements)
    grid = log_snr_grid(SIGMA_MIN, 1.0, args.nodes, "flow")
    fine = log_snr_grid(SIGMA_MIN, 1.0, 240, "flow")
    reference = record_teacher(model, held_out, fine, "flow", elements=1).end
    print(
        f"{args.samples} samples of {args.elements} elements, {args.nodes}-node grid, "
        f"N = 1..{args.steps}, {args.threads} threads"
    )
    shown = "".join(f"{f'N={n}':>9}" for n in SHOWN)
    spent = f"{'calls/sample':>13}{'wall s':>9}{'beyond: wall':>14}{'cpu s':>7}{'calls':>8}"
    print(f"{'search':36}{spent}{shown}")
    rows = []
    if not args.no_paper:
        rows.append(("OSS, the paper's search", *paper(model, noise, grid, args.steps)))
    for solver in ("heun", "dpmpp_2m"):
        rows += teacher_searches(model, noise, grid, args.steps, solver)
    most = args.samples * args.nodes * (args.steps + 1)
    for name, calls, (wall, beyond, cpu), schedules in rows:
        shown = "" if "two-step" in name else errors(model, held_out, reference, schedules)
        share = f"1/{most / calls:.1f}"
        spent = f"{calls / args.samples:13.0f}{wall:9.2f}{beyond:14.2f}{cpu:7.2f}{share:>8}"
        print(f"{name:36}{spent}{shown}")


if __name__ == "__main__":
    main()
