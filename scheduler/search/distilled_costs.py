"""What a transition costs the distilled sampler: the error that the best coefficients leave.

Of every transition, from inner products.
"""

from __future__ import annotations

import numpy as np

from .gram import Gram

NOTHING = 1e-12  # of the largest product: a square that is rounding
RIDGE = 1e-6


def residual_costs(gram: Gram) -> tuple[np.ndarray, np.ndarray]:
    """(first, pairs) as `dynamic_programming.solve_pairs` takes them, mean squared per element.

    first (T + 1, T + 1): steps i -> j without a past, coefficients c3, c4. pairs (T + 1,)*3: [h, i,
    j] with the prediction at h remembered, c1, c3, c4. inf where the nodes don't descend. Fitted
    off-policy (on the teacher's own states): a cost to choose schedules by, not the fit that runs.
    """
    count = len(gram.sigmas)
    nodes = np.arange(count)
    first = np.full((count,) * 2, np.inf)
    i, j = np.triu_indices(count, 1)
    first[i, j] = _left(gram, j, i, None)
    pairs = np.full((count,) * 3, np.inf)
    h, i, j = np.nonzero((nodes[:, None, None] < nodes[:, None]) & (nodes[:, None] < nodes))
    pairs[h, i, j] = _left(gram, j, i, h)
    return first, pairs


def _left(gram: Gram, j: np.ndarray, i: np.ndarray, h: np.ndarray | None) -> np.ndarray:
    """(M,): what the ridge fit leaves of x_j - Euler(i -> j), for M transitions.

    With the terms of `fit.coefficients` that these few nodes allow: c1 where h is given, c3, c4.
    """
    count = len(gram.sigmas)
    ratio = gram.sigmas[j] / gram.sigmas[i]
    move = 1 - ratio
    one = np.ones_like(ratio)
    none = np.zeros_like(ratio)
    # Everything below is written over the vectors [x_i, D_i, x_j], and D_h where it is remembered.
    vectors = [i, count + i, j]
    target = [-ratio, -move, one]  # x_j - (s_j / s_i) x_i - (1 - s_j / s_i) D_i
    columns = [[move, -move, none], [none, one, none]]  # of c3: move (x_i - D_i); of c4: D_i
    if h is not None:
        vectors = [*vectors, count + h]
        target = [*target, none]
        columns = [[*row, none] for row in columns] + [[none, one, none, -one]]  # of c1: D_i - D_h
    at = np.stack(vectors, 1)
    products = gram.products[at[:, :, None], at[:, None, :]]
    return _ridge_residuals(
        products, np.stack([np.stack(row, 1) for row in columns], 1), np.stack(target, 1)
    )


def _ridge_residuals(products: np.ndarray, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(M,): the mean square that ridge fits of `target` by `columns` leave.

    products: (M, V, V), inner products of V vectors; columns: (M, C, V) and target: (M, V),
    combinations of those vectors. The columns are scaled to equal norm.
    """
    normal = columns @ products @ columns.swapaxes(1, 2)
    right = (columns @ products @ target[..., None])[..., 0]
    squares = np.diagonal(normal, axis1=1, axis2=2)
    # what cancels to rounding (an answer that is the one before) is no column
    told = squares > NOTHING * np.abs(products).max(axis=(1, 2))[:, None]
    scale = np.where(told, np.sqrt(np.maximum(squares, 0)), np.inf)
    right = right / scale
    system = normal / (scale[:, :, None] * scale[:, None, :])
    system += np.eye(columns.shape[1]) * np.where(told, RIDGE, 1.0)[:, None]
    found = np.linalg.solve(system, right[..., None])[..., 0]
    # |t - C f|^2 = |t|^2 - 2 f.r + f.N f, and the fit satisfies (N + RIDGE) f = r
    whole = np.einsum("mp,mpq,mq->m", target, products, target)
    return np.maximum(whole - (found * right).sum(1) - RIDGE * np.square(found).sum(1), 0)
