"""A picture whose file says how it was drawn is drawn so again, whatever the store has learnt since."""

from __future__ import annotations

import pytest
import torch

from scheduler.learning import deciding, words
from scheduler.learning.again import IN_FULL, how_drawn
from scheduler.learning.choosing import OneRecord
from tests.learning.studio import Studio, picture, record_of, situation


@pytest.mark.slow
def test_a_stock_schedule_that_stood_in_is_taken_again(first, store):
    _, drawn, outcome = picture(store, mode="off")
    how = how_drawn(outcome)
    assert how == "stock beta"
    store.put(record_of(first[0]))
    assert picture(store, mode="off")[2].decision.action == deciding.FEW
    host, again, outcome = picture(store, mode="off", before=how)
    assert torch.equal(again, drawn) and host.calls == 6
    said = words.after(outcome)
    assert "this workflow says so. So it was drawn before; another seed" in said
    assert "no record of this model" not in said and how_drawn(outcome) == how


@pytest.mark.slow
def test_a_recipe_of_other_conditions_is_taken_again(first, store):
    carried = record_of(first[0])
    store.put(carried)
    other = situation(8)
    _, drawn, outcome = picture(store, mode="off", of=other)
    how = how_drawn(outcome)
    assert how.startswith("recipe ")
    picture(store, mode="now", of=other)
    shelf = [OneRecord(carried)]
    assert not torch.equal(picture(store, mode="off", of=other, carried=shelf)[1], drawn)
    _, again, outcome = picture(store, mode="off", of=other, carried=shelf, before=how)
    assert torch.equal(again, drawn) and "drawn before" in words.after(outcome)


@pytest.mark.parametrize("how", ["stock nothing", "recipe 00000000", "something", "stock "])
def test_what_cannot_be_had_again_is_drawn_as_ever(taught, how):
    host, _, outcome = picture(taught, before=how)
    assert outcome.decision.action == deciding.FEW and how_drawn(outcome) == ""


def test_improving_is_wished_for_a_better_recipe(taught):
    _, _, outcome = picture(taught, before="stock beta", improve_calls=20)
    assert outcome.decision.action == deciding.FEW


def test_in_full_again_promises_few_steps_only_where_they_are_known(taught, tmp_path):
    before = deciding.Obstacle(deciding.AS_BEFORE)
    known, unknown = (
        words.after(picture(each, Studio(), obstacle=before, before=IN_FULL)[2])
        for each in (taught, type(taught)(tmp_path / "empty"))
    )
    assert known.endswith("with another seed it takes few steps.")
    assert unknown.endswith("So it was drawn before.")
