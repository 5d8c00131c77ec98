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
from ..errors import BudgetError
from ..files import PathLike
from ..record import Conditions, Model, Recipe, Record, now
from ..record.provenance import EVIDENCE, RECIPES, RECORDING, Stages, provenance_of
from ..rows import in_batches, noise_for
from ..version import VERSION
from .candidates import recipes_of
from .effort import EFFORTS
from .experiments import Experiments
from .meter import Meter, Metered, Progress
from .on_paths import path_recipes, planned_paths
from .plan import Plan, plan_for
from .recording import SOLVER, recorded
from .request import Request, checked_budget, checked_denoisers, checked_samples, request_of
from .resume import FinishedParts

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
    request = request_of(
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
    conditions = _conditions(request, conditions)
    (held_out,) = checked_denoisers(evidence_denoise or request.denoisers[0])
    plan = plan_request(request, budget, evidence_budget, samples)
    _check_recordable(request, conditions)
    meter = Meter(plan.calls + plan.evidence, progress, should_stop)
    parts = FinishedParts(resume, _key(request, plan), lambda: meter.done)
    if on_plan is not None:
        on_plan(plan)
    run = _Run(request, plan, meter, parts, torch.device(device))
    made = recorded(request, plan, meter, parts, run.device) if request.fitted else None
    run.stages.end(RECORDING, rows=run.rows, seed=request.seed)
    recipes, summary = run.measured(run.recipes(made), held_out)
    recipes += run.on_paths(recipes, held_out)
    planned = {"steps": list(request.steps), "samplers": list(request.samplers), **plan.data}
    return Record(
        _model(request, conditions),
        conditions,
        _teacher(plan) if request.fitted else None,
        tuple(recipes),
        summary,
        provenance_of(run.stages.done, planned, time.monotonic() - began),
        made.gram if made is not None else None,
    )


class _Run:
    """What the stages of one distillation share: its account, and what they note of themselves."""

    def __init__(
        self,
        request: Request,
        plan: Plan,
        meter: Meter,
        parts: FinishedParts,
        device: torch.device,
    ):
        self.request, self.plan, self.device = request, plan, device
        self.meter, self.parts = meter, parts
        self.rows = plan.rows * plan.sets
        self.stages = Stages(lambda: meter.done + parts.earlier)

    def recipes(self, made: Experiments | None) -> list[Recipe]:
        """The recipes of every sampler that has a trajectory."""
        found: list[Recipe] = []
        steps = list(self.request.steps)
        for sampler in self.request.fitted:
            assert made is not None  # recorded for them
            self.meter.phase = sampler
            found += recipes_of(made, self.plan, sampler, steps)
            self.stages.end(RECIPES, sampler=sampler, steps=steps, rows=self.rows)
        return found

    def on_paths(self, made: list[Recipe], denoise: Denoiser) -> list[Recipe]:
        """The recipes of the stochastic samplers."""
        plan = self.plan.paths
        if plan is None:
            return []
        parts = self.request, plan, made, denoise, self.meter, self.parts, self.device
        found: list[Recipe] = []
        for sampler, recipes in path_recipes(*parts):
            found += recipes
            about = {"sampler": sampler, "steps": list(plan.steps), "rows": plan.rows}
            self.stages.end(RECIPES, **about)
        return found

    def measured(self, recipes: list[Recipe], denoise: Denoiser) -> tuple[list[Recipe], dict]:
        """(the recipes with their evidence, the record's own), on held-out rows of a denoiser."""
        if self.plan.evidence == 0 or not recipes:
            return recipes, {}
        request, rows = self.request, _evidence_rows(self.plan)
        self.meter.phase = "evidence"
        noise = noise_for(request.latent_shape, rows, request.seed + EVIDENCE_SEED, self.device)
        found = evidence.measure(
            Metered(in_batches(denoise, self.plan.rows), self.meter),
            noise,
            recipes,
            request.table,
            request.process,
            self.plan.evidence,
            sigma_min=request.sigma_min,
            finished=self.parts.finished,
        )
        self.stages.end(EVIDENCE, rows=rows, seed=request.seed + EVIDENCE_SEED)
        return found.recipes, found.summary


def plan_request(
    request: Request, budget: int, evidence_budget: int | None, samples: int | None
) -> Plan:
    """The plan of a request; raises BudgetError."""
    budget = checked_budget(budget)
    if evidence_budget is not None:
        checked_budget(evidence_budget, "evidence budget")
    plan = _whole_plan(request, budget, checked_samples(samples))
    if evidence_budget is None:
        evidence_budget = _usual_evidence(request, plan, budget)
    return replace(plan, evidence=evidence_budget)


def _whole_plan(request: Request, budget: int, samples: int | None) -> Plan:
    """The plan of all samplers, on as many rows as both kinds can afford."""
    plan = _fitting_plan(request, budget, samples)
    rows = plan.rows if request.fitted else samples
    try:
        paths = planned_paths(request, rows, budget, plan.calls)
    except BudgetError:
        if samples is not None or plan.rows == 1:
            raise
        return _whole_plan(request, budget, plan.rows // 2)
    if paths is None:
        return plan
    return replace(plan, rows=paths.rows, costs=plan.costs | paths.costs, paths=paths)


def _fitting_plan(request: Request, budget: int, samples: int | None) -> Plan:
    """The plan of the samplers that have a trajectory, for their share of the budget."""
    sets = len(request.denoisers)
    if not request.fitted:
        return Plan(EFFORTS[-1], sets, samples or 1, (), {}, 0)
    share = budget * len(request.fitted) // len(request.samplers)
    try:
        return plan_for(
            request.fitted,
            request.steps,
            share,
            sets=sets,
            samples=samples,
            elements=math.prod(request.latent_shape),
        )
    except BudgetError as problem:
        if not request.on_paths:
            raise
        raise BudgetError(
            f"Of {budget} model calls {share} are left beside {', '.join(request.on_paths)}. "
            f"{problem}"
        ) from problem


def _usual_evidence(request: Request, plan: Plan, budget: int) -> int:
    """As much again as the budget at most, but enough for one step count: a recipe without any
    evidence is worth little."""
    if not request.fitted:  # nothing but what is measured on paths
        return 0
    asked = request.fitted, request.steps
    least = evidence.least_budget(*asked, _evidence_rows(plan))
    return max(least, min(evidence.default_budget(*asked, EVIDENCE_ROWS), budget))


def _evidence_rows(plan: Plan) -> int:
    """EVIDENCE_ROWS, rounded up to whole batches."""
    return -(-EVIDENCE_ROWS // plan.rows) * plan.rows


def _key(request: Request, plan: Plan) -> tuple:
    """All that finished parts depend on, but for the model, which `_same_model` asks."""
    model = (
        request.latent_shape,
        request.sigma_max,
        request.sigma_min,
        request.process,
        request.table.shift,
    )
    return VERSION, *model, request.seed, len(request.denoisers), plan.rows, plan.effort


def _check_recordable(request: Request, conditions: Conditions) -> None:
    """Raise RecordError, before any work, for what no record can hold."""
    provenance = {"version": VERSION, "created": now(), "model_calls": 0}
    Record(_model(request, conditions), conditions, None, (), {}, provenance).to_json()


def _model(request: Request, conditions: Conditions) -> Model:
    return Model.of(conditions, request.process, request.sigma_min, request.sigma_max)


def _conditions(request: Request, given: Conditions) -> Conditions:
    """The conditions with what the request knows where they state nothing."""
    return replace(
        given,
        latent_shape=request.latent_shape if given.latent_shape is None else given.latent_shape,
        prompts=len(request.denoisers) if given.prompts is None else given.prompts,
        seed=request.seed if given.seed is None else given.seed,
    )


def _teacher(plan: Plan) -> dict:
    return {
        "solver": SOLVER,
        "nodes": plan.effort.nodes,
        "grid": "log_snr",
        "samples": plan.rows * plan.sets,
    }
