"""True runs of a candidate beside the teacher: every answer is kept, and teaches the surrogate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ..errors import DenoiserError
from ..samplers.distilled import PAST
from ..samplers.multistep import combine
from ..samplers.query_offsets import ask, asked_sigma, bounded_offset, guessed_offset
from ..sigmas.noise_range import NoiseRange
from ..streams import joined
from .candidate import DISTILLED, EXPLODED, Candidate
from .coefficients import NUMBERS_FOR_ORDER, Step, fit_step
from .parameters import MOST_PAST, Numbers, rule_weights
from .span import Span
from .surrogate import Path, Surrogate
from .trajectories import TrajectorySet, fit_rows_of

SECANT_SHARES = np.linspace(-1.0, 3.0, 21)  # of the second offset: what two answers may point at


@dataclass(frozen=True)
class Answer:
    """One query of all rows: the tensors of each set, and their coordinates (R, d)."""

    parts: list[torch.Tensor]
    coordinates: np.ndarray


@dataclass(frozen=True)
class _Try:
    """A query at one offset, and the step fitted with it."""

    offset: float
    answer: Answer
    step: Step


class Answers:
    """All that the model was asked on the rows of some trajectory sets."""

    def __init__(self, sets: Sequence[TrajectorySet], noise_range: NoiseRange):
        self.sets, self.noise_range = sets, noise_range
        self.fit = fit_rows_of(sets)
        ends = [each.end.cpu().flatten() for each in sets]
        self.span = Span(sum(len(each.noise) for each in sets), sets[0].noise[0].numel())
        variance = float(torch.cat(ends).double().var())
        scale = noise_range.noise_scale
        self.surrogate = Surrogate(self.span, self._paths(), self.process, variance, scale)
        self.begun: tuple[float, Answer] | None = None  # the first query of runs from another sigma

    @property
    def process(self) -> str:
        return self.noise_range.process

    @property
    def rows(self) -> int:
        return self.span.rows

    @property
    def most_order(self) -> int:
        """Of the fit of a step: as there are numbers for, whatever the rows."""
        numbers = int(self.fit.sum()) * self.sets[0].noise[0].numel()
        return max(numbers // NUMBERS_FOR_ORDER, 1)

    def starts_as_teacher(self, sigma: float) -> bool:
        """Whether the first query at this sigma is every teacher's own."""
        return all(sigma == each.sigmas[0] for each in self.sets)

    def _paths(self) -> list[Path]:
        """Every set's vectors in the basis. Sets on one grid go in together, row beside row."""
        found: list[list[np.ndarray]] = [[] for _ in self.sets]
        longest = max(len(each.vectors) for each in self.sets)
        for k in range(longest):
            at = self.span.add([_vector(each, k) for each in self.sets])
            first = 0
            for each, vectors in zip(self.sets, found, strict=True):
                if k < len(each.vectors):
                    vectors.append(at[first : first + len(each.noise)])
                first += len(each.noise)
        wide = [[self.span.widened(vector) for vector in vectors] for vectors in found]
        return [
            Path(each.sigmas, np.stack(vectors, 1))
            for each, vectors in zip(self.sets, wide, strict=True)
        ]

    def run(self, candidate: Candidate) -> Candidate:
        """A candidate with its true end errors; N model calls a row, one less where the first query
        is the teacher's own or an earlier run's. Only linear samplers and "distilled"."""
        student = Student(self, float(candidate.sigmas[0]))
        found = Numbers(
            candidate.sigmas[None],
            np.zeros((1, candidate.steps))
            if candidate.offsets is None
            else candidate.offsets[None],
            None if candidate.coefficients is None else candidate.coefficients[None],
        )
        try:
            for k, sigma in enumerate(candidate.sigmas[:-1].tolist()):
                student.ask(sigma, float(found.offsets[0, k]))
                a, b = rule_weights(candidate.sampler, found, k)
                student.step(a[0].tolist(), b[0].tolist())
        except DenoiserError:
            return candidate.measured(np.full(self.rows, EXPLODED))
        return candidate.measured(student.errors(), student.by_stream())

    def walk(
        self, sigmas: np.ndarray, offsets: np.ndarray | None = None, tries: int = 1
    ) -> Candidate:
        """The distilled sampler walked down `sigmas` (N + 1,), the coefficients of each step fitted
        where the student is, with these query offsets (none): as many model calls as `run`. tries
        2: where that comes nearer to the teacher's next state, the usual offset; N calls more. 3:
        and one that the two answers point at, but for the first step; N - 1 more.
        """
        steps = len(sigmas) - 1
        shifts = np.zeros(steps) if offsets is None else np.array(offsets)
        found = Candidate(DISTILLED, np.asarray(sigmas), shifts, np.zeros((steps, 4)))
        student = Student(self, float(sigmas[0]))
        try:
            for k, (sigma, s_next) in enumerate(pairwise(found.sigmas.tolist())):
                wanted = [float(shifts[k])]
                if tries > 1:
                    wanted.append(guessed_offset(sigma, s_next, 1.0, self.noise_range))
                further = tries > 2 and k > 0
                shifts[k], step = student.best_of(dict.fromkeys(wanted), sigma, s_next, further)
                student.step(step.weights[:1], step.weights[1:])
                found.coefficients[k] = step.coefficients  # type: ignore[index]
        except DenoiserError:
            return found.measured(np.full(self.rows, EXPLODED))
        return found.measured(student.errors(), student.by_stream())


class Student:
    """All rows at one sigma, with the states and predictions that samplers remember."""

    def __init__(self, answers: Answers, sigma: float):
        self.of = answers
        self.x = [each.state(sigma).to(each.noise) for each in answers.sets]
        self.at = answers.surrogate.state(np.array([sigma]))[0]
        self.states: list[Answer] = []
        self.past: list[Answer] = []

    def ask(self, sigma: float, offset: float) -> None:
        """Ask the model; its answer is the newest prediction from now on."""
        self._remember(self._answered(sigma, offset))

    def best_of(
        self, offsets: Iterable[float], sigma: float, s_next: float, further: bool = False
    ) -> tuple[float, Step]:
        """Ask at each of these offsets; (the one whose fitted step comes nearest to the teacher's
        next state, that step). Its answer is the newest prediction from now on. further: of two
        offsets, at a third one too, where the answers between and beyond promise more."""
        tried = [self._tried(offset, sigma, s_next) for offset in offsets]
        if further and len(tried) == 2:
            offset = self._between(tried[0], tried[1], sigma, s_next)
            if all(offset != each.offset for each in tried):
                tried.append(self._tried(offset, sigma, s_next))
        best = min(tried, key=lambda each: each.step.error)
        self._remember(best.answer)
        return best.offset, best.step

    def _tried(self, offset: float, sigma: float, s_next: float) -> _Try:
        answer = self._answered(sigma, offset)
        return _Try(offset, answer, self._fitted(answer, sigma, s_next))

    def _between(self, first: _Try, second: _Try, sigma: float, s_next: float) -> float:
        """The offset whose fitted step would come nearest if answers were linear in it (a secant)."""
        near, far = (self.of.span.widened(each.answer.coordinates) for each in (first, second))
        errors = []
        for share in SECANT_SHARES:
            answer = Answer([], near + share * (far - near))
            errors.append(self._fitted(answer, sigma, s_next).error)
        share = float(SECANT_SHARES[int(np.argmin(errors))])
        wanted = first.offset + share * (second.offset - first.offset)
        return bounded_offset(sigma, wanted, self.of.noise_range)

    def _fitted(self, answer: Answer, sigma: float, s_next: float) -> Step:
        products = self.products(answer, s_next)
        return fit_step(products, sigma, s_next, most_order=self.of.most_order)

    def _remember(self, answer: Answer) -> None:
        self.states = [Answer(self.x, self.at), *self.states][:MOST_PAST]
        self.past = [answer, *self.past][:MOST_PAST]

    def step(self, a: Sequence[float], b: Sequence[float]) -> None:
        """x_next = a . states + b . predictions, the newest first."""
        used = [*self.states[: len(a)], *self.past[: len(b)]]
        weights = [*a, *b]
        self.x = [
            combine(weights, [each.parts[k] for each in used]) for k in range(len(self.of.sets))
        ]
        wide = [self.of.span.widened(each.coordinates) for each in used]
        self.at = sum(w * each for w, each in zip(weights, wide, strict=True))

    def products(self, newest: Answer, s_next: float) -> np.ndarray:
        """(fit rows, m + 2, m + 2): mean inner products of [x, the predictions, the newest first,
        and the teacher's state at s_next]."""
        target = self.of.surrogate.state(np.array([s_next]))[0]
        predictions = [newest, *self.past[: PAST - 1]]
        vectors = [self.at, *(each.coordinates for each in predictions), target]
        stack = np.stack([self.of.span.widened(each) for each in vectors], 1)[self.of.fit]
        return stack @ stack.swapaxes(1, 2)

    def errors(self) -> np.ndarray:
        """(R,): RMS distance per element from the teacher's ends."""
        return np.concatenate(
            [each.errors(x) for each, x in zip(self.of.sets, self.x, strict=True)]
        )

    def by_stream(self) -> dict[str, np.ndarray]:
        """The same of each stream of the latents; {} where they are of one kind."""
        return joined([each.by_stream(x) for each, x in zip(self.of.sets, self.x, strict=True)])

    def _answered(self, sigma: float, offset: float) -> Answer:
        """The first query of a run without offset is the same in every run, and asked once."""
        if self.states or offset != 0:
            return self._asked(sigma, offset)
        if self.of.starts_as_teacher(sigma):
            return Answer([each.first_answer for each in self.of.sets], self.of.surrogate.first)
        if self.of.begun is None or self.of.begun[0] != sigma:
            self.of.begun = sigma, self._asked(sigma, offset)
        return self.of.begun[1]

    def _asked(self, sigma: float, offset: float) -> Answer:
        process, span = self.of.process, self.of.span
        parts = [
            ask(each.model, x, sigma, offset, process)
            for each, x in zip(self.of.sets, self.x, strict=True)
        ]
        coordinates = span.add(parts)
        asked = asked_sigma(sigma, offset, process)
        scale = (1 - asked) / (1 - sigma) if process == "flow" and asked != sigma else 1.0
        self.of.surrogate.learn(scale * span.widened(self.at), asked, coordinates)
        return Answer(parts, coordinates)


def _vector(each: TrajectorySet, k: int) -> torch.Tensor:
    """Its k-th vector; zeros beyond the last, where another set has more."""
    if k < len(each.vectors):
        return each.vectors[k]
    return torch.zeros_like(each.vectors[0])
