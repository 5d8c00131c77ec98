"""What a check may find, and from which errors on.

Over the best-ranked stock pair, on one recorded picture at N = 6, a model's own recipes come to .27 to .65,
those of strangers to .14 to 6; easy pictures flatter both. What one walk, fitted to the very picture, comes
to tells how easy it is: over that, own and related models' recipes come to .5 to 1.4, strangers' mostly to
1.6 and more; where fits reach next to nothing (analytic models) both come to more. Strangers that this lets
pass are known by their weights or their way (strangers.py). Measured in docs/kin.md.
"""

from __future__ import annotations

from dataclasses import dataclass

HOLDS, REFINE, REFUSE = "holds", "refine", "refuse"


@dataclass(frozen=True)
class Bounds:
    """Of a recipe's error over the stock pair's, and over that of a walk fitted to the very picture. held:
    up to here it holds, whatever the walk does; held_beside: up to here where the walk is no nearer than
    walk. far: over the walk; from here on, where it does not hold, it is refused."""

    held: float
    held_beside: float
    walk: float
    far: float


# Of the very weights (casts and rounding allowed) whose record the artist has himself; and of all others.
KNOWN, CLAIMED = Bounds(0.6, 0.75, 1.5, 2.0), Bounds(0.45, 0.6, 1.15, 1.5)
LOSES = 0.85  # over the stock pair: from here on it is refused


def code_of(over_stock: float, over_walk: float | None = None, known: bool = False) -> str:
    """The code for a recipe by its error over the stock pair's and over the walk's (None: no walk was
    run)."""
    bounds = KNOWN if known else CLAIMED
    if not over_stock < LOSES:  # a nan too
        return REFUSE
    near = over_walk is None or over_walk <= bounds.walk
    if over_stock <= bounds.held or (near and over_stock <= bounds.held_beside):
        return HOLDS
    return REFUSE if over_walk is not None and over_walk >= bounds.far else REFINE
