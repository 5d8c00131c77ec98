"""A picture that was drawn in full before its learning was stopped: its run is kept, end and all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..lookup.selection import Selection
from ..recordings import Recording
from ..store import Store
from .choosing import base_record, fitted
from .situation import Situation

SAME_SIGMA = 1e-6  # relative: hosts hand sigmas over in float32


def not_learnt_from(
    store: Store, situation: Situation, runs: Sequence[Recording], full: Selection
) -> list[Recording]:
    """The kept runs that are a full picture (`full`) which nothing has been learnt from yet: after a
    recipe from this start is there, another learns from them."""
    record = base_record(store, situation)
    if record is not None and fitted(record, situation):
        return []
    return [each for each in runs if _drew(each, full)]


def _drew(run: Recording, full: Selection) -> bool:
    """Whether this sampler drew it on this schedule."""
    wanted = full.recipe
    if (run.sampler, run.steps) != (wanted.sampler, wanted.steps):
        return False
    return bool(np.allclose(run.sigmas, wanted.sigmas, rtol=SAME_SIGMA, atol=0))
