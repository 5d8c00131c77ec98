"""What the menus say of each record before it is chosen."""

from __future__ import annotations

import json

import pytest

from tests.nodes.made import recipe, record
from tests.nodes.pack import module
from tests.workflow.test_bake_few import drawing

fitting = module("nodes.server.fitting")
ROWS = [[0.0] * 4] * 6


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    of_files = module("nodes.server.records_of_files")
    monkeypatch.setattr(of_files, "_files", lambda names: [])  # no model file is at hand
    return module("nodes.host.store").store()


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
