"""Runs a schedule on every trajectory set, from the start or from a step whose earlier answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from ..denoiser import Checked, start_state
from ..samplers import model_calls, sample
from ..samplers.query_offsets import ask, with_offsets
from .on_policy import TrajectorySet, walk_with

FITTED = "distilled"  # the sampler whose coefficients are fitted on the way


@dataclass(frozen=True)
class Rollout:
    """Each set's end (B, ...) and the model's answers in order; coefficients (N, 4) of the
    distilled sampler, else None."""

    ends: list[torch.Tensor]
    answers: list[list[torch.Tensor]]
    coefficients: np.ndarray | None = None


def calls_of(sampler: str, steps: int) -> int:
    """Model calls a row of so many steps."""
    return steps if sampler == FITTED else model_calls(sampler, steps)


def rollout(
    sets: Sequence[TrajectorySet],
    sampler: str,
    sigmas: np.ndarray,
    offsets: np.ndarray | None,
    parametrisation: str,
    known: Sequence[Sequence[torch.Tensor]] | None = None,
) -> Rollout:
    """Run a stock sampler, or fit the distilled one on the way. known: each set's first answers,
    which are not asked for again.

    Raises DenoiserError where the model's answers stop being finite.
    """
    models = [
        _Replay(each.model, answers)
        for each, answers in zip(sets, known or [()] * len(sets), strict=True)
    ]
    if sampler == FITTED:
        riding = [replace(each, model=model) for each, model in zip(sets, models, strict=True)]
        shifts = np.zeros(len(sigmas) - 1) if offsets is None else offsets
        found = walk_with(riding, sigmas, shifts, partial(ask, parametrisation=parametrisation))
        return Rollout(list(found.ends), [model.answers for model in models], found.coefficients)
    ends = []
    for each, model in zip(sets, models, strict=True):
        asked = model if offsets is None else with_offsets(model, sigmas, offsets, parametrisation)
        ends.append(
            sample(
                asked, start_state(each.noise, float(sigmas[0]), parametrisation), sigmas, sampler
            )
        )
    return Rollout(ends, [model.answers for model in models])


class _Replay(Checked):
    """Answers the first queries of a roll-out from memory, the others with the model, and keeps all
    answers."""

    def __init__(self, model: Checked, known: Sequence[torch.Tensor]):
        super().__init__(model)
        self.known, self.answers = known, []

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        asked = len(self.answers)
        self.answers.append(
            self.known[asked] if asked < len(self.known) else self.denoise(x, sigma)
        )
        return self.answers[-1]
