"""Held-out errors of schedules alone, no coefficients, no offsets.

    python -m benchmarks.schedules           # both checkpoints and two analytic beds, guidance 1 and 3
    python -m benchmarks.schedules --beds flow:3 --no-paper

Ours: the dynamic programme on the Gram matrix of one recorded teacher (60 nodes, 16 rows of the
fitting classes), all N and both samplers at no further model calls. The paper's: our exact
re-implementation of its search, for Euler as published, on the same grid and fewer rows (its model
calls grow with nodes x steps x rows); its medians of samples' schedules, its free start. "best
stock" is chosen in hindsight on the test set; "default" is what hosts start with. Seeds and classes
of the test are in no fit.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.subjects import Subject, subject
from benchmarks.tables import mean
from benchmarks.trial import Trial, rms
from scheduler.evidence.verdicts import DEFAULT_STOCK
from scheduler.fit.teacher import record_teacher
from scheduler.record import Choice
from scheduler.search.dynamic_programming import schedules_from
from scheduler.search.oss import median_schedule, oss_search, oss_sigmas
from scheduler.sigmas import log_snr_grid

SHOWN = (4, 5, 6, 8, 10, 15, 20)
SAMPLERS = ("euler", "dpmpp_2m")
WEIGHTS = ("none", "contraction")  # of the dynamic programme's nodes: both are shown
ALL = tuple(
    f"{name}:{cfg}" for name in ("flow", "eps", "low-rank-64", "photo-patches") for cfg in (1, 3)
)
NODES = 60
Schedules = dict[int, np.ndarray]


def ours(of: Subject, rows: int) -> tuple[Callable[[str, str], Schedules], int]:
    """(schedules of a sampler under node weights, model calls a row)."""
    grid = log_snr_grid(*of.sigma_range, NODES, of.parametrisation)
    noise = of.noise(rows, 0)
    teacher = record_teacher(of.fitting(rows), noise, grid, of.parametrisation, "adams3")

    def schedules(sampler: str, weights: str) -> Schedules:
        return schedules_from(teacher.gram, sampler, SHOWN[-1], weights=weights)

    return schedules, teacher.model_calls // rows


def paper(of: Subject, rows: int) -> tuple[Schedules, int]:
    """(the paper's schedules, model calls a row)."""
    grid = log_snr_grid(*of.sigma_range, NODES, of.parametrisation)[::-1]
    found = oss_search(of.fitting(rows), of.noise(rows, 0), grid, SHOWN[-1], of.parametrisation)
    schedules = {n: oss_sigmas(median_schedule(found.schedules(n)), grid) for n in SHOWN}
    return schedules, found.model_calls // rows


def compare(label: str, rows: int, paper_rows: int, folder: Path) -> dict[str, list[float]]:
    """Print a bed's tables; returns ratios by what they compare."""
    of = subject(label)
    trial = Trial(of, rows, folder)
    found, calls = ours(of, 16)
    theirs, their_calls = paper(of, paper_rows) if paper_rows else (None, 0)
    spent = f"ours {calls} model calls a row for all of it"
    if paper_rows:
        spent += f", the paper's {their_calls}"
    print(f"\n== {of.name}, guidance {of.cfg:g}, {len(trial.noise)} held-out rows; {spent}")
    ratios: dict[str, list[float]] = {}
    for sampler in SAMPLERS:
        table, names = _table(trial, sampler, found, theirs)
        _print(sampler, table, names)
        for name in (*WEIGHTS, "default", "paper"):
            if name in table:
                ratios[f"{sampler}: {name} / best stock"] = _over(table, name, "best stock")
        if theirs is not None:
            ratios[f"{sampler}: contraction / paper"] = _over(table, "contraction", "paper")
    return ratios


def _over(table: dict[str, list[float]], ours: str, theirs: str) -> list[float]:
    return [x / y for x, y in zip(table[ours], table[theirs], strict=True)]


def _table(
    trial: Trial, sampler: str, found, theirs: Schedules | None
) -> tuple[dict[str, list[float]], list[str]]:
    """Errors by row of the table, one for each of SHOWN, and the best stock schedules' names."""
    stock: dict[int, dict[str, float]] = {}
    for n in SHOWN:
        pairs = trial.stock(sampler, n)
        stock[n] = {Choice.read(name).schedule: rms(errors) for name, errors in pairs.items()}
    best = [min(stock[n], key=lambda name, n=n: stock[n][name]) for n in SHOWN]
    default = DEFAULT_STOCK[trial.subject.parametrisation]
    table = {
        "default": [stock[n][default] for n in SHOWN],
        "best stock": [stock[n][name] for n, name in zip(SHOWN, best, strict=True)],
    }
    if theirs is not None:
        table["paper"] = [rms(trial.run(sampler, theirs[n])) for n in SHOWN]
    for weights in WEIGHTS:
        schedules = found(sampler, weights)
        table[weights] = [rms(trial.run(sampler, schedules[n])) for n in SHOWN]
    return table, best


def _print(sampler: str, table: dict[str, list[float]], names: Sequence[str]) -> None:
    print(f"{sampler:24}" + "".join(f"{f'N={n}':>14}" for n in SHOWN))
    labels = {
        "paper": "the paper's search",
        "none": "ours, node weights 1",
        "contraction": "ours, contraction",
    }
    for name, errors in table.items():
        print(f"  {labels.get(name, name):22}" + "".join(f"{error:14.4f}" for error in errors))
    print(f"  {'the best stock':22}" + "".join(f"{name[:13]:>14}" for name in names), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--beds", nargs="+", default=ALL, metavar="BED[:GUIDANCE]", help=f"default: {' '.join(ALL)}"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=48,
        help="held-out rows; the checkpoints get half as many (default 48)",
    )
    parser.add_argument(
        "--paper-rows", type=int, default=8, help="rows of the paper's search (default 8)"
    )
    parser.add_argument("--no-paper", action="store_true", help="leave the paper's search out")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "stepdistill-quality",
        metavar="FOLDER",
    )
    args = parser.parse_args()
    totals: dict[str, list[float]] = {}
    paper_rows = 0 if args.no_paper else args.paper_rows
    for label in args.beds:
        for name, ratios in compare(label, args.rows, paper_rows, args.cache).items():
            totals.setdefault(name, []).extend(ratios)
    print("\ngeometric means over all beds and N, worst cell")
    for name, ratios in totals.items():
        print(f"  {name:40}{mean(ratios):8.3f}{max(ratios):8.2f}")


if __name__ == "__main__":
    main()
