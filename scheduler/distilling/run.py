"""`distill`: the one entry that runs the whole pipeline under a budget of model calls, with
progress, cancel and resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from .. import evidence
from ..denoiser import Denoiser
from ..errors import Stopped
from ..evidence.stochastic import PathPlan
from ..files import PathLike
from ..fit.candidate import Candidate, candidate_of
from ..record import SAME_START, Conditions, Model, Recipe, Record, now
from ..record.provenance import (
    EVIDENCE,
    RECIPES,
    RECORDING,
    REFINEMENT,
    Stages,
    provenance_of,
)
from ..recordings import Recording
from ..rows import in_batches
from ..version import VERSION
from .candidates import recipes_of
from .effort import INSTANT, effort_named
from .experiments import Experiments
from .first_answer import first_answer
from .meter import Meter, Metered, Progress
from .on_paths import path_recipes
from .plan import Plan
from .planning import EVIDENCE_SEED, affordable, evidence_rows, plan_request, starts_below
from .recording import SOLVER, recorded
from .recordings import check_usable, grouped, learnt_from, start_of
from .request import Request, checked_denoisers, request_of
from .resume import FinishedParts
from .searches import Search, refined_together
from .wishes import Wish, wishes_of


def distill(
    denoise: Denoiser | Sequence[Denoiser],
    latent_shape: Sequence[int],
    sigma_max: float = 1.0,
    sigma_min: float = 0.002,
    parametrisation: str = "flow",
    samplers: Sequence[str] = ("distilled",),
    steps: Sequence[int] | int = 6,
    budget: int | None = None,
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
    effort: str = INSTANT,
    start_sigma: float | None = None,
    on_record: Callable[[Record], None] | None = None,
    recordings: Sequence[Recording] = (),
    starts: Sequence[Recipe] = (),
) -> Record:
    """Distil the recipes of a model: for every sampler and step count the schedule, and what else
    it needs, nearest to the teacher's end.

    denoise: callable(x (B, ...), sigma (B,)) -> x0, or a sequence of them, each with a trajectory
    set of its own (several prompts). latent_shape: one sample's. sigma_max, sigma_min: the model's
    range; schedules start at sigma_max (start_sigma: below it) and end at 0. parametrisation:
    "flow" or "ve". effort: "instant", "standard" or "thorough"; or budget: most model calls (one
    evaluation for one sample) for teacher, fits and guard together. evidence_budget: the same for
    the evidence on held-out rows (0: none; None: none for `instant`, whose own rows say what it is
    worth; else as much again as the budget at most, but enough to measure one step count).
    conditions: what the record says of cfg, prompts, patches, and the table's shift.
    evidence_denoise: the same model under held-out conditioning. samples: rows per trajectory set
    (None: as many as the budget allows). recordings: runs made anyway (`Recording`), the teacher
    then: one denoiser for all, or one for each; the first of them alone
    where the budget is for no more. starts: recipes of a related model (kin/), run among the starts of
    their sampler and steps where the plan has a run for them. progress(done, planned, phase) follows every
    model call; should_stop() is asked before and after each; resume: a folder that keeps finished parts
    for the next run; on_plan hears the plan before anything runs; on_record the record whenever a
    stage has made it better: it is usable from the first time on.

    The record's provenance counts what its parts cost, in whichever run they were made. Raises
    StepDistillError subclasses, all but the last three before the first model call:
    SigmaRangeError, UnknownNameError, StepsError, BudgetError, ScheduleError (latent_shape),
    RecordError (conditions and seed that no record can hold), OutputError, RecordingError,
    DenoiserError, and Stopped, which carries the record as it stood.
    """
    conditions = conditions or Conditions()
    runs, denoisers = (
        grouped(recordings, checked_denoisers(denoise)) if recordings else ((), denoise)
    )
    if recordings and start_sigma is None:
        start_sigma = start_of(runs, sigma_max)
    request = request_of(
        denoisers,
        latent_shape,
        sigma_max,
        sigma_min,
        parametrisation,
        samplers=samplers,
        steps=steps,
        shift=conditions.shift,
        seed=seed,
        start_sigma=start_sigma,
        noise_scale=conditions.noise_scale,
        streams=conditions.streams,
    )
    conditions = settled_conditions(request, conditions)
    (held_out,) = request.denoisers[:1]
    if evidence_denoise is not None:
        (other,) = checked_denoisers(evidence_denoise)
        held_out = request.weighed(other)
    check_usable(request, runs)
    request, runs = affordable(request, runs, budget) if runs else (request, runs)
    plan = plan_request(request, budget, evidence_budget, samples, effort, runs)
    _check_recordable(request, conditions)
    meter = Meter(plan.calls + plan.evidence, progress, should_stop)
    parts = FinishedParts(resume, key_of(request, plan), lambda: meter.done)
    meter.restored = lambda: parts.earlier
    if on_plan is not None:
        on_plan(plan)
    run = Run(request, conditions, plan, meter, parts, torch.device(device), on_record, runs)
    run.starts = starts
    return run.whole(held_out, every=effort_named(effort).every)


class Run:
    """What the stages of one distillation share: its account, what they note of themselves, and the
    record as it stands. starts: recipes of a related model."""

    starts: Sequence[Recipe] = ()

    def __init__(
        self,
        request: Request,
        conditions: Conditions,
        plan: Plan,
        meter: Meter,
        parts: FinishedParts,
        device: torch.device,
        on_record: Callable[[Record], None] | None,
        recordings: Sequence[Recording] = (),
    ):
        self.recordings = recordings
        self.request, self.conditions, self.plan = request, conditions, plan
        self.device, self.meter, self.parts = device, meter, parts
        self.on_record = on_record
        self.began = time.monotonic()
        self.rows = plan.rows * plan.sets
        self.stages = Stages(lambda: meter.done + parts.earlier)
        self.record: Record | None = None
        self.searches: list[Search] = []
        self.recipes: list[Recipe] = []
        self._refining: Experiments | None = None

    def whole(self, held_out: Denoiser | None, every: bool) -> Record:
        """All stages; where it is stopped, Stopped carries the record of what is finished."""
        try:
            made = self.taught() if self.request.fitted else None
            if made is not None:
                self.fitted(made)
                if held_out is not None and self.plan.evidence:
                    self.measured(made, held_out, every)
            if held_out is not None and self.plan.paths is not None:
                self.on_paths(made, held_out, self.plan.paths)
        except Stopped as stop:
            if self._refining is not None:
                self.refined(self._refining)
            stop.record = self.record
            raise
        assert self.record is not None
        return self.record

    def taught(self) -> Experiments:
        """The teacher: recorded now, or the runs that were given."""
        about = (self.meter, self.parts, self.device)
        if self.recordings:
            made = learnt_from(self.request, self.recordings, *about)
            told = [each.description() for each in self.recordings]
            self.stages.end(RECORDING, rows=self.rows, recordings=told, **self.seen(made))
        else:
            made = recorded(self.request, self.plan, *about)
            about_rows = {"rows": self.rows, "seed": self.request.seed}
            self.stages.end(RECORDING, **about_rows, **self.seen(made))
        return made

    def seen(self, made: Experiments) -> dict:
        """What the first answer says of the model, where the runs began at the top of its noise."""
        top = min(each.sigmas[0] for each in made.sets)
        whole = abs(top / self.request.sigma_max - 1) <= SAME_START
        one_prompt = (self.conditions.prompts or 1) <= len(made.sets)  # in each set
        return {"first_answer": first_answer(made.sets, one_prompt)} if whole else {}

    def fitted(self, made: Experiments) -> None:
        """The recipes of every sampler: the starts first, after which the record is usable, then
        one run after another."""
        request, rows = self.request, self.rows
        for wish in wishes_of(request.fitted, request.steps):
            self.searches.append(self.search(made, wish))
        steps = list(request.steps)
        for sampler in dict.fromkeys(each.wish.sampler for each in self.searches):
            self.meter.phase = sampler
            for search in self.searches:
                if search.wish.sampler == sampler:
                    search.begin()
            self.stages.end(RECIPES, sampler=sampler, steps=steps, rows=rows)
        self._refining = made
        if self.on_record is not None:
            self.stands(made, self.found())
        self.meter.phase = REFINEMENT
        refined_together(self.searches, self.affords)
        self.refined(made)

    def search(self, made: Experiments, wish: Wish) -> Search:
        """The search for one recipe."""
        return Search(made, wish, self.searches, self.given(wish))

    def found(self) -> list[Recipe]:
        """The recipes as they are now."""
        return recipes_of(self.searches, self.request.fitted)

    def refined(self, made: Experiments) -> None:
        """The end of the refinement, or of as much of it as was let run."""
        self._refining = None
        went_on = self.stages.end(REFINEMENT, steps=list(self.request.steps), rows=self.rows)
        if went_on or self.record is None:
            self.stands(made, self.found())

    def given(self, wish: Wish) -> Sequence[Candidate]:
        """What an earlier record, or a related model's, has for a wish."""
        start = self.request.start_sigma
        found = [
            each
            for each in self.starts
            if (each.sampler, each.steps) == (wish.sampler, wish.steps)
            and each.choice.ours
            and (each.offsets is not None) == wish.shifted
            and abs(each.start_sigma / start - 1) <= SAME_START
        ]
        return [candidate_of(each, start) for each in found[: self.plan.runs]]

    def affords(self, wish: Wish) -> bool:
        """Whether one more run is within the plan."""
        spent = self.meter.done + self.parts.earlier
        most = wish.run + starts_below(self.request, self.recordings)  # where an offset moves it
        most = max(most, 1)  # a walk of one step may ask for another query than the first
        return spent + most * self.rows <= self.plan.calls

    def measured(self, made: Experiments, denoise: Denoiser, every: bool) -> None:
        """The evidence on held-out rows of a denoiser: the record has each step count's as soon as
        it is finished."""
        request, rows = self.request, evidence_rows(self.plan)
        self.meter.phase = EVIDENCE
        seed = request.seed + EVIDENCE_SEED
        noise = request.noise(rows, seed, self.device)

        def stands(found: evidence.Evidence) -> None:
            self.stages.end(EVIDENCE, rows=rows, seed=seed)
            self.stands(made, found.recipes, found.summary)

        found = evidence.measure(
            Metered(in_batches(denoise, self.plan.rows), self.meter),
            noise,
            self.recipes,
            request.table,
            request.process,
            self.plan.evidence,
            sigma_min=request.sigma_min,
            finished=self.parts.finished,
            ranked=None if every else made.ranked,
            on_found=stands,
            streams=request.streams,
        )
        stands(found)

    def teacher(self) -> dict:
        """Who is imitated, as the record says it."""
        if not self.recordings:
            about = {"solver": SOLVER, "nodes": self.plan.nodes, "grid": "log_snr"}
            return about | {"samples": self.rows}
        first = self.recordings[0]
        about = {"solver": first.sampler or "recorded", "nodes": first.steps, "grid": "recorded"}
        return about | {"samples": self.rows}

    def on_paths(self, made: Experiments | None, denoise: Denoiser, plan: PathPlan) -> None:
        """The stochastic samplers: their best schedules, measured."""
        record = self.record
        recipes = list(record.recipes) if record else []
        parts = self.request, plan, tuple(recipes), denoise, self.meter, self.parts, self.device
        for sampler, found in path_recipes(*parts):
            recipes += found
            about = {"sampler": sampler, "steps": list(plan.steps), "rows": plan.rows}
            self.stages.end(RECIPES, **about)
            self.stands(made, recipes, record.evidence if record else {})

    def stands(
        self, made: Experiments | None, recipes: list[Recipe], summary: dict | None = None
    ) -> None:
        """The record as it is now, told to who listens."""
        self.recipes = recipes
        self.record = self.made_of(made, recipes, self.searches, summary or {})
        if self.on_record is not None:
            self.on_record(self.record)

    def made_of(
        self,
        made: Experiments | None,
        recipes: Sequence[Recipe],
        searches: Sequence[Search],
        summary: dict,
    ) -> Record:
        """The record of these recipes."""
        request = self.request
        planned = {"steps": list(request.steps), "samplers": list(request.samplers)}
        seconds = time.monotonic() - self.began
        return Record(
            _model(request, self.conditions),
            self.conditions,
            self.teacher() if made is not None else None,
            tuple(recipes),
            summary,
            provenance_of(self.stages.done, planned | self.plan.data, seconds),
            made.gram if made is not None else None,
        )


def key_of(request: Request, plan: Plan) -> tuple:
    """All that finished parts depend on, but for the model, which `_same_model` asks."""
    model = (
        request.latent_shape,
        request.sigma_max,
        request.sigma_min,
        request.process,
        request.table.shift,
        request.noise_scale,
        request.streams,
    )
    return (
        VERSION,
        *model,
        request.seed,
        len(request.denoisers),
        plan.rows,
        plan.nodes,
        request.start_sigma,
    )


def _check_recordable(request: Request, conditions: Conditions) -> None:
    """Raise RecordError, before any work, for what no record can hold."""
    provenance = {"version": VERSION, "created": now(), "model_calls": 0}
    Record(_model(request, conditions), conditions, None, (), {}, provenance).to_json()


def _model(request: Request, conditions: Conditions) -> Model:
    return Model.of(conditions, request.process, request.sigma_min, request.sigma_max)


def settled_conditions(request: Request, given: Conditions) -> Conditions:
    """The conditions with what the request knows where they state nothing."""
    return replace(
        given,
        latent_shape=request.latent_shape if given.latent_shape is None else given.latent_shape,
        prompts=len(request.denoisers) if given.prompts is None else given.prompts,
        seed=request.seed if given.seed is None else given.seed,
    )
