"""One distillation at a time, on a thread of its own: what it is asked, how far it is, what came of
it. The panel and the API share it."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import replace

from ..scheduler.errors import StepDistillError
from .distillation import Distillation
from .host import chosen_checkpoint, on_main_thread, say
from .job_state import DONE, FAILED, INTERRUPTED, RUNNING, WAITING, JobProgress, Wish
from .making_way import MakingWay
from .problems import free_memory, in_words, is_no_memory

KEPT = "What was finished is kept: the same wish goes on from there."


class Job:
    """The one job of this host."""

    def __init__(self):
        self.progress = JobProgress()
        self.past: JobProgress | None = None  # of a job that pictures were drawn after
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
        wish = replace(wish, checkpoint=wish.checkpoint or chosen_checkpoint())
        with self._lock:
            if self.progress.busy:
                raise StepDistillError(
                    "A distillation is running; interrupt it, or wait until it is done."
                )
            self._cancelled = False
            self.progress = JobProgress(WAITING, text="Waiting for the host to be free.")
        threading.Thread(target=self._run, args=(wish,), daemon=True, name="stepdistill").start()

    def picture_begins(self) -> None:
        """What came of the last job is no news any more."""
        if not self.progress.busy:
            self.past = self.progress

    @property
    def is_past(self) -> bool:
        return self.past is self.progress

    def interrupt(self) -> None:
        """Stop at the next model call, or before the first; what is finished is taken up by the
        next run of the same wish."""
        from modules import shared

        self._cancelled = self.progress.busy
        if self.progress.state == RUNNING:
            shared.state.interrupt()

    def _run(self, wish: Wish) -> None:
        began, way = time.monotonic(), MakingWay()
        while self._turn(wish, way):
            way.let_through()
        self.progress.seconds = round(time.monotonic() - began, 1)
        if self.progress.busy:
            self.progress.state = FAILED

    def _turn(self, wish: Wish, way: MakingWay) -> bool:
        """A stretch of work while the host is ours; whether it goes on after the pictures that wait."""
        from modules import call_queue, shared

        here = self.progress
        with call_queue.queue_lock:
            if self._cancelled:
                here.text = f"Interrupted. {KEPT}" if here.done else "Interrupted before it began."
                here.state = INTERRUPTED
                return False
            shared.state.begin(job="stepdistill")
            here.state = RUNNING
            task = Distillation(here, wish, lambda: self._cancelled, way)
            try:
                on_main_thread(lambda: _guarded(here, task))
            finally:
                shared.state.end()
                shared.state.interrupted = shared.state.skipped = False
                shared.state.job_count, shared.state.textinfo = 0, None
        return here.state == WAITING


def _guarded(progress: JobProgress, task: Distillation) -> None:
    """The job with every way that it can end: one sentence for the user, a traceback for the
    console where it was nobody's mistake."""
    try:
        _distil(progress, task)
    except StepDistillError as problem:
        progress.text, progress.state = str(problem), FAILED
    except Exception as problem:
        traceback.print_exc()
        kept = f" {KEPT}" if progress.done else ""
        progress.text, progress.state = f"Distilling failed: {in_words(problem)}.{kept}", FAILED
        if is_no_memory(problem):
            free_memory()
    say(progress.text)


def _distil(progress: JobProgress, task: Distillation) -> None:
    from . import host_denoiser

    found = host_denoiser.run(task.wish.scene, task.work, task.heard)
    if found is None and task.makes_way:
        progress.text = f"A picture goes first. {KEPT.replace('the same wish', 'then this')}"
        progress.state = WAITING
        return
    if found is None:
        progress.text, progress.state = f"Interrupted. {KEPT}", INTERRUPTED
        return
    progress.record, progress.record_name, progress.text = found
    progress.state = DONE


THE_JOB = Job()
