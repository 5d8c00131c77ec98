"""Stochastic samplers: how far each stock schedule ends from a fine run on the same Brownian path.

On seeds and classes of the test. RMS per element; the best schedule of each row is marked, and two
paths of one seed are so far apart as the first line says. "chosen": what a distillation would take
that measures 8 rows of other classes on another path, and its error here.

    python -m benchmarks.stochastic                      # both checkpoints, guidance 3
    python -m benchmarks.stochastic --beds photo-patches --samplers dpmpp_3m_sde
    python -m benchmarks.stochastic --distilled          # and the schedule distilled for dpmpp_2m
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.runs import run
from benchmarks.subjects import TEST_SEED, Subject, subject
from benchmarks.tables import mean
from benchmarks.trial import rms
from scheduler.evidence.stochastic import OnPaths
from scheduler.samplers.names import ON_PATHS, ode_sampler_for

SAMPLERS = ("dpmpp_2m_sde", "euler_ancestral", "er_sde", "dpmpp_sde")
COUNTS = (6, 8, 12, 16)
PATH_SEED = 41


def paths_of(of: Subject, rows: int, nodes: int, seed: int = PATH_SEED) -> OnPaths:
    noise = of.noise(rows, TEST_SEED)
    form = of.parametrisation
    return OnPaths(of.testing(rows), noise, seed, of.table, form, of.sigma_range, nodes)


def fitting(of: Subject, rows: int = 8, nodes: int = 100) -> OnPaths:
    """Other classes, noise and path: what a distillation measures."""
    noise = of.noise(rows, TEST_SEED + 1)
    form = of.parametrisation
    seed = PATH_SEED + 2
    return OnPaths(of.fitting(rows), noise, seed, of.table, form, of.sigma_range, nodes)


def table(of: Subject, paths: OnPaths, samplers, counts, distilled: bool) -> list[str]:
    other = paths_of(of, len(paths.noise), paths.nodes, PATH_SEED + 1)
    gap = rms((paths.end("dpmpp_2m_sde") - other.end("dpmpp_2m_sde")).flatten(1).numpy())
    lines = [f"== {of.label}, {len(paths.noise)} rows; two paths of one seed lie {gap:.2f} apart"]
    other, ratios = fitting(of), []
    names = list(paths.schedules(counts[0]))
    lines.append(f"{'':>20}" + "".join(f"{name[:11]:>12}" for name in names) + "  best")
    for sampler in samplers:
        for n in counts:
            schedules = paths.schedules(n)
            errors = {name: rms(paths.run(sampler, each)) for name, each in schedules.items()}
            best = min(errors, key=errors.__getitem__)
            cells = "".join(f"{errors[name]:11.3f}{'*' if name == best else ' '}" for name in names)
            taken = other.measured(sampler, n).choice.schedule
            ratios.append(errors[taken] / errors[best])
            more = f"; chosen {taken} {errors[taken]:.3f}"
            if distilled:
                ours = _distilled(of, ode_sampler_for(sampler), n)
                more += f"; distilled for {ode_sampler_for(sampler)} {_error(paths, sampler, ours)}"
            lines.append(f"{sampler:>16} {n:>3}{cells}  {best}{more}")
    lines.append(f"   chosen over best in hindsight: geometric mean {mean(ratios):.2f}")
    return lines


def _error(paths: OnPaths, sampler: str, sigmas) -> str:
    return f"{rms(paths.run(sampler, np.asarray(sigmas))):.3f}"


def _distilled(of: Subject, sampler: str, steps: int):
    record, _ = run(of, (sampler,), 1500, steps=(steps,), samples=4)
    return record.recipe(sampler, steps, offsets=False).sigmas


def main() -> None:
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    parser.add_argument("--beds", nargs="+", default=["flow:3", "eps:3"])
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS, choices=list(ON_PATHS))
    parser.add_argument("--steps", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=400, help="of the fine run")
    parser.add_argument("--distilled", action="store_true", help="its ODE sampler's schedule too")
    asked = parser.parse_args()
    for label in asked.beds:
        of = subject(label)
        paths = paths_of(of, asked.rows, asked.nodes)
        found = table(of, paths, asked.samplers, asked.steps, asked.distilled)
        print("\n".join(found), flush=True)


if __name__ == "__main__":
    main()
