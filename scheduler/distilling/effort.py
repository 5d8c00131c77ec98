"""How hard a distillation tries: the presets that a plan chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_CARRIED = 1000  # steps: a fit is carried over however little data there is


@dataclass(frozen=True)
class Effort:
    """nodes: of the teacher. tries: queries of a fitted step. between: whether multistep stock
    samplers get offsets between the fitted step counts. schedules: walked per fit. guards: stock
    schedules run in the guard. anchor_ratio: how far apart the fitted step counts (anchors) are.
    refinements: iterations for multistep stock samplers. refine_to, polish_to: up to how many steps
    fits are refined and `distilled` is polished at most. least_rows: the fewest rows of all sets
    together that it is worth. carry_to: up to how many steps there is data enough to carry a fit
    over from fewer."""

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


EFFORTS = (
    Effort("full", 50, 3, True, 2, 3, 1.2, 1, 16, 16, 8),
    Effort("good", 40, 3, True, 1, 1, 1.2, 0, 12, 12, 4),
    Effort("lean", 32, 2, False, 1, 1, 1.6, 0, 8, 8, 3, MOST_CARRIED),
    Effort("bare", 24, 2, False, 1, 1, 2.0, 0, 0, 0, 1, MOST_CARRIED),
)


def anchors_of(steps: Sequence[int], ratio: float, last: bool = True) -> tuple[int, ...]:
    """The step counts that are fitted in full: the first, each that is `ratio` times the one before,
    or more, and the last if asked."""
    anchors = [steps[0]]
    for n in steps:
        if n > anchors[-1] and n >= ratio * anchors[-1]:
            anchors.append(n)
    return tuple(sorted({*anchors, *steps[-1:]})) if last else tuple(anchors)
