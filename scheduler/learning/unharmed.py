"""A picture is never lost because nothing could be learnt: what fails beside it becomes a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import LearningError, StepDistillError

BROKE_OFF = "Learning broke off, not the picture ({}); with learn set to off the next takes few stock steps."
LONGEST_REASON = 200  # characters

Made = TypeVar("Made")


def unharmed(work: Callable[[], Made], interruption: type[BaseException]) -> Made:
    """What `work` returns. Whatever fails in it (the model on other rows, memory, another pack's
    wrapper) is raised as LearningError; interruption: of the host, which passes through."""
    try:
        return work()
    except (StepDistillError, interruption):
        raise
    except Exception as problem:
        raise LearningError(BROKE_OFF.format(_reason(problem))) from problem


def _reason(problem: Exception) -> str:
    """Its kind and its first line."""
    first = next(iter(str(problem).strip().splitlines()), "")[:LONGEST_REASON]
    return ": ".join(part for part in (type(problem).__name__, first.rstrip(".")) if part)
