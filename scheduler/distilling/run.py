"""`distill`: the one entry that runs the whole pipeline under a budget of model calls, with
progress, cancel and resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from .. import evidence
from ..denoiser import Denoiser
from ..files import PathLike
from ..record import Conditions, Model, Recipe, Record, now
from ..record.provenance import EVIDENCE, RECIPES, RECORDING, Stages, provenance_of
from ..rows import in_batches, noise_for
from ..version import VERSION
from .candidates import recipes_of
from .meter import Meter, Metered, Progress
from .plan import Plan, plan_for
from .recording import SOLVER, recorded
from .request import Job, checked_budget, checked_denoisers, checked_samples, job_of
from .resume import Shelf

EVIDENCE_SEED = 1_000_003  # added to the seed: held-out noise
EVIDENCE_ROWS = 8


def distill(
    denoise: Denoiser | Sequence[Denoiser],
    latent_shape: Sequence[int],
    sigma_max: float = 1.0,
    sigma_min: float = 0.002,
    parametrisation: str = "flow",
    samplers: Sequence[str] = ("euler", "dpmpp_2m", "distilled"),
    steps: Sequence[int] = range(4, 13),
    budget: int = 4000,
    evidence_budget: int | None = None,
    conditions: Conditions | None = None,
    evidence_denoise: Denoiser | None = None,
    samples: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    resume: PathLike | None = None,
    on_plan: Callable[[Plan], None] | None = None,
) -> Record:
    """Distil the recipes of a model: for every sampler and step count the schedule, and what else
    it needs, nearest to the teacher's end.

    denoise: callable(x (B, ...), sigma (B,)) -> x0, or a sequence of them, each with a trajectory
    set of its own (several prompts). latent_shape: one sample's. sigma_max, sigma_min: the model's
    range; schedules start at sigma_max and end at 0. parametrisation: "flow" or "ve". budget: most
    model calls (one evaluation for one sample) for teacher, fits and guard together;
    evidence_budget: the same for the evidence (0: none; None: as much again as budget at most, but
    enough to measure one step count). conditions: what the record says of cfg, prompts, patches,
    and the table's shift. evidence_denoise: the same model under held-out conditioning. samples:
    rows per trajectory set (None: as many as the budget allows). progress(done, planned, phase)
    follows every model call; should_stop() is asked before and after each; resume: a folder that
    keeps finished parts for the next run; on_plan hears the plan before anything runs.

    The record's provenance counts what its parts cost, in whichever run they were made. Raises
    StepDistillError subclasses, all but the last two before the first model call: SigmaRangeError,
    UnknownNameError, StepsError, BudgetError, ScheduleError (latent_shape), RecordError (conditions
    and seed that no record can hold), OutputError, DenoiserError, Stopped.
    """
    began = time.monotonic()
    conditions = conditions or Conditions()
    job = job_of(
        denoise,
        latent_shape,
        sigma_max,
        sigma_min,
        parametrisation,
        samplers=samplers,
        steps=steps,
        shift=conditions.shift,
        seed=seed,
    )
    conditions = _conditions(job, conditions)
    (held_out,) = checked_denoisers(evidence_denoise or job.denoisers[0])
    plan = plan_job(job, budget, evidence_budget, samples)
    _check_recordable(job, conditions)
    meter = Meter(plan.calls + plan.evidence, progress, should_stop)
    shelf = Shelf(resume, _key(job, plan), lambda: meter.done)
    if on_plan is not None:
        on_plan(plan)
    made = recorded(job, plan, meter, shelf, torch.device(device))
    stages = Stages(lambda: meter.done + shelf.earlier)
    rows = plan.rows * plan.sets
    stages.end(RECORDING, rows=rows, seed=job.seed)
    recipes: list[Recipe] = []
    for sampler in job.samplers:
        meter.phase = sampler
        recipes += recipes_of(made, plan, sampler, job.steps)
        stages.end(RECIPES, sampler=sampler, steps=list(job.steps), rows=rows)
    recipes, summary = _evidence(job, plan, meter, shelf, recipes, held_out, torch.device(device))
    stages.end(EVIDENCE, rows=_evidence_rows(plan), seed=job.seed + EVIDENCE_SEED)
    planned = {"steps": list(job.steps), "samplers": list(job.samplers), **plan.data}
    return Record(
        _model(job, conditions),
        conditions,
        _teacher(plan),
        tuple(recipes),
        summary,
        provenance_of(stages.done, planned, time.monotonic() - began),
        made.gram,
    )


def plan_job(job: Job, budget: int, evidence_budget: int | None, samples: int | None) -> Plan:
    """The plan of a job; raises BudgetError."""
    budget = checked_budget(budget)
    if evidence_budget is not None:
        checked_budget(evidence_budget, "evidence budget")
    plan = plan_for(
        job.samplers,
        job.steps,
        budget,
        sets=len(job.denoisers),
        samples=checked_samples(samples),
        elements=math.prod(job.latent_shape),
    )
    if evidence_budget is None:
        evidence_budget = _usual_evidence(job, plan, budget)
    return replace(plan, evidence=evidence_budget)


def _usual_evidence(job: Job, plan: Plan, budget: int) -> int:
    """As much again as the budget at most, but enough for one step count: a recipe without any
    evidence is worth little."""
    least = evidence.least_budget(job.samplers, job.steps, _evidence_rows(plan))
    return max(least, min(evidence.default_budget(job.samplers, job.steps, EVIDENCE_ROWS), budget))


def _evidence_rows(plan: Plan) -> int:
    """EVIDENCE_ROWS, rounded up to whole batches."""
    return -(-EVIDENCE_ROWS // plan.rows) * plan.rows


def _key(job: Job, plan: Plan) -> tuple:
    """All that finished parts depend on, but for the model, which `_same_model` asks."""
    model = job.latent_shape, job.sigma_max, job.sigma_min, job.process, job.table.shift
    return VERSION, *model, job.seed, len(job.denoisers), plan.rows, plan.effort


def _check_recordable(job: Job, conditions: Conditions) -> None:
    """Raise RecordError, before any work, for what no record can hold."""
    provenance = {"version": VERSION, "created": now(), "model_calls": 0}
    Record(_model(job, conditions), conditions, None, (), {}, provenance).to_json()


def _evidence(
    job: Job,
    plan: Plan,
    meter: Meter,
    shelf: Shelf,
    recipes: list[Recipe],
    denoise: Denoiser,
    device: torch.device,
) -> tuple[list[Recipe], dict]:
    meter.phase = "evidence"
    if plan.evidence == 0:
        return recipes, {}
    noise = noise_for(job.latent_shape, _evidence_rows(plan), job.seed + EVIDENCE_SEED, device)
    model = Metered(in_batches(denoise, plan.rows), meter)
    measured = evidence.measure(
        model,
        noise,
        recipes,
        job.table,
        job.process,
        plan.evidence,
        sigma_min=job.sigma_min,
        finished=shelf.finished,
    )
    return measured.recipes, measured.summary


def _model(job: Job, conditions: Conditions) -> Model:
    return Model.of(conditions, job.process, job.sigma_min, job.sigma_max)


def _conditions(job: Job, given: Conditions) -> Conditions:
    """The conditions with what the job knows where they state nothing."""
    return replace(
        given,
        latent_shape=job.latent_shape if given.latent_shape is None else given.latent_shape,
        prompts=len(job.denoisers) if given.prompts is None else given.prompts,
        seed=job.seed if given.seed is None else given.seed,
    )


def _teacher(plan: Plan) -> dict:
    return {
        "solver": SOLVER,
        "nodes": plan.effort.nodes,
        "grid": "log_snr",
        "samples": plan.rows * plan.sets,
    }
