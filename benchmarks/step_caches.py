"""The distilled sampler beside step caches that work on the model's output, at equal model calls.

    python -m benchmarks.step_caches

A cache draws more steps than it asks the model for: on the others it forecasts the answer. Every rule is
shown at its best setting in hindsight, on the test rows: sampler (euler, dpmpp_2m), schedule, number of
steps, which of them are asked. Ours is fitted on other seeds and classes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.runs import run
from benchmarks.subjects import subject
from benchmarks.trial import Trial, rms
from scheduler.denoiser import Denoiser, start_state
from scheduler.errors import DenoiserError
from scheduler.record.evidence_table import table
from scheduler.samplers import sample
from scheduler.sigmas import baselines

BEDS = ("flow:3", "eps:3")
CALLS = (5, 10)
SAMPLERS = ("euler", "dpmpp_2m")
SCHEDULES = {"flow": ("simple", "beta", "sgm_uniform"), "ve": ("karras", "beta", "ays_sdxl")}
LONGER = (2, 3, 4)  # times as many steps as calls
FIRST = (1, 2, 3)  # steps asked before any is skipped
DEGREE = 3  # of the Chebyshev fit
RIDGE = 1e-3
HALVINGS = 12  # of the bracket of a threshold
OURS: dict[str, dict] = {
    "distilled, instant": {"effort": "instant"},
    "distilled, 1,000 calls": {"budget": 1000},
}
CACHE = Path(tempfile.gettempdir()) / "stepdistill-quality"

Forecast = Callable[[list[float], list[Tensor], float], Tensor]


# --- what is put in place of an answer: clocks and answers of the steps asked, the clock now ---


def reused(clocks: list[float], answers: list[Tensor], now: float) -> Tensor:
    """The last answer."""
    return answers[-1]


def linear(clocks: list[float], answers: list[Tensor], now: float) -> Tensor:
    """The line through the last two."""
    return _newton(clocks[-2:], answers[-2:], now)


def taylor(clocks: list[float], answers: list[Tensor], now: float) -> Tensor:
    """The parabola through the last three, as TaylorSeer's second order (arXiv 2503.06923)."""
    return _newton(clocks[-3:], answers[-3:], now)


def chebyshev(clocks: list[float], answers: list[Tensor], now: float) -> Tensor:
    """A ridge fit of Chebyshev polynomials to all answers so far."""
    if len(answers) < 3:
        return linear(clocks, answers, now)
    low, high = min([*clocks, now]), max([*clocks, now])
    at = 2 * (np.array([*clocks, now]) - low) / (high - low) - 1
    basis = np.polynomial.chebyshev.chebvander(at, min(DEGREE, len(answers) - 1))
    seen = basis[:-1]
    weights = basis[-1] @ np.linalg.solve(seen.T @ seen + RIDGE * np.eye(seen.shape[1]), seen.T)
    return sum(float(w) * each for w, each in zip(weights, answers, strict=True))  # type: ignore[return-value]


def _newton(clocks: list[float], answers: list[Tensor], now: float) -> Tensor:
    """The polynomial through all of them, by Lagrange's weights."""
    total = torch.zeros_like(answers[0])
    for k, answer in enumerate(answers):
        others = [t for j, t in enumerate(clocks) if j != k]
        total += float(np.prod([(now - t) / (clocks[k] - t) for t in others])) * answer
    return total


FORECASTS: dict[str, Forecast] = {
    "last answer reused": reused,
    "linear extrapolation": linear,
    "Taylor forecast, order 2": taylor,
    f"Chebyshev forecast, degree {DEGREE}": chebyshev,
}


class Skipping:
    """A denoiser that is asked on some steps of a run, and forecast on the others."""

    def __init__(self, denoise: Denoiser, asked: set[int], forecast: Forecast, process: str):
        self.denoise, self.asked, self.forecast, self.process = denoise, asked, forecast, process
        self.step = 0
        self.clocks: list[float] = []
        self.answers: list[Tensor] = []

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        now = float(sigma[0])
        clock = now if self.process == "flow" else float(np.log(now))
        asked = self.step in self.asked
        self.step += 1
        if not asked:
            return self.forecast(self.clocks, self.answers, clock)
        self.clocks.append(clock)
        self.answers.append(self.denoise(x, sigma))
        return self.answers[-1].clone()


class Thresholded:
    """ComfyUI's LazyCache: skips while the change that it expects of the output, added up since the
    last answer, stays below a threshold; then the last answer's difference from its input (difference)
    or the answer itself is used again."""

    def __init__(self, denoise: Denoiser, threshold: float, difference: bool):
        self.denoise, self.threshold, self.difference = denoise, threshold, difference
        self.calls = 0
        self.changed = 0.0
        self.rate: float | None = None  # of the output's change to the input's
        self.x: Tensor | None = None
        self.asked_at: Tensor | None = None
        self.answer: Tensor | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        moved = 0.0 if self.x is None else float((x - self.x).abs().mean())
        self.x = x.clone()
        if self.answer is not None and self.asked_at is not None and self.rate is not None:
            self.changed += self.rate * moved / float(self.answer.abs().mean())
            if self.changed < self.threshold:
                kept = self.answer - self.asked_at
                return x + kept if self.difference else self.answer.clone()
        self.changed = 0.0
        answer = self.denoise(x, sigma)
        self.calls += 1
        if self.answer is not None and moved:
            self.rate = float((answer - self.answer).abs().mean()) / moved
        self.answer, self.asked_at = answer, x.clone()
        return answer.clone()


# --- the best of each rule in hindsight ---


def fixed(trial: Trial, calls: int, forecast: Forecast) -> float:
    """The least RMS over all settings in which so many steps are asked."""
    process = trial.subject.parametrisation
    found = []
    for sampler, sigmas in _runs(trial, calls):
        for asked in _patterns(calls, len(sigmas) - 1):
            model = Skipping(trial.model, asked, forecast, process)
            found.append(_error(trial, model, sampler, sigmas))
    return min(found)


def thresholded(trial: Trial, calls: int) -> float:
    """The least RMS over all settings; thresholds at which so many steps, or fewer, are asked."""
    found = []
    for (sampler, sigmas), difference in product(_runs(trial, calls), (False, True)):
        low, high = 0.0, 8.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            model = Thresholded(trial.model, middle, difference)
            error = _error(trial, model, sampler, sigmas)
            if model.calls <= calls:
                found.append(error)
                high = middle
            else:
                low = middle
            if model.calls == calls:
                break
    return min(found)


def _runs(trial: Trial, calls: int) -> Iterable[tuple[str, np.ndarray]]:
    of = trial.subject
    for times in LONGER:
        stock = baselines(of.table, times * calls, *of.sigma_range)
        names = [name for name in SCHEDULES[of.parametrisation] if name in stock]
        for sampler, name in product(SAMPLERS, names):
            yield sampler, stock[name]


def _patterns(calls: int, steps: int) -> list[set[int]]:
    """The steps asked: the first few, then evenly spread ones, the last one among them or not."""
    found = []
    for first, end in product(FIRST, (steps, steps - 1)):
        rest = np.linspace(first - 1, end, calls - first + 1, endpoint=end == steps - 1)[1:]
        asked = {*range(first), *np.round(rest).astype(int).tolist()}
        if len(asked) == calls:
            found.append(asked)
    return found


def _error(trial: Trial, model: Denoiser, sampler: str, sigmas: np.ndarray) -> float:
    start = start_state(trial.noise, float(sigmas[0]), trial.subject.parametrisation)
    try:
        return rms(trial.errors(sample(model, start, sigmas, sampler)))
    except DenoiserError:
        return float("inf")


def measured(trial: Trial, calls: int) -> dict[str, float]:
    """RMS by method."""
    n = calls
    found = {
        "fewer steps: best euler": trial.best(n, ("euler",))[1],
        "fewer steps: best stock pair": trial.best(n)[1],
    }
    for name, forecast in FORECASTS.items():
        found[name] = fixed(trial, n, forecast)
    found["threshold rule (LazyCache)"] = thresholded(trial, n)
    for name, how in OURS.items():
        record, _ = run(trial.subject, steps=n, **how)
        found[name] = rms(trial.recipe(record.recipe("distilled", n)))
    return found


def shown(beds: Sequence[str], folder: Path) -> str:
    """The table: RMS, and in brackets over plainly fewer steps of the best stock pair."""
    columns: list[list[str]] = []
    header = [""]
    names: list[str] = []
    for label in beds:
        trial = Trial(subject(label), folder=folder)
        for calls in CALLS:
            found = measured(trial, calls)
            names, plain = list(found), found["fewer steps: best stock pair"]
            columns.append([f"{each:.3f} ({each / plain:.2f})" for each in found.values()])
            header.append(f"{label}, {calls} calls")
    return table(header, [*zip(names, *columns, strict=True)], left=(0,))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beds", nargs="+", default=BEDS)
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    args = parser.parse_args()
    print(shown(args.beds, args.cache))


if __name__ == "__main__":
    main()
