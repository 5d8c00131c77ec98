"""Records and models made by hand for the tests of the selection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduler.lookup.model_facts import ModelFacts, facts_of_record
from scheduler.record import Choice, Conditions, Model, Recipe, Record
from tests.weights import asked, smooth_gram, weights  # noqa: F401

PROVENANCE = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 100}
PRINT = "w1-made-up"
HELD_OUT = {"rms": 0.05, "samples": 8}


def recipe(
    sampler="euler", steps=3, start=1.0, bend=1.3, choice="ours", rms=None, **more
) -> Recipe:
    """A recipe; rms: its error, on eight samples. bend: what tells its schedule from others."""
    sigmas = start * np.linspace(1, 0, steps + 1) ** bend
    evidence = more.pop("evidence", {} if rms is None else {"rms": rms, "samples": 8})
    return Recipe(sampler, steps, start, sigmas, choice=choice, evidence=evidence, **more)


def fitted(steps=3, **more) -> Recipe:
    """A recipe of `distilled` with coefficients and offsets."""
    rows = [[0.0] * 4] + [[0.3, 0.0, 0.02, -0.01]] * (steps - 1)
    return recipe("distilled", steps, coefficients=rows, offsets=[0.0] * steps, **more)


def measured(sampler="euler", steps=3, choice="ours", start=1.0, **errors) -> Recipe:
    """A recipe measured beside stock schedules: {name: error}, labels with "_with_" for pairs."""
    table = {
        str(Choice(*name.split("_with_"))): {"rms": error, "median": error}
        for name, error in errors.items()
    }
    evidence = {"rms": 0.05, "median": 0.05, "samples": 8, "stock": table}
    return recipe(sampler, steps, start, choice=choice, evidence=evidence)


def record(*recipes, cfg=4.0, fingerprint=PRINT, gram=None, name="Made Up", **model) -> Record:
    """A record of a flow model of shift 3."""
    about = {"shift": 3.0, "prediction": "flow", "name": name, "fingerprint": fingerprint} | model
    form = about.pop("parametrisation", "flow")
    ends = about.pop("sigma_min", 0.003), about.pop("sigma_max", 1.0)
    conditions = Conditions(cfg=cfg, latent_shape=(16, 64, 64), seed=0)
    return Record(
        Model(form, *ends, **about), conditions, None, recipes or (recipe(),), {}, PROVENANCE, gram
    )


def facts(of: Record | None = None, **changes) -> ModelFacts:
    """The model that a record (default: `record()`) was made for, but for the changes."""
    return replace(facts_of_record(record() if of is None else of), **changes)


def sd_facts(**changes) -> ModelFacts:
    """A Stable Diffusion of which nothing is known but its noise."""
    sd = record(
        recipe(start=14.614641),
        parametrisation="ve",
        prediction="eps",
        shift=None,
        sigma_min=0.029167158,
        sigma_max=14.614641,
    )
    return facts(sd, **changes)


class Shelf:
    """Records in an order of their own, as matches of whatever is asked."""

    def __init__(self, *records: Record):
        self.records = records

    def matches(self, key, policy="near"):
        from scheduler.lookup.match import judged

        for number, each in enumerate(self.records):
            match = judged(each, key, policy, f"{number}.json")
            if match is not None:
                yield match
