"""Distill Schedule: the recipes of the model in the graph, under the graph's own conditioning,
guidance, LoRA and size."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from ..scheduler.errors import OutputError, StepDistillError
from .distill_request import EVERY, QUALITY, GraphWish, rows_that_fit, samplers_of, steps_of
from .fields import CATEGORY, RECORD, SCENE, SEED, stock_samplers
from .names import DISTILLED
from .page import distill_report
from .page.card_data import shown
from .reuse_stored import in_store, with_earlier

MOST_SEED = 2**63  # the library adds to seeds, and torch takes no more than 64 bits
DESCRIPTION = """\
Distils, from this model, the few-step recipes that best reproduce what it draws with many steps; measures
them on other noise beside every stock schedule; and keeps them in StepDistill's store, where the
`distilled` dropdown entries, Distilled Sigmas and Distilled Sampler find them. What the store has
already is returned at once."""
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
        "the cost."
    ),
    "max_steps": f"Recipes are made for every step count from {4} (or from this number, where it "
    "is less) up to this number.",
    "quality": "How hard to try. For one sampler at 6 steps instant takes about 80 model calls, standard "
    "400 and thorough 1,000, and as many again to measure (instant says what its own pictures "
    "show). The node says how many before it begins, and how long that takes after the first few.",
    "noise_seed": "Seed of the noise that is distilled on. A record in the store counts whatever its seed.",
    "guider": "A guider to distil with instead of model, positive, negative and cfg, which are ignored then.",
    "extra_positive": "A second prompt, distilled on together with the first, so that the recipe "
    "leans less on either.",
    "name": "A name for the record; empty: the model's file name.",
    "frames": "Videos: distil with this many latent frames, which costs far less, and check the "
    "recipe at full length. 0: all frames.",
}


class StepDistillDistill:
    """Runs the library's `distill` inside one sampling call of the user's own guider."""

    DESCRIPTION, CATEGORY, FUNCTION, OUTPUT_NODE = DESCRIPTION, CATEGORY, "distill", True
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
            "sampler_name": ([DISTILLED, *stock_samplers(), EVERY], {"default": DISTILLED}),
            "max_steps": ("INT", {"default": 12, "min": 1, "max": 100}),
            "quality": (list(QUALITY), {"default": "instant"}),
            "noise_seed": SEED,
        }
        optional = {
            "guider": ("GUIDER", {}),
            "extra_positive": ("CONDITIONING", {}),
            "name": ("STRING", {"default": ""}),
            "frames": ("INT", {"default": 0, "min": 0, "max": 10000}),
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
        guider=None, extra_positive=None, name="", frames=0, unique_id=None,
    ):  # fmt: skip
        """The record (from the store where it has one), its plot and the report; raises
        StepDistillError with a sentence."""
        from ..scheduler.distilling.effort import effort_named
        from .host.guider import guided

        samplers, steps = samplers_of(sampler_name), steps_of(int(max_steps))
        quality = effort_named(quality).name
        scene = guided(model, positive, negative, cfg, latent_image, guider)
        seed, name = int(noise_seed) % MOST_SEED, name.strip()[:300]
        record, text = _Task(
            scene, samplers, steps, quality, seed, extra_positive, name, int(frames), unique_id
        ).run()
        return _answer(record, text)


def _with_help(inputs: dict) -> dict:
    return {
        name: (kind, {**options, "tooltip": HELP[name]}) for name, (kind, options) in inputs.items()
    }


def _answer(record, text: str) -> dict:
    from .host.picture_records import attach
    from .page.images import record_image

    attach(record)
    plot, trouble = record_image(record)
    text = f"{text}\n{trouble}" if trouble else text
    info = distill_report.short(text, record)
    return {
        "ui": {"text": [text], "stepdistill": [shown(record=record, info=info)]},
        "result": (record, plot, text),
    }


class _Task:
    """One run of the node."""

    def __init__(self, scene, samplers, steps, quality, seed, extra_positive, name, frames, node):
        from .host.guider import first_frames, with_frames
        from .host.model_facts import advice_of, facts_of, guidance_of

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
        facts, sets = facts_of(scene.patcher), 1 + (extra_positive is not None)
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
        )
        self.notes = distill_report.scene_notes(
            scene, self.scene, advice_of(scene.patcher), self.full is not None
        )

    def run(self):
        """(the record, the report)."""
        from .host.store import store

        self.plan = self._plan()
        name, found = in_store(store(), self.key, self.wish, self.samples)
        if name is not None:
            return found, distill_report.from_store(found, name, self.notes)
        self.notes += [found] if found else []
        return self._distilled()

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
        from .page.progress import Teller

        began, teller = (
            time.monotonic(),
            Teller(self.scene.patcher, self.node, previews=len(self.scene.shape) > 2),
        )
        teller.plan(
            distill_report.plan_text(self.plan, self.wish, self.notes, self.scene),
            self.plan.calls + self.plan.evidence,
        )
        folder = self._resume_folder()
        record = self._run(teller, folder)
        if self.full is not None:
            record = self._checked_at_full_length(record, teller)
        record, kept = self._keep(record)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return record, distill_report.distilled(
            record, kept, self.notes, self.plan, time.monotonic() - began
        )

    def _run(self, teller, folder: Path | None):
        """The library's distill inside one sampling call."""
        from ..scheduler.distilling.run import distill
        from .host.guider import run

        options = dict(self.wish.about)
        options.pop("shift")  # distill takes it from the conditions
        options |= {
            "effort": self.wish.quality,
            "evidence_budget": self.plan.evidence,
            "samples": self.samples,
        }
        options |= {
            "conditions": self.wish.conditions,
            "progress": teller.progress,
            "resume": folder,
        }
        teller.phase = "teacher"
        work = lambda denoisers: distill(denoisers, **options)  # noqa: E731
        return run(self.scene, work, self.wish.facts.sigma_max, self.seed, self.extra, teller.heard)

    def _resume_folder(self) -> Path | None:
        """Where finished parts are kept, or None where nothing can be written: then an interrupted
        run begins anew."""
        from ..scheduler.files import make_folder
        from .host.store import unfinished

        try:
            return make_folder(unfinished(self.key))
        except OutputError as problem:
            self.notes.append(f"An interrupted run cannot be resumed here: {problem}")
            return None

    def _keep(self, record):
        """(the record as it is put into the store, what became of it in words)."""
        from .host.store import store

        try:
            whole, words = with_earlier(store(), self.key, record, self.wish, self.samples)
            name = store().put(whole)
        except StepDistillError as problem:
            return (
                record,
                f"not kept in the store ({str(problem).rstrip('.')}); the record output holds "
                "it: use Save Record",
            )
        self.notes += [words] if words else []
        return whole, f"kept in the store as {name.removesuffix('.json')}"

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
