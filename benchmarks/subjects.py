"""What the quality tables are measured on: the bundled checkpoints and the analytic beds, as they are and
as mosaics, each under a guidance, fitted on some classes and tested on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks import beds
from benchmarks.mosaics import Mosaic, mosaic_of
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
CHECKPOINTS = tuple(f"{name}:{cfg}" for name in BUNDLED for cfg in (1, 3))
SMALL = tuple(f"{name}:1" for name in BEDS)
ALL = (*CHECKPOINTS, *SMALL)
MOSAIC = "mosaic/"
MOSAICS = tuple(
    [f"{MOSAIC}{name}:{cfg}" for name in BUNDLED for cfg in (1, 3, 5)]
    + [f"{MOSAIC}{label}" for label in SMALL]
)
TEST_SEED = 7_000_003
TEST_ROWS = 48
REFERENCE_NODES = 200
FEWER_NODES = 60  # of the reference of mosaics of VE networks, which are slow


@dataclass(frozen=True)
class Subject:
    """A model at one guidance. classes: how many it knows. blocks: pictures in one sample."""

    name: str
    cfg: float
    model: Checkpoint | beds.Bed | Mosaic
    classes: int
    blocks: int = 1

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

    @property
    def learned(self) -> bool:
        """Whether it is a network, which is slow to ask."""
        return self.name.removeprefix(MOSAIC) in BUNDLED

    @property
    def evaluations(self) -> int:
        """Network evaluations of one model call: guidance asks twice."""
        return 1 if self.cfg == 1 else 2

    @property
    def reference_nodes(self) -> int:
        """Of the Heun run that errors are measured from."""
        slow = self.blocks > 1 and self.learned and self.parametrisation == "ve"
        return FEWER_NODES if slow else REFERENCE_NODES

    def test_rows(self, asked: int = TEST_ROWS) -> int:
        """Held-out rows: of checkpoints half as many as of beds, of mosaics 2 or 16: a block that
        ends as another picture weighs much in an RMS, and on analytic beds some do."""
        if self.blocks > 1:
            return 2 if self.learned else 16
        return asked // 2 if self.learned else asked

    def fitting(self, rows: int, cfg: float | None = None, seed: int = 0):
        """The denoiser of a fit: rows of the first half of the classes, in turn from the seed's on;
        the blocks of a mosaic take theirs by chance."""
        return self._denoiser(self._chosen(0, self.classes // 2, rows, seed), cfg)

    def testing(self, rows: int, cfg: float | None = None):
        """The denoiser of a test: the same of the second half of the classes."""
        half = self.classes // 2
        seed = TEST_SEED if self.blocks > 1 else 0
        return self._denoiser(self._chosen(half, self.classes - half, rows, seed), cfg)

    def fitting_any(self, seed: int = 0):
        """`fitting` for as many rows as each query has."""
        made: dict[int, Callable] = {}

        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            if len(x) not in made:
                made[len(x)] = self.fitting(len(x), seed=seed)
            return made[len(x)](x, sigma)

        return denoise

    def noise(self, rows: int, seed: int) -> torch.Tensor:
        return noise_for(self.latent_shape, rows, seed, torch.device("cpu"))

    def _chosen(self, first: int, count: int, rows: int, seed: int) -> torch.Tensor:
        if self.blocks == 1:
            return first + (torch.arange(rows) + seed) % count
        chance = torch.Generator().manual_seed(seed)
        return first + torch.randint(count, (rows * self.blocks,), generator=chance)

    def _denoiser(self, classes: torch.Tensor, cfg: float | None):
        return self.model.denoiser(classes, self.cfg if cfg is None else cfg)

    def at(self, cfg: float) -> Subject:
        """The same model at another guidance."""
        return Subject(self.name, cfg, self.model, self.classes, self.blocks)


def subject(label: str) -> Subject:
    """The subject of a label such as "flow:3", "digit-atoms" (guidance 1) or "mosaic/flow:5"."""
    name, _, cfg = label.partition(":")
    bare = name.removeprefix(MOSAIC)
    if bare in BUNDLED:
        model, classes = load_checkpoint(bare), digits.CLASSES
    elif bare in BEDS:
        model = BEDS[bare]()
        classes = model.classes
    else:
        known = ", ".join([*BUNDLED, *BEDS])
        raise SystemExit(
            f"{name!r} is no bed; use one of: {known}, each perhaps with :guidance and after {MOSAIC}."
        )
    if bare == name:
        return Subject(name, float(cfg or 1), model, classes)
    whole = mosaic_of(model)
    return Subject(name, float(cfg or 1), whole, classes, whole.blocks)
