"""The cells of the matrix of models and routes: each draws one picture in a real ComfyUI, and compares it
with what the library draws with the same recipe on the same noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scheduler.record import Recipe
from scheduler.samplers.names import stock_sampler
from scheduler.store import Store
from tests.comfyui.client import Failed, Graph, Result
from tests.comfyui.graphs import Scene
from tests.comfyui.server import Server

STEPS, CFG, SEED = 4, 3.0, 5
LOWER = 0.6  # denoise of the other start
COMPILED = "compiled"
SAME_SIGMAS = 1e-5
WHY = ("unsuited", "mask", "hooks", "step_distilled", "unknown_model")  # nothing was learnt
NO_RECORD = "The LoRA has no record of its own."
PICTURE = "few_step_picture"  # the Few-Step KSampler's own sampler function


@dataclass(frozen=True)
class Subject:
    """A row of the matrix: which tiny model, and the way it is loaded."""

    which: str
    way: str = "plain"

    @property
    def title(self) -> str:
        return self.which if self.way == "plain" else f"{self.which}, {self.way}"


@dataclass(frozen=True)
class Cell:
    """apart: relative distance from the library's picture, None where nothing was learnt. steps,
    ours: of what drew it. said: what the node says, or why it refused; problem: why
    nothing was learnt, where that was tried."""

    apart: float | None
    steps: int = 0
    ours: bool = False
    said: str = ""
    problem: str = ""


class Row:
    """One subject on its way through the routes, from an empty store on."""

    def __init__(self, server: Server, subject: Subject):
        self.server, self.subject = server, subject

    # --- the routes ---

    def learn(self) -> Cell:
        """Few-Step KSampler: learnt before the picture, which takes few steps."""
        return self._few("learn", learn="now")

    def draw(self) -> Cell:
        """The same node on another seed, with what is known."""
        return self._few("draw", seed=SEED + 1, learn="off")

    def apply(self) -> Cell:
        """Apply and a stock KSampler with both names `distilled`."""
        return self._kept("apply", _apply, SEED)

    def sampler(self) -> Cell:
        """Distilled Sampler in SamplerCustomAdvanced."""
        return self._kept("sampler", _sampler, SEED)

    def distil(self) -> Cell:
        """Distill Schedule, its record handed on to Apply."""
        return self._kept("distil", _distil, SEED)

    def start(self) -> Cell:
        """Few-Step KSampler from a lower start."""
        return self._few("start", learn="now", denoise=LOWER)

    def full(self) -> Cell:
        """Few-Step KSampler, two pictures at once drawn in full and learnt from."""
        return self._few("full", rows=2, learn="from my pictures")

    def batch(self) -> Cell:
        """The next two, in few steps."""
        return self._few("batch", rows=2, seed=SEED + 1, learn="from my pictures")

    def lora(self) -> Cell:
        """Few-Step KSampler under a LoRA of its own."""
        cell = self._few("lora", lora=True, learn="now")
        store = Store(self.server.store)
        records = [store.load(brief.file) for brief in store.records()]
        own = any(record.model.patches for record in records)
        learnt = cell.apart is not None and not cell.problem
        return replace(cell, problem=NO_RECORD) if learnt and not own else cell

    # --- what they share ---

    def _few(self, name: str, rows: int = 1, lora: bool = False, **changed) -> Cell:
        settings = {"steps": STEPS, "cfg": CFG, "denoise": 1.0, "seed": SEED} | changed

        def route(s: Scene) -> tuple:
            latent = {"latent_image": s.latent}
            out = s.add("StepDistillKSampler", model=s.model, **s.prompts, **latent, **settings)
            return out, out

        return self._kept(name, route, settings["seed"], rows, lora)

    def _kept(
        self, name: str, route: Callable, seed: int, rows: int = 1, lora: bool = False
    ) -> Cell:
        s = self.scene(rows, lora, name)
        drawn, told = route(s)
        s.add("TestKeep", samples=drawn, name=name)
        try:
            result = self.server.client.run(s.graph)
        except Failed as problem:
            return Cell(None, said=str(problem).splitlines()[0])
        said = result.text(told)
        recipe, process = self._ran(name, result, told, lora)
        if recipe is None:
            return Cell(None, said=said)
        apart = self._from_the_library(recipe, process, name, seed, rows, lora)
        card = result.ui(told).get("stepdistill", [{}])[0]
        learning = card.get("learning", {})
        problem = learning.get("problem") or (said if learning.get("obstacle") in WHY else "")
        return Cell(apart, recipe.steps, recipe.choice.ours, said, problem)

    def scene(self, rows: int, lora: bool, name: str | None) -> Scene:
        """The model with its prompts and an empty latent; its runs are written down under a name."""
        g = Graph()
        subject = self.subject
        way = "plain" if subject.way == COMPILED else subject.way
        made = g.add("TestClass", which=subject.which, way=way, rows=rows)
        model = made
        if lora:
            model = g.add("TestLora", model=model, seed=1)
        if subject.way == COMPILED:
            model = g.add("TorchCompileModel", model=model, backend="inductor")
        s = Scene(g, model, made[1], made[2], made[3])
        if name is not None:
            s.model = s.recorded(name)
        return s

    def _ran(self, name: str, result: Result, told, lora: bool) -> tuple[Recipe | None, str]:
        """The recipe that drew the picture, by the sigmas that ran; None where they are no record's."""
        runs = self.server.runs(name)
        own = [run for run in runs if run["sampler"] == PICTURE]  # others are run to learn
        run = (own or runs)[-1]
        sigmas = np.array(run["sigmas"])
        store = Store(self.server.store)
        for record in [store.load(brief.file) for brief in store.records()]:
            if any(each["name"].startswith("lora") for each in record.model.patches) != lora:
                continue  # its recipes may go by the same sigmas
            for recipe in record.recipes:
                if recipe.sampler == "distilled" and _same(recipe.sigmas, sigmas):
                    return recipe, record.model.parametrisation
        card = result.ui(told).get("stepdistill", [{}])[0]
        if card.get("sampler") is None:
            return None, ""
        stock = Recipe(card["sampler"], len(sigmas) - 1, sigmas[0], tuple(sigmas), choice="simple")
        return replace(stock, evidence={}), "flow"

    def _from_the_library(
        self, recipe: Recipe, process: str, name: str, seed: int, rows: int, lora: bool
    ) -> float:
        s = self.scene(rows, lora, None)
        sampler = recipe.sampler if recipe.coefficients else stock_sampler(recipe)
        asked = {
            "sampler": sampler,
            "sigmas": list(recipe.sigmas),
            "offsets": recipe.offsets,
            "coefficients": recipe.coefficients,
            "process": process,
        }
        out = s.add(
            "TestLibrary",
            model=s.model,
            **s.prompts,
            latent_image=s.latent,
            seed=seed,
            cfg=CFG,
            recipe=json.dumps(asked),
            kept=name,
        )
        return float(self.server.client.run(s.graph).text(out))


def _apply(s: Scene) -> tuple:
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True)
    return _ksampler(s, applied), applied[1]


def _distil(s: Scene) -> tuple:
    made = s.distill(cfg=CFG, max_steps=STEPS)
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True, record=made)
    return _ksampler(s, applied), made


def _ksampler(s: Scene, model):
    names = {"sampler_name": "distilled", "scheduler": "distilled", "denoise": 1.0}
    asked = {"seed": SEED, "steps": STEPS, "cfg": CFG, "latent_image": s.latent} | names
    return s.add("KSampler", model=model, **s.prompts, **asked)


def _sampler(s: Scene) -> tuple:
    asked = {"steps": STEPS, "denoise": 1.0, "if_missing": "error"}
    sampler = s.add("StepDistillSampler", model=s.model, **asked)
    return s.custom(sampler[1], sampler, seed=SEED), sampler


def _same(sigmas, ran: np.ndarray) -> bool:
    return len(sigmas) == len(ran) and bool(np.allclose(sigmas, ran, rtol=SAME_SIGMAS, atol=0))
