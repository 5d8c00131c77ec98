"""Makes the recipes of each sampler from the bench: candidates, then the guard's verdict; a recipe that does not win is the stock one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .bench import Bench, Share
from .guard import best_of, ranked, wins
from .linear_rules import LINEAR
from .offsets import GUESS
from .plan import BORROWS_OFFSETS, DISTILLED_STOCK, WITH_OFFSETS, Plan
from .record import Recipe
from .sigmas import baselines

FIT_WEIGHTS = ("contraction", "none")  # node weights of the schedules a fit is tried on, best first


@dataclass(frozen=True)
class Found:
    """One contender: what it is called ("ours" or a stock name), its numbers, and the end error of every row (None: not measured)."""

    choice: str
    sigmas: np.ndarray
    errors: np.ndarray | None = None
    offsets: np.ndarray | None = None
    coefficients: np.ndarray | None = None

    def recipe(self, sampler: str) -> Recipe:
        return Recipe(sampler, len(self.sigmas) - 1, float(self.sigmas[0]), self.sigmas, self.offsets, self.coefficients, self.choice)


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
            mine = _plain_between(bench, sampler, plain[below], n)
            offset = shifted[below] and shifted[above] and _shifted(bench, plan, sampler, n, share_between(shifted[below], shifted[above], n))
        found.append(mine)
        if offset is not None and _offsets_win(bench, offset, mine, plain):
            found.append(offset)
    return found


def _offsets_win(bench: Bench, offset: Found, mine: Found, plain: dict[int, Found]) -> bool:
    """Against the recipe without offsets, or, where that was not run, the one of the next fitted step count: more steps, so a harder mark."""
    mark = mine if mine.errors is not None else plain[min(n for n in plain if n > len(mine.sigmas) - 1)]
    return bool(np.any(offset.offsets)) and wins(offset.errors, mark.errors, bench.unseen)


def _plain_anchor(bench: Bench, plan: Plan, sampler: str, steps: int) -> Found:
    """The better of our schedule and the best-ranked stock one, no offsets."""
    stock = _best_stock(bench, sampler, steps, plan.effort.guards)
    sigmas = bench.schedule(sampler if sampler in LINEAR else "dpmpp_2m", steps)
    ours = Found("ours", sigmas, bench.rollout(sampler, sigmas))
    return ours if wins(ours.errors, stock.errors, bench.unseen, fitted=False) else stock


def _best_stock(bench: Bench, sampler: str, steps: int, count: int) -> Found:
    schedules = baselines(bench.job.table, steps, bench.job.sigma_min, bench.job.sigma_max)
    tried = {name: bench.rollout(sampler, schedules[name]) for name in ranked(bench.gram, sampler, schedules)[:count]}
    name = best_of(tried)
    return Found(name, schedules[name], tried[name])


def _shifted(bench: Bench, plan: Plan, sampler: str, steps: int, share: Share | None = None) -> Found | None:
    """Query offsets for a stock sampler: fitted in full, or with two tries around those of other step counts (`share`). None where it takes none."""
    leader = BORROWS_OFFSETS.get(sampler, sampler)
    if leader not in WITH_OFFSETS:
        return None
    contenders = {}
    for weights in FIT_WEIGHTS[: plan.effort.schedules if share is None else 1]:
        sigmas = bench.schedule("distilled", steps, weights)
        walked = bench.walk(leader, sigmas, plan.effort.tries if share is None else 2, share)
        errors = walked.errors if leader == sampler else bench.rollout(sampler, sigmas, walked.offsets)
        contenders[weights] = Found("ours", sigmas, errors, walked.offsets)
    return contenders[best_of({name: each.errors for name, each in contenders.items()})]


def _plain_between(bench: Bench, sampler: str, anchor: Found, steps: int) -> Found:
    """Between two anchors the lower one's choice holds."""
    if anchor.choice == "ours":
        return Found("ours", bench.schedule(sampler if sampler in LINEAR else "dpmpp_2m", steps))
    return Found(anchor.choice, baselines(bench.job.table, steps, bench.job.sigma_min, bench.job.sigma_max)[anchor.choice])


def _distilled(bench: Bench, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Found]:
    anchors = {n: _fitted_anchor(bench, plan, n) for n in plan.anchors}
    found = []
    for n in steps:
        if n in anchors:
            found += _guarded(bench, plan, anchors[n])
            continue
        below, above = _neighbours(plan.anchors, n)
        walked = bench.walk("distilled", bench.schedule("distilled", n, FIT_WEIGHTS[0]), 2, share_between(anchors[below], anchors[above], n))
        found.append(_as_found(walked))
    return found


def _fitted_anchor(bench: Bench, plan: Plan, steps: int) -> Found:
    walks = {weights: bench.walk("distilled", bench.schedule("distilled", steps, weights), plan.effort.tries) for weights in FIT_WEIGHTS[: plan.effort.schedules]}
    return _as_found(walks[best_of({weights: each.errors for weights, each in walks.items()})])


def _as_found(walked) -> Found:
    return Found("ours", walked.sigmas, walked.errors, walked.offsets, walked.coefficients)


def _guarded(bench: Bench, plan: Plan, ours: Found) -> list[Found]:
    """Ours, or the best-ranked stock pair where ours doesn't win."""
    steps = len(ours.sigmas) - 1
    pairs = []
    for sampler in DISTILLED_STOCK:
        best = _best_stock(bench, sampler, steps, plan.effort.guards if sampler == DISTILLED_STOCK[0] else 1)
        pairs.append(Found(f"{best.choice} + {sampler}", best.sigmas, best.errors))
    stock = min(pairs, key=lambda each: each.errors.mean())
    return [ours if wins(ours.errors, stock.errors, bench.unseen) else stock]


def _neighbours(anchors: Sequence[int], steps: int) -> tuple[int, int]:
    return max(n for n in anchors if n < steps), min(n for n in anchors if n > steps)


def share_between(below: Found, above: Found, steps: int) -> Share:
    """Query offsets for a step count between two fitted ones: their shares of the usual offset, interpolated in log sigma and in steps."""
    low, high = len(below.sigmas) - 1, len(above.sigmas) - 1
    nearness = (steps - low) / (high - low)
    curves = [_share_curve(below), _share_curve(above)]
    return lambda sigma: (1 - nearness) * curves[0](sigma) + nearness * curves[1](sigma)


def _share_curve(found: Found) -> Callable[[float], float]:
    sigmas = found.sigmas[:-1]
    lengths = np.log(sigmas / np.append(sigmas[1:], sigmas[-1] / np.e))
    shares = found.offsets / (GUESS * lengths)
    return lambda sigma: float(np.interp(np.log(sigma), np.log(sigmas[::-1]), shares[::-1]))
