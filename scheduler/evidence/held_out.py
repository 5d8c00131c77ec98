"""The held-out side of a comparison.

A fine reference teacher, and every run's distance from it, row by row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import AnyDenoiser, Reporting, start_state
from ..errors import DenoiserError
from ..record import Choice, Recipe
from ..rows import row_errors
from ..samplers import sample, sample_linear
from ..samplers.adams3 import adams3_rule
from ..samplers.distilled import run_recipe, stock_sampler
from ..sigmas import NoiseTable, baselines, log_snr_grid
from ..sigmas.validity import Floats
from ..streams import Streams, compared
from . import verdicts
from .stock_run import StockRun

# (name, work) -> the result of work, now or of an earlier run
Finished = Callable[[str, Callable[[], dict]], dict]
Ranked = Callable[[str, int], Sequence[str]]  # (sampler, steps) -> schedules, the best first
RunKey = tuple[str, tuple[float, ...]]  # a stock sampler and its sigmas


@dataclass(frozen=True)
class Few:
    """The first stock schedules by what was recorded, not all of them, beside a reference of half
    the calls."""

    ranked: Ranked
    most: int


class HeldOut:
    """Runs recipes and stock schedules from the same noise and keeps each row's end error.

    Errors are (R,): RMS per element from the reference's end. The reference is Heun on `nodes`
    levels uniform in half-log-SNR (with `few` a third-order multistep solver). A run is done once;
    one that does not stay finite has errors of inf. on_call(model calls so far) follows each
    evaluation and may raise to stop. `finished` (such as `FinishedParts.finished`) keeps runs for a
    later start; the reference is drawn anew, and tells whether they still hold. Raises
    DenoiserError when the reference itself fails.
    """

    def __init__(
        self,
        denoise: AnyDenoiser,
        noise: torch.Tensor,
        table: NoiseTable,
        process: str,
        sigma_range: tuple[float, float],
        nodes: int,
        on_call: Callable[[int], None] | None = None,
        finished: Finished | None = None,
        few: Few | None = None,
        streams: Streams | None = None,
    ):
        self.streams = streams
        self.by_stream: dict[RunKey | Recipe, dict[str, np.ndarray]] = {}
        self.model = Reporting(denoise, on_call)
        self.noise = noise
        self.table = table
        self.process = process
        self.sigma_min, self.sigma_max = sigma_range
        self._runs: dict[RunKey, np.ndarray] = {}
        self._finished = finished or (lambda name, work: work())
        start = start_state(noise, self.sigma_max, process)
        grid = log_snr_grid(self.sigma_min, self.sigma_max, nodes, process)
        self._few = few
        if few is None:
            self.end = sample(self.model, start, grid, "heun")
        else:
            self.end = sample_linear(self.model, start, grid, None, adams3_rule(process))
        self.apart = verdicts.picture_distance(self.end.float().flatten(1).cpu().double().numpy())

    def schedules(self, steps: int) -> dict[str, np.ndarray]:
        """Every baseline of this model at a number of steps."""
        return baselines(self.table, steps, self.sigma_min, self.sigma_max)

    def run(self, sampler: str, sigmas: Floats) -> np.ndarray:
        """Errors (R,) of a stock sampler on a schedule."""
        key = _key(sampler, sigmas)
        if key not in self._runs:
            start = start_state(self.noise, key[1][0], self.process)
            draw = lambda: sample(self.model, start, sigmas, sampler)  # noqa: E731
            self._runs[key] = self._errors(draw, key)
        return self._runs[key]

    def run_all(self, sampler: str, steps: int) -> dict[str, np.ndarray]:
        """Errors (R,) of a stock sampler on every baseline (or the first few) of a number of steps,
        by name."""
        schedules = self.schedules(steps)
        if self._few is not None:
            names = self._few.ranked(sampler, steps)
            names = [name for name in names if name in schedules][: self._few.most]
            schedules = {name: schedules[name] for name in names}

        def work() -> dict:
            return {name: self.run(sampler, sigmas).tolist() for name, sigmas in schedules.items()}

        listed = {name: sigmas.tolist() for name, sigmas in schedules.items()}
        kept = self._finished(self._name("stock", sampler, listed), work)
        found = {name: np.array(errors) for name, errors in kept.items()}
        self._runs |= {_key(sampler, schedules[name]): errors for name, errors in found.items()}
        return found

    def run_recipe(self, recipe: Recipe) -> np.ndarray:
        """Errors (R,) of a recipe."""
        stock = stock_sampler(recipe)
        plain = recipe.offsets is None and recipe.coefficients is None
        if plain and _key(stock, recipe.sigmas) in self._runs:
            return self.run(stock, recipe.sigmas)

        def draw() -> torch.Tensor:
            return run_recipe(self.model, self.noise, recipe, self.process)

        def work() -> dict:
            errors = self.run(stock, recipe.sigmas) if plain else self._errors(draw, recipe)
            return {"errors": errors.tolist()}

        numbers = (recipe.sigmas, recipe.offsets, recipe.coefficients)
        name = self._name("recipe", stock, recipe.sampler, *numbers)
        return np.array(self._finished(name, work)["errors"])

    def _name(self, *parts: object) -> str:
        """Names a run by all it depends on; of the model and the noise, by the reference they drew."""
        reference = (
            f"{float(self.end.double().norm()):.5g}",
            f"{self.apart or 0:.5g}",
            tuple(self.noise.shape),
            self.sigma_min,
            self.sigma_max,
        )
        return "evidence " + hashlib.sha256(repr((reference, parts)).encode()).hexdigest()[:24]

    def streams_beside(self, recipe: Recipe, stock: Choice) -> list[dict]:
        """Each stream of a recipe's runs beside a stock choice's, as evidence keeps them; empty where
        latents are of one kind, or a run was kept from earlier."""
        rival = StockRun.at_equal_calls(stock, recipe.sampler, recipe.steps)
        theirs = _key(rival.sampler, self.schedules(rival.steps)[rival.schedule])
        own: RunKey | Recipe = recipe
        if recipe.offsets is None and recipe.coefficients is None:
            own = _key(stock_sampler(recipe), recipe.sigmas)
        if own not in self.by_stream or theirs not in self.by_stream:
            return []
        return compared(self.by_stream[own], self.by_stream[theirs])

    def _errors(self, draw: Callable[[], torch.Tensor], whose: RunKey | Recipe) -> np.ndarray:
        try:
            end = draw()
            errors = row_errors(end, self.end)
            if self.streams is not None:
                self.by_stream[whose] = self.streams.errors(end, self.end)
        except DenoiserError:
            # The model answered the reference well: it is this run that left its range.
            return np.full(len(self.noise), np.inf)
        return np.where(np.isfinite(errors), errors, np.inf)


def _key(sampler: str, sigmas: Floats) -> RunKey:
    return sampler, tuple(float(sigma) for sigma in sigmas)
