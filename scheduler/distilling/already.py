"""Whether a record has what is asked for already, made with no less effort."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..record import SAME_START, Record

ENOUGH = 0.6  # of the calls that would be planned now: the next lower effort has a quarter


def serves(record: Record, samplers: Sequence[str], counts: Sequence[int], calls: float) -> bool:
    """Whether a record of the same key has every recipe from the model's top, made with about as many
    model calls as would be planned now."""
    return _has_all(record, samplers, counts) and _least_calls(record, counts) >= ENOUGH * calls


def _has_all(record: Record, samplers: Sequence[str], counts: Sequence[int]) -> bool:
    least = record.model.sigma_max * (1 - SAME_START)
    held = {(each.sampler, each.steps) for each in record.recipes if each.start_sigma >= least}
    return all((sampler, count) in held for sampler in samplers for count in counts)


def _least_calls(record: Record, counts: Sequence[int]) -> float:
    """The fewest that any of these step counts was planned with; endless where it is not said."""
    plans = record.provenance.get("plans", [])
    return min(
        (plan["calls"] for plan in plans if set(plan["steps"]) & set(counts)), default=math.inf
    )
