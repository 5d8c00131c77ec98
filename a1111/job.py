"""One distillation at a time, on a thread of its own: what it is asked, how far it is, what came of
it. The panel and the API share it."""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..scheduler.errors import OutputError, StepDistillError, Stopped
from .host import interrupted, on_main_thread, sampler_labels, say
from .host_denoiser import Stage
from .job_state import (
    DONE,
    FAILED,
    INTERRUPTED,
    QUALITY,
    RUNNING,
    WAITING,
    JobProgress,
    Wish,
    phase_words,
)

if TYPE_CHECKING:
    from ..scheduler.record import Record

NEARLY = 0.9999  # of sigma_max: a recipe of a whole run
FEW = 3  # evaluations after which the time is estimated; the first, which may load the model, is not counted


class Job:
    """The one job of this host."""

    def __init__(self):
        self.progress = JobProgress()
        self._lock, self._cancelled = threading.Lock(), False

    def start(self, wish: Wish) -> None:
        """Begin, as soon as the host is free; raises StepDistillError for what cannot be asked, and
        while another runs."""
        from ..scheduler.distilling.effort import effort_named
        from ..scheduler.distilling.request import checked_samplers, checked_steps

        checked_samplers(wish.samplers)
        checked_steps(wish.counts)
        effort_named(wish.quality)
        if not wish.scene.prompts:
            raise StepDistillError("No prompt was given; give at least one, which may be empty.")
        with self._lock:
            if self.progress.busy:
                raise StepDistillError(
                    "A distillation is running; interrupt it, or wait until it is done."
                )
            self.progress, self._cancelled = (
                JobProgress(WAITING, text="Waiting for the host to be free."),
                False,
            )
        threading.Thread(target=self._run, args=(wish,), daemon=True, name="stepdistill").start()

    def interrupt(self) -> None:
        """Stop at the next model call, or before the first; what is finished is taken up by the
        next run of the same wish."""
        from modules import shared

        self._cancelled = self.progress.state == WAITING
        if self.progress.state == RUNNING:
            shared.state.interrupt()

    def _run(self, wish: Wish) -> None:
        from modules import call_queue, shared

        began = time.monotonic()
        with call_queue.queue_lock:
            if self._cancelled:
                self.progress.state, self.progress.text = (
                    INTERRUPTED,
                    "Interrupted before it began.",
                )
                return
            shared.state.begin(job="stepdistill")
            self.progress.state = RUNNING
            try:
                on_main_thread(lambda: _guarded(self.progress, wish))
            finally:
                shared.state.end()
                shared.state.interrupted = shared.state.skipped = False
                shared.state.job_count, shared.state.textinfo = 0, None
        self.progress.seconds = round(time.monotonic() - began, 1)
        if self.progress.busy:
            self.progress.state = FAILED


def _guarded(progress: JobProgress, wish: Wish) -> None:
    """The job with every way that it can end: one sentence for the user, a traceback for the
    console where it was nobody's mistake."""
    try:
        _distil(progress, wish)
    except StepDistillError as problem:
        progress.state, progress.text = FAILED, str(problem)
    except Exception as problem:
        traceback.print_exc()
        progress.state, progress.text = FAILED, f"{type(problem).__name__}: {problem}"
    say(progress.text)


def _distil(progress: JobProgress, wish: Wish) -> None:
    from . import host_denoiser

    task = _Task(progress, wish)
    found = host_denoiser.run(wish.scene, task.work, task.heard)
    if found is None:
        progress.state = INTERRUPTED
        progress.text = "Interrupted. What was finished is kept: the same wish goes on from there."
        return
    progress.record, progress.record_name, progress.text = found
    progress.state = DONE


class _Task:
    """One run, inside the host's sampling."""

    def __init__(self, progress: JobProgress, wish: Wish):
        self.progress, self.wish = progress, wish
        self.evaluations, self.calls, self.began = 0, 0, 0.0

    def work(self, stage: Stage) -> tuple[Record, str, str] | None:
        """(the record, its name in the store or empty, the report), or None when interrupted."""
        from ..scheduler.record.verdict_words import recommendation
        from .identity import cfg_of, facts_of, guidance_of
        from .stores import stem, store

        facts = facts_of(stage.model)
        key = facts.key(cfg_of(stage.p), stage.shape, guidance_of(stage.model, stage.p))
        match = None if self.wish.again else self._in_store(key)
        if match is not None:
            return (
                match.record,
                stem(match.name),
                f"The store has it already: {stem(match.name)}. No model call was made.",
            )
        conditions = facts.conditions(key, len(stage.denoisers), self.wish.seed)
        conditions = (
            replace(conditions, name=self.wish.name[:300]) if self.wish.name else conditions
        )
        self.notes = [each for each in (self.wish.note, facts.advice) if each]
        folder = self._resume_folder(key)
        try:
            record = self._distilled(stage, facts, conditions, folder)
        except Stopped:
            return None
        name, kept = "", ""
        try:
            name = stem(store().put(record))
            shutil.rmtree(folder, ignore_errors=True) if folder else None
        except StepDistillError as problem:
            kept = f" It was not kept in the store ({str(problem).rstrip('.')}); export it."
        spent = record.provenance
        measured = spent.get("evidence_calls", 0)
        calls = f"{spent['model_calls']} model calls to distil"
        calls += f", {measured} to measure" if measured else ""
        return (
            record,
            name,
            " ".join(
                [recommendation(record, sampler_labels()), f"({calls}.){kept}", *self.notes]
            ).strip(),
        )

    def heard(self, rows: int, sigma: float) -> None:
        """After each evaluation: the pace, and the host's own progress."""
        now = time.monotonic()
        self.evaluations += 1
        if self.evaluations == 1:
            self.began = now
        else:
            self.calls += rows
        here = self.progress
        here.done = min(here.done + rows, here.planned)
        if self.evaluations > FEW:
            here.seconds_left = round(
                (here.planned - here.done) * (now - self.began) / max(self.calls, 1), 1
            )
        self._show()

    def _show(self) -> None:
        from modules import shared

        here, state = self.progress, shared.state
        state.sampling_steps, state.sampling_step = max(here.planned, 1), here.done
        state.textinfo = (
            f"StepDistill: {phase_words(here.phase)}, {here.done} of {here.planned} model calls"
        )

    def _in_store(self, key: Any) -> Any:
        """An exact match that has all that is wished for, measured."""
        from .stores import store

        match = store().lookup(key, "exact")
        if match is None or match.kind != "exact":
            return None
        whole = [
            each
            for each in match.record.recipes
            if each.start_sigma >= match.record.model.sigma_max * NEARLY
        ]
        has = {(each.sampler, each.steps) for each in whole if self._is_measured(each)}
        asked = {(sampler, n) for sampler in self.wish.samplers for n in self.wish.counts}
        return match if asked <= has and self._is_as_good(match.record) else None

    def _is_measured(self, recipe: Any) -> bool:
        """Whether a recipe has what is wished for: held-out evidence, where it is to be measured."""
        from ..scheduler.distilling.effort import effort_named
        from ..scheduler.record.verdict import SEEN

        found = recipe.evidence
        if not self.wish.measure or not effort_named(self.wish.quality).evidence_rows:
            return True
        return "rms" in found and found.get("verdict") != SEEN

    def _is_as_good(self, record: Record) -> bool:
        """Whether no more was tried for than what the record was made with."""
        from ..scheduler.distilling.effort import effort_named

        plans = record.provenance.get("plans") or [{}]
        made = [QUALITY.index(each["effort"]) for each in plans if each.get("effort") in QUALITY]
        return max(made, default=0) >= QUALITY.index(effort_named(self.wish.quality).name)

    def _resume_folder(self, key: Any):
        from ..scheduler.files import make_folder
        from .stores import tidy, unfinished

        tidy()
        try:
            return make_folder(unfinished(key))
        except OutputError as problem:
            self.notes.append(f"An interrupted run cannot be resumed here: {problem}")
            return None

    def _distilled(self, stage: Stage, facts: Any, conditions: Any, folder: Any) -> Record:
        from ..scheduler.distilling.run import distill

        wish = self.wish
        about: dict[str, Any] = {
            "latent_shape": stage.shape,
            "sigma_max": facts.sigma_max,
            "sigma_min": facts.sigma_min,
            "parametrisation": facts.process,
            "samplers": wish.samplers,
            "steps": wish.counts,
            "seed": wish.seed,
            "effort": wish.quality,
            "evidence_budget": None if wish.measure else 0,
        }
        about |= {
            "conditions": conditions,
            "device": stage.device,
            "resume": folder,
            "progress": self._told,
            "should_stop": interrupted,
        }
        return distill(list(stage.denoisers), **about, on_plan=self._planned)

    def _planned(self, plan: Any) -> None:
        self.progress.planned, self.progress.text = plan.calls + plan.evidence, str(plan)
        say(plan.summary)

    def _told(self, done: int, planned: int, phase: str) -> None:
        """The library's own account: its numbers are right, ours lead by a batch."""
        self.progress.done, self.progress.planned, self.progress.phase = done, planned, phase


THE_JOB = Job()
