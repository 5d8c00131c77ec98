"""Records made by hand for the tests of the nodes."""

from __future__ import annotations

from dataclasses import replace

from tests.nodes.pack import module

PROVENANCE = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 100}
EULER, OFFSETS = [1.0, 0.8, 0.5, 0.0], [0.0, -0.1, 0.2]


def recipe(sampler="euler", sigmas=EULER, rms=None, **more):
    """A Recipe of the loaded pack; rms: its measured error, with a verdict."""
    evidence = (
        {}
        if rms is None
        else {"rms": rms, "verdict": "better", "best_stock": "beta", "ratio": 0.8, "margin": 0.1}
    )
    return module("scheduler.record").Recipe(
        sampler, len(sigmas) - 1, sigmas[0], sigmas, evidence=evidence, **more
    )


def record(*recipes, name="tiny", **model):
    """A Record of the loaded pack, of a flow model with shift 3."""
    record = module("scheduler.record")
    about = {
        "parametrisation": "flow",
        "sigma_min": 0.003,
        "sigma_max": 1.0,
        "shift": 3.0,
        "prediction": "flow",
        "name": name,
    } | model
    return record.Record(
        record.Model(**about),
        record.Conditions(cfg=3.0),
        None,
        recipes or (recipe(),),
        {},
        PROVENANCE,
    )


def solvable():
    """A record with the inner products of its teacher: a made-up, smooth one."""
    import numpy as np

    gram = module("scheduler.search.gram")
    sigmas = np.append(np.geomspace(1.0, 0.003, 25), 0.0)
    generator = np.random.default_rng(0)
    ends = generator.normal(size=(6, 1, 32))
    noise = generator.normal(size=(6, 1, 32))
    shown = [ends * np.tanh(1 / (0.3 + s)) for s in sigmas]
    states = [(1 - s) * d + s * noise for s, d in zip(sigmas, shown, strict=True)]
    import torch

    vectors = torch.tensor(np.stack([*states, *shown[:-1]])).flatten(2).float()
    return replace(record(), gram=gram.gram_of(sigmas, vectors))
