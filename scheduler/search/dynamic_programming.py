"""Bellman recursions over a recorded trajectory's grid.

Pure functions of arrays: no model, no latents. Nodes are numbered 0..T down the grid, node T is
sigma 0. The recursion runs backwards from the end, V_n[i] = min_j (w_j c[i, j] + coeff V_{n-1}[j]),
so that one sweep serves every number of steps and every start. Sources: BOSS (arXiv 2312.16414,
coeff 1), GITS (arXiv 2405.11326, coeff about 1.15 on the rest of the path). Each number of steps
has its own choices: none is ever inherited from another row.
"""

from __future__ import annotations

import numpy as np

from ..errors import ScheduleError, SigmaRangeError, StepsError, UnknownNameError
from ..samplers import LINEAR, LinearRule, check_sampler
from ..sigmas.validity import check_steps
from .distilled_costs import residual_costs
from .gram import Gram, with_sigmas

NODE_WEIGHTS = ("none", "contraction", "variance", "straight")
# The finest grid solved, by history length: two-step memory grows with its cube.
MOST_NODES = {1: 1024, 2: 160}


def step_costs(gram: Gram, rule: LinearRule) -> np.ndarray:
    """(T + 1, T + 1): what the rule's start-up step from x_i to sigma_j misses x_j by.

    Mean squared error per element; inf where j <= i.
    """
    i, j = np.triu_indices(len(gram.sigmas), 1)
    costs = np.full((len(gram.sigmas),) * 2, np.inf)
    costs[i, j] = transition_errors(gram, rule, j, (i,))
    return costs


def pair_costs(gram: Gram, rule: LinearRule) -> np.ndarray:
    """(T + 1, T + 1, T + 1): the same, [h, i, j], for a step that remembers node h.

    inf unless h < i < j.
    """
    nodes = np.arange(len(gram.sigmas))
    h, i, j = np.nonzero((nodes[:, None, None] < nodes[:, None]) & (nodes[:, None] < nodes))
    costs = np.full((len(nodes),) * 3, np.inf)
    costs[h, i, j] = transition_errors(gram, rule, j, (i, h))
    return costs


def transition_errors(
    gram: Gram, rule: LinearRule, target: np.ndarray, history: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Mean of (sum_k a_k x_k + b_k D_k - x_target)^2 for arrays of transitions.

    A quadratic form in the Gram matrix.
    """
    a, b = rule.weights(tuple(gram.sigmas[nodes] for nodes in (target, *history)))
    terms = [(target, -np.ones(len(target)))]
    terms += [(node, weight) for node, weight in zip(history, a, strict=False)]
    terms += [(len(gram.sigmas) + node, weight) for node, weight in zip(history, b, strict=False)]
    total = np.zeros(len(target))
    for p, (row, left) in enumerate(terms):
        for q, (column, right) in enumerate(terms[: p + 1]):
            total += (1 if p == q else 2) * left * right * gram.products[row, column]
    return np.maximum(total, 0)  # cancellation may leave a step without error at -1e-17


def solve(
    costs: np.ndarray,
    most_steps: int,
    start: int = 0,
    node_weights: np.ndarray | None = None,
    coeff: float = 1.0,
) -> list[np.ndarray]:
    """The cheapest path of each length for samplers without memory.

    costs: (T + 1, T + 1) from `step_costs`; node_weights: (T + 1,), multiply the cost of arriving
    at a node; coeff: what the rest of a path weighs against its first step. Returns paths[n - 1]
    for n = 1..most_steps: n + 1 node numbers from `start` to T. Raises StepsError unless 1 <=
    most_steps <= T - start.
    """
    _check_steps(most_steps, len(costs) - 1 - start)
    costs = costs if node_weights is None else costs * node_weights
    value = costs[:, -1]
    choices = [np.full(len(costs), len(costs) - 1)]
    for _ in range(most_steps - 1):
        totals = costs + coeff * value
        choices.append(totals.argmin(axis=1))
        value = totals.min(axis=1)
    return [_follow(choices[:n], [start]) for n in range(1, most_steps + 1)]


def solve_pairs(
    first_costs: np.ndarray,
    pair_costs: np.ndarray,
    most_steps: int,
    start: int = 0,
    node_weights: np.ndarray | None = None,
    coeff: float = 1.0,
) -> list[np.ndarray]:
    """The cheapest path of each length for samplers that remember one node.

    The state of the recursion is the pair (h, i). first_costs: (T + 1, T + 1), the start-up steps;
    pair_costs: (T + 1,)*3 from `pair_costs`; otherwise as `solve`.
    """
    _check_steps(most_steps, len(first_costs) - 1 - start)
    weights = np.ones(len(first_costs)) if node_weights is None else node_weights
    first = first_costs[start] * weights
    pairs = pair_costs * weights
    value = pairs[:, :, -1]
    choices = [np.full(first_costs.shape, len(first) - 1)]
    paths = [np.array([start, len(first) - 1])]
    for _ in range(most_steps - 1):
        paths.append(_follow(choices, [start, int((first + coeff * value[start]).argmin())]))
        totals = pairs + coeff * value
        choices.append(totals.argmin(axis=2))
        value = totals.min(axis=2)
    return paths


def _follow(choices: list[np.ndarray], path: list[int]) -> np.ndarray:
    """Walk a path on.

    choices[k], with k + 1 steps left, is indexed by the last node, or by the last two.
    """
    for choice in reversed(choices):
        path.append(int(choice[tuple(path[-choice.ndim :])]))
    return np.array(path)


def _check_steps(most_steps: int, room: int) -> None:
    if not 1 <= most_steps <= room:
        raise StepsError(
            f"{most_steps} steps do not fit a grid with {room} steps from the start; "
            f"ask for 1 to {room}, or refine the grid."
        )


def node_weights(gram: Gram, kind: str = "none") -> np.ndarray:
    """(T + 1,): how much of a squared error made at each node reaches the end.

    "none": 1. "contraction": spread(0) / spread(s), the flow's own contraction if the samples were
    one Gaussian, v / (v + s^2) for VE and v / ((1 - s)^2 v + s^2) for flow (1 where sets have a
    single row and no spread is known). "variance": 1 / (1 + s^2). "straight": 1 / (1 + s)^2, the
    straight-line coordinates. Raises UnknownNameError.
    """
    s = gram.sigmas
    if kind not in NODE_WEIGHTS:
        raise UnknownNameError(
            f"Node weights {kind!r} are unknown; use one of: {', '.join(NODE_WEIGHTS)}."
        )
    if kind == "contraction" and gram.spread.min() > 0:
        return gram.spread[-1] / gram.spread
    if kind == "variance":
        return 1 / (1 + s**2)
    if kind == "straight":
        return 1 / (1 + s) ** 2
    return np.ones(len(s))


def schedules_from(
    gram: Gram,
    sampler: str,
    most_steps: int,
    start_sigma: float | None = None,
    weights: str = "none",
) -> dict[int, np.ndarray]:
    """The schedule of each number of steps for a linear sampler, from inner products alone.

    Returns {N: N + 1 sigmas} for N = 1..most_steps. Starts exactly at `start_sigma` (default: the
    grid's first sigma), ends in exactly 0, strictly decreasing. Samplers with memory are solved
    with two-step histories. Beyond half the grid's steps the grid is halved, as often as it takes
    (inner products between nodes are interpolated), so that the schedule of N does not depend on
    most_steps; beyond MOST_NODES the finest solved schedule is interpolated. weights: see
    `node_weights`; "none" did best on most test beds. Raises UnknownNameError, SigmaRangeError,
    StepsError.
    """
    history = _history(sampler)
    most_steps = check_steps(most_steps)
    grid = _grid_from(gram.sigmas, start_sigma)
    found: dict[int, np.ndarray] = {}
    while True:
        here = gram if np.array_equal(grid, gram.sigmas) else with_sigmas(gram, grid)
        reach = min(most_steps, max(here.steps // 2, 1))
        paths = _paths(here, sampler, reach, node_weights(here, weights))
        for n, path in enumerate(paths, start=1):
            found.setdefault(n, grid[path])
        if reach == most_steps:
            return found
        if len(grid) < 3 or 2 * here.steps > MOST_NODES[history]:
            beyond = range(reach + 1, most_steps + 1)
            return found | {n: _stretched(found[reach], n) for n in beyond}
        grid = _halved(grid)


def _paths(gram: Gram, sampler: str, most_steps: int, weights: np.ndarray) -> list[np.ndarray]:
    if sampler == "distilled":
        return solve_pairs(*residual_costs(gram), most_steps, node_weights=weights)
    rule = LINEAR[sampler]
    first = step_costs(gram, rule)
    if rule.order == 1 or most_steps == 1:
        return solve(first, most_steps, node_weights=weights)
    return solve_pairs(first, pair_costs(gram, rule), most_steps, node_weights=weights)


def _history(sampler: str) -> int:
    """How many nodes the recursion remembers for a sampler.

    Raises UnknownNameError where its steps have no costs.
    """
    if sampler == "distilled":
        return 2
    check_sampler(sampler)
    if sampler not in LINEAR:
        known = ", ".join(LINEAR)
        raise UnknownNameError(
            f"Sampler {sampler!r} is not a linear multistep rule, so its steps have no costs here; "
            f"use one of: {known}."
        )
    return min(LINEAR[sampler].order, 2)


def _grid_from(sigmas: np.ndarray, start_sigma: float | None) -> np.ndarray:
    """The recorded grid from a start within it: the start, then every node below."""
    if start_sigma is None:
        return sigmas
    if not 0 < start_sigma <= sigmas[0]:
        raise SigmaRangeError(
            f"start_sigma must be above 0 and at most the teacher's first sigma {sigmas[0]:.6g}; "
            f"got {start_sigma:.6g}."
        )
    return np.concatenate([[start_sigma], sigmas[sigmas < start_sigma]])


def _halved(grid: np.ndarray) -> np.ndarray:
    """Every interval cut at its geometric middle.

    But for the last, which the teacher crosses in a straight line.
    """
    middles = np.sqrt(grid[:-2] * grid[1:-1])
    return np.concatenate([np.stack([grid[:-2], middles], axis=1).ravel(), grid[-2:]])


def _stretched(schedule: np.ndarray, steps: int) -> np.ndarray:
    """A schedule with more steps along the same curve.

    Log sigma as a function of the step, interpolated.
    """
    positive = schedule[:-1]
    if len(positive) == 1:
        return np.linspace(positive[0], 0, steps + 1)
    places = np.linspace(0, len(positive) - 1, steps)
    found = np.append(np.exp(np.interp(places, np.arange(len(positive)), np.log(positive))), 0.0)
    found[0] = schedule[0]
    if np.any(np.diff(found) >= 0):
        raise ScheduleError(
            f"{steps} steps from sigma {schedule[0]:.6g} are closer than float64 can tell apart; "
            "ask for fewer."
        )
    return found
