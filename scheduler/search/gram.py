"""Inner products of a recorded trajectory: all that the dynamic programmes need to know of it.

A step of any linear multistep sampler, taken along the teacher, is a linear combination of the
teacher's states x_i and predictions D_i, so that its squared error is a small quadratic form in
their Gram matrix (ALGORITHMS: inner-product dynamic programming). (2T + 1)^2 numbers replace
samples x nodes x latent of them. float64 throughout: in float32 the costs of short steps drown in
cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..errors import ScheduleError, SigmaRangeError
from ..record import Gram
from ..sigmas.validity import Sigmas, check_schedule

CHUNK = 1 << 22  # numbers converted to float64 at a time: 32 MB


def gram_of(sigmas: np.ndarray, vectors: torch.Tensor) -> Gram:
    """The Gram matrix of one set.

    vectors: (2T + 1, rows, elements), x_0..x_T and then D_0..D_{T-1}, on the CPU.
    """
    count, rows, elements = vectors.shape
    total = torch.zeros(count, count, dtype=torch.float64)
    of_means = torch.zeros(count, dtype=torch.float64)
    for part in vectors.split(max(1, CHUNK // (count * rows)), dim=2):
        wide = part.double()
        if rows > 1:
            of_means += wide.mean(dim=1).square().sum(dim=1)
        wide = wide.reshape(count, -1)
        total += wide @ wide.T
    products = (total / (rows * elements)).numpy()
    # The variance across rows: the mean square less the square of the mean, unbiased; nothing is
    # known of it from one row.
    spread = np.zeros(count)
    if rows > 1:
        variance = np.maximum(products.diagonal() - of_means.numpy() / elements, 0)
        spread = variance * rows / (rows - 1)
    return Gram(sigmas, (products + products.T) / 2, rows, spread[: len(sigmas)])


def row_products(vectors: Sequence[torch.Tensor], rows: np.ndarray) -> np.ndarray:
    """(R, V, V) float64: mean inner products of V tensors (B, ...), row by row.

    rows: (B,) bool, marks the R rows that are wanted. The tensors may be on any device. In float64
    on the CPU, a piece at a time: in float32, or a GPU's shortened float32, the small errors that
    choose between fits drown.
    """
    found = np.zeros((int(rows.sum()), len(vectors), len(vectors)))
    piece = max(1, CHUNK // len(vectors))
    for place, row in enumerate(np.flatnonzero(rows).tolist()):
        pieces = [vector[row].flatten().split(piece) for vector in vectors]
        for parts in zip(*pieces, strict=True):
            stack = torch.stack(parts).cpu().double()
            found[place] += (stack @ stack.T).numpy() / vectors[0][row].numel()
    return found


def merge(grams: Sequence[Gram]) -> Gram:
    """Several sets on one grid as one.

    The products are those of the union of their rows, the spread is pooled from within the sets.
    Raises ScheduleError when there is nothing to merge or the grids differ.
    """
    if not grams:
        raise ScheduleError("No trajectory sets to merge; record at least one.")
    if any(not np.array_equal(gram.sigmas, grams[0].sigmas) for gram in grams):
        raise ScheduleError(
            "Trajectory sets on different grids cannot be merged; record them all on one grid."
        )
    rows = np.array([gram.samples for gram in grams])
    products = np.average([gram.products for gram in grams], axis=0, weights=rows)
    # A variance from n rows has n - 1 degrees of freedom, and weighs as many.
    freedom = rows - 1 if rows.max() > 1 else rows
    spread = np.average([gram.spread for gram in grams], axis=0, weights=freedom)
    return Gram(grams[0].sigmas, products, int(rows.sum()), spread)


def with_sigmas(gram: Gram, sigmas: Sigmas) -> Gram:
    """The same trajectories on another descending grid within the recorded range.

    No model call is made: states and predictions between nodes are linear combinations of recorded
    ones (`interpolation`); those on nodes are the recorded ones, exactly. Raises ScheduleError for
    a bad grid and SigmaRangeError for one that starts above the record.
    """
    grid = check_schedule(sigmas)
    weights = interpolation(gram.sigmas, grid)
    spread = np.interp(grid, gram.sigmas[::-1], gram.spread[::-1])
    return Gram(grid, weights @ gram.products @ weights.T, gram.samples, spread)


def interpolation(recorded: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(2M + 1, 2T + 1): each row combines the recorded vectors to one of the wanted grid.

    x is the cubic Hermite curve in sigma through the neighbouring states with the ODE's own slopes
    x' = (x - D)/s: exact for pure noise and, unlike half-log-SNR, finite at a flow's sigma 1. D is
    the cubic in log sigma through the four nearest predictions; taking it from the curve's slope
    instead was two to four times worse on a real Heun teacher, whose states miss its own slopes a
    little. On the step to 0 x is a straight line and D stays, as in the teacher.
    """
    if wanted[0] > recorded[0]:
        raise SigmaRangeError(
            f"The teacher was recorded from sigma {recorded[0]:.6g} down; "
            f"a start at {wanted[0]:.6g} needs another."
        )
    return np.concatenate(
        [state_weights(recorded, wanted), prediction_weights(recorded, wanted[wanted > 0])]
    )


def state_weights(recorded: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(S, 2T + 1): x at each of S sigmas of the recorded range, by cubic Hermite interpolation
    between the nodes around it; a node is kept to the bit."""
    count = len(recorded)
    left = np.minimum(_left_nodes(recorded, sigmas), count - 2)
    high, low = recorded[left], recorded[left + 1]
    width = low - high
    t = (sigmas - high) / width  # 0 at the left node, 1 at the next
    straight = low == 0
    to_end = np.where(straight, t, t * t * (3 - 2 * t))
    # slopes dx/dt = width (x - D) / s at both ends
    first = np.where(straight, 0.0, t * (1 - t) ** 2 * width / high)
    second = np.where(straight, 0.0, t * t * (t - 1) * width / np.where(straight, 1.0, low))
    rows, every = np.zeros((len(sigmas), 2 * count - 1)), np.arange(len(sigmas))
    rows[every, left] = 1 - to_end + first
    rows[every, left + 1] = to_end + second
    rows[every, count + left] = -first
    inner = every[~straight]
    rows[inner, count + left[inner] + 1] = -second[inner]
    return rows


def prediction_weights(recorded: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(S, 2T + 1): D at each of S positive sigmas, from the four predictions around it, fewer on a
    shorter grid, by Lagrange's formula in log sigma; below the last one it stays."""
    nodes = len(recorded) - 1
    most = min(4, nodes)
    left = _left_nodes(recorded, sigmas)
    first = np.clip(left - 1, 0, nodes - most)
    used = first[:, None] + np.arange(most)
    logs = np.log(recorded[:-1])[used]
    reaches = np.log(np.maximum(sigmas, recorded[-2]))[:, None] - logs
    weights = np.ones((len(sigmas), most))
    for j in range(most):
        for k in range(most):
            if k != j:
                weights[:, j] *= reaches[:, k] / (logs[:, j] - logs[:, k])
    rows = np.zeros((len(sigmas), 2 * nodes + 1))
    np.put_along_axis(rows, nodes + 1 + used, weights, axis=1)
    return rows


def _left_nodes(recorded: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """(S,): the last node at or above each sigma."""
    return np.searchsorted(-recorded, -sigmas, side="right") - 1
