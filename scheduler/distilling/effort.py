"""How hard a distillation tries, and how its calls are shared out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UnknownNameError
from .consistency import ASKED, PAIR
from .wishes import first_query, unseen_of, wishes_of


@dataclass(frozen=True)
class Effort:
    """rows: of the teacher. nodes: of its grid. runs: of each recipe, after its starts.
    evidence_rows: held-out ones (0: what the fit's own rows say). every: whether the evidence runs
    every stock schedule, or those alone that the inner products rank first."""

    name: str
    rows: int
    nodes: int
    runs: int
    evidence_rows: int
    every: bool


INSTANT, STANDARD, THOROUGH = "instant", "standard", "thorough"
EFFORTS = {
    INSTANT: Effort(INSTANT, 1, 24, 8, 0, False),
    STANDARD: Effort(STANDARD, 4, 16, 12, 4, False),
    THOROUGH: Effort(THOROUGH, 8, 16, 16, 8, True),
}
NAMES = tuple(EFFORTS)
FORMER = {"quick": INSTANT}  # names of before, still understood


def effort_named(name: str) -> Effort:
    """The effort of a name, a former one too; raises UnknownNameError."""
    found = EFFORTS.get(FORMER.get(name, name))
    if found is None:
        raise UnknownNameError(f"Effort {name!r} is unknown; use one of: {', '.join(NAMES)}.")
    return found


def budget_for(
    effort: str,
    samplers: Sequence[str],
    steps: Sequence[int],
    sets: int = 1,
    recorded: int = 0,
    below: bool = False,
    elements: int = 1 << 16,
) -> int:
    """The model calls of an effort for these samplers and step counts, on so many trajectory sets,
    or on rows that were recorded before. below: recipes start below the teacher. elements: of one
    latent. Raises UnknownNameError."""
    chosen = effort_named(effort)
    rows = recorded or sets * -(-chosen.rows // sets)
    wishes = wishes_of(samplers, steps)
    teacher = len(ASKED) if recorded else chosen.nodes + PAIR  # queries that are asked again
    teacher += first_query(wishes, below)
    numbers = elements * (rows - unseen_of(rows))
    return rows * (
        teacher + sum(wish.calls(chosen.runs, below, wish.cautious(numbers)) for wish in wishes)
    )
