"""A teacher that was stopped on its way goes on with the answers that it has paid for, where the model
still answers so."""

from __future__ import annotations

import torch

from ..denoiser import ScalarDenoiser
from .meter import Metered
from .resume import FinishedParts

SAME_MODEL = 1e-2  # relative: a resumed model's prediction against the recorded one


class AnotherModel(Exception):
    """The kept answers are not this model's. Never leaves this package."""


class Replayed(ScalarDenoiser):
    """Passes queries on to a model that gives kept answers first. Before the first query that has to be
    asked, one of the kept is asked again: the one numbered `node`, or the last before it. Raises
    AnotherModel where the answer is another."""

    def __init__(self, model: Metered, parts: FinishedParts, index: int, node: int):
        self.model, self.parts, self.index, self.node = model, parts, index, node
        self._asked = 0
        self._checked = False
        self._kept: tuple[torch.Tensor, float, torch.Tensor] | None = None

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        kept = not self._checked and self.parts.knows(self.index, x, sigma)
        if not kept:
            self.check()
        denoised = self.model(x, sigma)
        self.calls += len(x)
        if kept and self._asked <= self.node:
            self._kept = x.clone(), sigma, denoised.clone()
        self._asked += 1
        return denoised

    def fresh(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """An answer asked for now, whatever was kept, once the kept ones are known to be its own."""
        self.check()
        return self.model.fresh(x, sigma)

    def check(self) -> None:
        """Ask the kept query again, unless that was done or none is kept."""
        if self._checked:
            return
        self._checked = True
        if self._kept is None:
            return
        x, sigma, answered = self._kept
        self.parts.earlier -= len(x)  # it was paid, and is paid again: the account has it once
        if not same_answer(self.model.fresh(x, sigma), answered):
            raise AnotherModel


def same_answer(answer: torch.Tensor, kept: torch.Tensor) -> bool:
    """Whether a model answers as it did."""
    apart = answer.float().cpu() - kept.float().cpu()
    return bool(apart.norm() <= SAME_MODEL * kept.float().norm())
