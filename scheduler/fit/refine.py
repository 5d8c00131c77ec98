"""Refines a candidate's schedule against the teacher's true end point, without back-propagation.

An iteration nudges every sigma (and query offset) in turn. The answers before the nudged step are
those of the schedule itself and are used again, for any sampler, so a sweep over the sigmas costs
half of its roll-outs. The distilled sampler's coefficients are fitted anew in every roll-out, so
what is followed is the end error that the best coefficients leave (variable projection). A damped
Gauss-Newton step follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import BudgetError
from ..samplers.query_offsets import bounded_offset
from ..search.gram import row_products
from ..sigmas.noise_range import NoiseRange
from ..sigmas.validity import check_schedule
from .candidate import DISTILLED, Candidate
from .gauss_newton import damped_step
from .rollout import Run, calls_of, rollout
from .trajectories import TrajectorySet, fit_rows_of

# Neighbouring steps in log sigma differ by this factor at most: uni_pc and dpmpp_2m explode on
# uneven ones.
CAP = 3.0
FITTED_CAP = 10.0  # fitted coefficients stand more
# Share of the nearer step by which a sigma is nudged: at 0.01 rows about to become another picture
# drown the rest.
NUDGE = 0.1
OFFSET_NUDGE = 0.05
OFFSET_UNIT = 0.3  # a change of an offset that is damped like a step made longer by a factor e
DAMPING = 0.3
MOST_CHANGE = 0.7  # of a step's log length, or of an offset in its unit, in one iteration
TRIALS = 2  # steps tried an iteration, each damped four times more
LEAST_DATA = 32  # latent elements of all rows, for each sigma and offset


def refine(sets: Sequence[TrajectorySet], start: Candidate, process: str, calls: int) -> Candidate:
    """The best schedule found from `start` on with at most `calls` model calls (every row counts),
    and its offsets where it has some; measured.

    Best is the least mean of the fit rows' errors, so never worse there than the start. The first
    sigma stays, the last positive one stays within the teacher's range; all schedules tried keep to
    CAP (FITTED_CAP), and where none is better the start is returned as it is. The search ends when
    nothing improves or the calls left don't cover a sweep and one trial (see `refinement_calls`). A
    schedule on which the model's answers are not finite counts as EXPLODED. Raises ScheduleError,
    UnknownNameError, and BudgetError below the cost of one roll-out.
    """
    search = _Search(sets, process, calls)
    start = replace(start, sigmas=check_schedule(start.sigmas), coefficients=None)
    if not search.affords(search.cost(start)):
        least = f"One roll-out of {start.steps} steps takes {search.cost(start)} model calls"
        raise BudgetError(f"{least} and {calls} were given; raise them.")
    best, damping = search.evened(search.run(start)), DAMPING
    while best.ends and start.steps > 1:
        better = search.iterate(best, damping)
        if better is None:
            break
        best, damping = better, damping / 2
    return best.candidate


def refinement_calls(sampler: str, steps: int, iterations: int, offsets: bool = False) -> int:
    """The most model calls a row of so many iterations of `refine`, from the teacher's own start."""
    whole = calls_of(sampler, steps)
    run = whole - (not offsets)
    if steps == 1:
        return run
    sweep = sum(whole - calls_of(sampler, k) for k in range(1, steps))
    return 2 * run + iterations * (sweep + offsets * (sweep + run) + TRIALS * run)


def most_refined(data: int) -> int:
    """The most steps whose sigmas and offsets this many latent elements (of all rows together) are
    enough for."""
    return (data // LEAST_DATA + 1) // 2


@dataclass(frozen=True)
class _Nudge:
    """A candidate that differs from the best in one sigma or offset, first at step `first`."""

    first: int
    candidate: Candidate
    size: float


class _Search:
    """Runs candidates on all sets and keeps account of the calls."""

    def __init__(self, sets: Sequence[TrajectorySet], process: str, calls: int):
        self.sets, self.calls = sets, calls
        self.fit = fit_rows_of(sets)
        low, high = max(each.sigmas[-2] for each in sets), min(each.sigmas[0] for each in sets)
        self.noise_range = NoiseRange(process, low, high)
        self.before = sum(each.model.calls for each in sets)

    def affords(self, calls: int) -> bool:
        """Whether so many model calls are left."""
        spent = sum(each.model.calls for each in self.sets) - self.before
        return spent + calls <= self.calls

    def cost(self, candidate: Candidate, first: int = 0) -> int:
        """Model calls of a roll-out that differs from one already made in node `first` and below
        (0: in all)."""
        sampler = candidate.sampler
        known = calls_of(sampler, first) if first else int(self._starts_as_teacher(candidate))
        return len(self.fit) * (calls_of(sampler, candidate.steps) - known)

    def _starts_as_teacher(self, candidate: Candidate) -> bool:
        starts = all(candidate.sigmas[0] == each.sigmas[0] for each in self.sets)
        return starts and (candidate.offsets is None or bool(candidate.offsets[0] == 0))

    def run(self, candidate: Candidate, base: Run | None = None, first: int = 0) -> Run:
        """A roll-out; answers before node `first` are the base's, the first one the teacher's where
        it asked the same."""
        known = None
        if base is not None and first:
            count = calls_of(candidate.sampler, first)
            known = [answers[:count] for answers in base.answers]
        elif self._starts_as_teacher(candidate):
            known = [[each.first_answer] for each in self.sets]
        return rollout(self.sets, candidate, self.noise_range, known, keep=True)

    def score(self, run: Run) -> float:
        """The mean error of the fit's rows."""
        return float(run.candidate.errors[self.fit].mean()) if run.ends else np.inf

    def evened(self, start: Run) -> Run:
        """The start; where it breaks the cap, the nearest schedule that keeps to it, and where it
        explodes equal steps, if better."""
        best, given = start, start.candidate
        for cap in (_cap(given), 1.0):
            moved = self._moved(given, _capped(_gaps(given), cap), given.offsets)
            uneven = given.steps > 2 and not np.allclose(moved.sigmas, given.sigmas)
            if uneven and not (cap == 1 and best.ends) and self.affords(self.cost(moved)):
                best = min(best, self.run(moved), key=self.score)
        return best

    def iterate(self, best: Run, damping: float) -> Run | None:
        """A sweep and the steps it suggests: the first that is better, or None."""
        nudges = self._nudges(best.candidate)
        first = min(nudge.first for nudge in nudges)
        trial = self.cost(best.candidate, 1)
        if not first:
            trial = len(self.fit) * calls_of(best.candidate.sampler, best.candidate.steps)
        sweep = sum(self.cost(nudge.candidate, nudge.first) for nudge in nudges)
        if not self.affords(sweep + trial):
            return None
        products = self._products(best, nudges)
        for k in range(TRIALS):
            if not self.affords(trial):
                return None
            step = damped_step(products, damping * 4**k, MOST_CHANGE)
            found = self.run(self._stepped(best.candidate, nudges, step), best, first)
            if self.score(found) < self.score(best):
                return found
        return None

    def _nudges(self, best: Candidate) -> list[_Nudge]:
        """Of every sigma but the first, upwards (never below the model's range), then of every
        offset that can move; coefficients are fitted anew."""
        start, gaps, found = replace(best, coefficients=None), _gaps(best), []
        for k in range(1, best.steps):
            sigmas, size = best.sigmas.copy(), NUDGE * gaps[k - 1 : k + 1].min()
            sigmas[k] *= np.exp(size)
            offsets = self._bounded(sigmas, best.offsets)
            found.append(_Nudge(k, replace(start, sigmas=sigmas, offsets=offsets), size))
        return found if best.offsets is None else found + self._shifts(start, best.offsets)

    def _shifts(self, start: Candidate, offsets: np.ndarray) -> list[_Nudge]:
        found = []
        for k, (sigma, offset) in enumerate(
            zip(start.sigmas[:-1].tolist(), offsets.tolist(), strict=True)
        ):
            for size in (OFFSET_NUDGE, -OFFSET_NUDGE):
                moved = offset + size
                if np.isclose(bounded_offset(sigma, moved, self.noise_range), moved):
                    nudged = np.where(np.arange(start.steps) == k, moved, offsets)
                    found.append(_Nudge(k, replace(start, offsets=nudged), size))
                    break
        return found

    def _products(self, best: Run, nudges: Sequence[_Nudge]) -> np.ndarray:
        """(fit rows, P + 1, P + 1): mean inner products of [the end's error, its derivatives by P
        log lengths and offsets in units]."""
        columns = [[end - each.end] for each, end in zip(self.sets, best.ends, strict=True)]
        for nudge in nudges:
            run = self.run(nudge.candidate, best, nudge.first)
            nudged = run.ends or best.ends  # a nudge that explodes tells nothing
            for column, end, other in zip(columns, best.ends, nudged, strict=True):
                column.append((other - end) / nudge.size)
        rows = zip(self.sets, columns, strict=True)
        products = [row_products(column, each.fit_rows) for each, column in rows]
        # The chain rule from log sigmas to log lengths: d log sigma_k / d log length_j = -length_j, j <= k.
        steps = best.candidate.steps
        chain = np.diag([1.0] * steps + [OFFSET_UNIT] * (len(nudges) + 1 - steps))
        chain[1:steps, 1:steps] = -np.tril(np.ones((steps - 1,) * 2)) * _gaps(best.candidate)
        return chain.T @ np.concatenate(products) @ chain

    def _stepped(self, best: Candidate, nudges: Sequence[_Nudge], step: np.ndarray) -> Candidate:
        lengths = best.steps - 1
        gaps = _capped(_gaps(best) * np.exp(step[:lengths]), _cap(best))
        if best.offsets is None:
            return self._moved(best, gaps, None)
        offsets = best.offsets.copy()
        for nudge, change in zip(nudges[lengths:], step[lengths:], strict=True):
            offsets[nudge.first] += OFFSET_UNIT * change
        return self._moved(best, gaps, offsets)

    def _moved(self, best: Candidate, gaps: np.ndarray, offsets: np.ndarray | None) -> Candidate:
        """The candidate with these step lengths, shortened all alike where they would end below the
        teacher's last node."""
        sigmas = best.sigmas.copy()
        if len(gaps):
            room = np.log(sigmas[0] / self.noise_range.sigma_min)
            sigmas[1:-1] = sigmas[0] * np.exp(-np.cumsum(gaps * min(1.0, room / gaps.sum())))
        offsets = self._bounded(sigmas, offsets)
        return replace(best, sigmas=sigmas, offsets=offsets, coefficients=None)

    def _bounded(self, sigmas: np.ndarray, offsets: np.ndarray | None) -> np.ndarray | None:
        if offsets is None:
            return None
        pairs = zip(sigmas[:-1].tolist(), offsets.tolist(), strict=True)
        return np.array([bounded_offset(s, offset, self.noise_range) for s, offset in pairs])


def evened(sigmas: np.ndarray, cap: float = CAP) -> np.ndarray:
    """(N + 1,): the schedule with the same ends whose neighbouring steps differ by a factor `cap`
    at most in log sigma."""
    gaps = _capped(-np.diff(np.log(sigmas[:-1])), cap)
    return np.concatenate([sigmas[:1], sigmas[0] * np.exp(-np.cumsum(gaps)), sigmas[-1:]])


def _cap(candidate: Candidate) -> float:
    return FITTED_CAP if candidate.sampler == DISTILLED else CAP


def _gaps(candidate: Candidate) -> np.ndarray:
    """(N - 1,): the steps' lengths in log sigma, without the last step's."""
    return -np.diff(np.log(candidate.sigmas[:-1]))


def _capped(gaps: np.ndarray, cap: float) -> np.ndarray:
    """Step lengths of the same sum whose neighbours differ by a factor `cap` at most: the long ones
    cut, then all stretched alike."""
    if len(gaps) < 2:
        return gaps
    places = np.arange(len(gaps))
    cut = (gaps * cap ** np.abs(places[:, None] - places)).min(axis=1)
    return cut * gaps.sum() / cut.sum()
