"""One distillation inside the host's sampling: what it asks, keeps and says."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..scheduler.errors import OutputError, StepDistillError, Stopped
from .host import interrupted, sampler_labels, say
from .host_denoiser import Stage
from .job_state import QUALITY, JobProgress, Wish, phase_words
from .making_way import MakingWay
from .record_list import label_of
from .words import steps_of_work

if TYPE_CHECKING:
    from ..scheduler.record import Record

NEARLY = 0.9999  # of sigma_max: a recipe of a whole run
FEW = 3  # evaluations after which the time is estimated; the first, which may load the model, is not counted


class Distillation:
    """One run. cancelled: whether the user asked it to stop. way: of pictures that wait."""

    def __init__(
        self, progress: JobProgress, wish: Wish, cancelled: Callable[[], bool], way: MakingWay
    ):
        self.progress, self.wish = progress, wish
        self.cancelled, self.way = cancelled, way
        self.evaluations, self.calls, self.began = 0, 0, 0.0
        self.notes: list[str] = []
        self.folder: Path | None = None
        self.makes_way = False

    def work(self, stage: Stage) -> tuple[Record, str, str] | None:
        """(the record, its name in the store or empty, the report), or None where it was stopped:
        by the user, or for a picture that waits (`makes_way`)."""
        from .identity import cfg_of, facts_under, guidance_of
        from .stores import stem

        self._check_model(stage.model)
        facts = facts_under(stage.model, stage.p)
        key = facts.key(cfg_of(stage.p), stage.shape, guidance_of(stage.model, stage.p))
        match = None if self.wish.again else self._in_store(key)
        if match is not None:
            name = stem(match.name)
            told = f"The store has it already: {label_of(name)}. Nothing had to be drawn for it."
            return match.record, name, told
        conditions = facts.conditions(key, len(stage.denoisers), self.wish.seed)
        if self.wish.name:
            conditions = replace(conditions, name=self.wish.name[:300])
        self.notes = [each for each in (self.wish.note, facts.advice) if each]
        self.folder = self._resume_folder(key)
        kin = self._kin(facts, key)
        try:
            record = self._distilled(stage, facts, conditions, kin)
        except Stopped:
            return None
        return self._kept(record)

    def _kept(self, record: Record) -> tuple[Record, str, str]:
        """The record in the store, and the report: once it is stored nothing is left that can fail."""
        from ..scheduler.record.verdict_words import recommendation
        from .panel_views import best
        from .stores import stem, store

        advice = recommendation(record, sampler_labels()) or f"Done: {best(record)}."
        name, problem = "", ""
        try:
            name = stem(store().put(record))
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
        except StepDistillError as refused:
            why = str(refused).rstrip(".")
            problem = f"It was not kept in the store ({why}); export it."
        spent = record.provenance
        measured = spent.get("evidence_calls", 0)
        took = f"Distilling took {steps_of_work(spent['model_calls'])}"
        took += f", measuring {steps_of_work(measured)}" if measured else ""
        parts = [advice, f"{took}.", problem, *self.notes]
        return record, name, " ".join(each for each in parts if each)

    def _check_model(self, model: Any) -> None:
        """Raise StepDistillError where the checkpoint is not the one that was asked about."""
        here = str(model.sd_checkpoint_info.filename)
        if not self.wish.checkpoint or Path(self.wish.checkpoint) == Path(here):
            return
        asked = Path(self.wish.checkpoint).stem
        raise StepDistillError(
            f"The checkpoint is {Path(here).stem} now, and {asked} was to be distilled. What was "
            f"finished is kept: load {asked} and press Distill again to go on, or distil this one."
        )

    def _stops(self) -> bool:
        """Whether to stop before the next model call; answers that were paid for are kept."""
        if interrupted() or self.cancelled():
            return True
        self.makes_way = self.folder is not None and self.way.asked
        return self.makes_way

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
            f"StepDistill: {phase_words(here.phase)}, {here.done} of {here.planned} steps"
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

    def _resume_folder(self, key: Any) -> Path | None:
        from ..scheduler.files import make_folder
        from .stores import tidy, unfinished

        tidy()
        try:
            return make_folder(unfinished(key))
        except OutputError as problem:
            self.notes.append(f"An interrupted run cannot be resumed here: {problem}")
            return None

    def _kin(self, facts: Any, key: Any) -> tuple:
        """Related models' recipes, to begin with."""
        from ..scheduler.kin.starts import starts_from
        from ..scheduler.sources import beside
        from .stores import store

        shelves = store(), beside(store().folder)
        found = starts_from(shelves, facts, key, self.wish.samplers, self.wish.counts)
        self.notes += [found.words] if found.words else []
        return found.recipes

    def _distilled(self, stage: Stage, facts: Any, conditions: Any, starts: tuple) -> Record:
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
            "resume": self.folder,
            "progress": self._told,
            "should_stop": self._stops,
            "starts": starts,
        }
        return distill(list(stage.denoisers), **about, on_plan=self._planned)

    def _planned(self, plan: Any) -> None:
        self.progress.planned, self.progress.text = plan.calls + plan.evidence, str(plan)
        say(plan.summary)

    def _told(self, done: int, planned: int, phase: str) -> None:
        """The library's own account: its numbers are right, ours lead by a batch."""
        self.progress.done, self.progress.planned, self.progress.phase = done, planned, phase
