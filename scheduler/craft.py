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
    shifted = {n: _shifted_anchor(bench, plan, sampler, plain[n]) for n in plan.anchors}
    found = []
    for n in steps:
        if n in plain:
            found += [each for each in (plain[n], shifted[n]) if each is not None]
            continue
        below, above = _neighbours(plan.anchors, n)
        found.append(_plain_between(bench, sampler, plain[below], n))
        if shifted[below] is not None and shifted[above] is not None:
            sigmas = bench.schedule("distilled", n, FIT_WEIGHTS[0])
            found.append(Found("ours", sigmas, offsets=bench.offsets(sigmas, share_between(shifted[below], shifted[above], n))))
    return found


def _plain_anchor(bench: Bench, plan: Plan, sampler: str, steps: int) -> Found:
    """The better of our schedule and the best-ranked stock one, no offsets."""
    stock = _best_stock(bench, sampler, steps, plan.effort.guards)
    sigmas = bench.schedule(sampler if sampler in LINEAR else "dpmpp_2m", steps)
    ours = Found("ours", sigmas, bench.rollout(sampler, sigmas))
    return ours if wins(ours.errors, stock.errors, bench.unseen) else stock


def _best_stock(bench: Bench, sampler: str, steps: int, count: int) -> Found:
    schedules = baselines(bench.job.table, steps, bench.job.sigma_min, bench.job.sigma_max)
    tried = {name: bench.rollout(sampler, schedules[name]) for name in ranked(bench.gram, sampler, schedules)[:count]}
    name = best_of(tried)
    return Found(name, schedules[name], tried[name])


def _shifted_anchor(bench: Bench, plan: Plan, sampler: str, plain: Found) -> Found | None:
    """Query offsets for a stock sampler, where they beat the recipe without."""
    leader = BORROWS_OFFSETS.get(sampler, sampler)
    if leader not in WITH_OFFSETS:
        return None
    contenders = {}
    for weights in FIT_WEIGHTS[: plan.effort.schedules]:
        sigmas = bench.schedule("distilled", len(plain.sigmas) - 1, weights)
        walked = bench.walk(leader, sigmas, plan.effort.tries)
        errors = walked.errors if leader == sampler else bench.rollout(sampler, sigmas, walked.offsets)
        contenders[weights] = Found("ours", sigmas, errors, walked.offsets)
    ours = contenders[best_of({name: each.errors for name, each in contenders.items()})]
    return ours if np.any(ours.offsets) and wins(ours.errors, plain.errors, bench.unseen) else None


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
        walked = bench.walk("distilled", bench.schedule("distilled", n, FIT_WEIGHTS[0]), 1, share_between(anchors[below], anchors[above], n))
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
