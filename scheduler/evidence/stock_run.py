"""A stock choice as a run of its own, at as many model calls as a recipe beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ..record import Choice
from .plan import equal_calls_steps


@dataclass(frozen=True)
class StockRun:
    """A stock schedule by name, the sampler that runs it, and its steps."""

    schedule: str
    sampler: str
    steps: int

    @classmethod
    def at_equal_calls(cls, choice: Choice, sampler: str, steps: int) -> StockRun:
        """A stock choice beside `sampler`, at as many model calls as `steps` steps of it."""
        if choice.sampler is None:
            return cls(choice.schedule, sampler, steps)
        return cls(choice.schedule, choice.sampler, equal_calls_steps(choice.sampler, steps))
