"""How hard a distillation tries: what is searched for, what is carried over from another step
count, what is refined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..samplers import LINEAR

WITH_OFFSETS = ("euler", "dpmpp_2m", "res_multistep")  # their offsets are fitted step by step
REFINED_TOGETHER = (
    "dpmpp_2m",
    "res_multistep",
)  # schedule and offsets are refined at once; the schedule alone gains little there
CARRIES_FAR = {
    "euler": 3.5
}  # its offsets, searched for at one step count, hold up to this many times as many steps
BORROWS_OFFSETS = {"uni_pc": "dpmpp_2m", "uni_pc_bh2": "dpmpp_2m"}
DISTILLED_STOCK = (
    "dpmpp_2m",
    "euler",
)  # whose best-ranked schedules the distilled sampler must beat
MOST_CARRIED = 1000  # steps: a fit is carried over however little data there is
CARRY_RATIO = 2.0  # to at most this many times as many steps


@dataclass(frozen=True)
class Effort:
    """How hard to try: the teacher's nodes, how many queries a fitted step tries, whether multistep
    stock samplers get offsets between the fitted step counts, schedules per fit, stock schedules in
    the guard, how far apart the fitted step counts (anchors) are, refinement iterations of
    multistep stock samplers, up to how many steps fits are refined and `distilled` is polished at
    most, the fewest rows of all sets together that it is worth, and up to how many steps there is
    data enough to carry a fit over from fewer."""

    name: str
    nodes: int
    tries: int
    between: bool
    schedules: int
    guards: int
    anchor_ratio: float
    refinements: int
    refine_to: int
    polish_to: int
    least_rows: int
    carry_to: int = 0

    def tries_for(self, sampler: str) -> int:
        """Query offsets tried a step where they are searched for."""
        return 3 if sampler in CARRIES_FAR else self.tries

    def shifts(self, sampler: str, anchor: bool) -> bool:
        """Whether a stock sampler gets query offsets at a step count: where it is fitted; else
        where that is asked for, or cheap."""
        takes_some = bool({sampler, BORROWS_OFFSETS.get(sampler)} & set(WITH_OFFSETS))
        return takes_some and (anchor or self.between or sampler in CARRIES_FAR)

    def searched(self, sampler: str, anchors: Sequence[int], steps: int) -> bool:
        """Whether a stock sampler's query offsets are searched for at this step count, or carried
        over from one below."""
        if sampler not in CARRIES_FAR:
            return steps in anchors
        return steps in anchors_of(
            anchors, CARRIES_FAR[sampler] if steps <= self.carry_to else CARRY_RATIO, last=False
        )

    def refinements_for(self, sampler: str, steps: int) -> int:
        """Iterations of a stock sampler's schedule and offsets together, where these were searched for."""
        if sampler in CARRIES_FAR:
            return int(steps <= self.refine_to)
        return self.refinements if sampler in REFINED_TOGETHER else 0

    def guards_for(self, sampler: str) -> int:
        """Stock schedules that the guard runs: more for samplers whose steps the inner products can
        only rank as another's."""
        return self.guards if sampler in LINEAR or self.tries < 3 else max(self.guards, 3)

    def afresh(self, anchors: Sequence[int], below: int | None, steps: int) -> bool:
        """Whether `distilled` is fitted from the start at this step count, or carried over from the
        one below."""
        return below is None or (
            steps in anchors and steps > min(self.carry_to, CARRY_RATIO * below)
        )


EFFORTS = (
    Effort("full", 50, 3, True, 2, 3, 1.2, 1, 16, 16, 8),
    Effort("good", 40, 3, True, 1, 1, 1.2, 0, 12, 12, 4),
    Effort("lean", 32, 2, False, 1, 1, 1.6, 0, 8, 8, 3, MOST_CARRIED),
    Effort("bare", 24, 2, False, 1, 1, 2.0, 0, 0, 0, 1, MOST_CARRIED),
)


def anchors_of(steps: Sequence[int], ratio: float, last: bool = True) -> tuple[int, ...]:
    """The step counts that are fitted in full: the first, each that is `ratio` times the one
    before, or more, and the last if asked."""
    anchors = [steps[0]]
    for n in steps:
        if n > anchors[-1] and n >= ratio * anchors[-1]:
            anchors.append(n)
    return tuple(sorted({*anchors, *steps[-1:]})) if last else tuple(anchors)
