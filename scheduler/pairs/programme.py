"""Dynamic programming through the hand-over: each half's cheapest path of every length, joined.

The halves' costs are apart, since each half begins with a history of its own; so the best joint
schedule of N steps with m in the first half is the best path of m steps and the best of N - m.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..samplers.multistep import LINEAR
from ..search.dynamic_programming import node_weights, pair_costs, solve, solve_pairs, step_costs
from .halves import Joint
from .teacher import PairTeacher


def joint_schedules(teacher: PairTeacher, sampler: str, steps: int) -> list[Joint]:
    """The programme's schedule for every split of `steps`, the least expected error first."""
    rule, gram, b = LINEAR[sampler], teacher.gram, teacher.boundary
    first, weights = step_costs(gram, rule), node_weights(gram, "contraction")
    pairs = pair_costs(gram, rule) if rule.order > 1 else None
    upper = _paths(first[: b + 1, : b + 1], _cut(pairs, 0, b + 1), weights[: b + 1], steps - 1)
    lower = _paths(first[b:, b:], _cut(pairs, b, len(first)), weights[b:], steps - 1)
    found = []
    for m in range(1, steps):
        if m not in upper or steps - m not in lower:
            continue
        (cost, path), (rest, tail) = upper[m], lower[steps - m]
        sigmas = np.concatenate([gram.sigmas[path], gram.sigmas[b:][tail[1:]]])
        found.append((cost + rest, m, Joint(sigmas, m)))
    return [joint for _, _, joint in sorted(found, key=lambda each: each[:2])]


def _cut(costs: np.ndarray | None, start: int, end: int) -> np.ndarray | None:
    return None if costs is None else costs[start:end, start:end, start:end]


def _paths(
    first: np.ndarray, pairs: np.ndarray | None, weights: np.ndarray, most: int
) -> dict[int, tuple[float, np.ndarray]]:
    """{steps: (the cost, the nodes)} of one half."""
    most = min(most, len(first) - 1)
    if most < 1:
        return {}
    if pairs is None:
        paths = solve(first, most, node_weights=weights)
    else:
        paths = solve_pairs(first, pairs, most, node_weights=weights)
    return {len(path) - 1: (_cost(path, first, pairs, weights), path) for path in paths}


def _cost(
    path: np.ndarray, first: np.ndarray, pairs: np.ndarray | None, weights: np.ndarray
) -> float:
    total = float(first[path[0], path[1]] * weights[path[1]])
    for before, (i, j) in zip(path, pairwise(path[1:]), strict=False):
        cost = first[i, j] if pairs is None else pairs[before, i, j]
        total += float(cost * weights[j])
    return total
