"""Makes the recipes of each sampler from the bench: candidates, then the guard's verdict; a recipe that does not win is the stock one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .bench import EXPLODED, Bench, Share
from .guard import best_of, ranked, wins
from .job import Job
from .offsets import usual_offset
from .plan import BORROWS_OFFSETS, DISTILLED_STOCK, REFINED_TOGETHER, WITH_OFFSETS, Plan, guards_for
from .record import Recipe
from .samplers.linear_rules import LINEAR
from .walk import Walk

FIT_WEIGHTS = ("contraction", "none")  # node weights of the schedules a fit is tried on, best first


@dataclass(frozen=True)
class Found:
    """One contender: what it is called ("ours" or a stock name), its numbers, and the end error of every row (None: not measured)."""

    choice: str
    sigmas: np.ndarray
    errors: np.ndarray | None = None
    offsets: np.ndarray | None = None
    coefficients: np.ndarray | None = None

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    def recipe(self, sampler: str) -> Recipe:
        return Recipe(sampler, self.steps, float(self.sigmas[0]), self.sigmas, self.offsets, self.coefficients, self.choice)


def craft(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Recipe]:
    """The recipes of one sampler: for every step count one without offsets and, where they win, one with them."""
    make = _distilled if sampler == "distilled" else _stock
    return [found.recipe(sampler) for found in make(bench, plan, sampler, steps)]


def _stock(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Found]:
    plain = {n: _plain_anchor(bench, plan, sampler, n) for n in plan.anchors}
    shifted = {n: _shifted(bench, plan, sampler, n) for n in plan.anchors}
    found = []
    for n in steps:
        mine, offset = plain.get(n), shifted.get(n)
        if mine is None:
            below, above = _neighbours(plan.anchors, n)
            mine = _plain_between(bench, sampler, plain[below], plain[above], n)
            if plan.effort.between > 1 and shifted[below] is not None:
                offset = _shifted(bench, plan, sampler, n, share_between(bench.job, shifted[below], shifted[above], n))
        found.append(mine)
        if offset is not None and _offsets_win(bench, offset, mine, plain):
            found.append(offset)
    return found


def _offsets_win(bench: Bench, offset: Found, mine: Found, plain: dict[int, Found]) -> bool:
    """Against the recipe without offsets, or, where that was not run, that of the next fitted step count: more steps, a harder mark."""
    mark = mine if mine.errors is not None else plain[min(n for n in plain if n > mine.steps)]
    return bool(np.any(offset.offsets)) and wins(offset.errors, mark.errors, bench.unseen)


def _plain_anchor(bench: Bench, plan: Plan, sampler: str, steps: int) -> Found:
    """The better of our schedule and the best-ranked stock one, no offsets."""
    stock = _best_stock(bench, sampler, steps, guards_for(plan.effort, sampler))
    sigmas = _own_schedule(bench, sampler, steps)
    ours = Found("ours", sigmas, bench.rollout(sampler, sigmas))
    if plan.effort.refinements and sampler not in (*WITH_OFFSETS, "heun"):
        better = bench.refined(sampler, min(ours, stock, key=lambda each: each.errors.mean()).sigmas, plan.effort.refinements)
        ours = Found("ours", better.sigmas, better.errors)
    return ours if wins(ours.errors, stock.errors, bench.unseen) else stock


def _own_schedule(bench: Bench, sampler: str, steps: int) -> np.ndarray:
    """The dynamic programme's schedule; samplers that are no linear rule take dpmpp_2m's."""
    return bench.schedule(sampler if sampler in LINEAR else "dpmpp_2m", steps)


def _best_stock(bench: Bench, sampler: str, steps: int, count: int) -> Found:
    schedules = bench.stock_schedules(steps)
    tried = {name: bench.rollout(sampler, schedules[name]) for name in ranked(bench.gram, sampler, schedules)[:count]}
    name = best_of(tried)
    return Found(name, schedules[name], tried[name])


def _shifted(bench: Bench, plan: Plan, sampler: str, steps: int, share: Share | None = None) -> Found | None:
    """Query offsets for a stock sampler: fitted in full, or with two tries, one at those of other step counts (`share`).

    None for a sampler that takes none.
    """
    leader = BORROWS_OFFSETS.get(sampler, sampler)
    if leader not in WITH_OFFSETS:
        return None
    contenders = {}
    for weights in FIT_WEIGHTS[: plan.effort.schedules if share is None else 1]:
        sigmas = bench.schedule("distilled", steps, weights)
        walked = bench.walk(leader, sigmas, plan.effort.tries if share is None else plan.effort.between, share)
        errors = walked.errors if leader == sampler else bench.rollout(sampler, sigmas, walked.offsets)
        contenders[weights] = Found("ours", sigmas, errors, walked.offsets)
    best = contenders[best_of({name: each.errors for name, each in contenders.items()})]
    if plan.effort.refinements and share is None and sampler in REFINED_TOGETHER:
        better = bench.refined(sampler, best.sigmas, plan.effort.refinements, best.offsets)
        best = Found("ours", better.sigmas, better.errors, better.offsets)
    return best


def _plain_between(bench: Bench, sampler: str, below: Found, above: Found, steps: int) -> Found:
    """Between two fitted step counts: ours where both chose it, else the stock schedule that one of them chose."""
    chosen = above if below.choice == "ours" else below
    if chosen.choice == "ours":
        return Found("ours", _own_schedule(bench, sampler, steps))
    return Found(chosen.choice, bench.stock_schedules(steps)[chosen.choice])


def _distilled(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Found]:
    anchors = {n: _fitted_anchor(bench, plan, n) for n in plan.anchors}
    verdicts = {n: _guarded(bench, plan, ours) for n, ours in anchors.items()}
    return [verdicts[n] if n in verdicts else _fitted_between(bench, plan, anchors, verdicts, n) for n in steps]


def _fitted_anchor(bench: Bench, plan: Plan, steps: int) -> Found:
    schedules = {weights: bench.schedule("distilled", steps, weights) for weights in FIT_WEIGHTS[: plan.effort.schedules]}
    walks = {weights: bench.walk("distilled", sigmas, plan.effort.tries) for weights, sigmas in schedules.items()}
    best = walks[best_of({weights: each.errors for weights, each in walks.items()})]
    return _as_found(bench.polished(best) if steps <= plan.effort.polish_to else best)


def _fitted_between(bench: Bench, plan: Plan, anchors: dict[int, Found], verdicts: dict[int, Found], steps: int) -> Found:
    """Ours where the guard kept it at both neighbours or it beats even the upper one's stock pair; else that pair's schedule."""
    below, above = _neighbours(plan.anchors, steps)
    share = share_between(bench.job, anchors[below], anchors[above], steps)
    ours = _as_found(bench.walk("distilled", bench.schedule("distilled", steps, FIT_WEIGHTS[0]), plan.effort.between, share))
    stock = _best_pair(bench, plan, above)  # run already, for the upper one's guard
    kept = verdicts[below].choice == verdicts[above].choice == "ours" and np.all(ours.errors < EXPLODED)
    name = stock.choice.split(" + ")[0]
    schedules = bench.stock_schedules(steps)
    if kept or name not in schedules or wins(ours.errors, stock.errors, bench.unseen):
        return ours
    return Found(stock.choice, schedules[name])


def _as_found(walked: Walk) -> Found:
    return Found("ours", walked.sigmas, walked.errors, walked.offsets, walked.coefficients)


def _guarded(bench: Bench, plan: Plan, ours: Found) -> Found:
    """Ours, or the best-ranked stock pair where ours doesn't win."""
    stock = _best_pair(bench, plan, ours.steps)
    return ours if wins(ours.errors, stock.errors, bench.unseen) else stock


def _best_pair(bench: Bench, plan: Plan, steps: int) -> Found:
    """The best of the stock pairs that the inner products rank first, named "schedule + sampler"."""
    pairs = []
    for sampler in DISTILLED_STOCK:
        best = _best_stock(bench, sampler, steps, plan.effort.guards if sampler == DISTILLED_STOCK[0] else 1)
        pairs.append(Found(f"{best.choice} + {sampler}", best.sigmas, best.errors))
    return min(pairs, key=lambda each: each.errors.mean())


def _neighbours(anchors: Sequence[int], steps: int) -> tuple[int, int]:
    return max(n for n in anchors if n < steps), min(n for n in anchors if n > steps)


def share_between(job: Job, below: Found, above: Found, steps: int) -> Share:
    """Query offsets for a step count between two fitted ones: their shares of the usual offset, interpolated in log sigma and in steps."""
    nearness = (steps - below.steps) / (above.steps - below.steps)
    curves = [_share_curve(job, below), _share_curve(job, above)]
    return lambda sigma: (1 - nearness) * curves[0](sigma) + nearness * curves[1](sigma)


def _share_curve(job: Job, found: Found) -> Callable[[float], float]:
    """Over log sigma; a flow's sigma 1, where no offset is possible, says nothing of what lies below it."""
    steps = zip(found.sigmas[:-1].tolist(), found.sigmas[1:].tolist(), found.offsets.tolist(), strict=True)
    points = [(math.log(s), offset / usual_offset(s, n, job.sigma_min)) for s, n, offset in steps if job.parametrisation == "ve" or s < 1]
    if not points:
        return lambda sigma: 0.0
    places, shares = np.array(points[::-1]).T
    return lambda sigma: float(np.interp(math.log(sigma), places, shares))
