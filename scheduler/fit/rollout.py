"""Runs a candidate of a stock sampler on every trajectory set with the sampler itself: of those whose
steps the surrogate cannot follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..denoiser import ScalarDenoiser
from ..errors import DenoiserError
from ..samplers import sample
from ..samplers.query_offsets import with_offsets
from ..sigmas.noise_range import NoiseRange
from ..streams import joined
from .candidate import EXPLODED, Candidate
from .trajectories import TrajectorySet


def rollout(
    sets: Sequence[TrajectorySet], candidate: Candidate, noise_range: NoiseRange
) -> Candidate:
    """A stock candidate with its end errors, from the teacher's states at its first sigma. A row
    that does not stay finite, or whose set's answers don't, counts as EXPLODED. The first query is
    the teacher's own where it asked the same, and costs nothing."""
    drawn = [_drawn(each, candidate, noise_range.process) for each in sets]
    errors = [
        np.full(len(each.noise), EXPLODED) if end is None else each.errors(end)
        for each, end in zip(sets, drawn, strict=True)
    ]
    arrived = [end is not None for end in drawn]
    parts = [each.by_stream(end) for each, end in zip(sets, drawn, strict=True) if end is not None]
    return candidate.measured(np.concatenate(errors), joined(parts) if all(arrived) else None)


def _drawn(each: TrajectorySet, candidate: Candidate, process: str) -> torch.Tensor | None:
    """One set's end (B, ...); None where the model's answers did not stay finite: it answered the
    teacher well, so it is the candidate that left its range."""
    sigmas, offsets = candidate.sigmas, candidate.offsets
    x = each.state(float(sigmas[0])).to(each.noise)
    unmoved = offsets is None or offsets[0] == 0
    known = each.first_answer if sigmas[0] == each.sigmas[0] and unmoved else None
    model = _Begun(each.model, known)
    try:
        if offsets is None:
            return sample(model, x, sigmas, candidate.sampler)
        return sample(with_offsets(model, sigmas, offsets, process), x, sigmas, candidate.sampler)
    except DenoiserError:
        return None


class _Begun(ScalarDenoiser):
    """Answers the first query of a run from memory, where it is known."""

    def __init__(self, model: ScalarDenoiser, first: torch.Tensor | None):
        self.model, self.first = model, first

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        known, self.first = self.first, None
        return self.model(x, sigma) if known is None else known.clone()
