"""What a distillation will do with its budget, stated before anything runs.

A budget buys rows (samples of the teacher's trajectory), and for each sampler fits at some step counts, the anchors; the counts between
borrow their neighbours' query offsets, and `distilled` is still fitted at each. Every cost is in model calls: one evaluation for one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .coefficients import PAST
from .errors import BudgetError, UnknownNameError
from .polish import most_polished, polish_calls
from .refine import refinement_calls
from .samplers import LINEAR, model_calls

QUALITY = {"quick": 1000, "standard": 4000, "thorough": 16000}  # for N = 4..12 and three samplers together
REFERENCE_STEPS, REFERENCE_SAMPLERS = sum(range(4, 13)), 3
WITH_OFFSETS = ("euler", "dpmpp_2m", "res_multistep")  # their offsets are fitted step by step
REFINED_TOGETHER = ("dpmpp_2m", "res_multistep")  # schedule and offsets are refined at once; the schedule alone gains little there
BORROWS_OFFSETS = {"uni_pc": "dpmpp_2m", "uni_pc_bh2": "dpmpp_2m"}
MOST_ROWS = 16
DISTILLED_STOCK = ("dpmpp_2m", "euler")  # whose best-ranked schedules the distilled sampler must beat


@dataclass(frozen=True)
class Effort:
    """How hard to try: the teacher, how many queries a fitted step tries, and one between fitted step counts (stock
    samplers get offsets there from two up), schedules per fit, stock schedules in the guard, anchors,
    refinement iterations, up to how many steps `distilled` is polished, and the fewest rows of all sets together that it is worth."""

    name: str
    nodes: int
    solver: str
    tries: int
    between: int
    schedules: int
    guards: int
    anchor_ratio: float
    refinements: int
    polish_to: int
    least_rows: int


EFFORTS = (
    Effort("full", 50, "adams3", 3, 2, 2, 2, 1.2, 1, 12, 6),
    Effort("good", 40, "adams3", 3, 2, 1, 1, 1.2, 0, 8, 4),
    Effort("lean", 40, "adams3", 3, 2, 1, 1, 1.45, 0, 0, 2),
    Effort("bare", 24, "adams3", 2, 1, 1, 1, 2.0, 0, 0, 1),
)


@dataclass(frozen=True)
class Plan:
    """rows: samples per trajectory set. costs: model calls at most, by phase ("teacher", then each sampler). left_out: what was cut."""

    effort: Effort
    sets: int
    rows: int
    anchors: tuple[int, ...]
    costs: dict[str, int]
    evidence: int
    left_out: tuple[str, ...] = ()

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
        lines = [f"Plan: at most {self.calls} model calls on {samples}, then {self.evidence} for the evidence."]
        lines += [f"  {phase}: {calls}" for phase, calls in self.costs.items()]
        return "\n".join(lines + [f"  left out: {each}" for each in self.left_out])


def budget_for(quality: str, samplers: Sequence[str], steps: Sequence[int]) -> int:
    """The model calls of a preset, in proportion to the samplers and steps asked for (below the reference the teacher's share is kept).

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
    """The best effort that the budget allows; steps ascend; elements: of one latent. Raises BudgetError, naming the least that works."""
    needed = []
    for effort in EFFORTS:
        anchors, least = anchors_of(steps, effort.anchor_ratio), samples or -(-effort.least_rows // sets)
        effort = replace(effort, polish_to=min(effort.polish_to, most_polished(least * sets * elements)))
        costs = _costs(effort, samplers, steps, anchors)
        a_row = sets * sum(costs.values())
        rows = samples or min(budget // a_row, -(-MOST_ROWS // sets))
        needed.append(least * a_row)
        if needed[-1] <= budget:
            counted = {phase: calls * rows * sets for phase, calls in costs.items()}
            return Plan(effort, sets, rows, anchors, counted, evidence, _left_out(effort, steps, anchors, rows * sets))
    raise BudgetError(
        f"A budget of {budget} model calls is too small for {', '.join(samplers)} at {len(steps)} step counts; the least that works is "
        f"{min(needed)}: raise it, or ask for fewer samplers, steps or samples."
    )


def anchors_of(steps: Sequence[int], ratio: float) -> tuple[int, ...]:
    """The step counts that are fitted in full: the first, the last, and between them each that is `ratio` times the one before, or more."""
    anchors = [steps[0]]
    for n in steps:
        if n > anchors[-1] and n >= ratio * anchors[-1]:
            anchors.append(n)
    return tuple(sorted({*anchors, steps[-1]}))


def _costs(effort: Effort, samplers: Sequence[str], steps: Sequence[int], anchors: Sequence[int]) -> dict[str, int]:
    """Most model calls a row, by phase."""
    costs = {"teacher": model_calls(effort.solver, effort.nodes) if effort.solver != "adams3" else effort.nodes}
    return costs | {sampler: sum(_sampler_calls(effort, sampler, samplers, n, n in anchors) for n in steps) for sampler in samplers}


def _sampler_calls(effort: Effort, sampler: str, samplers: Sequence[str], steps: int, anchor: bool) -> int:
    """Most model calls a row for one sampler at one step count; a first query without offset is the teacher's and costs nothing."""
    run = (steps if sampler == "distilled" else model_calls(sampler, steps)) - 1
    fits = effort.schedules * (effort.tries * steps - 1) if anchor else effort.between * steps
    if sampler == "distilled":
        guarded = [effort.guards if name == DISTILLED_STOCK[0] else 1 for name in DISTILLED_STOCK if name not in samplers]
        polished = polish_calls(steps) if steps <= effort.polish_to else 0
        return fits + (sum(guarded) * run + polished if anchor else 0)
    if not anchor and effort.between < 2:
        return 0
    plain = run * (guards_for(effort, sampler) + 1) if anchor else 0
    if anchor and effort.refinements and sampler not in ("euler", "heun"):
        plain += refinement_calls(sampler, steps, effort.refinements, offsets=sampler in REFINED_TOGETHER)
    if sampler in WITH_OFFSETS:
        return plain + fits
    if sampler in BORROWS_OFFSETS:
        shared = anchor and BORROWS_OFFSETS[sampler] in samplers  # between anchors the shares, and so the walks, may differ
        return plain + (run + 1) * (effort.schedules if anchor else 1) + (0 if shared else fits)
    return plain


def guards_for(effort: Effort, sampler: str) -> int:
    """Stock schedules that the guard runs: more for samplers whose steps the inner products can only rank as another's."""
    return effort.guards if sampler in LINEAR or effort.tries < 3 else max(effort.guards, 3)


def _left_out(effort: Effort, steps: Sequence[int], anchors: Sequence[int], rows: int) -> tuple[str, ...]:
    left = []
    if len(anchors) < len(steps):
        shown = ", ".join(map(str, anchors[:20])) + (", ..." if len(anchors) > 20 else "")
        left.append(f"full fits only at {shown} steps; the others borrow query offsets and the guard's verdict from these")
    if effort.tries < 3:
        left.append("two query offsets tried a step, not three; none for stock samplers between the full fits")
    if not effort.refinements:
        left.append("no refinement of stock samplers' schedules against the end point")
    if any(effort.polish_to < n for n in anchors):
        left.append(f"no polish of `distilled` against the end point above {effort.polish_to} steps")
    if rows < PAST:
        left.append(f"fits of an order above {rows}, for which {rows} trajector{'y is' if rows == 1 else 'ies are'} too few")
    return tuple(left)
