"""The distilled sampler's coefficients: one regularised least-squares fit a step, from inner products.

In closed form and on the student's own states; what the coefficients multiply is in
samplers/distilled.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..samplers.distilled import step_weights

ORDERS = (1, 2, 3)
MOST_COEFFICIENT = 3.0
RIDGE = (
    1e-2  # 1e-4 to 1e-2 differ by a percent with eight trajectories; with four the larger is safer
)
NUMBERS_FOR_ORDER = 64  # latent elements of all rows that each order of a fit needs
# a lower order is taken only where it leaves this share or less of the highest one's error on
# left-out rows
SIMPLER = 0.8
EULER = (0.0, 0.0, 0.0, 0.0)  # no coefficient


def columns(sigma: float, s_next: float, predictions: int) -> np.ndarray:
    """(4, 1 + predictions): each column of the fit as a combination of [x, D_0, D_1, D_2]; rows
    that lack their predictions are zero."""
    move = 1 - s_next / sigma
    full = np.array(
        [[0, 1, -1, 0], [0, 0, 1, -1], [move, -move, 0, 0], [0, 1, 0, 0]], dtype=np.float64
    )
    full[:2][np.array([2, 3]) > predictions] = 0
    return full[:, : 1 + predictions]


@dataclass(frozen=True)
class Step:
    """One step of a walk: weights over [x, D_0, D_1, ...], mean squared error on the fit's rows
    and, if fitted, [c1, c2, c3, c4]."""

    weights: list[float]
    error: float
    coefficients: np.ndarray | None = None


def fit_step(
    products: np.ndarray,
    sigma: float,
    s_next: float,
    orders: Sequence[int] = ORDERS,
    ridge: float = RIDGE,
    most_order: int | None = None,
) -> Step:
    """Fit one step from inner products.

    products: (R, m + 2, m + 2) float64, for each of R rows the mean inner products of [x, D_0, ...,
    D_{m-1}, target]. The order is chosen by leaving rows out in turn; one above most_order (None:
    the number of rows), or that the predictions are too few for, is not tried. A singular fit is no
    error: the ridge, on columns scaled to equal norm, pulls what the data do not determine to
    Euler's step. Coefficients are bounded by MOST_COEFFICIENT.
    """
    predictions, mean = products.shape[1] - 2, products.mean(0)
    most = min(predictions, most_order or len(products))
    possible = [order for order in orders if order <= most] or [1]
    order = _chosen_order(products, sigma, s_next, possible, ridge)
    row = _solved(mean, sigma, s_next, order, ridge)
    weights = step_weights(row.tolist(), sigma, s_next, predictions)
    return Step(weights, error_of(mean, weights), row)


def _chosen_order(
    products: np.ndarray, sigma: float, s_next: float, possible: Sequence[int], ridge: float
) -> int:
    highest = possible[-1]
    if len(possible) == 1 or len(products) == 1:
        return highest
    errors = {order: _left_out_error(products, sigma, s_next, order, ridge) for order in possible}
    best = min(errors, key=lambda order: errors[order])
    return best if errors[best] <= SIMPLER**2 * errors[highest] else highest


def error_of(products: np.ndarray, weights: Sequence[float]) -> float:
    """Mean squared error of x_next = weights . [x, D_0, ...] against the target, from the mean
    inner products (m + 2, m + 2)."""
    miss = np.append(weights, -1.0)
    return max(float(miss @ products @ miss), 0.0)


def _solved(
    products: np.ndarray, sigma: float, s_next: float, order: int, ridge: float
) -> np.ndarray:
    """(..., 4): [c1, c2, c3, c4] of the ridge fits of one order to inner products (..., m + 2, m + 2).

    Columns that are zero, or nothing beside the target, stay out.
    """
    size = products.shape[-1]
    used = np.zeros((4, size))
    used[:, : 1 + order] = columns(sigma, s_next, order)
    left = -np.append(step_weights(EULER, sigma, s_next, size - 2), -1.0)  # target - Euler's step
    normal, right = used @ products @ used.T, used @ products @ left
    norms = np.sqrt(np.maximum(np.diagonal(normal, axis1=-2, axis2=-1), 0))
    alive = norms > 1e-9 * np.sqrt(np.maximum(products[..., -1:, -1], 1e-60))
    shrink = np.where(alive, 1 / np.where(alive, norms, 1), 0)
    system = normal * shrink[..., :, None] * shrink[..., None, :] + ridge * np.eye(4)
    found = np.linalg.solve(system, (right * shrink)[..., None])[..., 0] * shrink
    return np.clip(found, -MOST_COEFFICIENT, MOST_COEFFICIENT)


def _left_out_error(
    products: np.ndarray, sigma: float, s_next: float, order: int, ridge: float
) -> float:
    """The sum over rows of each one's error under the fit to the others."""
    rest = (products.sum(0) - products) / (len(products) - 1)
    rows = _solved(rest, sigma, s_next, order, ridge)
    weights = np.stack(step_weights(list(rows.T), sigma, s_next, products.shape[-1] - 2), axis=-1)
    miss = np.append(weights, -np.ones((len(rows), 1)), axis=-1)
    return max(float(np.einsum("rp,rpq,rq->", miss, products, miss)), 0.0)
