"""What a run asks for: sampler, steps, start, and what of a recipe can be carried there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .starts import start_for

if TYPE_CHECKING:
    from .model_facts import ModelFacts

# What the caller can carry to the run, each with what stands before it.
SIGMAS, OFFSETS, COEFFICIENTS = "sigmas", "offsets", "coefficients"


@dataclass(frozen=True)
class Wanted:
    """One run.

    sampler: by the host's name; None: not known, so the record's own default. steps: N. start: the
    first sigma, or None for the model's sigma_max. denoise: the share of the model's clock that the
    start stands for; 1 where it is the top, or was asked for as a sigma. carries: SIGMAS, OFFSETS
    or COEFFICIENTS; `distilled` with SIGMAS alone gets the best plain recipe of a stock sampler.
    """

    sampler: str | None
    steps: int
    start: float | None = None
    denoise: float = 1.0
    carries: str = COEFFICIENTS

    @classmethod
    def of(
        cls,
        facts: ModelFacts,
        sampler: str | None,
        steps: int,
        denoise: float = 1.0,
        start_sigma: float | None = None,
        carries: str = COEFFICIENTS,
    ) -> Wanted:
        """The run of a model. Raises StepsError and SigmaRangeError."""
        from ..sigmas.validity import check_steps

        start = start_for(facts, denoise, start_sigma)
        share = 1.0 if start is None or start_sigma is not None else float(denoise)
        return cls(sampler, check_steps(steps), start, share, carries)
