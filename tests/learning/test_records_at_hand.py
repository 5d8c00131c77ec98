"""With a record at hand: carried, given, improved, or won by stock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.learning import choosing, deciding, one_picture, words
from scheduler.learning.choosing import OneRecord
from scheduler.learning.full_run import full_run
from scheduler.lookup.given import given_match
from scheduler.record import Choice
from tests.learning.studio import Studio, error, picture, record_of, situation


def test_a_graph_draws_with_the_record_that_it_carries_until_newest_is_chosen(taught):
    carried = record_of(taught)
    improve_it(taught)
    newest = record_of(taught).recipe("distilled", 6)
    shelf = (OneRecord(carried),)
    kept = picture(taught, Studio(seed=5), carried=shelf)[2].found.recipe
    assert kept == carried.recipe("distilled", 6) != newest
    chosen = picture(taught, Studio(seed=5), carried=shelf, newest=True)[2].found.recipe
    assert chosen == newest


def improve_it(store):
    """The store's recipe, made another by hand: an improvement that is not to be waited for."""
    record = record_of(store)
    (recipe,) = record.recipes
    sigmas = (*recipe.sigmas[:-2], recipe.sigmas[-2] * 1.01, 0.0)
    store.put(replace(record, recipes=(replace(recipe, sigmas=sigmas),)))


def test_a_record_that_is_given_is_the_only_one(first, store):
    record = record_of(first[0])
    given = given_match(record, situation().key)
    host, _, outcome = picture(store, given=given)
    assert host.calls == 6 and outcome.found.recipe == record.recipes[0]
    host, _, outcome = picture(store, of=situation(8), given=given_match(record, situation().key))
    assert host.calls == 8 and outcome.decision.obstacle.code == deciding.RECORD_GIVEN
    assert not store.list_recordings()


@pytest.mark.slow
def test_improving_spends_what_was_said_and_no_more(taught):
    before = record_of(taught)
    host, _, outcome = picture(taught, improve_calls=70)
    assert outcome.improved and 0 < outcome.data["calls"] == host.calls - 6 <= 70
    after = record_of(taught)
    assert outcome.found.recipe == after.recipe("distilled", 6)
    assert len(after.provenance["stages"]) > len(before.provenance["stages"])
    changed = before.recipe("distilled", 6) != outcome.found.recipe
    assert ("a better recipe" if changed else "The recipe stays") in words.after(outcome)
    assert error(host, outcome.found) < error(host, full_run(situation(), 6))
    (told,) = host.told
    assert "at most 70 model calls" in words.before(told)


def test_too_few_calls_to_improve_are_said_and_the_picture_is_drawn(taught):
    host, _, outcome = picture(taught, improve_calls=3)
    assert host.calls == 6 and "the least that works" in words.after(outcome)


def test_where_stock_won_one_more_picture_is_learnt_from_and_then_it_is_believed(taught):
    record = record_of(taught)
    won = replace(
        record.recipes[0], choice=Choice("beta", "dpmpp_2m"), offsets=None, coefficients=None
    )
    found = choosing.chosen(situation(), (OneRecord(replace(record, recipes=(won,))),))
    assert deciding.decide(situation(), found, "from my pictures", kept=True).learns
    stages = record.provenance["stages"]
    twice = replace(
        record, recipes=(won,), provenance=record.provenance | {"stages": [*stages, *stages]}
    )
    found = choosing.chosen(situation(), (OneRecord(twice),))
    assert deciding.decide(situation(), found, "from my pictures").action == deciding.FEW


def test_learning_nothing_of_a_run_leaves_the_picture(store, monkeypatch):
    from scheduler.errors import BudgetError

    def refuse(*_, **__):
        raise BudgetError("Too small.")

    monkeypatch.setattr(one_picture, "learn", refuse)
    _, drawn, outcome = picture(store)
    assert drawn is not None and outcome.kept and "Too small." in words.after(outcome)
