"""What a transition costs the distilled sampler: the error that the best coefficients leave, of
every transition, from inner products."""

from __future__ import annotations

import numpy as np

from .gram import Gram

RIDGE = 1e-6


def residual_costs(gram: Gram) -> tuple[np.ndarray, np.ndarray]:
    """(first, pairs) as `dynamic_programming.solve_pairs` takes them, mean squared per element.

    first (T + 1, T + 1): steps i -> j without a past, coefficients c3, c4. pairs (T + 1,)*3: [h, i,
    j] with the prediction at h remembered, c1, c3, c4. inf where the nodes don't descend. Fitted
    off-policy (on the teacher's own states): a cost to choose schedules by, not the fit that runs.
    """
    count = len(gram.sigmas)
    nodes = np.arange(count)
    first, pairs = np.full((count,) * 2, np.inf), np.full((count,) * 3, np.inf)
    i, j = np.triu_indices(count, 1)
    first[i, j] = _left(gram, j, i, None)
    h, i, j = np.nonzero((nodes[:, None, None] < nodes[:, None]) & (nodes[:, None] < nodes))
    pairs[h, i, j] = _left(gram, j, i, h)
    return first, pairs


def _left(gram: Gram, j: np.ndarray, i: np.ndarray, h: np.ndarray | None) -> np.ndarray:
    """(M,): what the ridge fit leaves of x_j - Euler(i -> j), for M transitions."""
    count = len(gram.sigmas)
    ratio = gram.sigmas[j] / gram.sigmas[i]
    move, one, none = 1 - ratio, np.ones_like(ratio), np.zeros_like(ratio)
    terms = [i, count + i, j] + ([] if h is None else [count + h])
    target = [-ratio, -move, one] + ([] if h is None else [none])
    used = [[move, -move, none], [none, one, none]]
    if h is not None:
        used = [[*row, none] for row in used] + [[none, one, none, -one]]
    products = gram.products[np.stack(terms, 1)[:, :, None], np.stack(terms, 1)[:, None, :]]
    target, used = np.stack(target, 1), np.stack([np.stack(row, 1) for row in used], 1)
    normal = used @ products @ used.swapaxes(1, 2)
    right = (used @ products @ target[..., None])[..., 0]
    scale = np.sqrt(np.diagonal(normal, axis1=1, axis2=2)) + 1e-12
    right = right / scale
    system = normal / (scale[:, :, None] * scale[:, None, :]) + RIDGE * np.eye(used.shape[1])
    found = np.linalg.solve(system, right[..., None])[..., 0]
    whole = np.einsum("mp,mpq,mq->m", target, products, target)
    return np.maximum(whole - (found * right).sum(1) - RIDGE * np.square(found).sum(1), 0)
