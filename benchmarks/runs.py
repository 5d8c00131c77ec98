"""One distillation of a subject, as the tables and pictures take it."""

from __future__ import annotations

import math
import time

from benchmarks.subjects import Subject
from scheduler.distilling.plan import plan_for
from scheduler.distilling.run import distill
from scheduler.record import Record

STEPS = tuple(range(4, 13))


def run(
    of: Subject, samplers, budget: int, seed: int = 0, steps=STEPS, samples: int | None = None
) -> tuple[Record, dict]:
    """One distillation on the fitting classes, without evidence: the record, and what it cost."""
    elements = math.prod(of.latent_shape)
    rows = plan_for(samplers, steps, budget, samples=samples, elements=elements).rows
    low, high = of.sigma_range
    began = time.perf_counter()
    record = distill(
        of.fitting(rows),
        of.latent_shape,
        high,
        low,
        of.parametrisation,
        samplers=samplers,
        steps=steps,
        budget=budget,
        evidence_budget=0,
        conditions=of.conditions,
        samples=rows,
        seed=seed,
    )
    seconds = time.perf_counter() - began
    about = {
        "samplers": list(samplers),
        "budget": budget,
        "calls": record.provenance["model_calls"],
        "seconds": seconds,
        "rows": rows,
        "plan": record.provenance["plans"][0],
    }
    return record, about
