"""What each part of a recipe adds, measured like the quality tables.

    python -m benchmarks.quality --ablation --beds flow:3

Every variant is fitted on the dynamic programme's schedule for the distilled sampler, but for
"schedule", which is Euler's own with Euler. Errors are RMS over held-out rows and classes, without
any guard.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from benchmarks.subjects import Subject, subject
from benchmarks.trial import Trial, rms
from scheduler.denoiser import checked
from scheduler.fit.candidate import Candidate
from scheduler.fit.coefficients import fit_step
from scheduler.fit.on_policy import walk
from scheduler.fit.polish import polish
from scheduler.fit.refine import refine, refinement_calls
from scheduler.fit.teacher import record_teacher
from scheduler.fit.trajectories import TrajectorySet
from scheduler.record import Recipe
from scheduler.samplers.distilled import PAST
from scheduler.search.dynamic_programming import schedules_from
from scheduler.search.gram import gram_of
from scheduler.sigmas import log_snr_grid
from scheduler.sigmas.noise_range import NoiseRange

SHOWN = (4, 5, 6, 8, 10)
NODES = 50
ROWS = 8
SIZES = (1, 2, 4, 8, 16)
GUIDANCES = (1.0, 2.0, 3.0, 4.5, 7.0)
FITTED_AT = 3.0
WEIGHTS = "contraction"
# Stock samplers beside the guidance transfer, where all pairs would take too long.
LIGHT = ("euler", "dpmpp_2m")


class Fits:
    """The recorded teacher of a subject, and every way to fit a recipe to it."""

    def __init__(self, of: Subject, rows: int = ROWS, seed: int = 0):
        self.of = of
        grid = log_snr_grid(*of.sigma_range, NODES, of.parametrisation)
        model = checked(of.fitting(rows))
        noise = of.noise(rows, seed)
        teacher = record_teacher(model, noise, grid, of.parametrisation, "adams3", keep_states=True)
        vectors = [*teacher.states, *teacher.predictions]
        self.set = TrajectorySet(model, noise, grid, vectors, np.ones(rows, dtype=bool))
        self._gram = gram_of(grid, torch.stack([vector.flatten(1) for vector in self.set.vectors]))
        self._schedules: dict[str, dict[int, np.ndarray]] = {}

    @property
    def noise_range(self) -> NoiseRange:
        return NoiseRange(self.of.parametrisation, *self.of.sigma_range)

    def schedule(self, sampler: str, steps: int) -> np.ndarray:
        if sampler not in self._schedules:
            self._schedules[sampler] = schedules_from(
                self._gram, sampler, SHOWN[-1], weights=WEIGHTS
            )
        return self._schedules[sampler][steps]

    def on_policy(self, sampler: str, steps: int, tries: int) -> Recipe:
        """Fitted on the student's own states; tries 1: no query offsets, 3: with them."""
        return self._walk(sampler, steps, tries).recipe(sampler)

    def jointly(self, steps: int, polished: bool) -> Recipe:
        """Schedule and offsets refined against the end point, coefficients fitted anew each time.

        polished: then these polished too.
        """
        start = self._walk("distilled", steps, 3)
        calls = len(self.set.noise) * refinement_calls("distilled", steps, 1, offsets=True)
        found = refine([self.set], start, self.of.parametrisation, calls)
        if polished:
            found = polish([self.set], found, self.noise_range)
        return found.recipe("distilled")

    def _walk(self, sampler: str, steps: int, tries: int) -> Candidate:
        sigmas = self.schedule("distilled", steps)
        return walk([self.set], sampler, sigmas, self.noise_range, tries)[0]

    def off_policy(self, steps: int) -> Recipe:
        """Coefficients fitted on the teacher's own states at the schedule's sigmas, no offsets."""
        sigmas = self.schedule("distilled", steps)
        past: list[torch.Tensor] = []
        rows = []
        for sigma, s_next in pairwise(sigmas.tolist()):
            x = self.set.state(sigma)
            past = [self.set.model(x, sigma), *past][:PAST]
            vectors = [vector.flatten(1) for vector in (x, *past, self.set.state(s_next))]
            stack = torch.stack(vectors, dim=1).double()
            products = (stack @ stack.mT).numpy() / stack.shape[-1]
            rows.append(fit_step(products, sigma, s_next).coefficients)
        return Recipe("distilled", steps, sigmas[0], sigmas, None, rows)


def ablate(label: str, rows: int, folder: Path) -> None:
    """Print a bed's ablations."""
    of = subject(label)
    trial = Trial(of, rows, folder)
    print(
        f"\n== {of.name}, guidance {of.cfg:g}, {rows} held-out rows, "
        f"fitted on {ROWS} samples unless said otherwise"
    )
    print(f"{'RMS':44}" + "".join(f"{f'N={n}':>9}" for n in SHOWN))
    pairs = {n: min(rms(errors) for errors in trial.stock_pairs(n).values()) for n in SHOWN}
    _line("best stock pair in hindsight", pairs.values())
    fits = Fits(of)
    plain = {n: fits.schedule("euler", n) for n in SHOWN}
    _line("schedule (euler)", [rms(trial.run("euler", plain[n])) for n in SHOWN])
    for name, make in _variants(fits):
        _line(name, [rms(trial.recipe(make(n))) for n in SHOWN])
    for size in SIZES:
        fewer = Fits(of, size)
        errors = [rms(trial.recipe(fewer.on_policy("distilled", n, 3))) for n in SHOWN]
        _line(f"both, fitted on {size}", errors)
    _transfer(of.at(FITTED_AT), rows, folder)


def _variants(fits: Fits):
    yield "+ coefficients, off-policy", fits.off_policy
    yield "+ coefficients, on-policy", lambda n: fits.on_policy("distilled", n, 1)
    yield "+ offsets (euler)", lambda n: fits.on_policy("euler", n, 3)
    yield "+ offsets (dpmpp_2m, same schedule)", lambda n: fits.on_policy("dpmpp_2m", n, 3)
    yield "+ coefficients and offsets", lambda n: fits.on_policy("distilled", n, 3)
    yield "+ joint refinement with the schedule", lambda n: fits.jointly(n, polished=False)
    yield "+ polish of the coefficients", lambda n: fits.jointly(n, polished=True)


def _transfer(of: Subject, rows: int, folder: Path) -> None:
    fits = Fits(of)
    recipes = {n: fits.on_policy("distilled", n, 3) for n in SHOWN}
    for cfg in GUIDANCES:
        there = of.at(cfg)
        trial = Trial(there, rows, folder)
        own = Fits(there)
        stock = [
            min(rms(errors) for name in LIGHT for errors in trial.stock(name, n).values())
            for n in SHOWN
        ]
        carried = [rms(trial.recipe(recipes[n])) for n in SHOWN]
        anew = [rms(trial.recipe(own.on_policy("distilled", n, 3))) for n in SHOWN]
        _line(f"guidance {cfg:g}: best of {' and '.join(LIGHT)}", stock)
        _line(f"guidance {cfg:g}: distilled at {FITTED_AT:g}", carried)
        _line(f"guidance {cfg:g}: distilled there", anew)


def _line(name: str, errors) -> None:
    print(f"  {name:42}" + "".join(f"{error:9.4f}" for error in errors), flush=True)
