"""The held-out side of the tables.

A fine reference on seeds and classes that no fit has seen, and every run's distance from it. On
purpose apart from scheduler/evidence.py: what a record claims of itself is checked by other
code. Stock runs, which cost most, are kept in a folder; a model that answers otherwise than before,
or other noise, starts a new file.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.subjects import TEST_ROWS, TEST_SEED, Subject
from scheduler.denoiser import Denoiser, start_state
from scheduler.errors import DenoiserError
from scheduler.record import Choice, Recipe
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.sigmas import baselines, log_snr_grid

STOCK_SAMPLERS = ("euler", "heun", "dpmpp_2m", "uni_pc", "res_multistep")
PROBE_SIGMA = 0.5


def rms(errors: np.ndarray) -> float:
    """Over rows: (R,) root mean squares per element to one."""
    return float(np.sqrt(np.mean(np.square(errors))))


@dataclass(frozen=True)
class Setting:
    """How an artist draws: a stock sampler and schedule, and his number of steps."""

    sampler: str
    schedule: str
    steps: int

    @property
    def name(self) -> str:
        return f"{self.sampler}-{self.schedule}-{self.steps}"

    def sigmas(self, of: Subject) -> np.ndarray:
        return baselines(of.table, self.steps, *of.sigma_range)[self.schedule]


class Trial:
    """Runs on `rows` held-out rows of a subject, at its own guidance or another.

    Each run gives end errors (rows,), RMS per element. setting: from whose ends they are measured,
    where it isn't the reference's.
    """

    def __init__(
        self,
        subject: Subject,
        rows: int = TEST_ROWS,
        folder: Path | None = None,
        setting: Setting | None = None,
    ):
        rows = subject.test_rows(rows)
        self.subject = subject
        self.noise = subject.noise(rows, TEST_SEED)
        self.denoise = subject.testing(rows)
        self.model = _Remembering(self.denoise)
        self._path = None
        self._unsaved = False
        self._kept: dict[str, np.ndarray] = {}
        if folder is not None:
            name = subject.label.replace(":", "-").replace("/", "-")
            name += f"-{setting.name}" if setting else ""
            self._path = folder / f"{name}-{rows}-{self._probe()}.npz"
            if self._path.exists():
                self._kept = dict(np.load(self._path))
        if "end" not in self._kept:
            self._keep("end", self._reference(setting).numpy())
        self.end = torch.tensor(self._kept["end"])

    def _reference(self, setting: Setting | None) -> torch.Tensor:
        of = self.subject
        if setting is not None:
            return self._draw(setting.sampler, setting.sigmas(of))
        grid = log_snr_grid(*of.sigma_range, of.reference_nodes, of.parametrisation)
        return self._draw("heun", grid)

    def run(self, sampler: str, sigmas: np.ndarray) -> np.ndarray:
        """Errors of a stock sampler on a schedule; inf where it leaves all bounds."""
        try:
            return self.errors(self._draw(sampler, sigmas))
        except DenoiserError:
            return np.full(len(self.noise), np.inf)

    def stock(self, sampler: str, calls: int) -> dict[str, np.ndarray]:
        """Errors of a stock sampler on every stock and published schedule at this many model calls.

        "schedule + sampler" -> (rows,).
        """
        steps = (calls + 1) // 2 if sampler == "heun" else calls
        found = {}
        for name, sigmas in baselines(self.subject.table, steps, *self.subject.sigma_range).items():
            key = Choice(name, sampler)
            if f"{key} {steps}" not in self._kept:
                self._keep(f"{key} {steps}", self.run(sampler, sigmas), save=False)
            found[key] = self._kept[f"{key} {steps}"]
        self._save()
        return found

    def stock_pairs(self, calls: int) -> dict[str, np.ndarray]:
        """All of STOCK_SAMPLERS together."""
        return {
            key: errors
            for sampler in STOCK_SAMPLERS
            for key, errors in self.stock(sampler, calls).items()
        }

    def best(self, calls: int, samplers: Sequence[str] = STOCK_SAMPLERS) -> tuple[str, float]:
        """The best stock pair in hindsight, and its RMS over all rows."""
        found = {
            name: rms(errors)
            for sampler in samplers
            for name, errors in self.stock(sampler, calls).items()
        }
        name = min(found, key=lambda each: found[each])
        return name, found[name]

    def recipe(self, recipe: Recipe) -> np.ndarray:
        """Errors of a recipe."""
        try:
            ends = run_recipe(self.denoise, self.noise, recipe, self.subject.parametrisation)
        except DenoiserError:
            return np.full(len(self.noise), np.inf)
        return self.errors(ends)

    def errors(self, ends: torch.Tensor) -> np.ndarray:
        errors = (ends - self.end).double().flatten(1).square().mean(1).sqrt().numpy()
        return np.where(np.isfinite(errors), errors, np.inf)

    def _probe(self) -> str:
        """A name for what the model answers on this noise.

        To four digits, which mostly survives another machine's rounding.
        """
        sigmas = torch.full((len(self.noise),), PROBE_SIGMA)
        answer = self.denoise(self.noise * PROBE_SIGMA, sigmas).flatten()
        values = [f"{value:.4g}" for value in answer[:: max(answer.numel() // 64, 1)].tolist()]
        return hashlib.sha256(repr(values).encode()).hexdigest()[:12]

    def _draw(self, sampler: str, sigmas: np.ndarray) -> torch.Tensor:
        start = start_state(self.noise, float(sigmas[0]), self.subject.parametrisation)
        return sample(self.model, start, sigmas, sampler)

    def _keep(self, key: str, values: np.ndarray, save: bool = True) -> None:
        self._kept[key] = values
        self._unsaved = True
        if save:
            self._save()

    def _save(self) -> None:
        if self._path is not None and self._unsaved:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(f".{os.getpid()}.npz")  # two runs may share the folder
            np.savez(new, **self._kept)
            new.replace(self._path)
            self._unsaved = False


class _Remembering:
    """A denoiser that does not compute twice what stock runs ask again and again.

    The first query of all, the second of one schedule.
    """

    def __init__(self, denoise: Denoiser):
        self.denoise = denoise
        self.known: OrderedDict[tuple[float, bytes], torch.Tensor] = OrderedDict()

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        digest = hashlib.sha1(x.numpy().tobytes(), usedforsecurity=False).digest()
        key = (float(sigma[0]), digest)
        if key not in self.known:
            self.known[key] = self.denoise(x, sigma)
            if len(self.known) > 256:
                self.known.popitem(last=False)
        return self.known[key].clone()
