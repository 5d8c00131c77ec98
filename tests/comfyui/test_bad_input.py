"""What may go wrong while the Few-Step KSampler learns, in the real ComfyUI: right, or one sentence."""

from __future__ import annotations

import os
import threading
import time

import pytest

from scheduler.store import Store
from tests.comfyui.client import Client, Interrupted
from tests.comfyui.graphs import scene
from tests.comfyui.server import Server
from tests.comfyui.test_few_step import FULL, GOAL, drawn, few, tidy
from tests.comfyui.test_few_step import lora as lora  # the fixture

TEACHER = 25  # calls of learning `now` before anything is fitted
NOW = 81  # calls in all


@pytest.fixture(autouse=True)
def empty(server, client):
    """Every test begins with an empty store, and leaves none."""
    yield
    tidy(server)
    client.forget()


def outcome(client, s, out):
    """(what happened as data, the node's words)."""
    result = client.run(s.graph)
    return result.ui(out)["stepdistill"][0]["learning"], result.text(out)


def test_learning_now_goes_on_where_it_was_stopped(server, client):
    s = scene(rows=1, digits="3")
    few(s, learn="now", model=s.recorded("stopped", 0.05))
    prompt_id, end = client.queue(s.graph), time.monotonic() + 120
    answers = server.store / ".unfinished"
    while len(list(answers.rglob("teacher-*"))) < 1 and time.monotonic() < end:
        time.sleep(0.02)
    client.interrupt()
    with pytest.raises(Interrupted):
        client.wait(prompt_id)
    (first,) = server.runs("stopped")
    assert not Store(server.store).records()
    said, told, calls = drawn(server, learn="now")
    assert told["action"] == "learn_first" and told["steps"] == 6, said
    assert sum(first["rows"]) // 2 >= TEACHER and calls - 6 <= NOW - TEACHER + 4
    assert not [each for each in answers.rglob("*") if each.is_file()]


@pytest.fixture(scope="module")
def beside(server):
    """Another server on the same store."""
    with Server(
        os.environ["COMFYUI_PATH"], arguments=["--user-directory", str(server.base / "user")]
    ) as started:
        yield started


def test_two_queues_on_one_store_lose_nothing_of_each_other(server, beside):
    told = {}

    def draw(which, steps, digits):
        told[steps] = drawn(which, name=f"queue-{steps}", steps=steps, digits=digits)[1]

    others = [
        threading.Thread(target=draw, args=(which, steps, digits))
        for which, steps, digits in ((server, 6, "3"), (beside, 5, "7"))
    ]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert {told[6]["action"], told[5]["action"]} == {"in_full"}
    store = Store(server.store)
    (brief,) = store.records()
    learnt = {each.steps for each in store.load(brief.file).recipes}
    assert learnt == {5, 6} and len(store.list_recordings()) == 2
    for which in (server, beside):
        for steps in learnt:
            assert drawn(which, steps=steps, seed=9)[1]["action"] == "few"


def test_two_queues_learn_the_same_at_once(server, beside):
    told = []
    others = [
        threading.Thread(
            target=lambda which=which: told.append(drawn(which, name="same", learn="now")[1])
        )
        for which in (server, beside)
    ]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert len(told) == 2 and {(each["steps"], each["problem"]) for each in told} == {(6, "")}


def test_hooks_are_drawn_in_full_and_said(server, client, lora):
    s = scene(rows=1, digits="3")
    hooks = s.add("CreateHookLoraModelOnly", lora_name=lora, strength_model=0.5)
    hooked = s.add(
        "ConditioningSetProperties",
        cond_NEW=s.positive,
        hooks=hooks,
        strength=1.0,
        set_cond_area="default",
    )
    told, said = outcome(client, s, few(s, positive=hooked))
    assert (told["obstacle"], told["steps"]) == ("hooks", FULL)
    assert "hooks that change the model" in said
    assert not Store(server.store).list_recordings()
    drawn(server)  # without: learnt, and of no use to the hooked model
    told, _ = outcome(client, s, few(s, positive=hooked, seed=8))
    assert told["steps"] == FULL


def test_another_size_is_learnt_of_its_own(server, client):
    drawn(server)
    s = scene(rows=1, digits="3")
    slim = s.add("EmptySD3LatentImage", width=32, height=64, batch_size=1)
    told, _ = outcome(client, s, few(s, latent_image=slim))
    assert told["action"] == "in_full" and told["calls"] <= GOAL
    shapes = {each.latent_shape for each in Store(server.store).list_recordings()}
    assert shapes == {(16, 8, 8), (16, 8, 4)}


def test_a_store_that_goes_while_learning_leaves_the_picture(server, client):
    """The disk fills, the folder goes: here, between the picture and what is learnt from it."""
    s, folder = scene(rows=1, digits="3"), server.store
    out = few(s, model=s.recorded("going", 0.1))
    prompt_id, end = client.queue(s.graph), time.monotonic() + 120
    while not Store(folder).list_recordings() and time.monotonic() < end:
        time.sleep(0.02)
    moved = folder.rename(folder.with_name("gone"))
    folder.write_text("in the way")
    try:
        result = client.wait(prompt_id)
    finally:
        folder.unlink()
        moved.rename(folder)
    said = result.text(out)
    assert said.startswith("Drawn in full, 24 steps") and "could not be" in said
    assert result.ui(out)["stepdistill"][0]["learning"]["problem"]


def test_a_model_that_fails_while_it_learns_leaves_the_picture(server, client):
    s = scene(rows=1, digits="3")
    out = few(s, model=s.add("TestOddModel", model=s.model, which="failing"))
    told, said = outcome(client, s, out)
    assert told["action"] == "in_full" and told["kept"] and not Store(server.store).records()
    assert "Learning broke off, not the picture (RuntimeError: CUDA error" in said
    assert server.array("few.samples").shape == (1, 16, 8, 8)


def test_a_wish_of_one_page_is_not_fulfilled_by_another(server, client):
    """Both have a node of the same id."""
    drawn(server, digits="7")
    others = [scene(rows=1, digits=digits) for digits in ("3", "8")]
    mine, theirs = (few(s, seed=11) for s in others)
    wish = {"node": mine.node, "calls": 90, "client": client.id}
    client.post("/stepdistill/improve", wish)
    assert "better" not in Client(client.address).run(others[1].graph).text(theirs)
    assert "model calls" in client.run(others[0].graph).text(mine)
