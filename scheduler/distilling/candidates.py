"""Makes the recipes of each sampler from the bench: candidates, then the guard's verdict; a recipe
that does not win is the stock one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..fit.carry_over import carried_offsets, carried_schedule
from ..fit.on_policy import Walk
from ..fit.refine import evened
from ..record import Choice, Recipe
from ..record.choice import OURS
from ..samplers.multistep import LINEAR
from .effort import BORROWS_OFFSETS, DISTILLED_STOCK, WITH_OFFSETS
from .experiments import EXPLODED, Bench
from .guard import ranked, wins
from .plan import Plan

FIT_WEIGHTS = ("contraction", "none")  # node weights of the schedules a fit is tried on, best first


@dataclass(frozen=True)
class Found:
    """One contender: what it is called ("ours" or a stock name), its numbers, and the end error of
    every row (None: not measured)."""

    choice: Choice
    sigmas: np.ndarray
    errors: np.ndarray | None = None
    offsets: np.ndarray | None = None
    coefficients: np.ndarray | None = None

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    def recipe(self, sampler: str) -> Recipe:
        return Recipe(
            sampler,
            self.steps,
            float(self.sigmas[0]),
            self.sigmas,
            self.offsets,
            self.coefficients,
            self.choice,
        )


def craft(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Recipe]:
    """The recipes of one sampler: for every step count one without offsets and, where they win, one
    with them."""
    make = _distilled if sampler == "distilled" else _stock
    return [found.recipe(sampler) for found in make(bench, plan, sampler, steps)]


def _stock(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Found]:
    plain = {n: _plain_anchor(bench, plan, sampler, n) for n in plan.anchors}
    found, below = [], None
    for n in steps:
        mine = plain.get(n) or _plain_between(
            bench, sampler, *(plain[each] for each in _neighbours(plan.anchors, n)), n
        )
        offset = _shifted(bench, plan, sampler, n, below)
        found.append(mine)
        if offset is not None and _offsets_win(bench, offset, mine, plain):
            found.append(offset)
        below = offset if n in plan.anchors else below
    return found


def _offsets_win(bench: Bench, offset: Found, mine: Found, plain: dict[int, Found]) -> bool:
    """Against the recipe without offsets, or, where that was not run, that of the next fitted step
    count: more steps, a harder mark."""
    mark = mine if mine.errors is not None else plain[min(n for n in plain if n > mine.steps)]
    return bool(np.any(offset.offsets)) and wins(offset.errors, mark.errors, bench.unseen)


def _plain_anchor(bench: Bench, plan: Plan, sampler: str, steps: int) -> Found:
    """The better of our schedule and the best-ranked stock one, no offsets."""
    stock = _best_stock(bench, sampler, steps, plan.effort.guards_for(sampler))
    sigmas = _own_schedule(bench, sampler, steps)
    ours = Found(Choice(OURS), sigmas, bench.rollout(sampler, sigmas))
    if plan.effort.refinements and sampler not in (*WITH_OFFSETS, "heun"):
        better = bench.refined(
            sampler, min(ours, stock, key=_mean_error).sigmas, plan.effort.refinements
        )
        ours = Found(Choice(OURS), better.sigmas, better.errors)
    return ours if wins(ours.errors, stock.errors, bench.unseen) else stock


def _own_schedule(bench: Bench, sampler: str, steps: int) -> np.ndarray:
    """The dynamic programme's schedule; samplers that are no linear rule take dpmpp_2m's, evened,
    as they explode on uneven steps."""
    return (
        bench.schedule(sampler, steps)
        if sampler in LINEAR
        else evened(bench.schedule("dpmpp_2m", steps))
    )


def _best_stock(bench: Bench, sampler: str, steps: int, count: int) -> Found:
    """The stock schedule ranked first, unless one of the next clearly beats it when both are run."""
    schedules = bench.stock_schedules(steps)
    first, *others = [
        Found(Choice(name), schedules[name])
        for name in ranked(bench.gram, sampler, schedules)[:count]
    ]
    best = replace(first, errors=bench.rollout(sampler, first.sigmas))
    for other in others:
        other = replace(other, errors=bench.rollout(sampler, other.sigmas))
        best = other if wins(other.errors, best.errors, bench.unseen, fitted=False) else best
    return best


def _shifted(
    bench: Bench, plan: Plan, sampler: str, steps: int, below: Found | None
) -> Found | None:
    """Query offsets for a stock sampler, on a schedule for them; None for a sampler that takes none."""
    if not plan.effort.shifts(sampler, steps in plan.anchors):
        return None
    if not plan.effort.searched(sampler, plan.anchors, steps):
        sigmas, offsets = _carried(bench, below, steps)
        return Found(Choice(OURS), sigmas, bench.rollout(sampler, sigmas, offsets), offsets)
    leader, found = BORROWS_OFFSETS.get(sampler, sampler), []
    for weights in FIT_WEIGHTS[: plan.effort.schedules]:
        walked = bench.walk(
            leader, bench.schedule("distilled", steps, weights), plan.effort.tries_for(sampler)
        )
        errors = (
            walked.errors
            if leader == sampler
            else bench.rollout(sampler, walked.sigmas, walked.offsets)
        )
        found.append(Found(Choice(OURS), walked.sigmas, errors, walked.offsets))
    best = min(found, key=_mean_error)
    iterations = plan.effort.refinements_for(sampler, steps)
    if iterations:
        better = bench.refined(sampler, best.sigmas, iterations, best.offsets)
        best = Found(Choice(OURS), better.sigmas, better.errors, better.offsets)
    return best


def _carried(bench: Bench, below: Found, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(sigmas, offsets) for more steps than `below` has."""
    before, here = (bench.schedule("distilled", n) for n in (below.steps, steps))
    sigmas = carried_schedule(below.sigmas, before, here, bench.job.sigma_min)
    return sigmas, carried_offsets(bench.job, below.sigmas, below.offsets, sigmas)


def _plain_between(bench: Bench, sampler: str, below: Found, above: Found, steps: int) -> Found:
    """Between two fitted step counts: ours where both chose it, else the stock schedule that one of
    them chose."""
    chosen = above if below.choice.ours else below
    if chosen.choice.ours:
        return Found(Choice(OURS), _own_schedule(bench, sampler, steps))
    return Found(chosen.choice, bench.stock_schedules(steps)[chosen.choice])


def _distilled(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Found]:
    fits: dict[int, Found] = {}
    for n in steps:
        fits[n] = _fitted(bench, plan, n, fits.get(max(fits, default=0)))
    verdicts = {n: _guarded(bench, plan, fits[n]) for n in plan.anchors}
    return [
        verdicts[n] if n in verdicts else _between(bench, plan, fits[n], verdicts) for n in steps
    ]


def _fitted(bench: Bench, plan: Plan, steps: int, below: Found | None) -> Found:
    """A fit made afresh on the programme's schedules, or one carried over from the step count
    below; refined and polished."""
    anchor, effort = steps in plan.anchors, plan.effort
    if below is None or effort.afresh(plan.anchors, below.steps, steps):
        schedules = [
            bench.schedule("distilled", steps, weights)
            for weights in FIT_WEIGHTS[: effort.schedules]
        ]
        best = min(
            (bench.walk("distilled", sigmas, effort.tries) for sigmas in schedules), key=_mean_error
        )
    else:
        best = bench.walk_with(*_carried(bench, below, steps))
    if anchor and steps <= effort.refine_to and np.all(best.errors < EXPLODED):
        best = bench.refined("distilled", best.sigmas, 1, best.offsets)
    if anchor and steps <= effort.polish_to:
        best = bench.polished(best)
    return Found(Choice(OURS), best.sigmas, best.errors, best.offsets, best.coefficients)


def _between(bench: Bench, plan: Plan, ours: Found, verdicts: dict[int, Found]) -> Found:
    """Ours where the guard kept it at both neighbours and it is no worse than with the lower one's
    fewer steps, or where it beats even the upper one's stock pair; else that pair's schedule."""
    below, above = _neighbours(plan.anchors, ours.steps)
    stock = _best_pair(bench, plan, above)  # run already, for the upper one's guard
    both = verdicts[below].choice == verdicts[above].choice == "ours"
    kept = (
        both
        and np.all(ours.errors < EXPLODED)
        and _mean_error(ours) <= _mean_error(verdicts[below])
    )
    name = stock.choice.schedule
    schedules = bench.stock_schedules(ours.steps)
    if kept or name not in schedules or wins(ours.errors, stock.errors, bench.unseen):
        return ours
    return Found(stock.choice, schedules[name])


def _guarded(bench: Bench, plan: Plan, ours: Found) -> Found:
    """Ours, or the best-ranked stock pair where ours doesn't win."""
    stock = _best_pair(bench, plan, ours.steps)
    return ours if wins(ours.errors, stock.errors, bench.unseen) else stock


def _best_pair(bench: Bench, plan: Plan, steps: int) -> Found:
    """The best of the stock pairs that the inner products rank first, named "schedule + sampler"."""
    pairs = []
    for sampler in DISTILLED_STOCK:
        best = _best_stock(
            bench, sampler, steps, plan.effort.guards if sampler == DISTILLED_STOCK[0] else 1
        )
        pairs.append(replace(best, choice=Choice(best.choice.schedule, sampler)))
    return min(pairs, key=_mean_error)


def _neighbours(anchors: Sequence[int], steps: int) -> tuple[int, int]:
    return max(n for n in anchors if n < steps), min(n for n in anchors if n > steps)


def _mean_error(each: Found | Walk) -> float:
    """Over rows: a norm objective, so that one row gone astray doesn't decide alone."""
    return float(each.errors.mean())
