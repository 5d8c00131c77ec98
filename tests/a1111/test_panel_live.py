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
    assert len(inputs) == 5 + len(page) and len(set(places)) == len(places)

    def ask(seen="", recipes="", chosen="Automatic", learns=True, mask="", **as_set):
        answers = poll(seen, recipes, chosen, learns, mask, *(page | as_set).values())
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
    job = SimpleNamespace(progress=state("running", "refinement", 3, 40), is_past=False)
    monkeypatch.setattr(live, "THE_JOB", job)
    first = asked()
    job.progress.done = 4
    told = asked(first["seen"])
    assert "4 of 40 steps" in told["running"] and told["progress"] == ""
    assert told["busy"] == {"visible": True} and told["held"] == {} == told["record"]
    job.progress = state("failed", text="no memory")
    told = asked(told["seen"])
    assert told["running"] == "" and "no memory" in told["progress"]
    assert asked(told["seen"])["progress"] == {}
    # "Stopping" may come to the page after that.
    again = asked(live.without_job(told["seen"]))
    assert "no memory" in again["progress"] and again["held"] == {} == again["record"]
    assert live.without_job("") == ""
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
    near = "nearer to the full picture</span> (very many steps) than 24 steps"
    assert near in told["status"]
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
    first = asked(learns=False)
    assert "Next picture" not in first["status"]
    webui.opts.stepdistill_opened = True  # and the artist has turned it off
    assert "Learn while drawing is off" in asked(first["seen"], learns=False)["status"]


@pytest.mark.parametrize(
    ("as_set", "button", "words"),
    [
        ({"cfg_scale": 3.0}, "Try it: Distilled, 6 steps", "learnt for CFG 7, you use 3"),
        (
            {"width": 128},
            "Try it: Distilled, 6 steps",
            "learnt at 64x64, you use 128x64. Whether it holds here nobody has checked",
        ),
        (
            {"denoising_strength": 0.5},
            None,
            "denoising 0.5 yet: draw one picture with DPM++ 2M in 22 steps, of which 12 run at denoising 0.5",
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
        ({"sampling": "Euler a", "width": 128}, "adds noise at each step, so nothing is learnt"),
        ({"steps": 10, "width": 128}, "Nothing is learnt from fewer than 15 steps"),
        (
            {"hr-checkbox": True},
            "Nothing more to learn from it. That of its second pass takes <span",
        ),
        ({"hr-checkbox": True, "width": 128}, "is shown. That of its second pass takes"),
        ({"denoising_strength": 0.5}, "20 steps at denoising 0.5 run as 11, too few to learn from"),
        ({"denoising_strength": 0.5}, "draw with 22 or more"),
        ({"denoising_strength": 0.5, "steps": 22}, "takes <span"),
        ({"sampling": "UniPC", "width": 128}, "Nothing is learnt from pictures drawn with UniPC"),
        ({"sampling": "UniPC", "scheduler": "Distilled"}, "UniPC makes its own schedule"),
        ({"sampling": "Distilled", "scheduler": "Karras"}, "runs as DPM++ 2M on Karras"),
        ({"sampling": "Euler", "width": 128}, "takes <span"),
    ],
)
def test_the_next_picture_is_described_as_the_page_stands(live, learnt, as_set, words):
    views = made.ours("a1111.status_view")
    told = views.status_html(live.tab_of(PAGE | as_set, "", "Automatic", True))
    assert words in told, told


@pytest.mark.parametrize("as_set", [{"sampling": "Euler a"}, {"steps": 10}, {"sampling": "UniPC"}])
def test_what_is_learnt_already_is_asked_of_no_other_picture(live, learnt, as_set):
    views = made.ours("a1111.status_view")
    told = views.status_html(live.tab_of(PAGE | as_set, "", "Automatic", True))
    assert "Next picture" not in told and "nearer" in told


def test_a_mask_is_told_of_before_the_picture(live, learnt):
    """Nothing is promised on a tab for inpainting, and what is learnt is said to be of whole pictures."""
    views = made.ours("a1111.status_view")
    drawn, few = (
        live.tab_of(PAGE | {"denoising_strength": 1.0} | as_set, "", "Automatic", True, True)
        for as_set in ({"width": 512}, {"sampling": "Distilled", "steps": 6})
    )
    told = views.status_html(drawn)
    assert "Next picture: Nothing is learnt from a picture with a mask" in told
    assert "takes" not in told
    assert "made for whole pictures, without a mask" in views.status_html(few)
    assert views.use_button(few)["value"] == "In use: Distilled, 6 steps"


def test_both_tabs_and_all_pages_have_one_tick(asked, live, webui, learnt):
    """Also where the fold of one of them was opened first."""
    webui.opts.stepdistill_learn = False
    first, other = asked(learns=False), asked(learns=False)
    assert first["learn"] == {"value": False}
    assert asked(first["seen"], learns=False)["learn"] == {}
    webui.opts.stepdistill_opened = webui.opts.stepdistill_learn = True
    assert live.opened() == {"value": True}  # of the other, too
    told = asked(other["seen"], learns=False)
    assert told["learn"] == {"value": True}
    again = asked(told["seen"], steps=21)
    assert again["learn"] == {} and again["status"] != {}


def test_the_panel_promises_what_the_tick_beside_it_says(asked, webui, learnt):
    webui.opts.stepdistill_opened = True
    told = asked(learns=False, width=512)
    assert "It teaches nothing: Learn while drawing is off." in told["status"]


@pytest.mark.parametrize(
    "flag",
    [
        {"freeze_settings": True},
        {"freeze_settings_in_sections": "a, stepdistill"},
        {"freeze_specific_settings": "stepdistill_learn"},
    ],
)
def test_frozen_settings_are_said_and_kept(asked, live, webui, learnt, flag):
    webui.opts.stepdistill_learn, webui.opts.data = False, {}
    assert "frozen" not in asked()["status"]
    vars(webui.modules.shared.cmd_opts).update(flag)
    assert live.opened() == {"value": True}
    live.learning(True)
    assert webui.opts.data == {}
    assert "Learn while drawing counts until this page" in asked()["status"]


def test_what_came_of_a_job_is_no_news_once_a_picture_was_drawn(asked, live, webui, checkpoint):
    webui.modules.sd_models.model_data.sd_model = checkpoint
    job = live.THE_JOB
    state = made.ours("a1111.job_state").JobProgress
    first = asked()
    job.progress = state("interrupted", text="Interrupted.")
    told = asked(first["seen"])
    assert "Interrupted." in told["progress"] and "Interrupted." in told["doing"]
    assert asked()["progress"] == ""  # of a page that was opened since
    script = made.ours("a1111.panel").StepDistillScript()
    script.process(SimpleNamespace())
    again = asked(told["seen"])
    assert again["progress"] == "" == again["doing"]
    job.progress = state("running", "refinement", 3, 40)
    script.process(SimpleNamespace())
    assert "3 of 40" in asked()["doing"] and asked()["stop"] == {"visible": True}


def test_a_page_says_nothing_of_pictures_that_it_has_not_seen(asked, webui, checkpoint):
    webui.modules.sd_models.model_data.sd_model = checkpoint
    notes = made.ours("a1111.notes")
    p = SimpleNamespace(comment=lambda text: None)
    notes.begin(p)
    notes.tell(p, "6 steps.")
    notes.finished(p)
    first = asked()
    assert "Last picture" not in first["status"]
    notes.tell(p, "Learnt from it.")
    assert "Last picture: 6 steps. Learnt from it.<" in asked(first["seen"])["status"]


def test_loras_of_the_prompt_count_and_not_those_of_the_last_picture(
    live, webui, record, learnt, monkeypatch
):
    """By the host's own parser, in its own reading of the numbers."""
    import sys

    def parsed(prompt):
        given = [each.split(":") for each in prompt.strip("<>").split("><")]
        found = [SimpleNamespace(positional=each[1:], named={}) for each in given]
        return "", {"lora": found}

    monkeypatch.setitem(sys.modules, "modules.extra_networks", SimpleNamespace(parse_prompt=parsed))
    known = SimpleNamespace(available_network_aliases={"bend": 1}, loaded_networks=[])
    monkeypatch.setitem(sys.modules, "networks", known)
    views, few = made.ours("a1111.status_view"), {"sampling": "Distilled", "steps": 6}
    page = PAGE | few
    bent = live.tab_of(page | {"prompt": "<lora:bend:0.5:0.7><lora:gone:1>"}, "", "Automatic")
    assert bent.loras == (("bend", 0.7),)
    told = views.status_html(bent)
    assert "Distilled in 6 steps was learnt without bend" in told
    assert "not learnt for just this: learnt without bend" in told
    known.loaded_networks.append(
        SimpleNamespace(name="bend", unet_multiplier=1.0, modules={"diffusion_model_x": 1})
    )
    plain = views.status_html(live.tab_of(page | {"prompt": "a cat"}, "", "Automatic"))
    assert "6 steps, learnt for just this" in plain and "bend" not in plain


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
        assert "Last picture" not in views.status_html(tab)  # which is drawn yet
        notes.finished(p)
        assert "Last picture: Euler a adds noise.<" in views.status_html(tab)
    assert below == [["StepDistill: Euler a adds noise."]] * 2
    result = SimpleNamespace(comments="a\n")
    notes.drawn(p, result)
    notes.note(p, "Learnt.")
    assert result.comments == "a\nStepDistill: Learnt.\n"
