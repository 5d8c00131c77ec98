"""`distill`: the one entry that runs the whole pipeline under a budget of model calls, with
progress, cancel and resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from .. import evidence
from ..denoiser import Denoiser
from ..files import PathLike
from ..fit.teacher import record_teacher
from ..fit.trajectories import TrajectorySet
from ..record import Conditions, Model, Recipe, Record, now
from ..record.provenance import EVIDENCE, RECIPES, RECORDING, Stages, provenance_of
from ..search.gram import Gram, gram_of, merge
from ..sigmas import log_snr_grid
from ..version import VERSION
from .candidates import recipes_of
from .experiments import Experiments
from .meter import Meter, Metered, Progress
from .plan import Plan, plan_for
from .request import Job, checked_budget, checked_denoisers, checked_samples, job_of
from .resume import Shelf

EVIDENCE_SEED = 1_000_003  # added to the seed: held-out noise
EVIDENCE_ROWS = 8
SOLVER = "adams3"
SAME_MODEL = 1e-2  # relative: a resumed model's prediction against the recorded one


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
    began, conditions, device = time.monotonic(), conditions or Conditions(), torch.device(device)
    job = job_of(
        denoise,
        latent_shape,
        sigma_max,
        sigma_min,
        parametrisation,
        samplers,
        steps,
        conditions.shift,
        seed,
    )
    (held_out,) = checked_denoisers(evidence_denoise or job.denoisers[0])
    plan, conditions = plan_job(job, budget, evidence_budget, samples), _conditions(job, conditions)
    _check_recordable(job, conditions)
    meter = Meter(plan.calls + plan.evidence, progress, should_stop)
    shelf = Shelf(resume, _key(job, plan), lambda: meter.done)
    if on_plan is not None:
        on_plan(plan)
    made = _record(job, plan, meter, shelf, device)
    stages = Stages(lambda: meter.done + shelf.earlier)
    rows = plan.rows * plan.sets
    stages.end(RECORDING, rows=rows, seed=job.seed)
    recipes: list[Recipe] = []
    for sampler in job.samplers:
        meter.phase = sampler
        recipes += recipes_of(made, plan, sampler, job.steps)
        stages.end(RECIPES, sampler=sampler, steps=list(job.steps), rows=rows)
    recipes, summary = _evidence(job, plan, meter, shelf, recipes, held_out, device)
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
    sizes = {
        "sets": len(job.denoisers),
        "samples": checked_samples(samples),
        "elements": math.prod(job.latent_shape),
    }
    plan = plan_for(job.samplers, job.steps, budget, **sizes)
    return replace(
        plan,
        evidence=_usual_evidence(job, plan, budget) if evidence_budget is None else evidence_budget,
    )


def _usual_evidence(job: Job, plan: Plan, budget: int) -> int:
    """As much again as the budget at most, but enough for one step count: a recipe without any
    evidence is worth little."""
    least = evidence.least_budget(job.samplers, job.steps, _evidence_rows(plan))
    return max(least, min(evidence.default_budget(job.samplers, job.steps, EVIDENCE_ROWS), budget))


def _evidence_rows(plan: Plan) -> int:
    """EVIDENCE_ROWS, rounded up to whole batches."""
    return -(-EVIDENCE_ROWS // plan.rows) * plan.rows


def noise_for(shape: Sequence[int], rows: int, seed: int, device: torch.device) -> torch.Tensor:
    """Unit Gaussian noise (rows, ...), drawn on the CPU: equal on every machine and device."""
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed)).to(device)


def _key(job: Job, plan: Plan) -> tuple:
    """All that finished parts depend on, but for the model, which `_same_model` asks."""
    model = job.latent_shape, job.sigma_max, job.sigma_min, job.parametrisation, job.table.shift
    return VERSION, *model, job.seed, len(job.denoisers), plan.rows, plan.effort


def _check_recordable(job: Job, conditions: Conditions) -> None:
    """Raise RecordError, before any work, for what no record can hold."""
    provenance = {"version": VERSION, "created": now(), "model_calls": 0}
    Record(_model(job, conditions), conditions, None, (), {}, provenance).to_json()


def _record(job: Job, plan: Plan, meter: Meter, shelf: Shelf, device: torch.device) -> Experiments:
    meter.phase = "teacher"
    grid = log_snr_grid(job.sigma_min, job.sigma_max, plan.effort.nodes, job.parametrisation)
    models = [Metered(denoise, meter) for denoise in job.denoisers]
    sets, grams = zip(
        *(
            _trajectories(job, plan, model, shelf, grid, k, device)
            for k, model in enumerate(models)
        ),
        strict=True,
    )
    return Experiments(job, list(sets), merge(grams), shelf, job.steps[-1])


def _trajectories(
    job: Job,
    plan: Plan,
    model: Metered,
    shelf: Shelf,
    grid: np.ndarray,
    index: int,
    device: torch.device,
) -> tuple[TrajectorySet, Gram]:
    """One set of the teacher's trajectories: recorded now, or taken up from an earlier run if the
    model still answers as it did."""
    noise = noise_for(job.latent_shape, plan.rows, job.seed + index, device)
    name, count = f"teacher-{index}", 2 * len(grid) - 1
    kept = shelf.load_tensors(name)
    if kept is not None and _same_model(model, noise, kept, grid):
        vectors = [kept[str(k)] for k in range(count)]
        gram = gram_of(grid, torch.stack([vector.flatten(1) for vector in vectors]))
        shelf.earlier += (
            plan.costs["teacher"] // plan.sets - plan.rows
        )  # less the query that told the model
    else:
        shelf.clear()
        teacher = record_teacher(model, noise, grid, job.parametrisation, SOLVER, keep_states=True)
        vectors, gram = [*teacher.states, *teacher.predictions], teacher.gram
        shelf.save_tensors(name, {str(k): vector for k, vector in enumerate(vectors)})
    model.remember(vectors[0].to(device), float(grid[0]), vectors[len(grid)].to(device))
    return TrajectorySet(model, noise, grid, vectors, fit_rows(plan.rows, plan.sets, index)), gram


def _same_model(
    model: Metered, noise: torch.Tensor, kept: dict[str, torch.Tensor], grid: np.ndarray
) -> bool:
    """Whether the model answers one of the recorded queries as it did: one where guidance and
    conditioning tell, and details begin to."""
    node = len(grid) // 6
    x, answered = kept.get(str(node)), kept.get(str(len(grid) + node))
    if (
        len(kept) != 2 * len(grid) - 1
        or x is None
        or answered is None
        or any(each.shape != noise.shape for each in kept.values())
    ):
        return False
    now_answered = model(x.to(noise.device), float(grid[node])).float().cpu()
    return bool((now_answered - answered).norm() <= SAME_MODEL * answered.norm())


def fit_rows(rows: int, sets: int = 1, index: int = 0) -> np.ndarray:
    """(rows,) bool: which rows of a set the fits use; from eight rows of all sets up a fifth stays
    unseen, for the guard."""
    every = rows * sets
    return np.arange(rows) * sets + index < every - (every // 5 if every >= 8 else 0)


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
        job.parametrisation,
        plan.evidence,
        sigma_min=job.sigma_min,
        finished=shelf.finished,
    )
    return measured.recipes, measured.summary


def in_batches(denoise: Denoiser, rows: int) -> Denoiser:
    """The denoiser for a multiple of its batch: its rows' conditioning is its own, so it is called
    for `rows` rows at a time."""

    def batched(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        parts = zip(x.split(rows), sigma.split(rows), strict=True)
        return (
            torch.cat([denoise(part, level) for part, level in parts])
            if len(x) > rows
            else denoise(x, sigma)
        )

    return batched


def _model(job: Job, conditions: Conditions) -> Model:
    return Model.of(conditions, job.parametrisation, job.sigma_min, job.sigma_max)


def _conditions(job: Job, conditions: Conditions) -> Conditions:
    known = {"latent_shape": job.latent_shape, "prompts": len(job.denoisers), "seed": job.seed}
    return replace(
        conditions,
        **{key: value for key, value in known.items() if getattr(conditions, key) is None},
    )


def _teacher(plan: Plan) -> dict:
    return {
        "solver": SOLVER,
        "nodes": plan.effort.nodes,
        "grid": "log_snr",
        "samples": plan.rows * plan.sets,
    }
