"""What the panel is told when its page asks: as many answers as it has places for them."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from tests.a1111 import made


@pytest.fixture
def live(webui, monkeypatch):
    found = made.ours("a1111.panel_live")
    monkeypatch.setattr(found.gr, "update", lambda **told: told, raising=False)
    return found


@pytest.fixture
def asked(live):
    """(what `polled` answers, by the panel's own names of its parts)."""
    parts = MagicMock()
    names = {}
    live.tie(parts)
    _, inputs, outputs = parts.poll.click.call_args.args
    for name, each in parts._mock_children.items():
        names[id(each)] = name
    places = [names[id(each)] for each in outputs]
    assert len(inputs) == 3 and len(set(places)) == len(places)

    def ask(seen="", recipes="", chosen="Automatic"):
        answers = live.polled(seen, recipes, chosen)
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
    assert "4 of 40 model calls" in told["running"] and told["progress"] == ""
    assert told["busy"] == {"visible": True} and told["held"] == {} == told["record"]
    job.progress = state("failed", text="no memory")
    told = asked(told["seen"])
    assert told["running"] == "" and "no memory" in told["progress"]
    assert told["busy"] == {"visible": False} and told["record"] != {}


def test_a_pasted_recipe_offers_the_newest(asked):
    assert asked(recipes="word")["newest"] == {"visible": True}
