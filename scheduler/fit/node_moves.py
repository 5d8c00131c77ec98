"""Which of a run's own noise levels N steps visit: walks, and then one level moved at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .candidate import Candidate
from .student import Answers


class NodeMoves:
    """All walks of one step count over some levels; `tried` with their errors.

    levels: (T + 1,), the teacher's own, ending in 0. first: schedules on these, walked at once by
    `begin`; every `step` walks the best one with one of its levels moved to the next above or below,
    until no such neighbour is left. The first level and the 0 stay.
    """

    STARTS = ("distilled", "euler")  # whose dynamic programme makes the first schedules

    def __init__(self, answers: Answers, levels: np.ndarray, first: Sequence[np.ndarray]):
        self.answers, self.fit, self.levels = answers, answers.fit, np.asarray(levels)
        self.tried: list[Candidate] = []
        self._places: dict[tuple[int, ...], Candidate] = {}
        self._first = [self._places_of(sigmas) for sigmas in first]

    def begin(self) -> None:
        """Walk the first schedules."""
        for places in self._first:
            self._walk(places)

    def step(self, descend: bool = True) -> bool:
        """One more walk, beside the best; False where all its neighbours were walked."""
        best = min(self._places, key=lambda places: self.score(self._places[places]))
        left = [each for each in self._neighbours(best) if each not in self._places]
        if not descend or not left:
            return False
        self._walk(left[0])
        return True

    def score(self, candidate: Candidate) -> float:
        """The mean of the rows' errors, seen or not: so few are chosen among."""
        return candidate.mean_error

    def _walk(self, places: tuple[int, ...]) -> None:
        if places not in self._places:
            walked = self.answers.walk(self.levels[list(places)])
            self._places[places] = walked
            self.tried.append(walked)

    def _places_of(self, sigmas: np.ndarray) -> tuple[int, ...]:
        return tuple(int(np.abs(self.levels - sigma).argmin()) for sigma in sigmas)

    def _neighbours(self, places: tuple[int, ...]) -> list[tuple[int, ...]]:
        """With one inner level moved by one, those nearest to the end first: they decide most."""
        found = []
        for k in range(len(places) - 2, 0, -1):
            for move in (-1, 1):
                moved = places[k] + move
                if places[k - 1] < moved < places[k + 1]:
                    found.append((*places[:k], moved, *places[k + 1 :]))
        return found
