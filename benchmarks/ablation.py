"""Each part of the cheap core taken away, measured like the cells of the quality tables.

    python -m benchmarks.quality --ablation
    python -m benchmarks.quality --ablation --beds flow:3 --seeds 0

At N = 6, in the two numbers of model calls that a bed's table begins with. A cell: held-out RMS over that
of the best stock pair in hindsight; geometric mean over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from benchmarks.cells import TABLES, figures
from benchmarks.payback import SETTINGS, pictures_of
from benchmarks.subjects import MOSAIC, subject
from benchmarks.tables import mean
from benchmarks.trial import Trial
from scheduler.distilling import plan, wishes
from scheduler.distilling.searches import Search
from scheduler.distilling.wishes import Wish
from scheduler.fit.joint import Pull
from scheduler.fit.refinement import Refinement
from scheduler.fit.student import Answers
from scheduler.fit.surrogate import Surrogate
from scheduler.record.evidence_table import table

BEDS = (
    "mosaic/flow:3",
    "mosaic/eps:3",
    "mosaic/photo-patches:1",
    "mosaic/low-rank-64:1",
    "flow:3",
    "eps:3",
)
N = 6
AT = 1  # its place in each mark's calls


def _nothing() -> Sequence[AbstractContextManager]:
    return ()


@dataclass(frozen=True)
class Variant:
    """patches: what is taken away while it runs. recorded: a run of the artist's in place of the
    teacher."""

    name: str
    patches: Callable[[], Sequence[AbstractContextManager]] = _nothing
    recorded: bool = False


def _without_caution() -> Sequence[AbstractContextManager]:
    scarce = patch.object(Wish, "scarcity", lambda wish, numbers: 1.0)
    return patch.object(wishes, "LEAST_NUMBERS", 0), patch.object(plan, "LEAST_NUMBERS", 0), scarce


def _orders_by_rows() -> Sequence[AbstractContextManager]:
    return (patch.object(Answers, "most_order", property(lambda found: int(found.fit.sum()))),)


def _each_step_alone() -> Sequence[AbstractContextManager]:
    return (patch.object(Wish, "cautious", lambda wish, numbers: True),)


def _starts(*kept: int) -> Sequence[AbstractContextManager]:
    """These of the starts alone."""
    whole = Search._distilled

    def fewer(search: Search):
        starts = whole(search).starts
        return replace(
            whole(search),
            starts=[starts[k] for k in kept if k < len(starts)],
            next_starts=(),
            more=(),
        )

    return (patch.object(Search, "_distilled", fewer),)


def _unrefined() -> Sequence[AbstractContextManager]:
    return (patch.object(Search, "step", lambda search: False),)


def _without_secants() -> Sequence[AbstractContextManager]:
    return (patch.object(Surrogate, "learn", lambda *_: None),)


def _pulled(**weights: float) -> Sequence[AbstractContextManager]:
    def refining(search: Search, begun) -> Refinement:
        about = begun.starts, begun.next_starts, begun.more
        return Refinement(search.made.answers, *about, Pull(**weights))

    return (patch.object(Search, "_refining", refining),)


VARIANTS = (
    Variant("all of it"),
    Variant("1 orders by rows, not by numbers", _orders_by_rows),
    Variant("1 joint fits on any numbers", _without_caution),
    Variant("1 each step on its own on any numbers", _each_step_alone),
    Variant("2 one start: the stock pair", lambda: _starts(0)),
    Variant("2 one start: its schedule walked", lambda: _starts(0, 2)),
    Variant("3 no refinement (4: stopped at the first)", _unrefined),
    Variant("3 surrogate without secants", _without_secants),
    Variant("3 coefficients free", lambda: _pulled(path=0.0, anchor=0.0)),
    Variant("3 coefficients held to the path", lambda: _pulled(path=1.0)),
    Variant("5 one recording of 25 steps, no teacher", recorded=True),
)


def ablate(labels: Sequence[str] | None, seeds: Sequence[int], folder: Path) -> None:
    """Print the table: a line a variant, two columns a bed."""
    trials = [Trial(subject(label), folder=folder) for label in labels or BEDS]
    budgets = [_budgets(trial.subject.name) for trial in trials]
    rows = []
    for variant in VARIANTS:
        found = [
            [_measured(trial, variant, calls, seeds) for calls in pair]
            for trial, pair in zip(trials, budgets, strict=True)
        ]
        means = [mean(each) for each in zip(*found, strict=True)]
        rows.append((variant.name, *map(_worded, [*found, means])))
        print(variant.name, *rows[-1][1:], flush=True)
    header = [
        "",
        *(f"{t.subject.label} {b[0]}/{b[1]}" for t, b in zip(trials, budgets, strict=True)),
    ]
    print(f"\n== N = {N}, over the best stock pair, at so many calls, seeds {list(seeds)}")
    print(table([*header, "geometric mean"], rows, left=(0,)))


def _budgets(name: str) -> list[int]:
    marks = TABLES["mosaics" if name.startswith(MOSAIC) else "checkpoints"].marks
    return [mark.calls[AT] for mark in marks[:2]]


def _measured(trial: Trial, variant: Variant, calls: int, seeds: Sequence[int]) -> float:
    of = trial.subject
    ratios = []
    for seed in seeds:
        how = {}
        if variant.recorded:
            setting = SETTINGS[of.parametrisation][0]
            how |= pictures_of(of, setting, 1, seed)
        with ExitStack() as stack:
            for each in variant.patches():
                stack.enter_context(each)
            ratios.append(figures(trial, N, seed, budget=calls, **how)["over"])
    return mean(ratios)


def _worded(pair: Sequence[float]) -> str:
    return " / ".join(f"{each:.2f}" for each in pair)
