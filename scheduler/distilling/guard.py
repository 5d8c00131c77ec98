"""The guard: a recipe of ours stands only where it beats the stock schedules on the same noise,
pair by pair and with a margin."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..record import SAME_START
from ..samplers.multistep import LINEAR, LinearRule
from ..search.dynamic_programming import node_weights, transition_errors
from ..search.gram import Gram, with_sigmas

MARGIN = 0.05  # ours must be better by this share before stock is left
SEEN_MARGIN = 0.15  # and by this one where every row was used in the fit, which flatters ours
MOST_ROWS_WON = (
    0.75  # and in this share of the rows, where none are unseen: four rows are easily led by one
)
ENOUGH = 3  # unseen rows from which on they have a veto: one alone is a coin toss
FLOOR, CEILING = 1e-9, 1e9  # an error of nothing, and one that is not finite, are compared as these


def ranked(
    gram: Gram,
    sampler: str,
    schedules: Mapping[str, np.ndarray],
    start_sigma: float | None = None,
) -> list[str]:
    """Schedule names, best first, by the sum of their one-step errors (RMS) along the teacher: no
    model call.

    Samplers that are no linear rule are ranked as dpmpp_2m. Schedules that start elsewhere than at
    `start_sigma` (None: the teacher's start) are left out.
    """
    rule, start = LINEAR.get(sampler, LINEAR["dpmpp_2m"]), start_sigma or gram.sigmas[0]
    totals = {
        name: _total_cost(gram, rule, sigmas)
        for name, sigmas in schedules.items()
        if abs(sigmas[0] / start - 1) <= SAME_START
    }
    return sorted(totals, key=lambda name: totals[name])


def _total_cost(gram: Gram, rule: LinearRule, sigmas: np.ndarray) -> float:
    here = with_sigmas(gram, np.minimum(sigmas, gram.sigmas[0]))
    arrivals = np.arange(1, len(sigmas))
    costs = transition_errors(here, rule, arrivals, (arrivals - 1,))
    if rule.order > 1:  # beyond the first, every step remembers one node
        later = arrivals[1:]
        costs[1:] = transition_errors(here, rule, later, (later - 1, later - 2))
    return float(np.sqrt(costs * node_weights(here, "contraction")[1:]).sum())


def wins(ours: np.ndarray, theirs: np.ndarray, unseen: np.ndarray, fitted: bool = True) -> bool:
    """Whether our end errors (rows,) beat theirs, row by row on the same noise.

    The mean log ratio over all rows must lie below log(1 - margin), and below 0 over the rows that
    no fit has seen (`unseen`, bool); where these are too few to say, the margin is the wider one
    and MOST_ROWS_WON of all rows must be won. The mean error must be lower too (not the RMS, which
    a single row gone astray decides). Ours must be finite in every row; where theirs is not it
    counts as CEILING.
    """
    if not np.isfinite(ours).all():
        return False
    theirs = np.nan_to_num(theirs, nan=CEILING, posinf=CEILING)
    ratio = np.log(np.maximum(ours, FLOOR)) - np.log(np.maximum(theirs, FLOOR))
    judged = unseen.sum() >= ENOUGH
    margin = SEEN_MARGIN if fitted and not judged else MARGIN
    better = ratio.mean() < np.log1p(-margin) and ours.mean() < theirs.mean()
    return bool(
        better and (ratio[unseen].mean() < 0 if judged else (ratio < 0).mean() >= MOST_ROWS_WON)
    )
