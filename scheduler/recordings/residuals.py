"""What a run's steps hold beside its own states and answers, in inner products."""

from __future__ import annotations

import numpy as np

# A step of the samplers that hosts have is a sum of so many of the newest states and answers: four of
# both in ipndm, four answers in UniPC's predictor and corrector together.
MOST_STATES = 4
MOST_ANSWERS = 4
LEAST_DIRECTION = 1e-10  # of the scaled products: below lies rounding


def noise_shares(sigmas: np.ndarray, products: np.ndarray) -> np.ndarray:
    """(T - 1,): RMS distance of x_{k+1} from the span of the newest x and D, over sigma_{k+1}.

    products: (B, 2T + 1, 2T + 1), the mean over rows is returned. 0 for linear multistep samplers
    and UniPC, little for those that ask the model between their steps (Heun, DPM2), and the share
    of fresh noise for stochastic ones: a few vectors span next to nothing of it.
    """
    steps = len(sigmas) - 1
    found = np.zeros(steps - 1)
    for k in range(steps - 1):
        basis = [
            *range(max(k - MOST_STATES + 1, 0), k + 1),
            *range(steps + 1 + max(k - MOST_ANSWERS + 1, 0), steps + 2 + k),
        ]
        found[k] = np.mean([_distance(row, k + 1, basis) for row in products]) / sigmas[k + 1]
    return found


def steps_taken(sigmas: np.ndarray, products: np.ndarray) -> np.ndarray:
    """(T,): the distance from x_k to x_{k+1} over x_k's length, the least of the rows."""
    now, after = np.arange(len(sigmas) - 1), np.arange(1, len(sigmas))
    lengths = products[:, now, now]
    squares = lengths + products[:, after, after] - 2 * products[:, now, after]
    shares = np.maximum(squares, 0) / np.where(lengths > 0, lengths, 1.0)
    return np.sqrt(shares.min(axis=0))


def end_share(sigmas: np.ndarray, products: np.ndarray) -> float:
    """RMS distance of the end from the last answer over the last sigma above 0, the largest row's."""
    last, end = -1, len(sigmas) - 1
    squares = products[:, end, end] + products[:, last, last] - 2 * products[:, end, last]
    return float(np.sqrt(np.maximum(squares, 0)).max() / sigmas[-2])


def _distance(products: np.ndarray, target: int, basis: list[int]) -> float:
    """RMS distance of one vector from the span of others, by least squares on their products."""
    # Scaled to vectors of length 1: states at high noise are long, answers are not.
    lengths = np.sqrt(products.diagonal()[basis])
    lengths = np.where(lengths > 0, lengths, 1.0)
    inner = products[np.ix_(basis, basis)] / lengths / lengths[:, None]
    towards = products[basis, target] / lengths
    weights = np.linalg.lstsq(inner, towards, rcond=LEAST_DIRECTION)[0]
    square = products[target, target] - 2 * weights @ towards + weights @ inner @ weights
    return float(np.sqrt(max(square, 0.0)))
