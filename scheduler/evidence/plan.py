"""What the evidence can afford for a number of model calls.

Which step counts, which stock pairs, and how fine a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..record import Recipe
from ..record.left_out import STEP_COUNTS, STOCK_PAIRS
from ..samplers import model_calls
from ..samplers.names import ON_PATHS
from ..sigmas import MOST_BASELINES

PAIR_SAMPLERS = ("euler", "dpmpp_2m", "uni_pc", "res_multistep", "heun")
REFERENCE_NODES = (100, 50)
DEFAULT_STEP_COUNTS = 5
LONGER_SCHEDULES = 2  # how many stock schedules are followed beyond the most steps of ours
LONGER = 2.0  # and how far

Cell = tuple[str, int]  # a sampler and its steps


@dataclass(frozen=True)
class Scope:
    """Whom ours meets. schedules: of each stock sampler, the first by the inner products where they
    are not all. pairs: the samplers of stock pairs, the most wanted first; fewest: of them that
    must be there. nodes: of the reference, the finest first, and its solver."""

    schedules: int
    pairs: tuple[str, ...]
    fewest: int
    nodes: tuple[int, ...]
    solver: str

    def reference_calls(self, nodes: int) -> int:
        """Model calls a row."""
        return nodes if self.solver == "adams3" else model_calls(self.solver, nodes)


WHOLE = Scope(MOST_BASELINES, PAIR_SAMPLERS, 2, REFERENCE_NODES, "heun")
FEW = Scope(2, ("dpmpp_2m", "uni_pc"), 1, (48, 32), "adams3")


@dataclass(frozen=True)
class EvidencePlan:
    """What is measured.

    nodes: of the reference teacher. steps: the step counts compared. pairs: the samplers whose
    stock pairs "distilled" meets. cells: the (sampler, steps) at which every stock schedule runs.
    calls: model calls a row. spare: what is left a row for longer stock runs. left_out: what is not
    measured, as codes (record.left_out).
    """

    nodes: int
    steps: tuple[int, ...]
    pairs: tuple[str, ...]
    cells: tuple[Cell, ...]
    calls: int
    spare: int
    left_out: tuple[dict, ...] = ()


def calls_of(sampler: str, steps: int) -> int:
    """Model calls a row; the distilled sampler makes one a step."""
    return steps if sampler == "distilled" else model_calls(sampler, steps)


def stock_cells(sampler: str, steps: int, pairs: Sequence[str]) -> list[Cell]:
    """The stock runs that cost no more model calls than `steps` steps of this sampler."""
    if sampler != "distilled":
        return [(sampler, steps)]
    return [(pair, equal_calls_steps(pair, steps)) for pair in pairs]


def equal_calls_steps(sampler: str, calls: int) -> int:
    """The most steps of a stock sampler that make at most `calls` model calls a row."""
    return (calls + 1) // 2 if sampler == "heun" else calls


def longer_steps(most: int) -> list[int]:
    """Step counts beyond the most of ours at which stock is followed, up to LONGER times as many."""
    counts = {round(most * LONGER ** (k / 4)) for k in range(1, 5)}
    return sorted(count for count in counts if count > most)


def default_budget(
    samplers: Sequence[str], steps: Sequence[int], rows: int, scope: Scope = WHOLE
) -> int:
    """Model calls of the evidence unless told otherwise.

    At most five step counts, the coarser reference; as if every recipe came with and without
    offsets. Every row of every call is counted.
    """
    counts = thinned(sorted(set(steps)), DEFAULT_STEP_COUNTS)
    return rows * _whole_cost(_expected(samplers, steps), counts, scope.nodes[-1], scope)


def full_budget(samplers: Sequence[str], steps: Sequence[int], rows: int) -> int:
    """Model calls, at most, of the whole evidence.

    Every step count, every stock schedule and pair, a 100-node reference.
    """
    counts, scope = sorted(set(steps)), WHOLE
    return rows * _whole_cost(_expected(samplers, steps), counts, scope.nodes[0], scope)


def least_budget(
    samplers: Sequence[str], steps: Sequence[int], rows: int, scope: Scope = WHOLE
) -> int:
    """The fewest model calls for which anything is measured: one step count."""
    count = thinned(sorted(set(steps)), 1)
    wanted = _expected(samplers, steps)
    return rows * _cost(wanted, count, scope.pairs[: scope.fewest], scope.nodes[-1], scope)


def plan_evidence(
    recipes: Sequence[Recipe], rows: int, budget: int, scope: Scope = WHOLE
) -> EvidencePlan | None:
    """The most that fits the budget; None when not even one step count does.

    Given up in this order: stock runs longer than ours, the finer reference, pair samplers, step
    counts; never a stock schedule of the scope.
    """
    contents = [(recipe.sampler, recipe.steps) for recipe in recipes]
    room = budget // max(rows, 1)
    every = sorted({steps for _, steps in contents})
    paired = any(sampler == "distilled" for sampler, _ in contents)
    most_pairs = len(scope.pairs) if paired else scope.fewest
    counts, kinds = range(len(every), 0, -1), range(most_pairs, scope.fewest - 1, -1)
    for count, kept, nodes in product(counts, kinds, scope.nodes):
        steps = thinned(every, count)
        pairs = scope.pairs[:kept]
        calls = _cost(contents, steps, pairs, nodes, scope)
        if calls <= room:
            return EvidencePlan(
                nodes=nodes,
                steps=tuple(steps),
                pairs=pairs,
                cells=_cells(contents, steps, pairs),
                calls=calls,
                spare=room - calls,
                left_out=_left_out(every, steps, scope.pairs[kept:most_pairs]),
            )
    return None


def thinned(values: Sequence[int], count: int) -> list[int]:
    """`count` of the values, spread evenly, both ends included; the middle one when count is 1."""
    last = len(values) - 1
    places = np.linspace(0, last, min(count, len(values))) if count > 1 else np.array([last / 2])
    return [values[place] for place in np.unique(places.round().astype(int))]


def _left_out(every: Sequence[int], steps: Sequence[int], pairs: Sequence[str]) -> tuple[dict, ...]:
    found: list[dict] = []
    if len(steps) < len(every):
        found.append({"code": STEP_COUNTS, "steps": [n for n in every if n not in steps]})
    if pairs:
        found.append({"code": STOCK_PAIRS, "samplers": list(pairs)})
    return tuple(found)


def _expected(samplers: Sequence[str], steps: Sequence[int]) -> list[Cell]:
    """The recipes that a record will hold, each once with offsets and once without.

    Those of stochastic samplers are measured elsewhere (stochastic.py).
    """
    compared = [sampler for sampler in samplers if sampler not in ON_PATHS]
    return [(sampler, int(count)) for sampler in compared for count in steps] * 2


def _cells(
    contents: Sequence[Cell], steps: Sequence[int], pairs: Sequence[str]
) -> tuple[Cell, ...]:
    cells: set[Cell] = set()
    for sampler, count in contents:
        if count in steps:
            cells.update(stock_cells(sampler, count, pairs))
    return tuple(sorted(cells))


def _cost(
    contents: Sequence[Cell],
    steps: Sequence[int],
    pairs: Sequence[str],
    nodes: int,
    scope: Scope,
) -> int:
    """Model calls a row: of the reference, of the recipes, and of every stock run."""
    reference = scope.reference_calls(nodes)
    ours = sum(calls_of(sampler, count) for sampler, count in contents if count in steps)
    stock = sum(model_calls(*cell) for cell in _cells(contents, steps, pairs))
    return reference + ours + scope.schedules * stock


def _whole_cost(contents: Sequence[Cell], steps: Sequence[int], nodes: int, scope: Scope) -> int:
    """Model calls a row with nothing left out, longer stock runs included."""
    beyond = longer_steps(max(steps))
    samplers = {sampler for sampler, _ in contents}
    longer = sum(calls_of(sampler, count) for sampler in samplers for count in beyond)
    whole = _cost(contents, steps, scope.pairs, nodes, scope)
    return whole + longer * LONGER_SCHEDULES
