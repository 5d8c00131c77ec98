"""What the fit's own rows say of a recipe, without a further model call: its error beside stock's
there, and how many stock steps the surrogate expects to need for it."""

from __future__ import annotations

import numpy as np

from .. import streams
from ..evidence import verdicts
from ..fit.candidate import DISTILLED, Candidate
from ..fit.joint import expected_errors
from ..fit.parameters import stock_coefficients
from ..record.verdict import SEEN, STOCK
from ..samplers.names import RELATIVE
from .experiments import Experiments
from .searches import Search

RIVALS = 5  # schedules: the inner products rank them by each step on its own
VERY_MANY = 64  # steps, after which the surrogate's own distance from the end is left
MOST_LONGER = 4  # times as many steps: how far stock is followed
FIT, UNSEEN = "fit", "unseen_row"
# A recipe's error on other pictures, over that on the rows of its fit: 1.34 (geometric mean of 54 recipes
# from one picture of 24 steps each, .8 to 2.9; `python -m benchmarks.claims`).
ELSEWHERE = 1.3
LEAST_STEPS = 3  # of a recipe that is counted in stock steps: below, both are far from the end


def evidence_of(search: Search, found: Candidate) -> dict:
    """The evidence of a recipe on the rows of its own fit, said as what it is."""
    unseen = search.made.unseen
    rows = {FIT: int((~unseen).sum()), UNSEEN: int(unseen.sum())}
    stock: dict[str, np.ndarray] = {
        each.choice: each.errors for each in search.guards if each.finite
    }
    about = {"samples": len(found.errors), "rows": {k: n for k, n in rows.items() if n}}
    if not stock or not found.finite:
        return about
    told = verdicts.compared(found.recipe(found.sampler), found.errors, stock, None, 0)
    told.pop("model_calls")
    equal = equal_steps(search.made, found) | _streams(search, found, told["best_stock"])
    return told | about | {"verdict": STOCK if found.choice.stock else SEEN} | equal


def _streams(search: Search, found: Candidate, best: object) -> dict:
    """{"streams": ...} of latents of several kinds: each beside the best stock choice's."""
    rival = next((each for each in search.guards if each.choice == best), None)
    if rival is None or not found.by_stream:
        return {}
    return {"streams": streams.compared(found.by_stream, rival.by_stream)}


def equal_steps(made: Experiments, found: Candidate) -> dict:
    """{"equals_stock_steps": N}: the steps of dpmpp_2m on its best schedule from which on
    the surrogate expects it to come as near to the true end; {"beats_stock_steps": N} where none of
    up to N does; {} where nothing is known. Sought by halves, for more steps are expected to come
    nearer.

    The teacher's own end misses the true one by t, which a recipe (e from the teacher's end) inherits
    and stock does not; and the surrogate's own limit lies f from the teacher's end (t, and what the
    surrogate does not know), which no number of stock steps lessens. So stock that is expected at s
    comes as near where s^2 - f^2 <= e^2 + t^2, as of errors in directions of their own; e is
    what is expected of other pictures (ELSEWHERE).
    """
    if found.sampler != DISTILLED or found.choice.stock or found.steps < LEAST_STEPS:
        return {}
    counts = _counts(found.steps)
    limit = _expected_of_stock(made, VERY_MANY)
    own = ELSEWHERE * _rms(found)
    error = float(np.sqrt(own**2 + made.ends_error**2 + limit**2))
    curve = {counts[-1]: _expected_of_stock(made, counts[-1])}
    below, reached = -1, len(counts) - 1
    while reached - below > 1 and curve[counts[reached]] <= error:
        middle = (below + reached) // 2
        curve[counts[middle]] = _expected_of_stock(made, counts[middle])
        if curve[counts[middle]] <= error:
            reached = middle
        else:
            below = middle
    equal, beaten = verdicts.equal_steps(error, curve), verdicts.beaten_steps(error, curve)
    told = {"equals_stock_steps": equal, "beats_stock_steps": beaten}
    return {name: steps for name, steps in told.items() if steps is not None}


def _expected_of_stock(made: Experiments, steps: int) -> float:
    """The RMS error that the surrogate expects of dpmpp_2m on the best of the schedules that rank first."""
    found, schedules = [], made.stock_schedules(steps)
    for name in made.ranked(RELATIVE, steps)[:RIVALS]:
        sigmas = schedules[name]
        coefficients = stock_coefficients(sigmas, RELATIVE)
        stock = Candidate(DISTILLED, sigmas, np.zeros(steps), coefficients)
        found.append(np.sqrt(np.mean(np.square(expected_errors(made.answers, stock)))))
    return float(np.nanmin(found))


def _counts(steps: int) -> list[int]:
    return sorted({round(steps * (1 + k / 4)) for k in range(4 * (MOST_LONGER - 1) + 1)})


def _rms(found: Candidate) -> float:
    return float(np.sqrt(np.mean(np.square(found.errors))))
