"""Step-distilled models: their maker's own run is the picture in full, and fewer steps are learnt from it;
what was learnt from many steps never serves them, nor the other way round."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler.checkpoints import load_checkpoint
from scheduler.fingerprint.step_distilled import detect
from scheduler.learning import deciding, words
from scheduler.learning.fitting import calls_own
from scheduler.learning.full_run import FULL_STEPS, few_of
from scheduler.learning.situation import AT_THE_BEND
from scheduler.lookup.makers_run import MakersRun, given_run, makers_run, own_run
from scheduler.samplers import sample
from scheduler.sigmas import flow_table, stock_schedule
from tests.learning.studio import Studio, facts, picture, record_of, situation

FLOW = load_checkpoint("flow")
EIGHT = stock_schedule("simple", flow_table(3.0), 8)
OWN = {"makers_run": given_run(EIGHT)}


class Turbo(Studio):
    """The bundled flow checkpoint without guidance, taken for a model of eight steps."""

    def __init__(self, seed: int = 0, digit: int = 3):
        super().__init__(seed, digit)
        self.denoise = FLOW.denoiser(torch.tensor([digit]))


class Even(Studio):
    """Answers with the same picture everywhere, so that no schedule is better than another."""

    def __init__(self, seed: int = 0):
        super().__init__(seed)
        self.denoise = lambda x, sigma: torch.full_like(x, 0.5)


def turbo(steps: int = 5, cfg: float = 1.0, denoise: float = 1.0, **changed):
    return situation(steps, denoise, cfg, **OWN | changed)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """(a store that has learnt it, the host, what was drawn, what happened)."""
    from scheduler.store import Store

    store = Store(tmp_path_factory.mktemp("turbo"))
    return (store, *picture(store, Turbo(), of=turbo()))


def test_where_its_learning_is_stopped_no_run_is_said_to_be_kept(store):
    host = Turbo()
    host.fail_after = 8 + 2
    _, _, outcome = picture(store, host, of=turbo())
    assert outcome.in_full and outcome.data["stopped"] and not outcome.kept
    assert words.after(outcome).endswith(words.STOPPED) and not store.list_recordings()


@pytest.mark.slow
def test_the_makers_run_is_drawn_and_learnt_from(taught):
    store, host, drawn, outcome = taught
    assert outcome.steps == 8 and outcome.learnt.ours and outcome.next_steps == 5
    assert host.calls - 8 == outcome.learnt.calls <= calls_own(turbo())
    by_euler = sample(host.denoise, host.noise, EIGHT, "euler")
    torch.testing.assert_close(drawn, by_euler, rtol=0, atol=1e-6)
    said = words.after(outcome)
    assert said.startswith(
        "Drawn in its maker's 8 steps, to learn this model. From the next picture"
    )
    assert outcome.learnt.pays_after == -(-outcome.learnt.calls // 3)
    assert own_run(record_of(store)) and not store.list_recordings()


@pytest.mark.slow
def test_the_next_takes_few_steps_at_its_levels_and_is_near_it(taught):
    store = taught[0]
    host, drawn, outcome = picture(store, Turbo(seed=4, digit=7), of=turbo())
    assert outcome.decision.action == deciding.FEW and host.calls == 5
    levels = torch.tensor(EIGHT, dtype=torch.float32)
    assert all((levels - each).abs().min() < 1e-6 for each in outcome.found.recipe.sigmas)
    own = sample(host.denoise, host.noise, EIGHT, "euler")
    five = stock_schedule("simple", flow_table(3.0), 5)
    stock = sample(host.denoise, host.noise, five, "euler")
    assert (drawn - own).norm() < 0.5 * (stock - own).norm()


def test_it_is_not_improved_with_many_steps(taught):
    host, _, outcome = picture(taught[0], Turbo(5), of=turbo(), improve_calls=100)
    assert host.calls == 5 and "nothing is left to improve" in words.after(outcome)
    assert own_run(record_of(taught[0]))


@pytest.mark.slow
def test_other_step_counts_are_added_to_what_is_there(taught, store):
    store.put(record_of(taught[0]))
    _, _, outcome = picture(store, Turbo(), of=turbo(6))
    assert outcome.steps == 8
    record = record_of(store)
    assert {each.steps for each in record.recipes} == {5, 6} and own_run(record)


@pytest.mark.slow
def test_learnt_now(store):
    host, _, outcome = picture(store, Turbo(), "now", of=turbo())
    assert outcome.decision.action == deciding.LEARN_FIRST and outcome.steps == 5
    assert host.calls == outcome.learnt.calls + 5


def test_where_nothing_is_gained_it_is_said_once_and_not_tried_again(store):
    _, _, outcome = picture(store, Even(), of=turbo())
    assert "Nothing is gained at 5 steps: take its maker's." in words.after(outcome)
    host, _, outcome = picture(store, Even(1), of=turbo())
    assert host.calls == 5 and outcome.found.recipe.choice.stock


@pytest.mark.slow
def test_as_many_steps_as_known_where_none_are_asked_for(store):
    _, _, outcome = picture(store, Turbo(), of=turbo(AT_THE_BEND))
    assert outcome.next_steps == few_of(8) == 5
    assert [few_of(own) for own in (2, 3, 4, 6)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("asked", "steps", "says"),
    [
        ({"steps": 8}, 8, "This model was made for 8 steps; ask for fewer"),
        ({"steps": 12}, 8, "This model was made for 8 steps; ask for fewer"),
        ({"cfg": 7.0}, 5, "nothing is learnt of it above cfg 2: set cfg to 1"),
        ({"denoise": 0.5}, 5, "draw one at denoise 1"),
        ({"makers_run": given_run(EIGHT[3:])}, 5, "connect a whole schedule to Maker's Sigmas"),
        ({"makers_run": MakersRun(why_not="Its steps are not known.")}, 5, "not known."),
        ({"makers_run": None, "advice": "Turbo."}, 5, "take those that its maker names"),
    ],
)
def test_why_nothing_is_learnt(store, asked, steps, says):
    host, _, outcome = picture(store, Turbo(), of=turbo(**asked))
    assert says in words.after(outcome) and host.calls == steps
    assert not store.records()


@pytest.mark.slow
def test_one_that_only_its_weights_shape_tells_is_taken_as_it_is_used(store):
    shaped = {"makers_run": replace(given_run(EIGHT), named=False)}
    _, _, outcome = picture(store, of=situation(**shaped, cfg=1.0))
    assert outcome.steps == 8
    _, _, outcome = picture(store, of=situation(**shaped, cfg=3.0))
    assert outcome.steps == FULL_STEPS and outcome.learnt.ours


@pytest.mark.slow
def test_what_was_learnt_from_many_steps_never_serves_it(first, store):
    store.put(record_of(first[0]))
    host, _, outcome = picture(store, of=situation(**OWN, cfg=1.0))
    plain = situation(cfg=3.0)
    own = replace(
        plain, facts=replace(plain.facts, makers_run=replace(given_run(EIGHT), most_cfg=9))
    )
    host, _, outcome = picture(store, of=own)
    assert outcome.steps == 8 and own_run(outcome.learnt.record)
    host, _, outcome = picture(store, of=plain)  # nor its own run the model without that input
    assert outcome.steps in (6, FULL_STEPS)


@pytest.mark.parametrize(
    ("name", "steps", "why"),
    [
        ("flux1-schnell", 4, ""),
        ("qwen_image_lightning_8steps", 8, ""),
        ("z_image_turbo_bf16", 8, ""),
        ("sdxl_turbo", 0, "adds noise on the way"),
        ("some_model_dmd2", 0, "adds noise on the way"),
        ("my_model_step_distilled", 0, "put Maker's Sigmas after its loader"),
    ],
)
def test_the_makers_run_by_name(name, steps, why):
    found = makers_run(detect([name]), "flow", facts().table)
    assert found is not None and found.steps == steps and why in found.why_not
    if steps:
        assert found.sigmas[0] == pytest.approx(1.0) and found.sigmas[-1] == 0
    assert makers_run(None, "flow", facts().table) is None


class AtOnce(Studio):
    """Answers every noise with nearly the picture that it ends in, another for each noise."""

    def __init__(self, seed: int = 0):
        super().__init__(seed)

        def denoise(x, sigma):
            level = sigma.reshape(-1, 1, 1, 1)
            first = self.noise / 2 + 0.5
            return first + 0.05 * (x - level * self.noise - (1 - level) * first) + 0.02 * level * x

        self.denoise = denoise


@pytest.mark.parametrize("mode", ["from my pictures", "now"])
@pytest.mark.slow
def test_a_model_that_answers_at_once_is_told_by_what_it_does(store, mode):
    of = situation(cfg=1.0)
    host, _, outcome = picture(store, AtOnce(), mode, of=of)
    assert outcome.steps == FULL_STEPS and "put Maker's Sigmas after its loader" in words.after(
        outcome
    )
    host, _, outcome = picture(store, AtOnce(), mode, of=of)
    assert host.calls == 6 and outcome.found.match is None  # no recipe of many steps
    assert "put Maker's Sigmas after its loader" in words.after(outcome)
    own = replace(of, facts=replace(of.facts, **OWN))
    _, _, outcome = picture(store, AtOnce(), mode, of=own)
    assert own_run(outcome.learnt.record)
