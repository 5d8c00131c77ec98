"""A picture that was drawn in full before its learning was stopped: its run is kept, end and all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..denoiser import Denoiser
from ..distilling.consistency import asked_again
from ..distilling.recordings import SAME_ANSWER
from ..lookup.selection import Selection
from ..recordings import Recording
from ..store import Store
from .choosing import base_record, fitted
from .situation import Situation

SAME_SIGMA = 1e-6  # relative: hosts hand sigmas over in float32
SAME_BEGINNING = 1e-5  # of the first sigma: above float32's rounding, far below another noise


def not_learnt_from(
    store: Store, situation: Situation, runs: Sequence[Recording], full: Selection
) -> list[Recording]:
    """The kept runs that are a full picture (`full`) which nothing has been learnt from yet: after a
    recipe from this start is there, another learns from them."""
    record = base_record(store, situation)
    if record is not None and fitted(record, situation):
        return []
    return [each for each in runs if _drew(each, full)]


def drew_this(run: Recording, x: torch.Tensor, denoise: Denoiser) -> bool:
    """Whether a run began with just these rows x (B, ...), and the model at hand answers as it did
    then: one model call."""
    first = run.vectors[0]
    if first.shape != x.shape:
        return False
    apart = float((first - x.detach().float().cpu()).abs().max())
    if apart > SAME_BEGINNING * run.start_sigma:
        return False
    node = asked_again(run.steps)[1]
    asked, recorded = run.vectors[node].to(x), run.vectors[run.steps + 1 + node]
    level = torch.full((len(x),), float(run.sigmas[node]), dtype=x.dtype, device=x.device)
    answer = denoise(asked, level).detach().float().cpu()
    return bool((answer - recorded).norm() <= SAME_ANSWER * recorded.norm())


def _drew(run: Recording, full: Selection) -> bool:
    """Whether this sampler drew it on this schedule."""
    wanted = full.recipe
    if (run.sampler, run.steps) != (wanted.sampler, wanted.steps):
        return False
    return bool(np.allclose(run.sigmas, wanted.sigmas, rtol=SAME_SIGMA, atol=0))
