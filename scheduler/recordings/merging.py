"""Recordings of several pictures as batches of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .recording import Recording

SAME_GRID = 1e-5  # relative: hosts keep sigmas in float32


def merged(recordings: Sequence[Recording]) -> list[Recording]:
    """Recordings that have everything in common but their noise, each group as one of all its rows.

    In common: parametrisation, shape, prompt, the sampler and its name, and the grid. Different
    ones stay apart; the order is that of each group's first. A seed is kept where it is the same.
    Raises RecordingError for one that has no end.
    """
    groups: list[list[Recording]] = []
    for each in recordings:
        for group in groups:
            if _alike(group[0], each):
                group.append(each)
                break
        else:
            groups.append([each])
    return [_one(group) for group in groups]


def _alike(one: Recording, other: Recording) -> bool:
    without_seed = ({**each.about, "seed": None} for each in (one, other))
    same = next(without_seed) == next(without_seed) and len(one.sigmas) == len(other.sigmas)
    return same and np.allclose(one.sigmas, other.sigmas, rtol=SAME_GRID, atol=0)


def _one(group: Sequence[Recording]) -> Recording:
    if len(group) == 1:
        return group[0]
    seeds = {each.seed for each in group}
    seed = seeds.pop() if len(seeds) == 1 else None
    vectors = [torch.cat(parts) for parts in zip(*(each.vectors for each in group), strict=True)]
    return Recording.of(group[0].sigmas, vectors, **{**group[0].about, "seed": seed})
