"""One distillation of a subject, as the tables and pictures take it, its calls counted by the denoiser."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.subjects import Subject
from scheduler.distilling.run import distill
from scheduler.record import Record

STEPS = tuple(range(4, 13))


class Counted:
    """A denoiser that counts its model calls (one evaluation for one sample) and its own seconds."""

    def __init__(self, denoise: Callable):
        self.denoise = denoise
        self.calls = 0
        self.seconds = 0.0

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        began = time.perf_counter()
        answer = self.denoise(x, sigma)
        self.seconds += time.perf_counter() - began
        self.calls += len(x)
        return answer


def run(
    of: Subject,
    samplers: Sequence[str] = ("distilled",),
    steps: Sequence[int] | int = STEPS,
    seed: int = 0,
    prompts: Sequence[Callable] = (),
    **how,
) -> tuple[Record, dict]:
    """One distillation on the fitting classes, without evidence: the record, and what it cost.

    prompts: a denoiser for each recording (none: the seed's own for all). how: what else `distill`
    takes: `budget` or `effort`, `recordings`, ...
    """
    low, high = of.sigma_range
    counted = [Counted(each) for each in prompts or [of.fitting_any(seed)]]
    began = time.perf_counter()
    record = distill(
        counted if prompts else counted[0],
        of.latent_shape,
        high,
        low,
        of.parametrisation,
        samplers=tuple(samplers),
        steps=steps,
        evidence_budget=0,
        conditions=of.conditions,
        seed=seed,
        **how,
    )
    seconds = time.perf_counter() - began
    calls, inside = sum(each.calls for each in counted), sum(each.seconds for each in counted)
    plan = record.provenance["plans"][0] if record.provenance.get("plans") else {}
    about = {
        "samplers": list(samplers),
        "calls": calls,
        "evaluations": calls * of.evaluations,
        "seconds": seconds,
        "own_seconds": seconds - inside,
        "plan": plan,
    }
    return record, about
