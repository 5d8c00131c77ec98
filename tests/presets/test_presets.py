"""Presets: read by the strict parser, with provenance, and equal to what their sources' rules give."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.errors import RecipeError, UnknownNameError
from scheduler.presets import PRESETS, preset, preset_recipe
from scheduler.sigmas import sd_table
from scheduler.sigmas.published import published_schedule

WANTED = {
    "sdxl-turbo": {1: [999], 2: [999, 499], 4: [999, 749, 499, 249]},
    "sdxl-lightning": {
        2: [999, 499],
        4: [999, 749, 499, 249],
        8: [999, 874, 749, 624, 499, 374, 249, 124],
    },
    "lcm": {
        1: [999],
        2: [999, 499],
        4: [999, 759, 499, 259],
        8: [999, 879, 759, 639, 499, 379, 259, 139],
    },
    "hyper-sd": {1: [800 - 0], 2: [999, 499], 4: [999, 749, 499, 249]},
    "perflow": {4: [999, 749, 499, 249]},
}
FLOW = {
    ("flux-schnell", 4): [1, 0.75, 0.5, 0.25],
    ("flux-schnell", 1): [1],
    ("wan22-lightning", 4): [1, 0.9375, 0.8333333, 0.625],
    ("qwen-image-lightning", 4): [1, 0.9, 0.75, 0.5],
    ("qwen-image-lightning", 8): [3 * t / (1 + 2 * t) for t in np.linspace(1, 1 / 8, 8)],
    ("flux2-turbo", 8): [1.0, 0.6509, 0.4374, 0.2932, 0.1893, 0.1108, 0.0495, 0.00031],
    ("ltx2-distilled", 8): [1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875],
}
TABLES = {"ays-sd1": "ays_sd1", "ays-sdxl": "ays_sdxl", "ays-svd": "ays_svd", "gits": "gits"}
TABLES |= {f"optimal-steps-{name}": f"optimal_steps_{name}" for name in ("flux", "wan", "chroma")}


def test_every_family_is_there():
    assert set(PRESETS) == {*WANTED, *TABLES, *(name for name, _ in FLOW)}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_where_they_come_from(name):
    record = preset(name)
    assert (
        record.provenance["source"]
        and record.provenance["how"]
        and record.provenance["model_calls"] == 0
    )
    assert (
        record.teacher is None
        and not record.evidence
        and record.model.fingerprint is None
        and record.model.name
    )
    assert all(
        recipe.choice == "published"
        and recipe.evidence in ({}, {"verdict": "published"}, {"verdict": "interpolated"})
        for recipe in record.recipes
    )


@pytest.mark.parametrize("name", WANTED)
def test_timesteps_of_stable_diffusions_table(name):
    for steps, timesteps in WANTED[name].items():
        np.testing.assert_allclose(
            preset_recipe(name, steps).sigmas[:-1], sd_table().sigmas[timesteps], rtol=1e-7
        )


@pytest.mark.parametrize(("name", "steps"), FLOW)
def test_flow_sigmas(name, steps):
    np.testing.assert_allclose(
        preset_recipe(name, steps).sigmas, [*FLOW[name, steps], 0], rtol=1e-6
    )


@pytest.mark.parametrize("name", TABLES)
def test_searched_tables(name):
    for recipe in preset(name).recipes:
        np.testing.assert_allclose(
            recipe.sigmas, published_schedule(TABLES[name], recipe.steps), rtol=1e-7
        )


def test_what_is_not_there():
    with pytest.raises(UnknownNameError, match="sdxl-turbo"):
        preset("../record")
    with pytest.raises(RecipeError, match="euler 2, euler 4, euler 8"):
        preset_recipe("sdxl-lightning", 5)
    assert preset_recipe("ays-sd1", 10, "euler").sampler == "euler"
