"""A recipe on its way to the best that is found: starts, then one true run after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .candidate import Candidate
from .joint import Pull, proposed
from .student import Answers

FREELY = Pull()
TRUST = FREELY.trust
MOST_TRUST, LEAST_TRUST = 1e3, 1e-4
# The trust weight's factor after a run, by the share of the expected gain that it truly brought.
AS_EXPECTED, IN_PART = 0.7, 0.25
FACTORS = (0.2, 0.6, 1.0, 4.0)  # as expected, in part, less, none
NOTHING = 1e-12  # of an expected gain
PATIENCE = 4  # runs in a row that together must gain
ENOUGH = 0.01  # this share, or the line has ended

Start = Callable[[], Candidate]  # runs or walks one, with its errors


@dataclass
class _Line:
    """A descent from one start: its best so far, and how the last runs went."""

    best: Candidate
    scores: list[float]
    trust: float = TRUST
    nothing_left: bool = False  # the surrogate expects no other to be better

    @property
    def ended(self) -> bool:
        """Whether the last runs gained next to nothing, or none is left to try."""
        if self.nothing_left:
            return True
        recent = self.scores[-PATIENCE - 1 :]
        return len(recent) > PATIENCE and min(recent[1:]) > recent[0] * (1 - ENOUGH)


class Refinement:
    """All candidates that were run for one sampler and step count; `best` is the one to use.

    Proposals see the rows of the fit; the others help to choose among what was run. starts: run at
    once, in order, by `begin`; next_starts: run one at a time before the first descent; more: the
    same where a descent has ended. pull: what holds
    the proposals back, but for the trust, which every descent learns.
    """

    def __init__(
        self,
        answers: Answers,
        starts: Sequence[Start],
        next_starts: Sequence[Start] = (),
        more: Sequence[Start] = (),
        pull: Pull = FREELY,
    ):
        self.answers, self.fit, self.pull = answers, answers.fit, pull
        self.tried: list[Candidate] = []
        self._starts, self._next_starts, self._more = list(starts), list(next_starts), list(more)
        self._open: list[Candidate] = []
        self._line: _Line | None = None

    def begin(self) -> None:
        """Run the starts."""
        for start in self._starts:
            self._opened(start())

    def also(self, starts: Sequence[Start]) -> None:
        """Further starts, run one at a time before anything else is tried."""
        self._next_starts += starts

    @property
    def best(self) -> Candidate:
        return min(self.tried, key=self.score)

    def score(self, candidate: Candidate) -> float:
        """The mean of the rows' errors: those of unseen rows count as much as the fit's."""
        seen = float(candidate.errors[self.fit].mean())
        if self.fit.all():
            return seen
        return (seen + float(candidate.errors[~self.fit].mean())) / 2

    def step(self, descend: bool = True) -> bool:
        """One more run: a further start, or proposed from the best of the present descent; False
        where there is nothing left to try. descend: whether anything is proposed."""
        if self._next_starts:
            self._opened(self._next_starts.pop(0)())
            return True
        if not descend:
            return False
        if self._line is None or self._line.ended:
            if not self._open and self._more:
                self._opened(self._more.pop(0)())
                return True
            if not self._open:
                return False
            scores = [self.score(each) for each in self._open]
            first = self._open.pop(scores.index(min(scores)))
            self._line = _Line(first, [self.score(first)])
        self._descend(self._line)
        return True

    def _opened(self, candidate: Candidate) -> None:
        self.tried.append(candidate)
        self._open.append(candidate)

    def _descend(self, line: _Line) -> None:
        pull = replace(self.pull, trust=line.trust)
        found = proposed(self.answers, line.best, pull, self.fit.astype(float))
        if found is None:
            line.nothing_left = True
            return
        ran = self.answers.run(found[0])
        self.tried.append(ran)
        factor = self._factor(line.best, found[1], ran)
        better = self.score(ran) < self.score(line.best)
        line.best = ran if better else line.best
        line.trust = min(max(line.trust * factor, LEAST_TRUST), MOST_TRUST)
        line.scores.append(self.score(line.best))

    def _factor(self, before: Candidate, expected: float, after: Candidate) -> float:
        """Of the trust weight, as Levenberg and Marquardt change theirs."""
        here, there = (float(each.errors[self.fit].mean()) for each in (before, after))
        if there >= here:
            return FACTORS[3]
        share = (here - there) / max(here - expected, NOTHING)
        if share > AS_EXPECTED:
            return FACTORS[0]
        return FACTORS[1] if share > IN_PART else FACTORS[2]
