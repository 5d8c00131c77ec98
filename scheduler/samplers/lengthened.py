"""A recipe of the distilled sampler with steps more that change nothing: the same end for more calls.

Where nothing better is known for N steps, this keeps N from being worse than fewer. The extra steps
stand at the very start, a hair apart: nothing is remembered there yet, so every later step finds the
predictions that it was fitted with.
"""

from __future__ import annotations

from collections.abc import Sequence

HAIR = 1e-4  # relative, at most: between two such steps


def lengthened(
    sigmas: Sequence[float],
    offsets: Sequence[float],
    coefficients: Sequence[Sequence[float]],
    steps: int,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """(sigmas (N + 1), offsets (N), coefficients (N, 4)) of `steps` N, from those of fewer.

    Raises ValueError where these are more than N.
    """
    extra = steps - (len(sigmas) - 1)
    if extra < 0:
        raise ValueError(f"{len(sigmas) - 1} steps cannot be lengthened to {steps}.")
    first, *rest = map(float, sigmas)
    hair = min(HAIR, (1 - rest[0] / first) / (2 * max(extra, 1)))  # within the first step's half
    top = tuple(first * (1 - hair * k) for k in range(extra + 1))
    nothing = ((0.0,) * 4,) * extra
    shifts = (float(offsets[0]),) * extra + tuple(map(float, offsets))
    rows = tuple(tuple(map(float, row)) for row in coefficients)
    return (*top, *rest), shifts, nothing + rows
