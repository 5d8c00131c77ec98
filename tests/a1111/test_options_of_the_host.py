"""Samplers and options of the host that a schedule, a record or learning cannot take for granted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.a1111 import made
from tests.a1111.test_schedule import KEY, drawn, picture

HIRES = "StepDistill hires"


@pytest.fixture
def notes(webui):
    found = made.ours("a1111.notes")
    found.forget()
    return found


def told(p, **options):
    """What our script says of a picture when it is done: its parameters, and the lines below it."""
    comments: list[str] = []
    p.comment = comments.append
    vars(p).update(options)
    made.ours("a1111.panel").StepDistillScript().postprocess_batch(p)
    return p.extra_generation_params, comments


@pytest.mark.parametrize("sampler", ["DDIM", "PLMS", "UniPC"])
def test_a_second_pass_by_a_sampler_that_takes_no_schedule_is_told_of(webui, notes, sampler):
    """The first pass ran on ours."""
    p = picture(sampler_name="Euler", enable_hr=True, hr_sampler_name=sampler, hr_scheduler=None)
    p.extra_generation_params[KEY] = "exact"
    found, comments = told(p)
    assert found[KEY] == "exact" and found["Hires schedule type"] is None
    assert found[HIRES] == f"not used | {sampler} makes its own schedule"
    assert any(sampler in each for each in comments)


def test_a_second_pass_on_another_schedule_or_never_drawn_is_not(webui, notes):
    p = picture(enable_hr=True, hr_sampler_name="DDIM", hr_scheduler="Karras")
    p.extra_generation_params[KEY] = "exact"
    assert HIRES not in told(p)[0]
    webui.modules.shared.state.interrupted = True
    p.hr_scheduler = "Distilled"
    assert HIRES not in told(p)[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sampler_name": "PLMS", "steps": 20, "stepdistill_learn": True}, True),
        ({"sampler_name": "PLMS", "steps": 14, "stepdistill_learn": True}, True),
        ({"sampler_name": "PLMS", "steps": 20}, False),
        (
            {
                "sampler_name": "Euler",
                "steps": 20,
                "stepdistill_learn": True,
                "stepdistill_heard": True,
            },
            False,
        ),
    ],
)
def test_pictures_that_cannot_be_heard_say_so(webui, notes, options, said):
    p = picture(scheduler="Karras", **options)
    expected = [f"StepDistill: Nothing is learnt from pictures drawn with {p.sampler_name}."]
    for _ in range(2):  # each picture has its line
        assert told(p)[1] == (expected if said else [])


def test_a_pass_that_is_heard_is_marked(webui, checkpoint):
    p = picture()
    drawn(webui, checkpoint, p)
    assert p.stepdistill_heard


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "exact | "),
        ({"get_token_merging_ratio": lambda for_hr: 0.5}, "nearest | "),
        ({"get_token_merging_ratio": lambda for_hr: 0.5 * for_hr}, "exact | "),
    ],
)
def test_token_merging_is_no_exact_hit(webui, checkpoint, stored, options, expected):
    p = picture(**options)
    drawn(webui, checkpoint, p)
    assert p.extra_generation_params[KEY].startswith(expected)


def test_guidance_that_begins_late_is_no_exact_hit(webui, checkpoint, stored):
    webui.opts.skip_early_cond = 0.2
    p = picture()
    drawn(webui, checkpoint, p)
    assert p.extra_generation_params[KEY].startswith("nearest | ")


def test_guidance_of_every_other_step_is_not_learnt(webui):
    sampler = SimpleNamespace(func=None, funcname="sample_euler", model_wrap_cfg=None)
    here = made.ours("a1111.sampling_pass").Pass(sampler, picture(s_min_uncond=1.5))
    assert "Negative Guidance minimum sigma" in made.ours("a1111.lesson")._why_not(here)
