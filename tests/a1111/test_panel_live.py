"""What the panel is told when its page asks: as many answers as it has places for them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from tests.a1111 import made

PAGE = {
    "sampling": "DPM++ 2M",
    "scheduler": "Automatic",
    "steps": 20,
    "cfg_scale": 7.0,
    "width": 64,
    "height": 64,
}
LISTED = [
    ("DPM++ 2M", "sample_dpmpp_2m", [], {"scheduler": "karras"}),
    ("Euler a", "sample_euler_ancestral", [], {}),
    ("Euler", "sample_euler", [], {}),
]


@pytest.fixture
def live(webui, monkeypatch):
    found = made.ours("a1111.panel_live")
    module = webui.modules.sd_samplers_kdiffusion
    monkeypatch.setattr(module, "samplers_k_diffusion", LISTED, raising=False)
    monkeypatch.setattr(found.gr, "update", lambda **told: told, raising=False)
    return found


@pytest.fixture
def asked(live):
    """(what `polled` answers, by the panel's own names of its parts)."""
    parts = MagicMock()
    names = {}
    page = dict(PAGE)
    live.tie_page(parts, {part: MagicMock() for part in page})
    poll, inputs, outputs = parts.poll.click.call_args.args
    for name, each in parts._mock_children.items():
        names[id(each)] = name
    places = [names[id(each)] for each in outputs]
    assert len(inputs) == 3 + len(page) and len(set(places)) == len(places)

    def ask(seen="", recipes="", chosen="Automatic", **as_set):
        answers = poll(seen, recipes, chosen, *(page | as_set).values())
        assert len(answers) == len(places)
        return dict(zip(places, answers, strict=True))

    return ask


def test_every_part_is_told_once_and_then_nothing_but_news(asked, webui, checkpoint, stored):
    webui.modules.sd_models.model_data.sd_model = checkpoint
    label = made.ours("a1111.record_list").label_of(stored)
    first = asked()
    assert "tiny" in first["status"] and label in first["held"]
    assert label in first["record"]["choices"] and first["busy"] == {"visible": False}
    again = asked(first["seen"])
    assert again["seen"] == {} and again["held"] == {} and again["newest"] == {"visible": False}


def test_a_job_is_told_of_alone(asked, live, webui, checkpoint, monkeypatch):
    """While it runs above the panel, once it has ended inside it."""
    state = made.ours("a1111.job_state").JobProgress
    job = SimpleNamespace(progress=state("running", "refinement", 3, 40))
    monkeypatch.setattr(live, "THE_JOB", job)
    first = asked()
    job.progress.done = 4
    told = asked(first["seen"])
    assert "4 of 40 steps" in told["running"] and told["progress"] == ""
    assert told["busy"] == {"visible": True} and told["held"] == {} == told["record"]
    job.progress = state("failed", text="no memory")
    told = asked(told["seen"])
    assert told["running"] == "" and "no memory" in told["progress"]
    assert told["busy"] == {"visible": False} and told["record"] != {}


def test_a_pasted_recipe_offers_the_newest(asked):
    assert asked(recipes="word")["newest"] == {"visible": True}


@pytest.fixture
def learnt(webui, checkpoint, record, monkeypatch):
    """A store whose record was learnt for 64x64 at CFG 7, in 6 steps."""
    from scheduler.store import Store

    won = replace(
        record.recipe("distilled", 6),
        choice="ours",
        evidence={"rms": 0.1, "best_stock": "karras + dpmpp_2m", "beats_stock_steps": 24},
    )
    Store(made.ours("a1111.stores").store().folder).put(replace(record, recipes=(won,)))
    webui.modules.sd_models.model_data.sd_model = checkpoint
    webui.opts.stepdistill_learn = True


def test_what_was_learnt_is_offered_loudly_until_it_is_in_use(asked, learnt):
    told = asked()
    assert told["use"]["value"] == "Use it: Distilled, 6 steps" and told["use"]["interactive"]
    assert told["use"]["variant"] == "primary"
    assert "nearer to the full picture</span> than 24 steps" in told["status"]
    assert "Next picture: Nothing more to learn from it.<" in told["status"]
    used = asked(told["seen"], sampling="Distilled", scheduler="Distilled", steps=6)
    assert used["use"]["value"] == "In use: Distilled, 6 steps"
    assert (used["use"]["variant"], used["use"]["interactive"]) == ("secondary", False)
    assert "Next picture: 6 steps, learnt for just this.<" in used["status"]
    again = asked(used["seen"], sampling="Euler a", scheduler="Automatic")
    assert again["use"]["variant"] == "primary"


def test_nothing_is_claimed_before_the_learning_has_ended(asked, learnt):
    """What the record holds meanwhile changes yet."""
    first = asked()
    with made.ours("a1111.under_way").under_way("a picture"):
        told = asked(first["seen"])
        assert told["use"] == {"visible": False}
        assert "is being learnt from" in told["status"]
        assert "nearer" not in told["status"] and "Next picture" not in told["status"]
    assert asked(told["seen"])["use"]["value"] == "Use it: Distilled, 6 steps"


def test_learning_is_not_called_off_before_the_panel_has_turned_it_on(asked, learnt, webui):
    webui.opts.stepdistill_learn, webui.opts.stepdistill_opened = False, False
    first = asked()
    assert "Next picture" not in first["status"]
    webui.opts.stepdistill_opened = True  # and the artist has turned it off
    assert "Learn while drawing is off" in asked(first["seen"])["status"]


@pytest.mark.parametrize(
    ("as_set", "button", "words"),
    [
        ({"cfg_scale": 3.0}, "Try it: Distilled, 6 steps", "learnt at CFG 7, you use 3"),
        (
            {"width": 128},
            "Try it: Distilled, 6 steps",
            "learnt at 64x64, you use 128x64",
        ),
        (
            {"denoising_strength": 0.5},
            None,
            "CFG 7, denoising 0.5 yet: draw one picture as you are used to (DPM++ 2M, 22 steps)",
        ),
    ],
)
def test_nothing_is_promised_where_nothing_was_learnt(live, learnt, as_set, button, words):
    page = PAGE | as_set
    tab = live.tab_of(page, "", "Automatic")
    views = made.ours("a1111.status_view")
    found = views.use_button(tab)
    assert (found.get("value"), found["visible"]) == (button, button is not None)
    assert found.get("variant", "secondary") == "secondary"
    assert words in views.status_html(tab)


@pytest.mark.parametrize(
    ("as_set", "words"),
    [
        ({"sampling": "Euler a"}, "adds noise at each step, so nothing is learnt from it"),
        ({"steps": 10}, "Nothing is learnt from fewer than 15 steps"),
        ({"denoising_strength": 0.5}, "20 steps at denoising 0.5 run as 11, too few to learn from"),
        ({"denoising_strength": 0.5}, "draw with 22 or more"),
        ({"denoising_strength": 0.5, "steps": 22}, "takes <span"),
        ({"sampling": "UniPC"}, "Nothing is learnt from pictures drawn with UniPC"),
        ({"sampling": "UniPC", "scheduler": "Distilled"}, "UniPC makes its own schedule"),
        ({"sampling": "Distilled", "scheduler": "Karras"}, "runs as DPM++ 2M on Karras"),
        ({"sampling": "Euler", "width": 128}, "takes <span"),
    ],
)
def test_the_next_picture_is_described_as_the_page_stands(live, learnt, as_set, words):
    views = made.ours("a1111.status_view")
    told = views.status_html(live.tab_of(PAGE | as_set, "", "Automatic"))
    assert words in told, told


def test_the_panel_says_of_the_last_picture_alone(live, learnt):
    """What was said of an earlier one goes when the next begins; each has its own line below it."""
    notes, views = made.ours("a1111.notes"), made.ours("a1111.status_view")
    tab = live.tab_of(PAGE, "", "Automatic")
    below: list[list[str]] = []
    for _ in range(2):
        below.append([])
        p = SimpleNamespace(comment=below[-1].append)
        notes.begin(p)
        assert "Last picture" not in views.status_html(tab)
        notes.note(p, "Euler a adds noise.")
        notes.note(p, "Euler a adds noise.")
        assert "Last picture: Euler a adds noise.<" in views.status_html(tab)
    assert below == [["StepDistill: Euler a adds noise."]] * 2
    result = SimpleNamespace(comments="a\n")
    notes.drawn(p, result)
    notes.note(p, "Learnt.")
    assert result.comments == "a\nStepDistill: Learnt.\n"
