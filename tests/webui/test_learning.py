"""Learning while the artist draws, by the real host: from an empty store to few steps, in every pass."""

from __future__ import annotations

import pytest

KEY, HIRES = "StepDistill", "StepDistill hires"
FULL = {"sampler_name": "DPM++ 2M", "scheduler": "Karras", "steps": 20}
FEW = {"sampler_name": "Distilled", "scheduler": "Distilled", "steps": 6}


def with_learning(recipes: str = "", record: str = "Automatic") -> dict:
    """The panel's controls as the API sets them."""
    return {"alwayson_scripts": {"StepDistill": {"args": [record, True, recipes]}}}


def test_a_picture_drawn_in_full_is_learnt_from_and_the_next_takes_few_steps(host):
    _, heard = host.draw(**FULL, **with_learning())
    assert len(heard) > 20
    told, sigmas = host.draw(**FEW)
    assert told[KEY].startswith("exact | "), told
    assert len(sigmas) == 6
