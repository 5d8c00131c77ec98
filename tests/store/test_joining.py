"""Nothing learnt is lost: a record that takes another's place in the store keeps what that one has
for other runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scheduler.record import Recipe
from scheduler.store import Store
from tests.weights import record_of, weights

OWN = weights()
LEARNT = Recipe("euler", 6, 0.5, np.linspace(0.5, 0, 7))


def learnt():
    """What was learnt from pictures: six steps from the top, and from denoising .5."""
    record = record_of(OWN)
    return replace(
        record,
        recipes=(*record.recipes[1:], LEARNT),
        evidence={
            "curve": {"euler": {"6": 0.5}},
            "starts": [{"start_sigma": 0.5, "samples": 1}],
            "learnt_starts": [{"denoise": 0.5, "start_sigma": 0.5}],
        },
        provenance=record.provenance | {"stages": [_stage(6)], "plans": [_plan(6)]},
    )


def _stage(steps: int) -> dict:
    made = {"stage": "recipes", "calls": 40, "created": "2026-11-21T00:00:00Z"}
    return made | {"steps": [steps]}


def _plan(*steps: int) -> dict:
    return {"steps": list(steps), "calls": 40, "effort": "thorough"}


def distilled(*steps: int):
    """What is distilled on purpose for pictures from noise, under the same key."""
    record = record_of(OWN, seed=7)
    recipes = [Recipe("euler", n, 1.0, np.linspace(1, 0, n + 1) ** 2) for n in steps]
    plan = _plan(*steps) | {"effort": "instant"}
    return replace(record, recipes=recipes, provenance=record.provenance | {"plans": [plan]})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_what_was_learnt_for_image_to_image_survives_distilling_on_purpose(store):
    name = store.put(learnt())
    assert store.put(distilled(4, 6)) == name
    found = store.load(name)
    assert found.recipe("euler", 6, start_sigma=0.5) == LEARNT
    assert found.recipe("euler", 6).sigmas == distilled(6).recipes[0].sigmas  # its own go first
    assert found.conditions.seed == 7
    assert found.evidence["learnt_starts"] == learnt().evidence["learnt_starts"]
    assert found.evidence["starts"] == learnt().evidence["starts"]
    assert "curve" not in found.evidence  # that was another recipe's
    assert _stage(6) in found.provenance["stages"]


def test_step_counts_that_were_not_distilled_again_stay_with_their_plan(store):
    name = store.put(distilled(4, 6, 9))
    store.put(distilled(4))
    found = store.load(name)
    assert sorted(each.steps for each in found.recipes) == [4, 6, 9]
    assert [each["steps"] for each in found.provenance["plans"]] == [[4], [6, 9]]


def test_an_earlier_plan_speaks_for_its_own_steps_alone(store):
    """Effort that was spent on six steps says nothing of what took their place."""
    name = store.put(learnt())
    store.put(distilled(4, 6))
    plans = store.load(name).provenance["plans"]
    assert [(each["effort"], each["steps"]) for each in plans] == [("instant", [4, 6])]


def test_putting_it_again_adds_nothing(store):
    name = store.put(learnt())
    for _ in range(3):
        store.put(distilled(4, 6))
    found = store.load(name)
    assert len(found.recipes) == 3 and len(found.provenance["stages"]) == 1
    assert len(found.evidence["learnt_starts"]) == 1
    store.put(found)
    assert store.load(name) == found


def test_a_start_that_a_host_rounds_is_the_same_run(store):
    name = store.put(learnt())
    own = replace(LEARNT, start_sigma=0.50001, sigmas=(0.50001, *LEARNT.sigmas[1:]))
    store.put(replace(distilled(4), recipes=(own,)))
    starts = [each.start_sigma for each in store.load(name).recipes if each.start_sigma < 1]
    assert starts == [0.50001]


def test_a_broken_record_in_its_place_is_not_asked(store):
    name = store.put(learnt())
    (store.folder / name).write_text("{", encoding="utf-8")
    assert store.put(distilled(4)) != name
