"""What was learnt from pictures of a denoising strength is drawn with, whatever is distilled on purpose
afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.record import Recipe, now
from scheduler.store import Store
from tests.a1111 import made
from tests.a1111.test_schedule import drawn, picture

START = 2.5  # where the pictures began: no strength stands for it
SIGMAS = (START, 1.4, 0.6, 0.2, 0.0)


@pytest.fixture
def store(webui):
    return Store(made.ours("a1111.stores").store().folder)


def learnt(record):
    """A record with just what was learnt from pictures of denoising .5."""
    plain = [(0.0,) * 4] * 4
    recipe = Recipe("distilled", 4, START, SIGMAS, None, plain)
    entry = {"denoise": 0.5, "start_sigma": START}
    made_before = record.provenance | {"created": "2026-01-01T00:00:00Z"}
    return replace(
        record,
        recipes=(recipe,),
        gram=None,
        evidence={"learnt_starts": [entry]},
        provenance=made_before,
    )


@pytest.mark.parametrize("samplers", [("distilled",), ("distilled", "dpmpp_2m", "euler")])
def test_distilling_on_purpose_leaves_what_was_learnt(webui, checkpoint, record, store, samplers):
    """Under an equal key it stays in the record, under another in its own."""
    first = store.put(learnt(record))
    recipes = tuple(each for each in record.recipes if each.sampler in samplers)
    newer = replace(record, recipes=recipes, provenance=record.provenance | {"created": now()})
    name = store.put(newer)
    assert (name == first) == (samplers == ("distilled",))
    p = picture(steps=7, denoising_strength=0.5)
    found = drawn(webui, checkpoint, p, "sample_distilled", image=True)
    assert found == pytest.approx(SIGMAS, rel=1e-5)
    expected = f"exact | {first.removesuffix('.json')} | 4 steps of "
    assert p.extra_generation_params["StepDistill"].startswith(expected)
