"""What the menus say of each record before it is chosen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.nodes.made import EULER, recipe, record
from tests.nodes.pack import module
from tests.workflow.test_bake_few import drawing
from tests.workflow_graphs import plain

fitting = module("nodes.server.fitting")
Conditions = module("scheduler.record").Conditions
ROWS = [[0.0] * 4] * 6


def learnt():
    """What one picture teaches: a recipe of the sampler `distilled`, and stock's errors beside it."""
    made = recipe("distilled", [1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0], rms=0.1, coefficients=ROWS)
    made.evidence.update(ratio=0.25, stock={"beta + dpmpp_2m": {"rms": 0.4, "median": 0.4}})
    return record(made, name="photo")


@pytest.mark.parametrize(
    "denoise, fit, told",
    [
        (1.0, "plain", "this writes its best stock schedule, beta, with 4 times the error"),
        (0.5, "cannot", "bake at denoise 1, or run Distill Schedule"),
    ],
)
def test_what_baking_loses_is_said_in_the_dialog(store, denoise, fit, told):
    store.put(learnt())
    asked = {"workflow": json.dumps(drawing(6, denoise)), "only": None}
    (found,) = fitting.fits(asked | {"to": "baked"}).values()
    assert found["fit"] == fit and told in found["differs"]
    (other,) = fitting.fits(asked | {"to": "few"}).values()
    assert other["fit"] not in ("plain", "cannot")


def said_of(graph) -> dict:
    asked = {"workflow": json.dumps(graph.data), "only": None, "to": "distilled"}
    (found,) = fitting.fits(asked).values()
    return found


def sized(cfg: float):
    graph = plain(file="photo.safetensors", cfg=cfg)
    graph.link(
        graph.add("EmptyLatentImage", [64, 64, 1], sockets=([], ["LATENT"])), 2, "latent_image"
    )
    return graph


def test_what_the_workflow_does_not_tell_is_named(store):
    store.put(replace(record(recipe("euler", EULER), name="photo"), conditions=Conditions(cfg=7.0)))
    alone = plain(file="photo.safetensors", cfg=7.0)
    assert said_of(alone) == {"fit": "unknown", "differs": "its size"}
    two = sized(7.0)
    two.add("KSampler", [1, "fixed", 20, 7.0, "euler", "simple", 1.0], model=1)
    found = said_of(two)
    assert found["fit"] == "unknown" and found["differs"] == "the size of node 5 KSampler"


def test_a_record_of_a_near_cfg_says_both(store):
    made = Conditions(cfg=7.0, latent_shape=(4, 8, 8))
    store.put(replace(record(recipe("euler", EULER), name="photo"), conditions=made))
    assert said_of(sized(7.0)) == {"fit": "fits", "differs": ""}
    near = " near yours (made at cfg 7 and 64x64; you use cfg 7.5)"
    assert said_of(sized(7.5)) == {"fit": "fits", "differs": near}
