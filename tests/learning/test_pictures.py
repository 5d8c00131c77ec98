"""What happens to one picture after the other, from an empty store on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler.distilling.plan import plan_for
from scheduler.learning import deciding, words
from scheduler.learning.bend import FEWEST, MOST
from scheduler.learning.choosing import NEAR_BEND, OneRecord
from scheduler.learning.drawing import foretell
from scheduler.learning.fitting import Learnt, calls_to_learn
from scheduler.learning.full_run import FULL_STEPS, full_run
from scheduler.learning.recipe_name import recipe_name
from scheduler.learning.situation import AT_THE_BEND
from scheduler.store import Store
from tests.learning.studio import CFG, Studio, error, picture, record_of, situation

GOAL = 40  # extra calls until the first few-step picture


def test_the_first_picture_is_drawn_in_full_and_learnt_from(first):
    store, host, drawn, outcome = first
    full = Studio(seed=0, digit=3).draw(full_run(situation()), None)
    assert torch.equal(drawn, full)
    assert outcome.decision == deciding.Decision(deciding.IN_FULL, learns=True)
    assert outcome.data["steps"] == FULL_STEPS and outcome.next_steps == 6
    assert outcome.data["calls"] == host.calls - FULL_STEPS <= GOAL
    (kept,) = store.list_recordings()
    assert (kept.steps, kept.rows, kept.prompt) == (FULL_STEPS, 1, "digit 3")
    assert words.after(outcome) == (
        "Drawn in full, 24 steps, to learn this model. From the next picture on: 6 steps; pays back "
        f"after {-(-outcome.data['calls'] // 18)} pictures, beside 24 steps each."
    )


def test_what_is_about_to_happen_is_said_first(first):
    (told,) = first[1].told
    assert words.before(told, 12.0) == (
        "Drawing in full, 24 steps, to learn this model: at most 39 model calls, about 12 s after "
        "the picture."
    )


def test_the_next_picture_takes_few_steps_and_is_nearer_than_stock(taught):
    host, _, outcome = picture(taught, Studio(seed=1, digit=4))
    assert host.calls == 6 and outcome.decision.action == deciding.FEW
    name = recipe_name(outcome.found.recipe)
    assert name in words.after(outcome)
    (told,) = host.told
    record = outcome.found.match.record
    made = f"{outcome.found.match.title}, cfg {record.conditions.cfg:g}"
    assert words.before(told) == f"Drawing 6 steps with recipe {name} of {made}."
    equal = outcome.found.recipe.evidence["equals_stock_steps"]
    assert words.after(outcome).startswith(f"6 steps in place of about {equal}, recipe ")
    stock = full_run(situation(), 6)
    assert error(host, outcome.found) < 0.8 * error(host, stock)


def test_near_its_cfg_a_recipe_says_where_it_was_made_before_and_after(taught):
    here = situation(cfg=CFG + 0.2)
    host, _, outcome = picture(taught, Studio(seed=1, digit=4), of=here)
    assert outcome.decision.action == deciding.FEW
    assert "made at cfg 3 (you use 3.2)." in words.before(host.told[0])
    said = words.after(outcome)
    assert said.endswith("Made at cfg 3 and 64x64; you use cfg 3.2, not checked there.")
    assert "in place of" not in said and "measured at cfg 3: 6 steps = about stock's" in said


@pytest.mark.slow
def test_what_is_learnt_near_a_records_cfg_says_at_which(taught):
    here = situation(denoise=0.5, cfg=CFG + 0.2)
    picture(taught, Studio(seed=1), of=here)
    _, _, outcome = picture(taught, Studio(seed=2), of=here)
    assert record_of(taught).conditions.cfg == CFG
    said = words.after(outcome)
    assert said.endswith("Made at cfg 3.2 and 64x64.") and "measured at cfg" not in said
    _, _, whole = picture(taught, Studio(seed=2))
    assert words.after(whole).endswith("Made at cfg 3 and 64x64.")


def test_the_same_record_and_seed_draw_the_same(taught):
    one, other = (picture(taught, Studio(seed=2))[1] for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.slow
def test_a_start_below_the_top_is_learnt_of_its_own(taught):
    here = situation(denoise=0.5)
    host, _, outcome = picture(taught, of=here)
    assert outcome.decision.learns and outcome.learnt.ours and host.calls - FULL_STEPS <= GOAL
    recipe = record_of(taught).recipe("distilled", 6, here.start)
    assert recipe.coefficients is not None and recipe.start_sigma == pytest.approx(0.75)
    again, _, few = picture(taught, Studio(seed=3, digit=5), of=here)
    assert again.calls == 6 and few.found.recipe == recipe
    assert picture(taught)[2].decision.action == deciding.FEW  # the other start is there as before


@pytest.mark.slow
def test_now_learns_before_the_picture_with_under_a_hundred_calls(store):
    host, _, outcome = picture(store, mode="now")
    assert outcome.steps == 6 and 60 < outcome.data["calls"] == host.calls - 6 < 100
    (told,) = host.told
    assert told.calls >= outcome.data["calls"] and "A recipe for 6 steps is learnt first" in (
        words.before(told)
    )
    assert words.after(outcome).startswith("Learnt this model with")


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("steps", [2, 6, 8, 12, 16])
def test_what_is_promised_is_what_the_plan_has(rows, steps):
    """One number: said before, on the bar, and as the budget itself."""
    here = situation(steps)
    promised, elements = calls_to_learn(here, rows), 1024
    plan = plan_for(("distilled",), (steps,), promised, 1, None, elements, rows)
    assert plan.calls == promised


class Watched(Studio):
    """Who hears how many calls are planned."""

    def with_model(self, planned, work):
        self.plans = {planned}
        return work(self.asked, lambda done, planned, phase: self.plans.add(planned))


@pytest.mark.slow
def test_the_bar_shows_what_was_promised(taught):
    host, _, outcome = picture(taught, Watched(seed=0, digit=3), of=situation(8))
    (told,) = host.told
    assert host.plans == {told.calls} and outcome.learnt.calls <= told.calls


def test_off_takes_a_stand_in_by_its_name_and_keeps_nothing(store):
    host, _, outcome = picture(store, mode="off")
    assert host.calls == 6 and outcome.found.stand_in.schedule in words.after(outcome)
    assert not store.folder.exists()


@pytest.mark.slow
def test_other_steps_are_added_from_the_kept_run_of_the_same_prompt(first, tmp_path):
    store = Store(tmp_path / "other")
    recording = first[0].recordings(situation().key)[0]
    store.put(record_of(first[0]))
    store.keep_recording(situation().key, recording)
    host, _, outcome = picture(store, of=situation(5))
    assert outcome.steps == 5 and host.calls - 5 == outcome.data["calls"] <= GOAL
    assert {each.steps for each in record_of(store).recipes} == {5, 6}


@pytest.mark.slow
def test_other_steps_of_another_prompt_are_learnt_from_a_new_picture(taught):
    host, _, outcome = picture(taught, of=situation(4))
    assert outcome.decision.learns and outcome.steps == FULL_STEPS
    assert {each.steps for each in record_of(taught).recipes} == {4, 6}


@pytest.mark.slow
def test_no_number_of_steps_is_that_of_the_bend(store):
    of = situation(AT_THE_BEND)
    _, _, outcome = picture(store, of=of)
    assert FEWEST <= outcome.next_steps <= MOST and outcome.steps == FULL_STEPS
    assert picture(store, Studio(seed=4), of=of)[0].calls == outcome.next_steps


def test_a_recipe_of_another_guidance_is_said_first_and_claims_no_gain(taught):
    _, _, outcome = picture(taught, mode="off", of=situation(cfg=1.0))
    said = words.after(outcome)
    assert said.startswith("6 steps, for cfg 3, you use 1; recipe ")
    assert "in place of" not in said


def test_what_a_picture_will_be_is_foretold_and_nothing_is_done(taught):
    """As its run decides: few steps, in full to learn, learnt first from a kept run."""
    before = [len(taught.records()), len(taught.list_recordings())]
    known = foretell(taught, situation(), "from my pictures")
    assert words.ahead(known) == "Next picture: 6 steps."
    other = words.ahead(foretell(taught, situation(cfg=8.0), "from my pictures"))
    assert other.startswith(
        "Next picture: drawn in full, 24 steps, to learn it at cfg 8: at most 39"
    )
    assert [len(taught.records()), len(taught.list_recordings())] == before


def test_of_an_unknown_prompt_nothing_is_foretold_where_runs_are_kept(first):
    eight = situation(8)
    told = foretell(first[0], eight, "from my pictures", "digit 3")
    most = calls_to_learn(eight, 1)
    assert words.ahead(told) == f"Next picture: 8 steps, learnt first: at most {most} model calls."
    assert foretell(first[0], eight, "from my pictures") is None
    assert (
        words.ahead(foretell(first[0], situation(), "from my pictures")) == "Next picture: 6 steps."
    )


def test_what_improving_brought_is_said(first):
    """The shares of the error, of the recipe before and of the one after."""
    record = record_of(first[0])
    was, now = (replace(record.recipes[0], evidence={"ratio": each}) for each in (0.31, 0.24))
    outcome = replace(first[3], learnt=Learnt(record, now, 100), improved=True, before=was)
    assert words.brought(outcome) == (
        "100 model calls went into a better recipe: 0.24 of the best stock choice's error, 0.31 before."
    )
    held_out = replace(was, evidence={"ratio": 0.31, "verdict": "held"})
    seen = replace(now, evidence={"ratio": 0.24, "verdict": "seen"})
    told = words.brought(replace(outcome, learnt=Learnt(record, seen, 100), before=held_out))
    assert told == "100 model calls went into a better recipe."  # not by the same measure
    none = replace(now, evidence={})
    told = words.brought(replace(outcome, learnt=Learnt(record, none, 100)))
    assert told == "100 model calls went into a better recipe."


@pytest.mark.slow
def test_a_start_near_one_that_is_learnt_is_drawn_at_once(store):
    picture(store, Studio(seed=4), of=situation(denoise=0.5))
    before = record_of(store)
    host, _, outcome = picture(store, Studio(seed=5, digit=4), of=situation(denoise=0.55))
    assert (outcome.decision, host.calls) == (deciding.Decision(deciding.FEW), 6)
    assert "learnt at denoise 0.5, which is near" in words.after(outcome)
    assert "in place of" not in words.after(outcome)
    assert record_of(store) == before
    stock = full_run(situation(denoise=0.55), 6)
    ours, theirs = (error(host, each, denoise=0.55) for each in (outcome.found, stock))
    assert ours < 0.7 * theirs
    _, _, further = picture(store, Studio(seed=6, digit=4), of=situation(denoise=0.75))
    assert further.decision.learns


@pytest.mark.slow
def test_improving_fits_one_for_the_very_start(store):
    picture(store, Studio(seed=4), of=situation(denoise=0.5))
    _, _, outcome = picture(
        store, Studio(seed=5, digit=4), of=situation(denoise=0.55), improve_calls=80
    )
    assert outcome.improved and not outcome.found.stretched
    assert not picture(store, Studio(seed=5, digit=4), of=situation(denoise=0.55))[
        2
    ].found.stretched


@pytest.mark.slow
def test_a_graph_draws_again_with_the_near_recipe_whatever_is_learnt_since(store):
    here = situation(denoise=0.55)
    picture(store, Studio(seed=4), of=situation(denoise=0.5))
    _, drawn, outcome = picture(store, Studio(seed=5, digit=4), of=here)
    carried = OneRecord(outcome.found.to_carry)
    picture(store, Studio(seed=5, digit=4), of=here, improve_calls=80)
    _, again, _ = picture(store, Studio(seed=5, digit=4), of=here, carried=(carried,))
    assert torch.equal(drawn, again)
    older = OneRecord(record_of(store))
    _, _, other = picture(
        store, Studio(seed=5, digit=4), of=situation(denoise=0.52), carried=(older,)
    )
    assert other.decision == deciding.Decision(deciding.FEW) and other.found.stretched


@pytest.mark.slow
def test_what_is_learnt_of_a_known_model_is_said(taught):
    """Not "this model", where only the start or the steps are new."""
    host, _, outcome = picture(taught, Studio(seed=4, digit=5), of=situation(denoise=0.5))
    assert words.before(host.told[0]).startswith(
        "Drawing in full, 24 steps, to learn it at denoise 0.5:"
    )
    assert words.after(outcome).startswith("Drawn in full, 24 steps, to learn it at denoise 0.5.")
    ahead = foretell(taught, situation(steps=7), "from my pictures", "digit 9")
    assert words.ahead(ahead).startswith(
        "Next picture: drawn in full, 24 steps, to learn it in 7 steps:"
    )


def test_what_is_going_on_while_it_is_learnt(first):
    (told,) = first[1].told
    assert words.meanwhile(told, 12.0) == (
        "The picture is drawn; now it is learnt from: at most 39 model calls, about 12 s. "
        "Interrupt keeps the picture."
    )


@pytest.mark.slow
def test_improving_that_is_interrupted_leaves_the_picture(taught):
    before = record_of(taught)
    host = Studio(seed=5, digit=4, fail_after=20)
    host.asked = interrupted_once(host)
    _, drawn, outcome = picture(taught, host, improve_calls=100)
    assert drawn.shape == host.noise.shape
    assert words.brought(outcome).startswith("Improving was stopped; the recipe stays")
    assert record_of(taught).recipes == before.recipes


def interrupted_once(host):
    """As a host does: the interruption is heard once."""
    asked = host.asked

    def once(x, sigma):
        try:
            return asked(x, sigma)
        except host.interruption:
            host.fail_after = None
            raise

    return once


def test_few_steps_that_were_fitted_are_no_bend(first, monkeypatch):
    """Where as many as it needs are asked for: a few more serve, fewer and many more do not."""
    store = first[0]
    (fitted,) = {each.steps for each in record_of(store).recipes}
    for bend, serves in (
        (fitted, True),
        (fitted - NEAR_BEND, True),
        (fitted - 3, False),
        (9, False),
    ):
        monkeypatch.setattr("scheduler.learning.choosing.bend_of", lambda *_, bend=bend: bend)
        told = foretell(store, situation(AT_THE_BEND), "from my pictures", "digit 3")
        assert told.situation.steps == (fitted if serves else bend)
        assert (told.decision.action == deciding.FEW) is serves
