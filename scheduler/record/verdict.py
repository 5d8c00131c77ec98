"""What the evidence says of one recipe, as a code: better, equal or worse than the best stock
choice, and the cases in which nothing can be said.

The words for the codes are in verdict_words.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

BETTER, EQUAL, WORSE = "better", "equal", "worse"
STOCK = "stock"  # the recipe is that stock choice itself
ONE_SAMPLE = "one_sample"  # measured on one row, which proves nothing
INCOMPARABLE = "incomparable"  # an error was zero or not finite
SEEN = "seen"  # measured on the very rows that it was fitted to: no held-out row was
SOLVED = "solved"  # made from inner products alone; not measured
STRETCHED = "stretched"  # fitted from a start near this one (evidence: from_start); not measured
PUBLISHED = "published"  # a vendor's or a paper's table; not measured here
INTERPOLATED = "interpolated"  # such a table between its own step counts; not measured
NEGLIGIBLE = 0.02  # a difference of 2 % is none, however sure


def outcome(ratio: float | None, margin: float | None) -> str:
    """BETTER or WORSE where the margin leaves no doubt and the difference is at least NEGLIGIBLE,
    else EQUAL."""
    if ratio is None or margin is None or abs(math.log(ratio)) < max(margin, NEGLIGIBLE):
        return EQUAL
    return BETTER if ratio < 1 else WORSE


def steps_saved(evidence: Mapping) -> tuple[int, bool] | None:
    """(stock steps that a recipe does the work of, whether it is nearer than even those): the fewest
    that come as near, or the most that were followed and do not; None where neither is known."""
    equal, beaten = (evidence.get(f"{name}_stock_steps") for name in ("equals", "beats"))
    if equal:
        return int(equal), False
    return (int(beaten), True) if beaten else None


def verdict_of(choice: str, best: str, ratio: float | None, margin: float | None) -> str:
    """The code for a recipe of some choice beside the stock choice that is best in hindsight."""
    if choice == best:
        return STOCK
    if ratio is None:
        return INCOMPARABLE
    return ONE_SAMPLE if margin is None else outcome(ratio, margin)
