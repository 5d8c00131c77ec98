"""Learning once the picture is there, in a make-believe host: what is shown, said and put back."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
import torch

from tests.a1111 import made

PICTURE = SimpleNamespace(mode="RGB")
STARTED = 1000.0  # the host's clock when the picture was begun


def lent_for_learning(state, module) -> None:
    """The bar counts from now on; what the model answers is not shown in the picture's place."""
    assert time.time() - state.time_start < 60
    state.current_latent = "of what is learnt"
    state.assign_current_image("of what is learnt")
    assert state.current_image_sampling_step > 1000
    assert made.ours("a1111.under_way").learning_now()


@pytest.fixture
def after(webui, monkeypatch):
    """The module, in a host whose sampler runs its function; `after.interrupts` as the artist does."""
    import sys

    devices = ModuleType("modules.devices")
    devices.autocast, devices.torch_gc = nullcontext, lambda: None
    monkeypatch.setitem(sys.modules, "modules.devices", devices)
    webui.modules.devices = devices
    state = webui.modules.shared.state
    state.shown = []
    state.assign_current_image = state.shown.append
    state.current_latent, state.job_count, state.job_no = "a latent", 2, 2
    state.current_image_sampling_step, state.time_start = 20, STARTED
    found = made.ours("a1111.after_picture")
    found.interrupts = False

    def sample(self, p, x, conditioning, unconditional_conditioning, image_conditioning=None):
        assert p.is_hr_pass and (state.job_no, state.job_count) == (0, 1)
        lent_for_learning(state, found)
        if not found.interrupts:
            self.func("the model", x, p.sampler_noise_scheduler_override(20))
        p.extra_generation_params["of the host"] = True

    monkeypatch.setattr(webui.sampler, "sample", sample)
    monkeypatch.setattr(found, "_told", lambda lesson, learnt, calls: lesson.here.note(learnt))
    return found


def picture(webui, lessons):
    """A processing whose second passes are to be learnt from."""
    p = SimpleNamespace(
        is_hr_pass=False, sampler_noise_scheduler_override=None, extra_generation_params={}
    )
    notes = made.ours("a1111.notes")
    notes.begin(p)
    passes = made.ours("a1111.sampling_pass")
    for _ in range(lessons):
        sampler = webui.sampler("sample_euler", None)
        here = passes.Pass(sampler, p, True)
        lesson = SimpleNamespace(here=here, hires=True, extra_args={}, like=torch.zeros(1, 4, 8, 8))
        made.ours("a1111.lesson").waiting(p).append(lesson)
    return p


def test_the_picture_is_shown_and_all_is_put_back(after, webui, monkeypatch):
    asked = []

    def learnt(lesson, model, begun):
        asked.append(model)
        return f"Learnt {len(asked)}."

    monkeypatch.setattr(after, "_learnt", learnt)
    p, result = picture(webui, 2), SimpleNamespace(images=[PICTURE], comments="")
    before = [each.here.sampler.func for each in p.stepdistill_lessons]
    samplers = [each.here.sampler for each in p.stepdistill_lessons]
    after.learn_from(p, result)
    state = webui.modules.shared.state
    assert asked == ["the model"] * 2
    assert state.shown == [PICTURE] and state.current_latent is None and state.job_no == 2
    assert (state.job_count, state.time_start, state.current_image_sampling_step) == (
        2,
        STARTED,
        20,
    )
    assert not made.ours("a1111.under_way").learning_now()
    assert [each.func for each in samplers] == before
    assert (p.is_hr_pass, p.sampler_noise_scheduler_override) == (False, None)
    assert p.extra_generation_params == {}
    assert result.comments == "StepDistill: Learnt 1.\nStepDistill: Learnt 2.\n"
    after.learn_from(p, result)  # of a picture that is learnt from
    assert len(asked) == 2


@pytest.mark.parametrize("button", ["interrupted", "skipped"])
def test_an_interrupt_ends_the_learning_of_all_passes(after, webui, monkeypatch, button):
    monkeypatch.setattr(after, "_learnt", None)
    after.interrupts = True
    setattr(webui.modules.shared.state, button, True)
    p, result = picture(webui, 2), SimpleNamespace(images=[], comments="Before\n")
    after.learn_from(p, result)
    assert result.comments.startswith(f"Before\nStepDistill: Learning was {button}; ")
    assert result.comments.count(button) == 1
    assert not webui.modules.shared.state.skipped


def test_what_breaks_is_said_and_the_next_pass_is_learnt(after, webui, monkeypatch):
    answers = [RuntimeError("no model"), "Learnt."]

    def learnt(lesson, model, begun):
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(after, "_learnt", learnt)
    p, result = picture(webui, 2), SimpleNamespace(images=[], comments="")
    after.learn_from(p, result)
    first, second = result.comments.splitlines()
    assert "Learning from this picture stopped: RuntimeError: no model" in first
    assert second == "StepDistill: Learnt."


@pytest.mark.parametrize(
    "error, told", [(0.1, "answers its first call with a picture"), (0.9, "gain nothing yet")]
)
@pytest.mark.slow
def test_what_answers_at_once_is_said_in_place_of_a_gain(webui, record, error, told):
    stages = [{"stage": "teacher", "first_answer": {"error": error}}]
    learnt = SimpleNamespace(
        record=replace(record, provenance=record.provenance | {"stages": stages}), ours=False
    )
    notes = []
    here = SimpleNamespace(strength=None, note=notes.append)
    made.ours("a1111.after_picture")._told(SimpleNamespace(here=here, hires=False), learnt, 39)
    assert told in notes[0] and notes[0].endswith("Learning took as long as 39 steps.")


@pytest.mark.parametrize("button", ["interrupted", "skipped"])
def test_a_picture_that_was_broken_off_says_that_it_teaches_nothing(after, webui, button):
    p, result = picture(webui, 0), SimpleNamespace(images=[], comments="")
    made.ours("a1111.lesson").begun(p).append("its lesson")
    setattr(webui.modules.shared.state, button, True)
    after.learn_from(p, result)
    assert result.comments == (
        f"StepDistill: Nothing is learnt from a picture that was {button}.\n"
    )
    after.learn_from(p, result)
    assert result.comments.count("StepDistill") == 1


@pytest.mark.parametrize("learnt_before", [False, True])
@pytest.mark.slow
def test_too_few_steps_are_told_of_where_nothing_is_learnt_yet(
    webui, checkpoint, record, monkeypatch, learnt_before
):
    """Elsewhere there is nothing that the picture could teach."""
    from scheduler.store import Store

    lesson, passes = made.ours("a1111.lesson"), made.ours("a1111.sampling_pass")
    if learnt_before:
        won = replace(record.recipe("distilled", 6), choice="ours")
        Store(made.ours("a1111.stores").store().folder).put(replace(record, recipes=(won,)))
    notes: list[str] = []
    p = SimpleNamespace(
        comment=notes.append, steps=6, cfg_scale=7.0, is_hr_pass=False, stepdistill_learn=True
    )
    made.ours("a1111.notes").begin(p)
    sampler = webui.sampler("sample_euler", None)
    hosts = type(
        "CFGDenoiser", (), {"__module__": "modules.sd_samplers_cfg_denoiser", "mask": None}
    )
    sampler.model_wrap_cfg = hosts()
    here = passes.Pass(sampler, p)
    model = SimpleNamespace(inner_model=SimpleNamespace(inner_model=checkpoint))
    sigmas = torch.tensor([14.614643, 1.0, 0.0])
    assert lesson._lesson(here, model, torch.zeros(1, 4, 8, 8), {"sigmas": sigmas}) is None
    told = "StepDistill: Nothing is learnt from fewer than 15 steps."
    assert notes == ([] if learnt_before else [told])


@pytest.mark.parametrize(
    ("own", "key", "kin", "words"),
    [
        (7.0, 1.0, [], "The recipe of CFG 7 was checked on this picture and holds: Distilled in 6"),
        (7.0, 7.0, ["same"], "The recipe of 128x128 was checked on this picture and holds"),
        (7.0, 7.0, ["related"], "The recipe of Base was checked on this picture and holds"),
    ],
)
@pytest.mark.slow
def test_a_check_is_told_as_one_with_what_it_measured(webui, record, own, key, kin, words):
    """Not what was measured where the recipe was learnt."""
    evidence = {"rms": 0.3, "best_stock": "karras + euler", "beats_stock_steps": 21}
    evidence |= {"rows": {"checked": 1}} if kin else {}
    recipe = replace(record.recipe("distilled", 6), choice="ours", evidence=evidence)
    about = [
        {"name": "base", "kinship": each, "steps": 6, "latent_shape": [4, 16, 16]} for each in kin
    ]
    held = replace(record, recipes=(recipe,), provenance=record.provenance | {"kin": about})
    found = {"rms": 0.1, "stock_rms": 0.25, "stock": "karras + euler"}
    learnt = SimpleNamespace(
        record=held,
        recipe=recipe,
        ours=True,
        problem="",
        kin_title="Base",
        kin=SimpleNamespace(holds=True, data=found),
    )
    notes: list[str] = []
    lesson = SimpleNamespace(
        here=SimpleNamespace(strength=None, note=lambda told, panel: notes.extend((told, panel))),
        hires=False,
        situation=SimpleNamespace(key=SimpleNamespace(cfg=key)),
        recording=SimpleNamespace(steps=20),
    )
    made.ours("a1111.after_picture")._told(lesson, learnt, 23)
    assert notes[0].startswith(words) and "2.5 times nearer" in notes[0]
    assert "21 steps" not in notes[0] and "and holds. Learning took" in notes[1]
