"""What the page hears during model calls."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.nodes.pack import module

progress = module("nodes.page.progress")


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.2, "1 s"),
        (8.4, "8 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (1815, "30 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
    ],
)
def test_a_time_in_words(seconds, words):
    assert module("scheduler.record.words").duration(seconds) == words


def test_the_pace_leaves_the_first_call_out():
    now = [0.0]
    pace = progress.Pace(lambda: now[0])
    for seconds in (100.0, 2.0, 2.0, 2.0):
        assert pace.seconds_for(10) is None
        now[0] += seconds
        pace.count(4)
    assert pace.seconds_for(10) == pytest.approx(5.0)


@pytest.fixture
def teller(monkeypatch):
    """(a Teller whose bar and server only write down, what they wrote down)."""
    heard = SimpleNamespace(bar=[], sent=[])
    server = SimpleNamespace(
        client_id="page", send_sync=lambda event, data, sid: heard.sent.append((event, data))
    )
    monkeypatch.setattr(progress, "_server", lambda: server)
    monkeypatch.setattr(
        progress, "_bar", lambda *_: lambda step, x0, x, total: heard.bar.append((step + 1, total))
    )
    monkeypatch.setattr(progress, "LEAST_PAUSE", 0.0)
    return progress.Teller(None, "7"), heard


def test_what_a_call_took_with_all_that_was_done_beside_it_is_remembered(teller, monkeypatch):
    """The dialog's price and the node's are of this one number."""
    price = module("nodes.page.price")
    monkeypatch.setattr(price, "_pace", {})
    teller, _ = teller
    now, teller.of = [0.0], "flow 64x64"
    teller.pace.clock = lambda: now[0]
    teller.plan("Learning.", 8)
    now[0] += 2.0  # what is solved before the first call
    for _ in range(8):
        now[0] += 0.5
        teller.heard(1, None, 1.0)
    assert price.pace() is None  # not before it is known what the end takes
    now[0] += 2.0
    teller.finished()
    assert price.pace() == price.pace("flow 64x64") == pytest.approx(1.0)
    assert price.pace("another") is None
    assert price.improve_prices(6)[0]["text"].endswith("about 1 min 40 s")


def test_the_plan_is_said_first_and_the_time_live_alone(teller):
    teller, heard = teller
    teller.plan("Distilling.", 20)
    for _ in range(5):
        teller.heard(2, None, 1.0)
    teller.progress(10, 20, "teacher")
    teller.heard(2, None, 1.0)
    teller.keeps = True
    teller.usable()
    said = heard.sent.pop()[1]
    assert said["plan"].startswith("Distilling.\n") and "in use" in said["plan"] and said["keeps"]
    assert heard.bar == [(2, 20), (4, 20), (6, 20), (8, 20), (10, 20), (12, 20)]
    events = [data for event, data in heard.sent if event == "stepdistill.progress"]
    assert (
        events[0]["phase"] == "plan"
        and events[0]["plan"] == "Distilling."
        and events[0]["planned"] == 20
    )
    assert (
        events[-1]["phase"] == "teacher" and events[-1]["done"] == 12 and events[-1]["node"] == "7"
    )
    assert events[1]["seconds_left"] is None and events[-1]["seconds_left"] >= 0


@pytest.mark.parametrize("up", [5.0, 1e6])
def test_small_models_do_not_flood_the_page(teller, monkeypatch, up):
    """Nor is the first message held back where the machine has just been started."""
    teller, heard = teller
    teller.pace.clock = lambda: up
    monkeypatch.setattr(progress, "LEAST_PAUSE", 3600.0)
    for _ in range(50):
        teller.heard(1, None, 1.0)
    assert len(heard.bar) == 1
