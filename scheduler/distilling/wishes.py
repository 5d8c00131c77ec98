"""What is wanted of a distillation, recipe by recipe, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..fit.candidate import DISTILLED
from ..samplers import model_calls
from ..samplers.multistep import LINEAR

WITH_OFFSETS = ("euler", "dpmpp_2m", "res_multistep")  # their query offsets are fitted
BORROWS_OFFSETS = {"uni_pc": "dpmpp_2m", "uni_pc_bh2": "dpmpp_2m"}
GUARDS = 2  # stock schedules that a stock sampler's own must beat
# More for samplers whose steps the inner products can only rank as another's.
NONLINEAR_GUARDS = 3
FURTHER_WALKS = 1  # starts of `distilled` that follow where nothing is refined
# Latent elements of the fit's rows for each number that is fitted jointly: below the first nothing is
# refined; below the second each step stays nearer to its own fit.
LEAST_NUMBERS, AMPLE_NUMBERS = 24, 128


@dataclass(frozen=True)
class Wish:
    """One recipe: a sampler at one step count, with query offsets or without."""

    sampler: str
    steps: int
    shifted: bool

    @property
    def refined(self) -> bool:
        """Whether its numbers are refined: the steps of a linear sampler are algebra."""
        return self.sampler == DISTILLED or self.sampler in LINEAR

    @property
    def run(self) -> int:
        """Model calls a row of one run from the teacher's own first answer."""
        if self.sampler == DISTILLED:
            return self.steps - 1
        return model_calls(self.sampler, self.steps) - 1

    @property
    def numbers(self) -> int:
        """How many are fitted: lengths, offsets, coefficients."""
        if self.sampler == DISTILLED:
            return 5 * self.steps
        return 2 * self.steps if self.shifted else self.steps

    @property
    def starts(self) -> int:
        """Candidates that are run before any is refined."""
        if not self.refined:
            return 1 if self.shifted else NONLINEAR_GUARDS + 1
        if self.sampler == DISTILLED:
            return 3
        return 1 if self.shifted else GUARDS + 1

    def calls(self, runs: int, below: bool = False, cautious: bool = False) -> int:
        """The most model calls a row with so many runs after the starts. below: recipes start where
        the teacher's first answer is none of theirs; linear samplers ask once for all their runs
        (`first_query`), the others in each. cautious: nothing is refined, and a walk seeks its
        offsets longer."""
        walked = 0
        if self.sampler == DISTILLED:
            walked = 1 + cautious * self.run  # a walk may ask for one query more than a run
        asked = self.starts if below and not self.refined else 0
        return self.run * (self.starts + runs * self.refined) + walked + asked

    def most_runs(self, numbers: int) -> int | None:
        """How many runs there can be after the starts, on rows that hold so many numbers; None: as
        many as are affordable."""
        if not self.refined:
            return 0
        if not self.cautious(numbers):
            return None
        return FURTHER_WALKS if self.sampler == DISTILLED else 0

    def cautious(self, numbers: int) -> bool:
        """Whether rows hold too few numbers for a joint fit: each step is fitted on its own then,
        and nothing is refined."""
        return numbers < LEAST_NUMBERS * self.numbers

    def scarcity(self, numbers: int) -> float:
        """By how much rows hold too few numbers for a joint fit that is left free; 1 at least."""
        return max(AMPLE_NUMBERS * self.numbers / numbers, 1.0)


def first_query(wishes: Sequence[Wish], below: bool) -> int:
    """Model calls a row of the first query that all linear samplers share, where it is not the
    teacher's own."""
    return int(below and any(wish.refined for wish in wishes))


def unseen_of(rows: int) -> int:
    """How many of all rows the fits leave alone, for the guard."""
    return rows // 5 if rows >= 8 else 0


def wishes_of(samplers: Sequence[str], steps: Sequence[int]) -> list[Wish]:
    """The recipes of each sampler, few steps first: without offsets, and with them where it takes
    some. A sampler that borrows another's offsets has that one fitted too."""
    found = []
    for sampler in samplers:
        for n in steps:
            if sampler != DISTILLED:
                found.append(Wish(sampler, n, False))
            lender = BORROWS_OFFSETS.get(sampler)
            if lender is not None and lender not in samplers:
                found += [Wish(lender, n, False), Wish(lender, n, True)]
            if sampler == DISTILLED or sampler in WITH_OFFSETS or lender is not None:
                found.append(Wish(sampler, n, True))
    return list(dict.fromkeys(found))
