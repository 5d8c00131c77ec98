"""What happens to one picture after the other, from an empty store on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler.errors import UnknownNameError
from scheduler.learning import deciding, drawing, words
from scheduler.learning.bend import FEWEST, MOST
from scheduler.learning.choosing import OneRecord
from scheduler.learning.full_run import FULL_STEPS, full_run
from scheduler.learning.situation import AT_THE_BEND
from scheduler.lookup.given import given_match
from scheduler.lookup.key import patch
from scheduler.record import Choice
from scheduler.store import Store
from tests.learning.studio import Interrupted, Studio, picture, situation

GOAL = 40  # extra calls until the first few-step picture


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A store that has learnt one picture: (the store, the host, what was drawn, what happened)."""
    store = Store(tmp_path_factory.mktemp("first"))
    return (store, *picture(store, Studio(seed=0, digit=3)))


@pytest.fixture
def taught(first, store):
    """A store of its own with that record, and without the run."""
    store.put(record_of(first[0]))
    return store


def record_of(store):
    (brief,) = store.records()
    return store.load(brief.file)


def error(host, found, seed=9) -> float:
    """RMS distance of a recipe from 80 steps on a noise and a digit that nothing was learnt from."""
    other = Studio(seed, digit=8)
    fine = full_run(situation(), 80)
    drawn, wanted = (other.draw(each, None) for each in (found, fine))
    return float((drawn - wanted).square().mean().sqrt())


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
        f"after {-(-outcome.data['calls'] // 18)} pictures."
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
    assert words.recipe_name(outcome.found.recipe) in words.after(outcome)
    equal = outcome.found.recipe.evidence["equals_stock_steps"]
    assert words.after(outcome).startswith(f"6 steps in place of about {equal}, recipe ")
    stock = full_run(situation(), 6)
    assert error(host, outcome.found) < 0.8 * error(host, stock)


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


def test_now_learns_before_the_picture_with_under_a_hundred_calls(store):
    host, _, outcome = picture(store, mode="now")
    assert outcome.steps == 6 and 60 < outcome.data["calls"] == host.calls - 6 < 100
    (told,) = host.told
    assert told.calls >= outcome.data["calls"] and "First 6 steps of this model are learnt" in (
        words.before(told)
    )
    assert words.after(outcome).startswith("Learnt this model with")


def test_off_takes_a_stand_in_by_its_name_and_keeps_nothing(store):
    host, _, outcome = picture(store, mode="off")
    assert host.calls == 6 and outcome.found.stand_in.schedule in words.after(outcome)
    assert not store.folder.exists()


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


# --- what stands in the way ---


@pytest.mark.slow
@pytest.mark.parametrize("calls", [10, FULL_STEPS + 5])
def test_interrupted_anywhere_nothing_wrong_is_kept(store, calls):
    with pytest.raises(Interrupted):
        picture(store, Studio(fail_after=calls))
    assert not store.records()
    kept = calls > FULL_STEPS
    assert len(store.list_recordings()) == kept
    if kept:  # the next picture of that prompt needs no other to learn from
        host, _, outcome = picture(store, Studio(seed=1))
        assert outcome.decision.action == deciding.LEARN_FIRST and host.calls <= 6 + GOAL


@pytest.mark.slow
@pytest.mark.parametrize("denoise", [1.0, 0.5])
def test_a_picture_whose_learning_was_stopped_is_handed_over(store, denoise):
    of = situation(denoise=denoise)
    with pytest.raises(Interrupted):
        picture(store, Studio(fail_after=FULL_STEPS + 5), of=of)
    host, drawn, outcome = picture(store, of=of)
    whole = Studio().draw(full_run(of), None)
    assert host.calls == 1 and torch.equal(drawn, whole.float())
    assert outcome.in_full and "not drawn again" in words.after(outcome)
    for other in (Studio(seed=1), Studio(digit=8)):  # of another noise, of another prompt
        assert picture(store, other, of=of, mode="off")[0].calls == 6
    host, _, outcome = picture(store, Studio(seed=1), of=of)
    assert outcome.decision.action == deciding.LEARN_FIRST and host.calls <= 6 + GOAL
    assert picture(store, of=of)[0].calls == 6  # what is learnt is used


@pytest.mark.slow
@pytest.mark.parametrize("calls", [10, 38])
def test_learning_now_goes_on_with_the_calls_that_were_made(store, calls):
    whole = 80  # of all; the teacher has had 10, and 38 with some more
    with pytest.raises(Interrupted):
        picture(store, Studio(fail_after=calls), mode="now")
    _, _, outcome = picture(store, mode="now")
    assert outcome.data["calls"] + calls <= whole + 3 and outcome.steps == 6
    assert not [each for each in (store.folder / ".unfinished").rglob("*") if each.is_file()]


def test_a_store_that_cannot_be_written_is_told_before_anything_is_learnt(tmp_path):
    (tmp_path / "file").write_text("in the way")
    host, _, outcome = picture(Store(tmp_path / "file"))
    assert host.calls == FULL_STEPS and "could not be kept" in words.after(outcome)


def test_runs_that_another_model_drew_are_not_learnt_from(first, store):
    recording = first[0].recordings(situation().key)[0]
    recording.prompt = "digit 8"
    store.keep_recording(situation().key, recording)
    _, _, outcome = picture(store, Studio(digit=8))
    assert outcome.steps == FULL_STEPS and outcome.decision.learns
    assert outcome.learnt is None or outcome.learnt.ours


def test_a_run_that_adds_noise_is_drawn_and_not_learnt_from(store):
    class Noisy(Studio):
        """A sampler that adds noise at each step, whatever it is called."""

        def asked(self, x, sigma):
            answer = super().asked(x, sigma)
            return answer + 0.3 * sigma.reshape(-1, 1, 1, 1) * torch.randn_like(x)

        def draw(self, found, recording):
            torch.manual_seed(0)
            drawn = super().draw(found, None)
            if recording is not None:
                x = self.noise.clone()
                for s in found.recipe.sigmas[:-1]:
                    recording.step(x, s, 0 * x)
                    x = s * torch.randn_like(x)
                recording.finish(0 * x)
            return drawn

    _, _, outcome = picture(store, Noisy())
    assert not outcome.kept and outcome.learnt is None
    assert "ancestral or SDE" in words.after(outcome) and not store.records()


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True])
def test_two_queues_at_once_lose_nothing_of_each_other(first, store, known):
    """While one learns, another process learns other steps."""

    class Beside(Studio):
        def with_model(self, planned, work):
            def asked(x, sigma):
                if not beside:
                    beside.append(picture(Store(store.folder), Studio(7, 1), of=situation(4)))
                return self.asked(x, sigma)

            return work(asked, lambda done, planned, phase: None)

    beside: list = []
    if known:
        store.put(record_of(first[0]))
    picture(store, Beside(), of=situation(5))
    assert {each.steps for each in record_of(store).recipes} == {4, 5} | ({6} if known else set())


def with_lora(strength: float):
    return situation(patches=(patch("lora-abc", strength, ["weight"]),))


@pytest.mark.slow
def test_a_lora_is_learnt_of_its_own_and_its_strength_may_be_animated(taught):
    assert picture(taught, of=with_lora(0.5))[2].decision.learns
    _, _, outcome = picture(taught, Studio(seed=3), of=with_lora(0.6))
    assert outcome.steps == 6
    assert "with lora-abc at strength 0.5, you use 0.6" in words.after(outcome)


@pytest.mark.parametrize("changes", [{"cfg": 8.0}, {"denoise": 0.3}])
def test_what_was_learnt_for_something_else_is_not_taken(taught, changes):
    host = Studio()
    found = drawing.chosen(situation(**changes), (taught,))
    decision = deciding.decide(situation(**changes), found, "from my pictures")
    assert decision.learns and host.calls == 0


def test_another_size_is_not_taken(taught):
    here = situation()
    larger = replace(here, key=replace(here.key, latent_shape=(16, 64, 64)))
    found = drawing.chosen(larger, (taught,))
    assert deciding.decide(larger, found, "from my pictures").learns


@pytest.mark.parametrize(
    ("changes", "code", "action", "said"),
    [
        ({"advice": "This looks like Turbo."}, deciding.STEP_DISTILLED, deciding.AS_FOUND, "Turbo"),
        ({"fingerprint": None}, deciding.UNKNOWN_MODEL, deciding.IN_FULL, "told from others"),
        ({"steps": 17}, deciding.MANY_STEPS, deciding.AS_FOUND, "fewer, 6 for instance"),
    ],
)
def test_what_is_not_learnt_is_said(store, changes, code, action, said):
    _, _, outcome = picture(store, of=situation(**changes))
    assert outcome.decision.action == action and outcome.decision.obstacle.code == code
    assert said in words.after(outcome) and not store.list_recordings()
    assert outcome.in_full == (action == deciding.IN_FULL)


@pytest.mark.parametrize("mode", ["off", "from my pictures"])
def test_where_the_bend_cannot_be_known_the_picture_is_drawn_in_full(first, store, mode):
    of, given = situation(AT_THE_BEND), None
    if mode != "off":
        euler = replace(record_of(first[0]).recipes[0], sampler="euler", coefficients=None)
        given = given_match(replace(record_of(first[0]), recipes=(euler,)), of.key)
    host, _, outcome = picture(store, of=of, mode=mode, given=given)
    assert host.calls == FULL_STEPS and words.STEPS_NOT_KNOWN in words.after(outcome)
    assert not store.list_recordings()


def test_of_a_model_with_few_steps_of_its_own_the_bend_is_no_question(store):
    host, _, outcome = picture(store, of=situation(AT_THE_BEND, advice="This looks like Turbo."))
    assert host.calls == FEWEST and outcome.decision.obstacle.code == deciding.STEP_DISTILLED


@pytest.mark.slow
@pytest.mark.parametrize("denoise", [0.02, 0.2, 0.7])
def test_every_start_is_learnt_or_drawn_with_a_sentence(store, denoise):
    here = situation(denoise=denoise)
    host, drawn, outcome = picture(store, of=here)
    assert bool(drawn.isfinite().all()) and outcome.steps == FULL_STEPS
    said = words.after(outcome)
    assert outcome.learnt is not None or outcome.problem in said


def test_another_mode_is_refused(store):
    with pytest.raises(UnknownNameError, match="from my pictures"):
        picture(store, mode="perhaps")


def test_there_must_be_a_recipe_to_improve(store):
    _, _, outcome = picture(store, mode="off", improve_calls=50)
    assert drawing.NOTHING_TO_IMPROVE in words.after(outcome)


@pytest.mark.parametrize("code", [deciding.MASK, deciding.HOOKS, deciding.CACHES])
def test_the_host_says_what_is_not_to_be_learnt_from(first, store, code):
    obstacle = deciding.Obstacle(code)
    host, _, outcome = picture(store, obstacle=obstacle)
    assert host.calls == FULL_STEPS
    assert words.not_learnt(obstacle) in words.after(outcome)
    store.put(record_of(first[0]))
    assert picture(store, obstacle=obstacle)[0].calls == 6  # but a recipe serves


def test_a_picture_drawn_in_full_is_drawn_so_again_where_its_file_says_so(taught):
    obstacle = deciding.Obstacle(deciding.AS_BEFORE)
    host, drawn, outcome = picture(taught, obstacle=obstacle)
    assert torch.equal(drawn, Studio().draw(full_run(situation()), None))
    assert "another seed" in words.after(outcome) and host.calls == FULL_STEPS


# --- records at hand ---


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
    found = drawing.chosen(situation(), (OneRecord(replace(record, recipes=(won,))),))
    assert deciding.decide(situation(), found, "from my pictures", kept=True).learns
    stages = record.provenance["stages"]
    twice = replace(
        record, recipes=(won,), provenance=record.provenance | {"stages": [*stages, *stages]}
    )
    found = drawing.chosen(situation(), (OneRecord(twice),))
    assert deciding.decide(situation(), found, "from my pictures").action == deciding.FEW


def test_learning_nothing_of_a_run_leaves_the_picture(store, monkeypatch):
    from scheduler.errors import BudgetError

    def refuse(*_, **__):
        raise BudgetError("Too small.")

    monkeypatch.setattr(drawing, "learn", refuse)
    _, drawn, outcome = picture(store)
    assert drawn is not None and outcome.kept and "Too small." in words.after(outcome)
