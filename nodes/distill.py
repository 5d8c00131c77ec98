"""Distill Schedule: the recipes of the model in the graph, under the graph's own conditioning,
guidance, LoRA and size."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..scheduler.errors import OutputError, StepDistillError
from .distill_request import (
    EVERY,
    QUALITY,
    GraphWish,
    own_steps_of,
    rows_that_fit,
    samplers_of,
    steps_of,
)
from .fields import CATEGORY, RECORD, SCENE, SEED, distillable
from .names import DISTILLED
from .page import distill_report
from .page.card_data import shown
from .reuse_stored import in_store, with_earlier

MEASURING = "-measuring"  # a resume folder of its own
MOST_SEED = 2**63  # the library adds to seeds, and torch takes no more than 64 bits
DESCRIPTION = (
    "Distils, from this model, the few-step recipes that best reproduce what it draws with many "
    "steps, and keeps them in StepDistill's store, where Few-Step KSampler, the `distilled` "
    "dropdown entries and the other nodes find them: from the first recipe on, whether it comes "
    "to its end or not. What the store has already is returned at once."
)
HELP = {
    "model": "The model to distil for, with the LoRAs and ModelSampling nodes that you draw with.",
    "positive": "A prompt of the kind that you draw. Recipes carry over to other prompts.",
    "negative": "The negative prompt that you draw with.",
    "latent_image": "An empty latent of the size that you draw at; its batch is how many "
    "pictures the model is asked for at a time.",
    "cfg": "The guidance that you draw with. A recipe is right for this guidance and near it.",
    "sampler_name": (
        "What the recipes are for, and nothing else: `distilled` is StepDistill's own sampler "
        "and gains most; `all`: it, euler, dpmpp_2m, res_multistep and uni_pc, at several times "
        "the cost. Of a stochastic one (ancestral, SDE) every stock schedule is measured and the best one "
        "taken, for a few thousand model calls."
    ),
    "max_steps": "Recipes are made for every step count from 4 (or from this number, where it is "
    "less) up to this number.",
    "quality": "How hard to try. For `distilled` up to 8 steps: instant takes about 300 model calls, "
    "standard 1,600, thorough 4,000. The node shows the price before you run it.",
    "noise_seed": "Seed of the noise that is distilled on. A record in the store counts whatever its seed.",
    "guider": "A guider to distil with instead of model, positive, negative and cfg, which are ignored then.",
    "extra_positive": "A second prompt, distilled on together with the first, so that the recipe "
    "leans less on either.",
    "name": "A name for the record; empty: the model's file name.",
    "measure": "Measure too: the recipes beside stock schedules, on noise that nothing was fitted to. A "
    "second stage, after which nothing is drawn otherwise; the recipes are usable before it. Stopped, "
    "it goes on where it was.",
    "again": "Distil again, whatever the store has of this model.",
    "frames": "Videos: distil with this many latent frames, which costs far less, and check the "
    "recipe at full length. 0: all frames.",
}


class StepDistillDistill:
    """Runs the library's `distill` inside one sampling call of the user's own guider."""

    DESCRIPTION, CATEGORY, FUNCTION, OUTPUT_NODE = DESCRIPTION, CATEGORY, "distill", True
    SEARCH_ALIASES = ("distill", "train a schedule", "schedule from my model")
    RETURN_TYPES, RETURN_NAMES = (RECORD, "IMAGE", "STRING"), ("record", "plot", "report")
    OUTPUT_TOOLTIPS = (
        "The recipes and their evidence, for the other StepDistill nodes.",
        "Error against steps: the recipes, and the best stock schedule at each step count.",
        "What was done and found, in words and tables.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        required = {
            **SCENE,
            "sampler_name": ([*distillable(), EVERY], {"default": DISTILLED}),
            "max_steps": ("INT", {"default": 8, "min": 1, "max": 100}),
            "quality": (list(QUALITY), {"default": "instant"}),
            "noise_seed": SEED,
        }
        optional = {
            "guider": ("GUIDER", {}),
            "extra_positive": ("CONDITIONING", {}),
            "name": ("STRING", {"default": ""}),
            "frames": ("INT", {"default": 0, "min": 0, "max": 10000}),
            "measure": ("BOOLEAN", {"default": False}),
            "again": ("BOOLEAN", {"default": False}),
        }
        return {
            "required": _with_help(required),
            "optional": _with_help(optional),
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, quality):
        """Graphs may name an effort as it was called before."""
        from ..scheduler.distilling.effort import FORMER

        if quality in (*QUALITY, *FORMER):
            return True
        return f"quality {quality!r} is unknown; use one of: {', '.join(QUALITY)}."

    def distill(
        self, model, positive, negative, latent_image, cfg, sampler_name, max_steps, quality, noise_seed,
        guider=None, extra_positive=None, name="", frames=0, measure=False, again=False,
        unique_id=None,
    ):  # fmt: skip
        """The record (from the store where it has one), its plot and the report; raises
        StepDistillError with a sentence."""
        from ..scheduler.distilling.effort import effort_named
        from .host.guider import guided
        from .host.makers_run import given
        from .host.suitability import check_suited

        quality = effort_named(quality).name
        scene = guided(model, positive, negative, cfg, latent_image, guider)
        check_suited(scene.guider)
        run = given(scene.patcher)
        own = () if run is None else run.sigmas
        samplers = (DISTILLED,) if own else samplers_of(sampler_name)
        steps = own_steps_of(int(max_steps), len(own) - 1) if own else steps_of(int(max_steps))
        seed, name = int(noise_seed) % MOST_SEED, name.strip()[:300]
        task = _Task(
            scene, samplers, steps, quality, seed, extra_positive, name, int(frames), unique_id, own
        )
        return _answer(*task.run(bool(measure), bool(again or own)), task.kept)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _with_help(inputs: dict) -> dict:
    return {
        name: (kind, {**options, "tooltip": HELP[name]}) for name, (kind, options) in inputs.items()
    }


def _answer(record, text: str, kept: str) -> dict:
    from .host.picture_records import attach
    from .page.images import record_image

    attach(record)
    plot, trouble = record_image(record)
    text = f"{text}\n{trouble}" if trouble else text
    info = distill_report.short(text, record)
    return {
        "ui": {"text": [text], "stepdistill": [shown(record=record, info=info) | {"kept": kept}]},
        "result": (record, plot, text),
    }


class _Task:
    """One run of the node."""

    def __init__(
        self, scene, samplers, steps, quality, seed, extra_positive, name, frames, node, own=()
    ):
        from .host.guider import first_frames, with_frames
        from .host.guider_facts import facts_under
        from .host.model_facts import advice_of, guidance_of

        self.full = (
            scene if 0 < frames < scene.frames else None
        )  # where the recipe is checked at full length
        self.scene = scene if self.full is None else with_frames(scene, frames)
        self.extra = (
            extra_positive
            if self.full is None
            else first_frames(extra_positive, scene.frames, frames)
        )
        self.seed, self.node = seed, node
        self.kept = ""  # the record's name in the store
        self.starts: tuple = ()  # of kin
        facts = replace(facts_under(scene.guider), streams=self.scene.streams)
        sets = 1 + (extra_positive is not None)
        guidance = guidance_of(scene.guider.original_conds.get("positive"))
        self.key = facts.key(scene.cfg, self.scene.shape, guidance, "+".join(sorted(samplers)))
        conditions = facts.conditions(self.key, sets, seed)
        self.wish = GraphWish(
            samplers,
            steps,
            quality,
            replace(conditions, name=name) if name else conditions,
            facts,
            sets,
            own,
        )
        self.notes = distill_report.scene_notes(
            scene, self.scene, None if own else advice_of(scene.patcher), self.full is not None
        )

    def run(self, measure: bool, again: bool):
        """(the record, the report). The price is told once, for all that is to be done."""
        from .host.store import store, unfinished
        from .page.price import pace_key
        from .page.progress import Teller

        self.plan = self._plan()
        self.every = self.wish.quality == QUALITY[-1]
        name, found = None, ""
        stopped = unfinished(self.key).is_dir()  # what the store has then is not all of it
        if not (again or stopped):
            name, found = in_store(store(), self.key, self.wish, self.samples)
        measured = name is not None and "curve" in found.evidence
        self.kept = name or ""
        if name is not None and (measured or not measure):
            return found, distill_report.from_store(found, self.notes)
        previews, of = len(self.scene.shape) > 2, pace_key(self.scene)
        self.teller = Teller(self.scene.patcher, self.node, previews, of=of)
        self.began = time.monotonic()
        if name is not None:
            return self._measured(found)
        self.notes += [found] if found else []
        self._look_for_kin()
        calls = self.plan.calls + (self._measuring_calls() if measure else 0)
        text = distill_report.plan_text(self.plan, calls, self.wish, self.notes, self.scene)
        self.teller.plan(text, self.plan.calls)
        record, text = self._distilled()
        return self._measured(record) if measure else (record, text)

    def _look_for_kin(self) -> None:
        """Related models' recipes, to begin with."""
        from ..scheduler.kin.starts import starts_from
        from ..scheduler.sources import beside
        from .host.store import store

        shelves = store(), beside(store().folder)
        kin = starts_from(shelves, self.wish.facts, self.key, self.wish.samplers, self.wish.steps)
        self.starts = kin.recipes
        if kin.words and not self.wish.own_sigmas:  # those are imitated, whatever relatives have
            self.notes.append(kin.words)

    def _told(self, record):
        """The record with what is known of the model in words alone."""
        about = self.wish.facts.provenance
        return replace(record, provenance=record.provenance | about) if about else record

    def _measuring_calls(self) -> int:
        from ..scheduler.distilling.measuring import measuring_calls

        return measuring_calls(self.wish.request(), self.every, self.scene.batch)

    def _measured(self, record):
        """The second stage: the record with its evidence, kept; what is finished stays finished."""
        from ..scheduler.distilling.measuring import measure, plan_measuring
        from .host.guider import run
        from .host.store import store

        planned = plan_measuring(record, self.every, self.scene.batch)
        self.teller.plan(distill_report.measuring_text(planned), planned)
        self.teller.phase = "evidence"
        folder = self._resume_folder(MEASURING)
        options = {"every": self.every, "batch": self.scene.batch, "resume": folder}
        options |= {"progress": self.teller.progress}
        work = lambda denoisers: measure(record, denoisers[0], **options)  # noqa: E731
        top = self.wish.facts.sigma_max
        record = run(self.scene, work, top, self.seed, self.extra, self.teller.heard)
        kept = distill_report.kept(store, record)
        _remove(folder)
        seconds = time.monotonic() - self.began
        return record, distill_report.distilled(record, kept, self.notes, self.plan, seconds)

    def _plan(self):
        """The library's plan, with no more rows than the computer's memory holds the teacher of."""
        import math

        import comfy.model_management
        import torch

        self.samples, plan = None, self.wish.plan()
        free = comfy.model_management.get_free_memory(torch.device("cpu"))
        fitting = rows_that_fit(math.prod(self.scene.shape), plan.sets, free)
        if fitting >= plan.rows:
            return plan
        self.notes.append(
            f"Fewer samples than the budget allows ({fitting * plan.sets}): more do not fit into "
            "this computer's memory."
        )
        self.samples = fitting
        return self.wish.plan(fitting)

    def _distilled(self):
        folder = self._resume_folder()
        record = self._run(self.teller, folder)
        if self.full is not None:
            record = self._checked_at_full_length(record, self.teller)
        self.teller.finished()
        record, kept = self._keep(record)
        _remove(folder)
        seconds = time.monotonic() - self.began
        return record, distill_report.distilled(record, kept, self.notes, self.plan, seconds)

    def _run(self, teller, folder: Path | None):
        """The library's distill inside one sampling call."""
        from ..scheduler.distilling.run import distill
        from .host.guider import run

        if self.wish.own_sigmas:
            return self._run_own(teller)
        options = dict(self.wish.about)
        options.pop("shift")  # distill takes it from the conditions
        options |= {
            "effort": self.wish.quality,
            "evidence_budget": 0,
            "samples": self.samples,
        }
        options |= {
            "conditions": self.wish.conditions,
            "progress": teller.progress,
            "resume": folder,
            "on_record": self._keep_so_far,
            "starts": self.starts,
        }
        teller.phase = "teacher"
        work = lambda denoisers: distill(denoisers, **options)  # noqa: E731
        return run(self.scene, work, self.wish.facts.sigma_max, self.seed, self.extra, teller.heard)

    def _run_own(self, teller):
        """The same for a step-distilled model's own run."""
        from ..scheduler.distilling.own_run import distill_own_run
        from .host.guider import run

        options = dict(self.wish.about) | {"samples": self.samples}
        del options["shift"], options["samplers"]
        options |= {
            "sigmas": self.wish.own_sigmas,
            "conditions": self.wish.conditions,
            "progress": teller.progress,
            "on_record": self._keep_so_far,
        }
        teller.phase = "teacher"
        work = lambda denoisers: distill_own_run(denoisers, **options)  # noqa: E731
        return run(self.scene, work, self.wish.facts.sigma_max, self.seed, self.extra, teller.heard)

    def _keep_so_far(self, record) -> None:
        """The record as it stands goes into the store: it is usable, however this run ends."""
        from .host.store import store

        with suppress(StepDistillError):  # what cannot be kept is said at the end
            whole, _ = with_earlier(store(), self.key, self._told(record), self.wish, self.samples)
            store().put(whole)
            self.teller.usable()

    def _resume_folder(self, stage: str = "") -> Path | None:
        """Where finished parts are kept, or None where nothing can be written: then an interrupted
        run begins anew."""
        from ..scheduler.files import make_folder
        from .host.store import unfinished

        try:
            folder = make_folder(unfinished(self.key, stage))
            self.teller.keeps = not self.wish.own_sigmas
            return folder
        except OutputError as problem:
            self.notes.append(f"An interrupted run cannot be resumed here: {problem}")
            return None

    def _keep(self, record):
        """(the record as it is put into the store, what became of it in words)."""
        from .host.store import store

        try:
            record = self._told(record)
            whole, words = with_earlier(store(), self.key, record, self.wish, self.samples)
            self.kept = store().put(whole)
        except StepDistillError as problem:
            return (
                record,
                f"Not kept in your store ({str(problem).rstrip('.')}); the record output holds "
                "it: use Save Record.",
            )
        self.notes += [words] if words else []
        return whole, distill_report.KEPT

    def _checked_at_full_length(self, record, teller):
        """The record with the outcome of a check at full length in its evidence; a check that fails
        costs only its own sentence."""
        from ..scheduler.errors import DenoiserError
        from ..scheduler.record.verdict_words import full_length
        from .full_length_check import checked

        try:
            found = checked(self.full, record, self.wish, self.seed, teller)
        except DenoiserError as problem:
            self.notes.append(f"The check at full length did not come to an end: {problem}")
            return record
        self.notes.append(full_length(found))
        return replace(record, evidence=record.evidence | {"full_length": found})
