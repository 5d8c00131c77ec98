"""Runs a candidate on every trajectory set, from the start or from a step whose earlier answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..denoiser import ScalarDenoiser, start_state
from ..errors import DenoiserError
from ..samplers import model_calls, sample
from ..samplers.distilled import sample_distilled
from ..samplers.query_offsets import with_offsets
from ..sigmas.noise_range import NoiseRange
from .candidate import DISTILLED, EXPLODED, Candidate
from .on_policy import walk
from .trajectories import TrajectorySet


@dataclass(frozen=True)
class Run:
    """A candidate as it was run: with every row's end error, and the coefficients where they were
    fitted on the way. ends: each set's latents (B, ...), none where a row exploded; answers: the
    model's, in order, where they were kept."""

    candidate: Candidate
    ends: list[torch.Tensor]
    answers: list[list[torch.Tensor]]


def calls_of(sampler: str, steps: int) -> int:
    """ScalarDenoiser calls a row of so many steps."""
    return steps if sampler == DISTILLED else model_calls(sampler, steps)


def rollout(
    sets: Sequence[TrajectorySet],
    candidate: Candidate,
    noise_range: NoiseRange,
    known: Sequence[Sequence[torch.Tensor]] | None = None,
    keep: bool = False,
) -> Run:
    """Run a candidate; the distilled sampler without coefficients has them fitted on the way.

    known: each set's first answers, which are not asked for again. keep: the answers, for such a run
    later. A row that does not stay finite,
    or whose set's answers don't, counts as EXPLODED.
    """
    answered = known or [()] * len(sets)
    models = [_Replay(each.model, k, keep) for each, k in zip(sets, answered, strict=True)]
    riding = [replace(each, model=model) for each, model in zip(sets, models, strict=True)]
    if candidate.sampler == DISTILLED and candidate.coefficients is None:
        ran, ends = _fitted(riding, candidate, noise_range)
    else:
        drawn = [_drawn(each, candidate, noise_range.process) for each in riding]
        ends = [end for end in drawn if end is not None]
        errors = [
            np.full(len(each.noise), EXPLODED) if end is None else each.errors(end)
            for each, end in zip(sets, drawn, strict=True)
        ]
        ran = candidate.measured(np.concatenate(errors))
    if not ran.finite:
        return Run(ran, [], [])
    return Run(ran, ends, [model.answers for model in models])


def _fitted(
    sets: Sequence[TrajectorySet], candidate: Candidate, noise_range: NoiseRange
) -> tuple[Candidate, list[torch.Tensor]]:
    """All sets together: one fit for them all."""
    offsets = np.zeros(candidate.steps) if candidate.offsets is None else candidate.offsets
    try:
        return walk(sets, DISTILLED, candidate.sigmas, noise_range, offsets=offsets)
    except DenoiserError:
        return candidate.measured(np.full(sum(len(each.noise) for each in sets), EXPLODED)), []


def _drawn(each: TrajectorySet, candidate: Candidate, process: str) -> torch.Tensor | None:
    """One set's end (B, ...); None where the model's answers did not stay finite: it answered the
    teacher well, so it is the candidate that left its range."""
    sigmas, offsets = candidate.sigmas, candidate.offsets
    x = start_state(each.noise, float(sigmas[0]), process)
    try:
        if candidate.coefficients is not None:
            coefficients = candidate.coefficients
            return sample_distilled(each.model, x, sigmas, coefficients, offsets, process)
        if offsets is None:
            return sample(each.model, x, sigmas, candidate.sampler)
        shifted = with_offsets(each.model, sigmas, offsets, process)
        return sample(shifted, x, sigmas, candidate.sampler)
    except DenoiserError:
        return None


class _Replay(ScalarDenoiser):
    """Answers the first queries of a run from memory, the others with the model."""

    def __init__(self, model: ScalarDenoiser, known: Sequence[torch.Tensor], keep: bool):
        self.model, self.known, self.keep = model, known, keep
        self.asked = 0
        self.answers: list[torch.Tensor] = []

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        k, self.asked = self.asked, self.asked + 1
        answer = self.known[k] if k < len(self.known) else self.model(x, sigma)
        if self.keep:
            self.answers.append(answer)
        return answer
