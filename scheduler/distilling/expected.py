"""What the fit's own rows say of a recipe, without a further model call: its error beside stock's
there, and how many stock steps the surrogate expects to need for it."""

from __future__ import annotations

import numpy as np

from ..evidence import verdicts
from ..fit.candidate import DISTILLED, Candidate
from ..fit.joint import expected_errors
from ..fit.parameters import stock_coefficients
from ..record.verdict import SEEN, STOCK
from ..samplers.names import RELATIVE
from .experiments import Experiments
from .searches import Search

MOST_LONGER = 4  # times as many steps: how far stock is followed
FIT, UNSEEN = "fit", "unseen_row"


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
    equal = equal_steps(search.made, found)
    return told | about | {"verdict": STOCK if found.choice.stock else SEEN} | equal


def equal_steps(made: Experiments, found: Candidate) -> dict:
    """{"equals_stock_steps": N}: the fewest steps of dpmpp_2m on its best-ranked schedule that the
    surrogate expects to come as near to the end; {} where it never does, or nothing is known."""
    if found.sampler != DISTILLED or found.choice.stock:
        return {}
    curve = {}
    for steps in _counts(found.steps):
        sigmas = made.stock_schedules(steps)[made.ranked(RELATIVE, steps)[0]]
        coefficients = stock_coefficients(sigmas, RELATIVE)
        stock = Candidate(DISTILLED, sigmas, np.zeros(steps), coefficients)
        curve[steps] = float(np.sqrt(np.mean(np.square(expected_errors(made.answers, stock)))))
        if curve[steps] <= _rms(found):
            break
    equal = verdicts.equal_steps(_rms(found), curve)
    return {} if equal is None else {"equals_stock_steps": equal}


def _counts(steps: int) -> list[int]:
    return sorted({round(steps * (1 + k / 4)) for k in range(4 * (MOST_LONGER - 1) + 1)})


def _rms(found: Candidate) -> float:
    return float(np.sqrt(np.mean(np.square(found.errors))))
