"""What a Few-Step KSampler learns where nothing is known: nothing is loaded for that, not even numpy."""

from __future__ import annotations

from ..samplers.names import ON_PATHS, without_gpu
from .facts import SiteFacts

LEARNS_AT = 6  # steps of the node where nothing is known yet
IN_FULL = "the first picture is drawn in full, to learn it"
TWO_CALLS = ("heun", "dpm_2", "heunpp2")


def steps_to_learn(calls: int) -> int:
    """In place of so many calls: half of them, at most LEARNS_AT."""
    return min(LEARNS_AT, -(-calls // 2))


def calls_of(facts: SiteFacts) -> int:
    """Model calls of a site's run; its steps must be known."""
    name = without_gpu(facts.sampler or "")
    return (facts.steps or 0) * (2 if name in TWO_CALLS else ON_PATHS.get(name, 1))
