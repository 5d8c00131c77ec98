"""The schedules that our dropdown entry handed to the host, so that they are known again when a
sampling run brings them back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

import numpy as np

KEPT = 128
MARKS = (
    5,
    -3,
)  # units in the last place, in turn: 5e-7 of a sigma changes no picture, and no stock schedule has the same


@dataclass(frozen=True)
class Issued:
    """sigmas: as float32 holds them. steps, start: of the recipe inside, where it was known that
    the host keeps only the end of them."""

    sigmas: tuple[float, ...]
    steps: int
    start: float | None = None

    @property
    def forms(self) -> tuple[tuple[float, ...], ...]:
        """The ways in which a host hands the whole of it on: as it is, or without the last sigma
        above 0 (dpm_2, uni_pc)."""
        dropped = self.sigmas[:-2] + self.sigmas[-1:]
        return (
            (self.sigmas, dropped) if len(dropped) > 2 else (self.sigmas,)
        )  # a single step is everyone's


@dataclass(frozen=True)
class Slice:
    """A schedule known again: `steps` of `of`, from its end. whole: nothing was cut away."""

    issued: Issued
    steps: int
    of: int

    @property
    def whole(self) -> bool:
        return self.steps == self.of


_issued: deque[Issued] = deque(maxlen=KEPT)
_lock = Lock()


def issue(sigmas, steps: int, start: float | None = None, exact: float | None = None):
    """The sigmas as the float32 tensor that hosts want, remembered.

    Those between the first and 0 are marked, so that a stock schedule that the user chose is never
    taken for ours, even where ours is the same one; of a single step the first itself. exact: a
    sigma that is left as it is, since another run ended at it.
    """
    import torch

    values = np.array([float(sigma) for sigma in sigmas], dtype=np.float32)
    inner = values[1:-1] if len(values) > 2 else values[:-1]
    moved = np.resize(MARKS if len(values) > 2 else MARKS[1:], len(inner)).astype(np.int32)
    if exact is not None:
        moved[inner == np.float32(exact)] = 0
    inner[:] = (inner.view(np.int32) + moved).view(np.float32)
    tensor = torch.from_numpy(values)
    entry = Issued(tuple(tensor.tolist()), steps, start)
    with _lock:
        if entry in _issued:
            _issued.remove(entry)
        _issued.appendleft(entry)
    return tensor


def recognised(sigmas) -> Slice | None:
    """What a run's sigmas (a tensor) are of what was issued: all of it, or its end; None for any
    others, such as those cut short of 0."""
    values = tuple(sigmas.tolist())
    if len(values) < 2 or values[-1] != 0:
        return None
    with _lock:
        known = list(_issued)
    found = [
        Slice(entry, len(values) - 1, len(form) - 1)
        for entry in known
        for form in entry.forms
        if form[-len(values) :] == values
    ]
    return next((each for each in found if each.whole), found[0] if found else None)
