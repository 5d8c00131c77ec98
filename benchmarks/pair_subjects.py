"""Tiny real pairs: the bundled checkpoints with a guidance-1 twin, a guided student, or other weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from scheduler.checkpoints import Checkpoint, digits, load_checkpoint
from scheduler.denoiser import Denoiser, checked
from scheduler.pairs.halves import Halves, as_stated
from scheduler.pairs.teacher import grid_through, pair_teacher
from scheduler.rows import noise_for
from scheduler.sigmas.noise_table import NoiseTable, table_for

FIT_CLASSES, TEST_CLASSES = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
TEST_ROWS, TEST_SEED, FINE_NODES = 10, 4_321, 120
CFG = 3.0
STUDENT_STEPS, STUDENT_ROWS = {"flow": 300, "eps": 120}, 32


@dataclass(frozen=True)
class PairSubject:
    """Two models on one path. hand_over: as the family states it (`as_stated`)."""

    label: str
    base: Checkpoint
    first: Callable[[torch.Tensor], Denoiser]
    second: Callable[[torch.Tensor], Denoiser]
    hand_over: float

    @property
    def table(self) -> NoiseTable:
        base = self.base
        return table_for(base.sigma_min, base.sigma_max, base.parametrisation, base.shift)

    @property
    def sigma(self) -> float:
        return as_stated(self.hand_over, self.table)

    def halves(self, classes, rows: int) -> Halves:
        labels = torch.tensor([classes[k % len(classes)] for k in range(rows)])
        one, two = checked(self.first(labels)), checked(self.second(labels))
        return Halves(one, two, self.base.parametrisation)

    def truth(self) -> tuple[Halves, torch.Tensor, torch.Tensor]:
        """(the halves, noise and ends of the pair's own fine run) of held-out classes and seeds."""
        halves = self.halves(TEST_CLASSES, TEST_ROWS)
        noise = noise_for(self.base.latent_shape, TEST_ROWS, TEST_SEED, torch.device("cpu"))
        low, high = self.base.sigma_min, self.base.sigma_max
        grid, place = grid_through(low, high, self.sigma, halves.process, FINE_NODES)
        return halves, noise, pair_teacher(halves, noise, grid, place).end


def subjects() -> Iterator[PairSubject]:
    """The pairs, one after another: a student is trained when it is first needed."""
    for kind, late in (("flow", 0.6), ("eps", 0.2)):
        base = load_checkpoint(kind)
        guided = at(base, CFG)
        hand_overs = (0.875, late) if kind == "flow" else (late, 0.5)
        for hand_over in hand_overs:
            yield PairSubject(f"{kind} 3 > 1", base, guided, at(base, 1.0), hand_over)
            yield PairSubject(f"{kind} > student", base, guided, student(kind), hand_over)
            yield PairSubject(f"{kind} > other", base, guided, at(other(kind), CFG), hand_over)


def at(checkpoint: Checkpoint, cfg: float) -> Callable[[torch.Tensor], Denoiser]:
    return lambda labels: checkpoint.denoiser(labels, cfg)


@cache
def other(kind: str) -> Checkpoint:
    """Other weights: the checkpoint's own with noise of a twentieth of each tensor's spread."""
    found = load_checkpoint(kind)
    generator = torch.Generator().manual_seed(1)
    for weight in found.model.parameters():
        if weight.ndim > 1:
            weight.data += 0.05 * weight.std() * torch.randn(weight.shape, generator=generator)
    return found


@cache
def student(kind: str) -> Callable[[torch.Tensor], Denoiser]:
    """A guidance-distilled twin: one evaluation answers what the base answers with two at CFG.

    Trained on noised pictures that the base drew (Meng et al., arXiv 2210.03142, stage one).
    """
    base, twin = load_checkpoint(kind), copy.deepcopy(load_checkpoint(kind))
    twin.model.requires_grad_(True)
    optimiser = torch.optim.Adam(twin.model.parameters(), lr=5e-4)
    generator = torch.Generator().manual_seed(7)
    shape, flow = base.latent_shape, base.parametrisation == "flow"
    drawn = _drawn(base, generator)
    logs = np.log([max(base.sigma_min, 0.01), base.sigma_max])
    for _ in range(STUDENT_STEPS[kind]):
        rows = torch.randint(len(drawn[0]), (STUDENT_ROWS,), generator=generator)
        x0, labels = drawn[0][rows], drawn[1][rows]
        u = torch.rand(STUDENT_ROWS, generator=generator)
        sigma = u.clamp(0.01, 1) if flow else torch.exp(logs[0] + u * (logs[1] - logs[0])).float()
        s = sigma.view(-1, *[1] * len(shape))
        noise = torch.randn(STUDENT_ROWS, *shape, generator=generator)
        x = ((1 - s) * x0 if flow else x0) + s * noise
        with torch.no_grad():
            wanted = base.denoiser(labels, CFG)(x, sigma)
        found = _with_gradient(twin, labels)(x, sigma)
        weight = 1 / s.clamp(min=0.05) ** 2
        loss = ((found - wanted) ** 2 * weight).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    twin.model.requires_grad_(False)
    return at(twin, 1.0)


def _with_gradient(twin: Checkpoint, labels: torch.Tensor) -> Denoiser:
    asked = digits.conditioning(labels)
    predict = Checkpoint.predict.__wrapped__  # without its torch.no_grad
    return lambda x, sigma: predict(twin, x, sigma, *asked)


def _drawn(base: Checkpoint, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    from scheduler.samplers import sample
    from scheduler.sigmas import log_snr_grid

    labels = torch.arange(200) % 10
    noise = torch.randn(200, *base.latent_shape, generator=generator)
    grid = log_snr_grid(base.sigma_min, base.sigma_max, 16, base.parametrisation)
    return sample(base.denoiser(labels, CFG), noise * grid[0], grid, "dpmpp_2m"), labels
