"""What the quality tables are measured on: the bundled checkpoints and the analytic beds.

Each under a guidance, fitted on some classes and tested on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks import beds
from scheduler.checkpoints import Checkpoint, digits
from scheduler.checkpoints.load import BUNDLED, load_checkpoint
from scheduler.record import Conditions
from scheduler.rows import noise_for
from scheduler.sigmas.noise_table import NoiseTable, table_for

BEDS: dict[str, Callable] = {
    "isotropic-16": beds.isotropic_bed,
    "low-rank-64": beds.low_rank_bed,
    "photo-patches": beds.photo_bed,
    "digit-atoms": beds.digits_bed,
}
ALL = tuple(
    [f"{name}:{cfg}" for name in BUNDLED for cfg in (1, 3)] + [f"{name}:1" for name in BEDS]
)
TEST_SEED = 7_000_003


@dataclass(frozen=True)
class Subject:
    """A model at one guidance. classes: how many it knows."""

    name: str
    cfg: float
    model: Checkpoint | beds.Bed
    classes: int

    @property
    def label(self) -> str:
        return f"{self.name}:{self.cfg:g}"

    @property
    def parametrisation(self) -> str:
        return self.model.parametrisation

    @property
    def sigma_range(self) -> tuple[float, float]:
        """(sigma_min, sigma_max)."""
        return self.model.sigma_min, self.model.sigma_max

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return tuple(self.model.latent_shape)

    @property
    def table(self) -> NoiseTable:
        return table_for(*self.sigma_range, self.parametrisation, self.model.shift)

    @property
    def conditions(self) -> Conditions:
        return Conditions(cfg=self.cfg, name=self.name, shift=self.model.shift)

    def fitting(self, rows: int, cfg: float | None = None):
        """The denoiser of a fit: rows in turn of the first half of the classes."""
        return self._denoiser(torch.arange(rows) % (self.classes // 2), cfg)

    def testing(self, rows: int, cfg: float | None = None):
        """The denoiser of a test: rows in turn of the second half of the classes."""
        half = self.classes // 2
        return self._denoiser(half + torch.arange(rows) % (self.classes - half), cfg)

    def noise(self, rows: int, seed: int) -> torch.Tensor:
        return noise_for(self.latent_shape, rows, seed, torch.device("cpu"))

    def _denoiser(self, classes: torch.Tensor, cfg: float | None):
        return self.model.denoiser(classes, self.cfg if cfg is None else cfg)

    def at(self, cfg: float) -> Subject:
        """The same model at another guidance."""
        return Subject(self.name, cfg, self.model, self.classes)


def subject(label: str) -> Subject:
    """The subject of a label such as "flow:3" or "digit-atoms" (guidance 1)."""
    name, _, cfg = label.partition(":")
    if name in BUNDLED:
        return Subject(name, float(cfg or 1), load_checkpoint(name), digits.CLASSES)
    if name not in BEDS:
        known = ", ".join([*BUNDLED, *BEDS])
        raise SystemExit(f"{name!r} is no bed; use one of: {known}, each perhaps with :guidance.")
    bed = BEDS[name]()
    return Subject(name, float(cfg or 1), bed, bed.classes)
