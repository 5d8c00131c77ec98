"""Where the error curve of a model bends, by the inner products of one run: no model call."""

from __future__ import annotations

import numpy as np

from ..evidence.verdicts import knee
from ..record import Gram
from ..samplers.multistep import LINEAR
from ..samplers.names import RELATIVE
from ..search.dynamic_programming import schedules_from, transition_errors
from ..search.gram import with_sigmas

FEWEST, MOST = 4, 12
USUAL_STEPS = 6  # where a curve does not bend


def bend_of(gram: Gram, start_sigma: float) -> int:
    """The step count from FEWEST to MOST after which more steps buy little.

    The curve is that of dpmpp_2m on its own best schedules, each step's error along the run summed
    as RMS (`guard.ranked` does so): its height is another than that of a fitted recipe, its bend
    nearly the same.
    """
    start = min(start_sigma, float(gram.sigmas[0]))
    schedules = schedules_from(gram, RELATIVE, MOST, start)
    curve = {n: _expected(gram, schedules[n]) for n in range(FEWEST, MOST + 1)}
    return knee(curve) or USUAL_STEPS


def _expected(gram: Gram, sigmas: np.ndarray) -> float:
    rule, here = LINEAR[RELATIVE], with_sigmas(gram, sigmas)
    arrivals = np.arange(1, len(sigmas))
    costs = transition_errors(here, rule, arrivals, (arrivals - 1,))
    later = arrivals[1:]
    costs[1:] = transition_errors(here, rule, later, (later - 1, later - 2))
    return float(np.sqrt(costs).sum())
