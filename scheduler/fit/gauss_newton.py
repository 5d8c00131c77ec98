"""One damped Gauss-Newton step on the end errors of rows, from inner products alone."""

from __future__ import annotations

import numpy as np


def damped_step(products: np.ndarray, damping: float, most: float = np.inf) -> np.ndarray:
    """(P,): the change of P parameters that lowers the mean of the rows' norms, in the linear model.

    Not of their squares, which a row that became another picture would decide alone: by reweighted
    least squares, each row counts 1 / |e|. products: (R, P + 1, P + 1), for each row the mean inner
    products of [its end error e, e's P derivatives]. damping: the weight of |change|^2 beside the
    rows' norms. most: of any one change; a longer step is shortened as a whole.
    """
    norms = np.sqrt(products[:, 0, 0])
    norms = np.maximum(norms, 0.01 * norms.mean() + 1e-30)
    normal = (products / norms[:, None, None]).sum(0)
    damped = normal[1:, 1:] + damping * norms.sum() * np.eye(len(normal) - 1)
    step = -np.linalg.solve(damped, normal[1:, 0])
    return step * min(1.0, most / np.abs(step).max(initial=1e-30))
