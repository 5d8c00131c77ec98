"""What of a record makes its key, and shifts that are one."""

from __future__ import annotations

import pytest

from scheduler.lookup.key import Key, same_shift
from scheduler.record import Conditions, Model, Recipe, Record


def test_a_records_key_holds_its_model_and_conditions():
    model = Model("flow", 0.003, 1.0, fingerprint="f", name="m", prediction="flow", shift=3.0)
    under = Conditions(cfg=4.0, guidance=3.5, latent_shape=(16, 64, 64))
    recipes = [Recipe(name, 2, 1.0, [1.0, 0.5, 0.0]) for name in ("euler", "dpmpp_2m", "euler")]
    provenance = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 1}
    key = Key.of(Record(model, under, None, recipes, {}, provenance))
    assert (key.process, key.prediction, key.shift) == ("flow", "flow", 3.0)
    assert (key.sigma_min, key.sigma_max) == (0.003, 1.0)
    assert (key.cfg, key.guidance, tuple(key.latent_shape)) == (4.0, 3.5, (16, 64, 64))
    assert key.sampler == "dpmpp_2m+euler"


@pytest.mark.parametrize(
    "one, other, same",
    [(3.0, 3.0, True), (3.0, 3.5, False), (None, 3.0, True), (3.0, None, True), (None, None, True)],
)
def test_a_shift_that_is_not_stated_is_any(one, other, same):
    assert same_shift(one, other) is same
