"""A schedule solved from a teacher's inner products, without a model call; and when that is worth it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..record import Choice, Gram, Recipe, Record
from ..record.verdict import SOLVED
from ..samplers.names import RELATIVE
from .starts import same_start

# Beyond, nothing is solved. On one CPU core 100 steps take .1 to .6 s, as 40 do (the grid that is
# searched is no finer), and their error is .2 to 1.05 of the stock schedule simple's.
MOST_SOLVED = 100
KEPT = 64  # solved schedules that are remembered

NOTHING_FOR = "nothing_for"  # the sampler was not distilled for
STOCK_WON = "stock_won"


@dataclass(frozen=True)
class NotWorth:
    """Why no schedule is solved.

    code: NOTHING_FOR or STOCK_WON. choice, steps: which stock choice won, and at how many steps.
    """

    code: str
    choice: Choice | None = None
    steps: int | None = None


def not_worth_solving(
    record: Record, sampler: str, steps: int, whole: bool = True
) -> NotWorth | None:
    """Why the record's own recipes say that nothing is gained by solving; None where they don't.

    They do where there is none for this sampler, or where, for the whole range of noise, stock won
    at the nearest step count. What is solved from inner products alone has passed no guard: for
    samplers that nothing was run for it was 0.4 to 1.9 times the error of the best stock schedule.
    """
    mine = [recipe for recipe in record.recipes if recipe.sampler == sampler]
    if not mine:
        return NotWorth(NOTHING_FOR)
    nearest = min(mine, key=lambda recipe: abs(recipe.steps - steps))
    if whole and nearest.choice.stock:
        return NotWorth(STOCK_WON, nearest.choice, nearest.steps)
    return None


def solved(
    gram: Gram,
    sampler: str,
    steps: int,
    start_sigma: float | None = None,
    sigma_min: float | None = None,
) -> Recipe:
    """A schedule for a linear multistep sampler, N steps and a start: no model call, no evidence.

    sigma_min: the least sigma that the model can be asked at, where that is above the teacher's.
    Raises UnknownNameError for other samplers, SigmaRangeError for a start above the teacher's,
    StepsError.
    """
    from ..search.dynamic_programming import schedules_from
    from ..search.gram import with_sigmas

    top = float(gram.sigmas[0])
    start = top if start_sigma is None or same_start(start_sigma, top) else float(start_sigma)
    if sigma_min is not None and gram.sigmas[-2] < sigma_min < start:
        kept = gram.sigmas[gram.sigmas > sigma_min * (1 + 1e-6)]
        gram = with_sigmas(gram, np.concatenate([kept, [sigma_min, 0.0]]))
    sigmas = schedules_from(gram, sampler, steps, start_sigma=start)[steps]
    return Recipe(
        sampler, steps, float(sigmas[0]), tuple(sigmas.tolist()), evidence={"verdict": SOLVED}
    )


def solved_once(
    gram: Gram, sampler: str, steps: int, start_sigma: float, sigma_min: float
) -> Recipe:
    """`solved`, remembered: a graph or a grid of pictures asks for the same ones again and again."""
    wanted = (id(gram), sampler, steps, start_sigma, sigma_min)
    known = _kept.get(wanted)
    if known is not None:
        return known[1]
    recipe = solved(gram, sampler, steps, start_sigma, sigma_min)
    while len(_kept) >= KEPT:
        _kept.pop(next(iter(_kept)), None)
    _kept[wanted] = gram, recipe
    return recipe


# With the inner products, so that their id stays theirs.
_kept: dict[tuple, tuple[Gram, Recipe]] = {}


def solvable_rule(sampler: str) -> str:
    """The linear rule that a schedule is solved with for a sampler: its own, else dpmpp_2m's."""
    from ..samplers.multistep import LINEAR

    return sampler if sampler in LINEAR else RELATIVE
