"""Few-Step KSampler with learn: now on the real host: what it says first, what it spends, and that a
learning that was stopped is not paid twice."""

from __future__ import annotations

import shutil
import time

import pytest

from scheduler.store import Store
from scheduler.store.folder import UNFINISHED
from tests.comfyui.client import Interrupted
from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import few, tidy
from tests.speed import scaled


@pytest.fixture(autouse=True)
def empty(server, client):
    """Every test begins with an empty store, and leaves none."""
    yield
    tidy(server)
    client.forget()


def learning_now(name: str, seconds: float = 0.0):
    s = scene(rows=1, digits="3")
    few(s, learn="now", model=s.recorded(name, seconds))
    return s.graph


def calls(server, name: str) -> int:
    return sum(sum(run["rows"]) for run in server.runs(name)) // 2  # guidance asks for two


def test_now_learns_first_and_says_how_long(server, client):
    with client.events() as events:
        seen = events.until_done(client.queue(learning_now("now", 0.01)))
    plans = [
        m["data"]["plan"]
        for m in seen
        if m["type"] == "stepdistill.progress" and "plan" in m["data"]
    ]
    assert len(plans) == 1 and "A recipe for 6 steps is learnt first" in plans[0]
    assert ", about " in plans[0] and " s" in plans[0]
    learnt = calls(server, "now") - 6
    assert 60 < learnt < 100
    said = (server.output / "few.txt").read_text(encoding="utf-8")
    assert f"Learnt this model with {learnt} model calls" in said


def answers(server) -> int:
    """How many answers of a stopped learning are kept."""
    return len(list((server.store / UNFINISHED).rglob("answer-*")))


@pytest.mark.parametrize("paid", [4, 12])
def test_stopped_in_its_teacher_it_is_not_paid_twice(server, client, paid):
    shutil.rmtree(server.store / UNFINISHED, ignore_errors=True)  # what other tests have stopped
    client.run(learning_now("whole"))
    whole = calls(server, "whole")
    tidy(server)
    prompt_id = client.queue(learning_now("stopped", 0.1))
    end = time.monotonic() + scaled(60)
    while answers(server) < paid and time.monotonic() < end:
        time.sleep(0.02)
    client.interrupt()
    with pytest.raises(Interrupted):
        client.wait(prompt_id)
    kept = answers(server)
    assert paid <= kept <= paid + 8 and not Store(server.store).records()
    client.run(learning_now("again"))
    assert calls(server, "again") <= whole - kept + 2  # what tells the model; what tells the time
    assert Store(server.store).records() and not answers(server)
