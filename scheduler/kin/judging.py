"""What a check may find, and from which ratio of errors on."""

from __future__ import annotations

from ..record import Recipe

HOLDS, REFINE, REFUSE = "holds", "refine", "refuse"

# The error of a kin recipe over the best stock pair's on the same noise.
LOSES = 0.85  # from here on it is refused: one picture is easily led
HELD = 0.6  # up to here it holds as it is
AS_AT_HOME = 1.25  # or up to so many times what it came to on the rows that it was made for


def code_of(recipe: Recipe, ratio: float) -> str:
    """The code for a recipe whose error is `ratio` times the best stock pair's."""
    if not ratio < LOSES:  # a nan too
        return REFUSE
    home = recipe.evidence.get("ratio")
    most = HELD if home is None else min(max(HELD, AS_AT_HOME * home), LOSES)
    return HOLDS if ratio <= most else REFINE
