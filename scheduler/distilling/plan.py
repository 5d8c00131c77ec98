"""What a distillation will do with its budget, stated before anything runs.

A budget buys rows (samples of the teacher's trajectory), and for each sampler fits at some step
counts, the anchors; the counts between are carried over from the one below. What is left refines
and polishes. Every cost is in model calls: one evaluation for one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import BudgetError, UnknownNameError
from ..evidence.stochastic import PathPlan
from ..fit.candidate import DISTILLED
from ..fit.polish import most_polished
from ..fit.refine import most_refined
from ..record.left_out import (
    FIT_ORDERS,
    FULL_FITS,
    POLISH,
    REFINEMENT,
    STOCK_REFINEMENT,
    THIRD_OFFSET,
    left_out,
)
from ..samplers.distilled import PAST
from .effort import EFFORTS, Effort, anchors_of
from .tasks import CARRIES_FAR, DistilledTask, StockTask, distilled_tasks, stock_task

QUALITY = {
    "quick": 1000,
    "standard": 4000,
    "thorough": 16000,
}  # for N = 4..12 and three samplers together
REFERENCE_STEPS, REFERENCE_SAMPLERS = sum(range(4, 13)), 3
MOST_ROWS = 16


@dataclass(frozen=True)
class Plan:
    """rows: samples per trajectory set. costs: model calls at most, by phase ("teacher", then each
    sampler). left_out: what was cut. paths: what is measured of stochastic samplers."""

    effort: Effort
    sets: int
    rows: int
    anchors: tuple[int, ...]
    costs: dict[str, int]
    evidence: int
    left_out: tuple[dict, ...] = ()
    paths: PathPlan | None = None

    @property
    def data(self) -> dict:
        """The plan as a record's provenance keeps it."""
        return {
            "effort": self.effort.name,
            "calls": self.calls,
            "evidence_calls": self.evidence,
            "rows": self.sets * self.rows,
            "sets": self.sets,
            "anchors": list(self.anchors),
            "costs": self.costs,
            "left_out": list(self.left_out),
        } | self._paths_data

    @property
    def _paths_data(self) -> dict:
        if self.paths is None:
            return {}
        measured = {"rows": self.paths.rows, "nodes": self.paths.nodes}
        return {"paths": measured | {"steps": list(self.paths.steps)}}

    def stock_tasks(self, sampler: str, steps: Sequence[int]) -> list[StockTask]:
        """What is tried for a stock sampler, one task for each of the ascending step counts."""
        return [stock_task(self.effort, sampler, self.anchors, n) for n in steps]

    def distilled_tasks(self, steps: Sequence[int]) -> list[DistilledTask]:
        """What is tried for the distilled sampler."""
        return distilled_tasks(self.effort, self.anchors, steps)

    @property
    def calls(self) -> int:
        """The most model calls that teacher, fits and guard make together."""
        return sum(self.costs.values())

    @property
    def summary(self) -> str:
        """The plan as one line."""
        return "; ".join(line.strip() for line in str(self).splitlines())

    def __str__(self) -> str:
        samples = f"{self.sets * self.rows} samples ({self.effort.name})"
        lines = [
            f"Plan: at most {self.calls} model calls on {samples}, then {self.evidence} for the evidence."
        ]
        lines += [f"  {phase}: {calls}" for phase, calls in self.costs.items()]
        return "\n".join(lines + [f"  left out: {each}" for each in map(left_out, self.left_out)])


def budget_for(quality: str, samplers: Sequence[str], steps: Sequence[int]) -> int:
    """The model calls of a preset, in proportion to the samplers and steps asked for (below the
    reference the teacher's share is kept).

    Raises UnknownNameError.
    """
    if quality not in QUALITY:
        raise UnknownNameError(f"Quality {quality!r} is unknown; use one of: {', '.join(QUALITY)}.")
    share = sum(steps) * len(samplers) / (REFERENCE_STEPS * REFERENCE_SAMPLERS)
    return int(QUALITY[quality] * (share if share >= 1 else 0.15 + 0.85 * share))


def plan_for(
    samplers: Sequence[str],
    steps: Sequence[int],
    budget: int,
    sets: int = 1,
    samples: int | None = None,
    evidence: int = 0,
    elements: int = 1 << 16,
) -> Plan:
    """The best effort that the budget allows; steps ascend; elements: of one latent. Raises
    BudgetError, naming the least that works."""
    needed = []
    for effort in EFFORTS:
        anchors = anchors_of(steps, effort.anchor_ratio)
        least = samples or -(-effort.least_rows // sets)
        effort, costs = _spent(
            effort, samplers, steps, anchors, budget // (least * sets), least * sets * elements
        )
        a_row = sets * sum(costs.values())
        rows = samples or min(budget // a_row, -(-MOST_ROWS // sets))
        needed.append(least * a_row)
        if needed[-1] <= budget:
            counted = {phase: calls * rows * sets for phase, calls in costs.items()}
            left = _left_out(effort, steps, anchors, rows * sets, "distilled" in samplers)
            return Plan(effort, sets, rows, anchors, counted, evidence, left)
    raise BudgetError(
        f"A budget of {budget} model calls is too small for {', '.join(samplers)} at {len(steps)} "
        f"step counts; the least that works is {min(needed)}: raise it, or ask for fewer samplers, "
        "steps or samples."
    )


def _spent(
    effort: Effort,
    samplers: Sequence[str],
    steps: Sequence[int],
    anchors: Sequence[int],
    most: int,
    data: int,
) -> tuple[Effort, dict[str, int]]:
    """The effort with as much refinement and polish of `distilled` as `most` model calls a row
    allow, few steps first, and its costs.

    data: latent elements of all rows, which must be enough for the numbers that are fitted.
    """
    enough = most_refined(data)
    refine_to = min(effort.refine_to, enough)
    polish_to = min(effort.polish_to, most_polished(data))
    best = replace(effort, refine_to=0, polish_to=0, carry_to=max(effort.carry_to, enough))
    if {DISTILLED, *CARRIES_FAR} & set(samplers):
        refined = [replace(best, refine_to=n) for n in anchors if n <= refine_to]
        best = _most_affordable(best, refined, samplers, steps, anchors, most)
        polished = [replace(best, polish_to=n) for n in anchors if n <= polish_to]
        best = _most_affordable(best, polished, samplers, steps, anchors, most)
    return best, _costs(best, samplers, steps, anchors)


def _most_affordable(
    best: Effort,
    harder: Sequence[Effort],
    samplers: Sequence[str],
    steps: Sequence[int],
    anchors: Sequence[int],
    most: int,
) -> Effort:
    """The last of ever harder efforts that costs at most so many model calls a row."""
    for effort in harder:
        if sum(_costs(effort, samplers, steps, anchors).values()) > most:
            break
        best = effort
    return best


def _costs(
    effort: Effort, samplers: Sequence[str], steps: Sequence[int], anchors: Sequence[int]
) -> dict[str, int]:
    """Most model calls a row, by phase."""
    costs = {"teacher": effort.nodes}
    for sampler in samplers:
        if sampler == DISTILLED:
            fits = distilled_tasks(effort, anchors, steps)
            costs[sampler] = sum(task.calls(samplers) for task in fits)
        else:
            stock = (stock_task(effort, sampler, anchors, n) for n in steps)
            costs[sampler] = sum(task.calls(samplers) for task in stock)
    return costs


def _left_out(
    effort: Effort, steps: Sequence[int], anchors: Sequence[int], rows: int, distilled: bool
) -> tuple[dict, ...]:
    left: list[dict] = []
    if len(anchors) < len(steps):
        left.append({"code": FULL_FITS, "steps": list(anchors)})
    if effort.tries < 3:
        left.append({"code": THIRD_OFFSET})
    if not effort.refinements:
        left.append({"code": STOCK_REFINEMENT})
    for code, most in ((REFINEMENT, effort.refine_to), (POLISH, effort.polish_to)):
        if distilled and most < anchors[-1]:
            left.append({"code": code, "above": most})
    if rows < PAST:
        left.append({"code": FIT_ORDERS, "rows": rows})
    return tuple(left)
