"""Refines a sampler's schedule against the teacher's true end point, without back-propagation.

An iteration nudges every sigma (and query offset) in turn. The answers before the nudged step are
those of the schedule itself and are used again, for any sampler, so a sweep over the sigmas costs
half of its roll-outs. The distilled sampler's coefficients are fitted anew in every roll-out, so
what is followed is the end error that the best coefficients leave (variable projection). A damped
Gauss-Newton step follows, weighted so that it lowers the mean of the rows' errors and not of their
squares: a row that became another picture doesn't decide alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..errors import BudgetError, DenoiserError
from ..samplers.query_offsets import bounded_offset
from ..search.gram import row_products
from ..sigmas.validity import check_schedule
from .on_policy import TrajectorySet
from .rollout import FITTED, calls_of, rollout

# neighbouring steps in log sigma differ by this factor at most: uni_pc and dpmpp_2m explode on
# uneven ones
CAP = 3.0
FITTED_CAP = 10.0  # fitted coefficients stand more
# share of the nearer step by which a sigma is nudged: at 0.01 rows about to become another picture
# drown the rest
NUDGE = 0.1
OFFSET_NUDGE = 0.05
OFFSET_UNIT = 0.3  # a change of an offset that is damped like a step made longer by a factor e
DAMPING = 0.3
MOST_CHANGE = 0.7  # of a step's log length, or of an offset in its unit, in one iteration
TRIALS = 2  # steps tried an iteration, each damped four times more
LEAST_DATA = 32  # latent elements of all rows, for each sigma and offset


@dataclass(frozen=True)
class Refined:
    """sigmas (N + 1,), offsets (N,) or None, the end error of every row (inf where the sampler
    exploded), the model calls made, and the coefficients (N, 4) that `distilled` has there."""

    sigmas: np.ndarray
    offsets: np.ndarray | None
    errors: np.ndarray
    model_calls: int
    coefficients: np.ndarray | None = None


def refine(
    sets: Sequence[TrajectorySet],
    sigmas: Sequence[float],
    sampler: str,
    parametrisation: str,
    calls: int,
    offsets: Sequence[float] | None = None,
) -> Refined:
    """The best schedule found from `sigmas` on with at most `calls` model calls (every row counts),
    and its offsets where given.

    Best is the least mean of the fit rows' errors, so never worse there than the start. The first
    sigma stays, the last positive one stays within the teacher's range; all schedules tried keep to
    CAP (FITTED_CAP), and where none is better the start is returned as it is. The search ends when
    nothing improves or the calls left don't cover a sweep and one trial (see `refinement_calls`). A
    schedule on which the model's answers are not finite counts as infinitely bad. Raises
    ScheduleError, UnknownNameError, and BudgetError below the cost of one roll-out.
    """
    search = _Search(sets, sampler, parametrisation, calls)
    start = _Point(
        check_schedule(sigmas), None if offsets is None else np.array(offsets, dtype=np.float64)
    )
    if not search.affords(search.cost(start)):
        raise BudgetError(
            f"One roll-out of {start.steps} steps takes {search.cost(start)} model calls and {calls} were given; raise them."
        )
    best, damping = search.evened(search.run(start)), DAMPING
    while best.ends and start.steps > 1:
        better = search.iterate(best, damping)
        if better is None:
            break
        best, damping = better, damping / 2
    return Refined(best.sigmas, best.offsets, best.errors, search.spent(), best.coefficients)


def refinement_calls(sampler: str, steps: int, iterations: int, offsets: bool = False) -> int:
    """The most model calls a row of so many iterations of `refine`, from the teacher's own start."""
    whole = calls_of(sampler, steps)
    run, sweep = whole - (not offsets), sum(whole - calls_of(sampler, k) for k in range(1, steps))
    return (
        2 * run + iterations * (sweep + offsets * (sweep + run) + TRIALS * run)
        if steps > 1
        else run
    )


def most_refined(data: int) -> int:
    """The most steps whose sigmas and offsets this many latent elements (of all rows together) are
    enough for."""
    return (data // LEAST_DATA + 1) // 2


@dataclass(frozen=True)
class _Point:
    """A schedule with its offsets; once run: each set's ends and model answers, every row's error,
    the mean of the fit rows', and the coefficients fitted on the way."""

    sigmas: np.ndarray
    offsets: np.ndarray | None = None
    ends: list[torch.Tensor] = field(default_factory=list)  # empty where a row exploded
    answers: list[list[torch.Tensor]] = field(default_factory=list)
    errors: np.ndarray | None = None
    score: float = np.inf
    coefficients: np.ndarray | None = None

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def gaps(self) -> np.ndarray:
        """(N - 1,): the steps' lengths in log sigma, without the last step's."""
        return -np.diff(np.log(self.sigmas[:-1]))


_Nudge = tuple[int, _Point, float]  # (the first node that differs, the nudged point, how far)


class _Search:
    """Runs schedules on all sets and keeps account of the calls."""

    def __init__(
        self, sets: Sequence[TrajectorySet], sampler: str, parametrisation: str, calls: int
    ):
        self.sets, self.sampler, self.parametrisation, self.calls = (
            sets,
            sampler,
            parametrisation,
            calls,
        )
        self.cap = FITTED_CAP if sampler == FITTED else CAP
        self.fit = np.concatenate([each.fit_rows for each in sets])
        self.low, self.high = (
            max(each.sigmas[-2] for each in sets),
            min(each.sigmas[0] for each in sets),
        )
        self.before = sum(each.model.calls for each in sets)

    def spent(self) -> int:
        return sum(each.model.calls for each in self.sets) - self.before

    def affords(self, calls: int) -> bool:
        return self.spent() + calls <= self.calls

    def cost(self, point: _Point, first: int = 0) -> int:
        """Model calls of a roll-out that differs from one already made in node `first` and below
        (0: in all)."""
        known = calls_of(self.sampler, first) if first else int(self._starts_as_teacher(point))
        return len(self.fit) * (calls_of(self.sampler, point.steps) - known)

    def _starts_as_teacher(self, point: _Point) -> bool:
        return all(point.sigmas[0] == each.sigmas[0] for each in self.sets) and (
            point.offsets is None or point.offsets[0] == 0
        )

    def run(self, point: _Point, base: _Point | None = None, first: int = 0) -> _Point:
        """The point with its roll-out; answers before node `first` are the base's, the first one
        the teacher's where it asked the same."""
        try:
            run = rollout(
                self.sets,
                self.sampler,
                point.sigmas,
                point.offsets,
                self.parametrisation,
                self._known(point, base, first),
            )
        except DenoiserError:
            return _Point(point.sigmas, point.offsets, errors=np.full(len(self.fit), np.inf))
        errors = np.concatenate(
            [each.errors(end) for each, end in zip(self.sets, run.ends, strict=True)]
        )
        if not np.isfinite(errors).all():
            return _Point(
                point.sigmas, point.offsets, errors=np.where(np.isfinite(errors), errors, np.inf)
            )
        score = float(errors[self.fit].mean())
        return _Point(
            point.sigmas, point.offsets, run.ends, run.answers, errors, score, run.coefficients
        )

    def _known(
        self, point: _Point, base: _Point | None, first: int
    ) -> list[list[torch.Tensor]] | None:
        if first:
            return [answers[: calls_of(self.sampler, first)] for answers in base.answers]
        if self._starts_as_teacher(point):
            return [[each.vectors[len(each.sigmas)].to(each.noise)] for each in self.sets]
        return None

    def evened(self, start: _Point) -> _Point:
        """The start; where it breaks the cap, the nearest schedule that keeps to it, and where it
        explodes equal steps, if better."""
        best = start
        for cap in (self.cap, 1.0):
            point = self._moved(start, _capped(start.gaps, cap), start.offsets)
            uneven = start.steps > 2 and not np.allclose(point.sigmas, start.sigmas)
            if uneven and not (cap == 1 and best.ends) and self.affords(self.cost(point)):
                best = min(best, self.run(point), key=lambda each: each.score)
        return best

    def iterate(self, best: _Point, damping: float) -> _Point | None:
        """A sweep and the steps it suggests: the first that is better, or None."""
        nudges = self._nudges(best)
        first = min(k for k, _, _ in nudges)
        trial = self.cost(best, 1) if first else len(self.fit) * calls_of(self.sampler, best.steps)
        if not self.affords(sum(self.cost(point, k) for k, point, _ in nudges) + trial):
            return None
        products = self._products(best, nudges)
        for k in range(TRIALS):
            if not self.affords(trial):
                return None
            found = self.run(
                self._stepped(best, nudges, _step(products, damping * 4**k)), best, first
            )
            if found.score < best.score:
                return found
        return None

    def _nudges(self, best: _Point) -> list[_Nudge]:
        """Of every sigma but the first, upwards (never below the model's range), then of every
        offset that can move."""
        found = []
        for k in range(1, best.steps):
            sigmas, size = best.sigmas.copy(), NUDGE * best.gaps[k - 1 : k + 1].min()
            sigmas[k] *= np.exp(size)
            found.append((k, _Point(sigmas, self._bounded(sigmas, best.offsets)), size))
        for k in range(best.steps if best.offsets is not None else 0):
            for size in (OFFSET_NUDGE, -OFFSET_NUDGE):
                offsets = best.offsets + size * (np.arange(best.steps) == k)
                if np.isclose(self._bounded(best.sigmas, offsets)[k], offsets[k]):
                    found.append((k, _Point(best.sigmas, offsets), size))
                    break
        return found

    def _products(self, best: _Point, nudges: Sequence[_Nudge]) -> np.ndarray:
        """(fit rows, P + 1, P + 1): mean inner products of [the end's error, its derivatives by P
        log lengths and offsets in units]."""
        columns = [[end - each.end] for each, end in zip(self.sets, best.ends, strict=True)]
        for first, point, size in nudges:
            ends = (
                self.run(point, best, first).ends or best.ends
            )  # a nudge that explodes tells nothing
            for column, end, nudged in zip(columns, best.ends, ends, strict=True):
                column.append((nudged - end) / size)
        products = [
            row_products(column, each.fit_rows)
            for each, column in zip(self.sets, columns, strict=True)
        ]
        moved, chain = (
            slice(1, best.steps),
            np.diag([1.0] * best.steps + [OFFSET_UNIT] * (len(nudges) + 1 - best.steps)),
        )
        chain[moved, moved] = (
            -np.tril(np.ones((best.steps - 1,) * 2)) * best.gaps
        )  # d log sigma_k / d log length_j
        return chain.T @ np.concatenate(products) @ chain

    def _stepped(self, best: _Point, nudges: Sequence[_Nudge], step: np.ndarray) -> _Point:
        gaps, offsets = (
            best.gaps * np.exp(step[: best.steps - 1]),
            None if best.offsets is None else best.offsets.copy(),
        )
        for (k, _, _), change in zip(nudges[best.steps - 1 :], step[best.steps - 1 :], strict=True):
            offsets[k] += OFFSET_UNIT * change
        return self._moved(best, _capped(gaps, self.cap), offsets)

    def _moved(self, point: _Point, gaps: np.ndarray, offsets: np.ndarray | None) -> _Point:
        """The point with these step lengths, shortened all alike where they would end below the
        teacher's last node."""
        sigmas, room = point.sigmas.copy(), np.log(point.sigmas[0] / self.low)
        sigmas[1:-1] = sigmas[0] * np.exp(
            -np.cumsum(gaps * min(1.0, room / gaps.sum()) if len(gaps) else gaps)
        )
        return _Point(sigmas, self._bounded(sigmas, offsets))

    def _bounded(self, sigmas: np.ndarray, offsets: np.ndarray | None) -> np.ndarray | None:
        if offsets is None:
            return None
        pairs = zip(sigmas[:-1].tolist(), offsets.tolist(), strict=True)
        return np.array(
            [
                bounded_offset(sigma, offset, self.low, self.high, self.parametrisation)
                for sigma, offset in pairs
            ]
        )


def evened(sigmas: np.ndarray, cap: float = CAP) -> np.ndarray:
    """(N + 1,): the schedule with the same ends whose neighbouring steps differ by a factor `cap`
    at most in log sigma."""
    gaps = _capped(-np.diff(np.log(sigmas[:-1])), cap)
    return np.concatenate([sigmas[:1], sigmas[0] * np.exp(-np.cumsum(gaps)), sigmas[-1:]])


def _capped(gaps: np.ndarray, cap: float) -> np.ndarray:
    """Step lengths of the same sum whose neighbours differ by a factor `cap` at most: the long ones
    cut, then all stretched alike."""
    if len(gaps) < 2:
        return gaps
    places = np.arange(len(gaps))
    cut = (gaps * cap ** np.abs(places[:, None] - places)).min(axis=1)
    return cut * gaps.sum() / cut.sum()


def _step(products: np.ndarray, damping: float) -> np.ndarray:
    """(P,): the change that the linear model expects to lower the mean of the rows' norms, by one
    reweighted least-squares step."""
    norms = np.sqrt(products[:, 0, 0])
    norms = np.maximum(norms, 0.01 * norms.mean() + 1e-30)
    normal = (products / norms[:, None, None]).sum(0)
    step = -np.linalg.solve(
        normal[1:, 1:] + damping * norms.sum() * np.eye(len(normal) - 1), normal[1:, 0]
    )
    return step * min(1.0, MOST_CHANGE / np.abs(step).max(initial=1e-30))
