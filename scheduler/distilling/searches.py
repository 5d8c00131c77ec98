"""The search for each recipe that is wanted: its stock guards, its own starts, its refinement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..fit.candidate import DISTILLED, Candidate
from ..fit.carry_over import carried_offsets, carried_schedule
from ..fit.evened import evened
from ..fit.joint import Pull
from ..fit.node_moves import NodeMoves
from ..fit.parameters import stock_coefficients
from ..fit.refinement import Refinement, Start
from ..record import Choice, Recipe
from ..samplers.names import RELATIVE
from ..samplers.query_offsets import guessed_offset
from .experiments import Experiments
from .guard import wins
from .wishes import BORROWS_OFFSETS, GUARDS, NONLINEAR_GUARDS, Wish

MOST_SCARCITY = 10.0  # that the pull to each step's own fit follows


@dataclass(frozen=True)
class Starts:
    """As `Refinement` takes them."""

    starts: Sequence[Start]
    next_starts: Sequence[Start] = ()
    more: Sequence[Start] = ()


class Search:
    """One recipe on its way. `begin` runs guards and starts; `step` refines; `found` is what to use.

    beside: all searches, this one too, whose finds it may start from. given: candidates of an
    earlier record, for this sampler and step count, among the starts.
    """

    def __init__(
        self,
        made: Experiments,
        wish: Wish,
        beside: Sequence[Search],
        given: Sequence[Candidate] = (),
    ):
        self.made, self.wish, self.beside = made, wish, beside
        self.guards: list[Candidate] = []
        self.others: list[Candidate] = []  # of ours that are not refined
        self._begun = False
        begun = self._starts()
        begun = replace(begun, starts=[*begun.starts, *(partial(made.run, each) for each in given)])
        self._refinement = self._refining(begun) if wish.refined else None
        self._plain_starts = [] if wish.refined else begun.starts

    def _refining(self, begun: Starts) -> Refinement | NodeMoves:
        """With the pull to each step's own fit that its rows need."""
        scarcity = min(self.wish.scarcity(self.made.numbers), MOST_SCARCITY)
        pull = replace(Pull(), path=Pull.path * scarcity)
        answers = self.made.answers
        return Refinement(answers, begun.starts, begun.next_starts, begun.more, pull)

    def begin(self) -> None:
        """Run the guards and the starts, once."""
        if self._begun:
            return
        self._begun = True
        self.others += [start() for start in self._plain_starts]
        if self._refinement is not None:
            self._refinement.begin()

    def step(self) -> bool:
        """One more run; False where there is nothing left to try."""
        if self._refinement is None:
            return False
        return self._refinement.step(descend=not self.cautious)

    @property
    def cautious(self) -> bool:
        """Whether the rows hold too few numbers for a joint fit: each step is fitted on its own,
        and nothing is refined."""
        return self.wish.cautious(self.made.numbers)

    @property
    def ours(self) -> Candidate | None:
        """The best of our own, or None."""
        own = [each for each in (*self._tried, *self.others) if each.choice.ours and each.was_run]
        return min(own, key=self._score) if own else None

    def errors_of(self, recipe: Recipe) -> np.ndarray | None:
        """The errors of an earlier record's recipe, which was run among the starts."""
        for each in (*self._tried, *self.others):
            if np.array_equal(each.sigmas, recipe.sigmas) and each.choice.ours:
                return each.errors
        return None

    @property
    def stock(self) -> Candidate | None:
        """The stock schedule ranked first, unless one of the next clearly beats it."""
        best = None
        for each in self.guards:
            if best is None or wins(each.errors, best.errors, self.made.unseen, fitted=False):
                best = each
        return best

    @property
    def found(self) -> Candidate | None:
        """Ours where it beats stock by the guard's rule, else stock."""
        ours, stock = self.ours, self.stock
        if ours is None or stock is None:
            return ours or stock
        return ours if wins(ours.errors, stock.errors, self.made.unseen) else stock

    @property
    def _tried(self) -> Sequence[Candidate]:
        return self._refinement.tried if self._refinement is not None else ()

    def _score(self, candidate: Candidate) -> float:
        if self._refinement is not None:
            return self._refinement.score(candidate)
        return candidate.mean_error

    def _starts(self) -> Starts:
        if self.wish.sampler == DISTILLED:
            return self._distilled()
        if not self.wish.refined:
            return Starts(self._nonlinear())
        return Starts(self._shifted() if self.wish.shifted else self._plain())

    # --- the distilled sampler ---

    def _distilled(self) -> Starts:
        """Where numbers are scarce the walk that seeks its offsets comes early: it overfits least."""
        n, made = self.wish.steps, self.made
        names = self._ranked(RELATIVE)
        stock = made.stock_schedules(n)
        pairs = [partial(self._stock_pair, name, stock[name]) for name in names[:3]]
        walks = [partial(self._walk_on, stock[name]) for name in names[:2]]
        own, by_euler = (partial(self._walk, name) for name in (DISTILLED, "euler"))
        sought = partial(self._walk, DISTILLED, tries=3 if self.cautious else 2)
        below = partial(self._walk_below, stock[names[0]])
        if self.cautious:
            return Starts([pairs[0], sought], walks[:1])

        def as_stock() -> Candidate:
            return self._as_stock(made.schedule(RELATIVE, n))

        more = [by_euler, *pairs[1:], *walks]
        if self.wish.scarcity(made.numbers) > 1:
            return Starts([pairs[0], sought], [below, as_stock], more)
        return Starts([pairs[0], as_stock, below], [], [own, *more])

    def _walk(self, sampler: str, tries: int = 1) -> Candidate:
        """Down the dynamic programme's schedule for a sampler."""
        sigmas = self.made.schedule(sampler, self.wish.steps)
        return self.made.answers.walk(sigmas, tries=tries)

    def _walk_on(self, sigmas: np.ndarray) -> Candidate:
        return self.made.answers.walk(sigmas)

    def _as_stock(self, sigmas: np.ndarray) -> Candidate:
        """A schedule with the stock multistep rule, as a point of the distilled family; run."""
        coefficients = stock_coefficients(sigmas, RELATIVE)
        start = Candidate(DISTILLED, sigmas, np.zeros(self.wish.steps), coefficients)
        return self.made.run(start)

    def _stock_pair(self, name: str, sigmas: np.ndarray) -> Candidate:
        """The same for a stock schedule, which is a guard too: under its own name."""
        ran = self._as_stock(sigmas)
        choice = Choice(name, RELATIVE)
        guard = replace(ran, sampler=RELATIVE, offsets=None, coefficients=None, choice=choice)
        self.guards.append(guard)
        return replace(ran, choice=choice)

    def _walk_below(self, otherwise: np.ndarray) -> Candidate:
        """A walk on what was found for fewer steps, carried over; where nothing was, on another
        schedule."""
        mine = [each for each in self.beside if each.wish.sampler == DISTILLED]
        fewer = [each.ours for each in mine if each.wish.steps < self.wish.steps and each.ours]
        below = fewer[-1] if fewer else None
        if below is None or below.offsets is None:
            return self.made.answers.walk(otherwise)
        made, n = self.made, self.wish.steps
        before, here = (made.schedule(DISTILLED, count) for count in (below.steps, n))
        sigmas = carried_schedule(below.sigmas, before, here, made.request.sigma_min)
        offsets = carried_offsets(made.request.noise_range, below.sigmas, below.offsets, sigmas)
        offsets[0] = 0.0  # the teacher's own first query, which costs nothing
        return made.answers.walk(sigmas, offsets)

    # --- stock samplers ---

    def _plain(self) -> list[Start]:
        sampler, n = self.wish.sampler, self.wish.steps
        starts: list[Start] = [partial(self._guard, k) for k in range(GUARDS)]
        return [*starts, lambda: self.made.run(Candidate(sampler, self.made.schedule(sampler, n)))]

    def _shifted(self) -> list[Start]:
        """With the usual offsets, on the programme's schedule for a sampler that has some."""
        made, n = self.made, self.wish.steps
        sigmas = made.schedule(DISTILLED, n)
        noise_range = made.request.noise_range
        steps = zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True)
        offsets = np.array([guessed_offset(s, s_next, 1.0, noise_range) for s, s_next in steps])
        offsets[0] = 0.0  # the teacher's own first query, which costs nothing
        return [lambda: made.run(Candidate(self.wish.sampler, sigmas, offsets))]

    def _nonlinear(self) -> list[Start]:
        sampler, n, made = self.wish.sampler, self.wish.steps, self.made
        if self.wish.shifted:
            return [self._borrowed]
        starts: list[Start] = [partial(self._guard, k) for k in range(NONLINEAR_GUARDS)]
        own = Candidate(sampler, evened(made.schedule(RELATIVE, n)))
        return [*starts, lambda: made.run(own)]

    def _borrowed(self) -> Candidate:
        """The schedule and offsets of the sampler that it borrows them from."""
        lender = Wish(BORROWS_OFFSETS[self.wish.sampler], self.wish.steps, True)
        search = next(each for each in self.beside if each.wish == lender)
        search.begin()
        lent = search.ours
        assert lent is not None  # its start is one of ours
        return self.made.run(replace(lent, sampler=self.wish.sampler, errors=np.empty(0)))

    def _guard(self, place: int) -> Candidate:
        """The stock schedule ranked at this place, run; the last one where there are fewer."""
        names = self._ranked(self.wish.sampler)
        name = names[min(place, len(names) - 1)]
        sigmas = self.made.stock_schedules(self.wish.steps)[name]
        ran = self.made.run(Candidate(self.wish.sampler, sigmas, choice=Choice(name)))
        self.guards.append(ran)
        return ran

    def _ranked(self, sampler: str) -> list[str]:
        return self.made.ranked(sampler, self.wish.steps)


def refined_together(searches: Sequence[Search], affords: Callable[[Wish], bool]) -> None:
    """Every search a run in turn, those with few steps first, until no call is left or nothing to
    try."""
    active = [search for search in searches if search.wish.refined]
    while active:
        active = [each for each in active if affords(each.wish) and each.step()]
