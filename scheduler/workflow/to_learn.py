"""What a Few-Step KSampler learns where nothing is known: nothing is loaded for that, not even numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..samplers.names import ON_PATHS, without_gpu
from .facts import SiteFacts

LEARNS_AT = 6  # steps of the node where nothing is known yet
TWO_CALLS = ("heun", "dpm_2", "heunpp2")


Kept = Callable[[SiteFacts], bool]


@dataclass(frozen=True)
class Learning:
    """That nodes may learn. kept: whether a run of a node's model was kept at its cfg and size; None:
    nothing is known of these."""

    kept: Kept | None = None

    def first(self, facts: SiteFacts, place: str = "") -> str:
        """What the first run does to learn. place: the conditions that it learns, "cfg 7"."""
        at = f" at {place}" if place else ""
        if self.kept is None or not self.kept(facts):
            return f"the first picture is drawn in full, to learn it{at}"
        return (
            f"it is learnt{at} before the first picture, from a run that was kept; with another prompt "
            "than that run's the first picture is drawn in full for it"
        )


def steps_to_learn(calls: int) -> int:
    """In place of so many calls: half of them, at most LEARNS_AT."""
    return min(LEARNS_AT, -(-calls // 2))


def calls_of(facts: SiteFacts) -> int:
    """Model calls of a site's run; its steps must be known."""
    name = without_gpu(facts.sampler or "")
    return (facts.steps or 0) * (2 if name in TWO_CALLS else ON_PATHS.get(name, 1))
