"""What stands in the way of learning: interruptions, stores, other models, pictures that nothing can be
learnt from. Nothing wrong is kept, and every reason is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler.errors import UnknownNameError
from scheduler.learning import choosing, deciding, one_picture, words
from scheduler.learning.bend import FEWEST
from scheduler.learning.full_run import FULL_STEPS, full_run
from scheduler.learning.situation import AT_THE_BEND
from scheduler.lookup.given import given_match
from scheduler.lookup.key import patch
from scheduler.store import Store
from tests.learning.studio import Died, Interrupted, Studio, picture, record_of, situation

GOAL = 40  # extra calls until the first few-step picture


def test_interrupted_before_the_picture_is_drawn_nothing_is_kept(store):
    with pytest.raises(Interrupted):
        picture(store, Studio(fail_after=10))
    assert not store.records() and not store.list_recordings()


@pytest.mark.parametrize("denoise", [1.0, 0.5])
@pytest.mark.slow
def test_interrupted_while_it_learns_the_picture_comes_out(store, denoise):
    """And what was paid for is what the next picture goes on with."""
    of, paid = situation(denoise=denoise), 8
    host, drawn, outcome = picture(store, Studio(fail_after=FULL_STEPS + paid), of=of)
    assert torch.equal(drawn, Studio().draw(full_run(of), None))
    assert outcome.in_full and outcome.data["stopped"] and outcome.next_steps == FULL_STEPS
    said = words.after(outcome)
    assert said.startswith("Drawn in full, 24 steps") and words.STOPPED_KEPT in said
    assert not store.records() and len(store.list_recordings()) == 1
    host, _, outcome = picture(store, Studio(seed=1), of=of)
    assert outcome.decision.action == deciding.LEARN_FIRST
    assert host.calls <= 6 + GOAL - paid + 3  # which tell that the model is the same


@pytest.mark.slow
def test_interrupted_after_its_first_recipe_the_next_picture_takes_it(store):
    _, _, outcome = picture(store, Studio(fail_after=FULL_STEPS + 20))
    assert outcome.in_full and outcome.next_steps == 6 and record_of(store)
    assert words.after(outcome).endswith("stopped. From the next picture on: 6 steps.")
    assert picture(store, Studio(seed=1))[0].calls == 6


@pytest.mark.slow
@pytest.mark.parametrize("denoise", [1.0, 0.5])
def test_a_picture_whose_process_died_while_it_learnt_is_handed_over(store, denoise):
    of = situation(denoise=denoise)
    with pytest.raises(Died):
        picture(store, Studio(fail_after=FULL_STEPS + 5, how=Died), of=of)
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


@pytest.mark.slow
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
@pytest.mark.slow
def test_what_was_learnt_for_something_else_is_not_taken(taught, changes):
    host = Studio()
    found = choosing.chosen(situation(**changes), (taught,))
    decision = deciding.decide(situation(**changes), found, "from my pictures")
    assert decision.learns and host.calls == 0


@pytest.mark.slow
def test_another_size_is_not_taken(taught):
    here = situation()
    larger = replace(here, key=replace(here.key, latent_shape=(16, 64, 64)))
    found = choosing.chosen(larger, (taught,))
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


@pytest.mark.parametrize(
    "how", [RuntimeError("CUDA error\nmore"), MemoryError(), OSError(28, "full")]
)
@pytest.mark.parametrize("after", [FULL_STEPS, FULL_STEPS + 6])
def test_a_model_that_fails_while_it_learns_leaves_the_picture(store, how, after):
    """Out of memory, another pack's wrapper, a full disk: at the first call of learning and later."""
    host, drawn, outcome = picture(store, Studio(fail_after=after, how=how))
    assert torch.equal(drawn, Studio().draw(full_run(situation()), None))
    said = words.after(outcome)
    assert (
        said.startswith("Drawn in full, 24 steps") and "Learning broke off, not the picture" in said
    )
    assert type(how).__name__ in said and "more" not in said and outcome.kept
    assert not store.records() and len(store.list_recordings()) == 1


def test_a_model_that_fails_while_it_learns_first_is_drawn_in_full(first, store):
    store.put(record_of(first[0]))
    failed = [True]

    class Fails(Studio):
        def with_model(self, planned, work):
            failed.append(True)
            raise RuntimeError("out of memory")

    host, _, outcome = picture(store, Fails(), mode="now", of=situation(8))
    assert len(failed) == 2 and host.calls == FULL_STEPS and "out of memory" in words.after(outcome)
    host, _, outcome = picture(store, Fails(), improve_calls=50)
    assert len(failed) == 3 and host.calls == 6 and "out of memory" in words.after(outcome)


def test_a_run_that_cannot_be_kept_for_whatever_reason_leaves_the_picture(store, monkeypatch):
    def full(*_):
        raise MemoryError("no room for a run")

    monkeypatch.setattr(type(store), "keep_recording", full)
    host, _, outcome = picture(store)
    assert host.calls == FULL_STEPS and "no room for a run" in words.after(outcome)


@pytest.mark.parametrize(
    "denoise, steps",
    [(0.7, 1), *(pytest.param(low, 6, marks=pytest.mark.slow) for low in (0.01, 0.004))],
)
def test_few_steps_of_a_low_start_are_learnt(store, denoise, steps):
    """One step of a start that float32 rounds up; a start so low that stock's last steps all lie at it."""
    _, _, outcome = picture(store, of=situation(steps, denoise))
    assert outcome.learnt is not None and not outcome.problem, words.after(outcome)


@pytest.mark.parametrize("denoise", [1e-3, 1e-4])
def test_a_start_below_all_noise_is_said(store, denoise):
    host, _, outcome = picture(store, of=situation(denoise=denoise))
    assert outcome.decision.obstacle.code == deciding.HARDLY_DRAWN and host.calls == 6
    assert "hardly anything is drawn" in words.after(outcome) and not store.list_recordings()


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
    assert one_picture.NOTHING_TO_IMPROVE in words.after(outcome)


@pytest.mark.parametrize("code", [deciding.MASK, deciding.HOOKS, deciding.UNSUITED])
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
