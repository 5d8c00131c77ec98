"""A job's work in this process: its model is opened as `distill` opens it, and distilled into the store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..distilling.already import serves
from ..errors import PlanError, StepDistillError
from ..lookup.key import Key
from ..lookup.match import EXACT
from ..record import Conditions, Record
from ..store import Store
from .attempt import Made, Watched
from .jobs import Job
from .ledger import Ledger

if TYPE_CHECKING:
    from ..checkpoints.asked import Asked
    from ..denoiser import Denoiser

NEEDS_DIFFUSERS = (
    "This job needs diffusers and transformers, which this Python lacks ({name}); "
    "run: pip install diffusers transformers accelerate"
)


def distilled_here(job: Job, ledger: Ledger, watched: Watched) -> Made:
    """The record of a job, in the store; what an earlier attempt paid for is not paid again. Raises
    StepDistillError subclasses."""
    return (
        _checkpoint(job, ledger, watched)
        if job.model.checkpoint
        else _pipeline(job, ledger, watched)
    )


def _checkpoint(job: Job, ledger: Ledger, watched: Watched) -> Made:
    """With the library's own `distill`."""
    from ..checkpoints.asked import USUAL_CFG, asked_checkpoint
    from ..distilling.run import distill

    model, store = job.model, ledger.store
    if job.size is not None:
        raise PlanError(f"{job.title} draws at one size alone; leave sizes out.")
    cfg = USUAL_CFG if job.cfg is None else job.cfg
    asked = asked_checkpoint(model.checkpoint, cfg, device=job.device)
    conditions = asked.conditions(cfg, model.seed)
    if model.name:
        conditions = replace(conditions, name=model.name)
    found = _there(ledger, asked, job, conditions)
    if found is not None:
        return found
    record = distill(
        *_of_model(asked),
        samplers=model.samplers,
        steps=model.steps,
        effort=job.effort,
        evidence_budget=None if model.measure else 0,
        samples=model.samples,
        seed=model.seed,
        conditions=conditions,
        evidence_denoise=asked.evidence_denoise,
        device=job.device,
        progress=watched.progress,
        should_stop=watched.should_stop,
        resume=ledger.work_folder(job),
        on_record=partial(_keep_so_far, store),
    )
    return Made(record, store.put(record))


def _keep_so_far(store: Store, record: Record) -> None:
    """The record is usable from its first recipe on; what cannot be kept is said at the end."""
    with suppress(StepDistillError):
        store.put(record)


def _there(ledger: Ledger, asked: Asked, job: Job, conditions: Conditions) -> Made | None:
    """The store's record of these very conditions, where it has all that is asked for."""
    from ..distilling.planning import plan_request
    from ..distilling.request import request_of

    match = ledger.store.lookup(_key(asked, conditions), "exact")
    if match is None or match.kind != EXACT or match.name is None or begun(ledger, job):
        return None
    model = job.model
    request = request_of(
        *_of_model(asked),
        samplers=model.samplers,
        steps=model.steps,
        shift=conditions.shift,
        seed=model.seed,
    )
    planned = plan_request(request, None, 0, model.samples, job.effort).calls
    if not serves(match.record, model.samplers, model.steps, planned):
        return None
    if model.measure and "curve" not in match.record.evidence:
        return None
    return Made(match.record, match.name, found=True)


def _of_model(asked: Asked) -> tuple[Denoiser, tuple[int, ...], float, float, str]:
    """What distilling is told of a model, in its order."""
    top, least = asked.sigma_max, asked.sigma_min
    return asked.denoise, asked.latent_shape, top, least, asked.parametrisation


def _key(asked: Asked, conditions: Conditions) -> Key:
    return Key(
        asked.fingerprint,
        asked.parametrisation,
        asked.sigma_min,
        asked.sigma_max,
        asked.prediction,
        asked.shift,
        conditions.cfg,
        latent_shape=asked.latent_shape,
    )


def begun(ledger: Ledger, job: Job) -> bool:
    """Whether an earlier attempt was stopped in the middle: what the store has then is not all of it."""
    return ledger.work_folder(job).is_dir()


def _pipeline(job: Job, ledger: Ledger, watched: Watched) -> Made:
    """Through a diffusers pipeline's own call."""
    try:
        from ..diffusers import distill_pipeline
        from ..diffusers.loading import call_for
    except ModuleNotFoundError as missing:
        raise PlanError(NEEDS_DIFFUSERS.format(name=missing.name)) from missing
    from ..distilling.effort import effort_named

    model = job.model
    if not model.prompts:
        raise PlanError(f"{job.title} needs prompts: a list of them, or a file with one a line.")
    pipe = _BENCH.opened(job)
    call = call_for(pipe, job.size, job.cfg, model.guidance, model.negative or None, model.frames)
    rows = model.samples or effort_named(job.effort).rows
    asked: list[Record] = []
    record = distill_pipeline(
        pipe,
        model.prompts[:rows],
        model.steps,
        samplers=model.samplers,
        effort=job.effort,
        evidence_budget=None if model.measure else 0,
        samples=model.samples,
        seed=model.seed,
        store=ledger.store,
        again=begun(ledger, job),
        resume=ledger.work_folder(job),
        name=model.name or None,
        progress=watched.progress,
        should_stop=watched.should_stop,
        on_record=asked.append,
        **call,
    )
    return Made(record, _name_of(ledger, record), found=not asked)


def _name_of(ledger: Ledger, record: Record) -> str:
    """Where the store has a record that was just kept there, or found."""
    match = ledger.store.lookup(Key.of(record), "exact")
    if match is None or match.name is None:
        raise PlanError("The record was removed from the store while its job ran; start again.")
    return match.name


@dataclass
class _Bench:
    """The pipeline that was opened last: jobs of one model follow each other."""

    what: tuple = ()
    pipe: Any = None

    def opened(self, job: Job) -> Any:
        from ..diffusers.loading import load_pipeline

        model = job.model
        what = (model.pipeline, model.config, model.dtype, job.device, model.offload)
        if what != self.what:
            self.pipe = None  # before the next one needs the room
            self.what = ()
            self.pipe = load_pipeline(
                model.pipeline,
                model.config or None,
                model.dtype or None,
                job.device,
                model.offload or None,
            )
            self.what = what
        return self.pipe


_BENCH = _Bench()
