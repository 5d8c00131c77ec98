"""`measure`: the evidence of a record that has none, or less; a stage of its own, which goes on where
it was stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from .. import evidence
from ..denoiser import Denoiser
from ..errors import RecordError
from ..evidence.held_out import Ranked
from ..files import PathLike
from ..record import Record
from ..record.cfg_range import with_checks_of
from ..record.provenance import EVIDENCE, Stages
from ..rows import in_batches
from ..samplers.names import ON_PATHS
from ..sigmas import baselines
from .guard import ranked
from .meter import Meter, Metered, Progress
from .planning import EVIDENCE_ROWS, EVIDENCE_SEED
from .request import Request, checked_denoisers, request_of
from .resume import FinishedParts

PHASE = EVIDENCE


def measuring_calls(request: Request, every: bool = False, batch: int = 1) -> int:
    """Model calls at most, every row counted. every: beside all stock schedules, not the two that
    the record expects most of. batch: rows at a time."""
    rows = _rows(batch)
    scope = evidence.WHOLE if every else evidence.FEW
    asked = request.fitted, request.steps
    least = evidence.least_budget(*asked, rows, scope)
    return max(least, evidence.default_budget(*asked, rows, scope))


def plan_measuring(record: Record, every: bool = False, batch: int = 1) -> int:
    """The same for a record; raises RecordError for one that has nothing to be measured."""
    return measuring_calls(_request(record), every or record.gram is None, batch)


def measure(
    record: Record,
    denoise: Denoiser,
    every: bool = False,
    batch: int = 1,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    resume: PathLike | None = None,
    device: str | torch.device = "cpu",
) -> Record:
    """The record with the evidence of its recipes on held-out noise; the given one is left as it is.

    denoise: the record's model, best under other conditioning than it was fitted to. every, batch:
    as of `measuring_calls`. progress, should_stop, resume: as for `distill`. Raises RecordError,
    Stopped, DenoiserError and OutputError.
    """
    request = _request(record)
    every = every or record.gram is None
    calls, rows = measuring_calls(request, every, batch), _rows(batch)
    (denoiser,) = checked_denoisers(denoise)
    meter = Meter(calls, progress, should_stop)
    meter.phase = PHASE
    seed = request.seed + EVIDENCE_SEED
    recipes = [[each.sampler, each.steps, *each.sigmas] for each in record.recipes]
    key = (request.latent_shape, recipes, seed, rows, every)
    parts = FinishedParts(resume, ("measure", *key), lambda: meter.done)
    meter.restored = lambda: parts.earlier
    stages = Stages(lambda: meter.done + parts.earlier)
    found = evidence.measure(
        Metered(in_batches(request.weighed(denoiser), batch), meter),
        request.noise(rows, seed, torch.device(device)),
        record.recipes,
        request.table,
        request.process,
        calls,
        sigma_min=request.sigma_min,
        finished=parts.finished,
        ranked=None if every else _ranked(record, request),
        streams=request.streams,
    )
    stages.end(EVIDENCE, rows=rows, seed=seed)
    about = record.provenance
    spent = sum(each["calls"] for each in stages.done)
    provenance = about | {
        "evidence_calls": about.get("evidence_calls", 0) + spent,
        "stages": [*about.get("stages", ()), *stages.done],
    }
    pairs = zip(found.recipes, record.recipes, strict=True)
    kept = tuple(with_checks_of(measured, before) for measured, before in pairs)
    return replace(record, recipes=kept, evidence=found.summary, provenance=provenance)


def _rows(batch: int) -> int:
    """EVIDENCE_ROWS, rounded up to whole batches."""
    return -(-EVIDENCE_ROWS // batch) * batch


def _ranked(record: Record, request: Request) -> Ranked:
    gram, start = record.gram, request.table.sigma_max
    assert gram is not None

    def names(sampler: str, steps: int) -> list[str]:
        known = baselines(request.table, steps, request.sigma_min, start)
        return ranked(gram, sampler, known, start)

    return names


def _request(record: Record) -> Request:
    """What was asked when the record was made, of the recipes that can be measured."""
    model, conditions = record.model, record.conditions
    samplers = dict.fromkeys(each.sampler for each in record.recipes)
    measurable = [name for name in samplers if name not in ON_PATHS]
    if conditions.latent_shape is None or not measurable:
        raise RecordError(
            "There is nothing to measure in this record: it does not say the shape of its latents, "
            "or has no recipe of a sampler that is measured so."
        )
    return request_of(
        [lambda x, sigma: x],
        conditions.latent_shape,
        model.sigma_max,
        model.sigma_min,
        model.parametrisation,
        samplers=measurable,
        steps=sorted({each.steps for each in record.recipes}),
        shift=conditions.shift,
        seed=conditions.seed or 0,
        noise_scale=conditions.noise_scale,
        streams=conditions.streams,
    )
