"""What a check costs, and what it is made on: the artist's own recordings, or a short teacher."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..distilling.consistency import ASKED, PAIR
from ..distilling.plan import Plan
from ..distilling.planning import starts_below
from ..distilling.request import Request
from ..distilling.wishes import Wish
from ..record import Recipe
from ..recordings import Recording
from .running import wish_of
from .searching import GUARDS

KIN = "kin"  # the name of such a plan
NODES = 16  # of the teacher of a check without a recording
NUMBERS = 1024  # latent elements that a check is made on: one picture of any real model
REFINED = 3  # runs after a check that a start is refined with, where nothing else is said
RUNS = GUARDS + 2  # and a walk, and the recipe


def calls_of_check(steps: int, rows: int = 0, below: bool = False) -> int:
    """The most model calls of a check of a recipe of `distilled` with N steps, on so many recorded rows; 0:
    on a row of its own. below: the run starts below where the teacher did. 23 at N = 6 from a recording, 38
    without one."""
    teacher = len(ASKED) if rows else NODES + PAIR
    return max(rows, 1) * (teacher + RUNS * (steps - 1) + below)


def plan_of_check(request: Request, wish: Wish, recordings: Sequence[Recording]) -> Plan:
    """The plan of a check of one recipe."""
    recorded = sum(each.rows for each in recordings)
    rows = recorded or -(-NUMBERS // math.prod(request.latent_shape))
    teacher = len(ASKED) if recorded else NODES + PAIR
    below = starts_below(request, recordings)
    runs = RUNS * (wish.run + (below and not wish.refined)) + (below and wish.refined)
    costs = {"teacher": teacher * rows, wish.sampler: runs * rows}
    return Plan(KIN, NODES, 1, rows, 0, (wish.steps,), costs)


def plan_of_learning(
    request: Request, recipe: Recipe, recordings: Sequence[Recording], budget: int | None
) -> Plan:
    """The plan of a check and what may follow it. budget: most model calls of both."""
    wish = wish_of(recipe)
    check = plan_of_check(request, wish, recordings)
    more = REFINED * wish.run * check.rows
    if budget is not None:
        more = max(budget - check.calls, 0)
    costs = check.costs | {wish.sampler: check.costs[wish.sampler] + more}
    return replace(check, costs=costs)
