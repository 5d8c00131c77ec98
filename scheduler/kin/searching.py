"""The search for one recipe that begins with a kin's: checked beside stock first, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..distilling.experiments import Experiments
from ..distilling.searches import Search, Starts
from ..distilling.wishes import Wish
from ..fit.candidate import DISTILLED, Candidate, candidate_of
from ..fit.refinement import Refinement, Start
from ..record import Recipe
from ..samplers.names import RELATIVE
from .judging import HOLDS, REFUSE, code_of
from .verdict import KinVerdict

GUARDS = (
    2  # stock choices run beside a kin's recipe: the first that is ranked is not always the best
)
NOTHING = 1e-30


class KinSearch(Search):
    """Two stock pairs, a walk fitted to the rows and a kin's recipe are run; then that is used, refined, or
    left for a search of its own.

    recipe: the kin's, for the wish's sampler and steps. `kin`: the same once it was run. spent: tells the
    model calls made so far; affords: whether so many more, of each row, are within the plan. known: as of
    `judging.code_of`.
    """

    def __init__(
        self,
        made: Experiments,
        wish: Wish,
        beside: Sequence[Search],
        recipe: Recipe,
        spent: Callable[[], int],
        affords: Callable[[int], bool],
        known: bool = False,
    ):
        self.recipe, self._spent, self._affords = recipe, spent, affords
        self._known = known
        self.walked: Candidate | None = None
        self.kin: Candidate | None = None
        self._scratch: list[Start] = []
        self.verdict: KinVerdict | None = None
        super().__init__(made, wish, beside)

    def begin(self) -> None:
        """Run the rivals and the kin's recipe, once, and judge it."""
        if self._begun:
            return
        super().begin()
        stock = min((each for each in self.guards), key=lambda each: each.mean_error)
        assert self.kin is not None
        error, other = (_rms(each.errors) for each in (self.kin, stock))
        finite = self.kin.finite and np.isfinite(error)
        code = self._code(error, other) if finite else REFUSE
        rows = len(self.kin.errors)
        self.verdict = KinVerdict(code, error, other, str(stock.choice), rows, self._spent())
        if code == REFUSE and self._affords(self._over):
            self._refinement_also()

    def _code(self, error: float, stock: float) -> str:
        walk = None if self.walked is None else error / max(_rms(self.walked.errors), NOTHING)
        return code_of(error / max(stock, NOTHING), walk, self._known)

    def step(self) -> bool:
        """One more run; none where the recipe holds."""
        if self.verdict is not None and self.verdict.code == HOLDS:
            return False
        return super().step()

    @property
    def _over(self) -> int:
        """Model calls a row of the starts of a search without kin, but for the stock pair."""
        return self.wish.calls(0, cautious=self.cautious) - self.wish.run

    def _refinement_also(self) -> None:
        if isinstance(self._refinement, Refinement):
            self._refinement.also(self._scratch)

    @property
    def found(self) -> Candidate | None:
        """The kin's recipe where it holds: it was not fitted to these rows, and needs no wide margin."""
        if self.verdict is not None and self.verdict.code == HOLDS:
            return self.kin
        return super().found

    def _starts(self) -> Starts:
        if self.wish.sampler != DISTILLED:
            return Starts([*(partial(self._guard, k) for k in range(GUARDS)), self._run_kin])
        whole = super()._starts()
        self._scratch = [*whole.starts[1:], *whole.next_starts]
        names = self._ranked(RELATIVE)[:GUARDS]
        stock = self.made.stock_schedules(self.wish.steps)
        pairs = [partial(self._stock_pair, name, stock[name]) for name in names]
        return Starts([*pairs, self._run_walk, self._run_kin], [], whole.more)

    def _run_walk(self) -> Candidate:
        """What a quick fit to these very rows comes to, on the programme's own schedule."""
        self.walked = self._walk(DISTILLED)
        return self.walked

    def _run_kin(self) -> Candidate:
        self.kin = self.made.run(self._candidate())
        return self.kin

    def _candidate(self) -> Candidate:
        """The kin's recipe as what is run, from exactly the start of the teacher's rows."""
        found = candidate_of(self.recipe, self.made.start_sigma)
        if found.sampler == DISTILLED and found.offsets is None:
            return replace(found, offsets=np.zeros(found.steps))  # as the fits have them
        return found


def _rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
