"""Pictures of the Few-Step KSampler that no record says: their own files do, of nodes that were cached
too, on the real host; and nothing of it binds another graph."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scheduler.store import Store
from tests.comfyui.graphs import scene
from tests.comfyui.test_few_step import drawn, few, tidy, with_picture
from tests.comfyui.test_pictures import PAGE, carried, opened, texts


@pytest.fixture(autouse=True)
def empty(server, client):
    """Every test begins with an empty store, and leaves none."""
    yield
    tidy(server)
    client.forget()


def saved(server, prefix, **changed):
    """(what a page's picture holds, the node, its latent) of one drawn now."""
    graph, out = with_picture(prefix=prefix, **changed)
    server.client.wait(server.client.queue(graph, PAGE))
    return texts(server, prefix), out, server.array("few.samples")


def test_a_picture_in_full_saved_from_the_cache_says_so_too(server, client):
    """A second file of the same picture, one that waits while the first is learnt and one queued later."""
    graphs = [with_picture(prefix=f"cached-{number}")[0] for number in range(3)]
    first, waits = (client.queue(graph, PAGE) for graph in graphs[:2])
    for each in (first, waits, client.queue(graphs[2], PAGE)):
        client.wait(each)
    picture = server.array("few.samples")
    for number in range(3):
        client.forget()
        result = opened(server, texts(server, f"cached-{number}"))
        assert np.array_equal(server.array("few.samples"), picture), number
    assert any("So it was drawn before" in text for text in result.outputs["6"]["text"])


def test_what_was_drawn_in_full_binds_no_other_graph(server, client):
    found, out, _ = saved(server, "binds")
    for change, value in (("cfg", 3.1), ("learn", "off"), ("seed", 6)):
        other = json.loads(json.dumps(found))
        other["prompt"][out.node]["inputs"][change] = value
        said = opened(server, other).text(out)
        assert "6 steps" in said and "drawn before" not in said, change


def test_the_same_seed_again_takes_few_steps_as_promised(server, client):
    """The host has let go of the picture in full; nothing in the graph says that it must be so."""
    graph, out = with_picture(prefix="promised")
    client.wait(client.queue(graph, PAGE))
    client.forget()
    assert client.wait(client.queue(graph, PAGE)).text(out).startswith("6 steps")


def test_a_stand_in_is_drawn_again_after_the_model_was_learnt(server, client):
    found, out, picture = saved(server, "stood-in", learn="off")
    drawn(server, seed=1)
    said = opened(server, found).text(out)
    assert np.array_equal(server.array("few.samples"), picture) and "So it was drawn before" in said


def test_a_recipe_of_other_steps_is_drawn_again_after_these_were_learnt(server, client):
    drawn(server, seed=1, digits="7")
    found, _, picture = saved(server, "lengthened", learn="off", steps=8)
    drawn(server, seed=1, digits="7", steps=8)
    opened(server, found)
    assert np.array_equal(server.array("few.samples"), picture)


def test_a_record_that_was_spoilt_by_hand_is_passed_over_and_said(server, client):
    drawn(server, seed=1)
    found, out, picture = saved(server, "spoilt", seed=31)
    (data,) = carried(found).values()
    data["recipes"][0]["sigmas"][1] = 5.0
    said = opened(server, found).text(out)
    assert said.endswith("A record that this workflow carries cannot be read, and was passed over.")
    assert np.array_equal(server.array("few.samples"), picture)  # the store's own


def test_a_cached_pass_does_not_hold_the_second_pass_to_its_record(server, client):
    """Of a hires pass the first stays cached; a second drawn anew takes what the store has by then."""

    def hires(seed):
        s = scene(rows=1, digits="3")
        first = few(s, "first", seed=5)
        second = few(s, "second", seed=seed, denoise=0.5, latent_image=first)
        return s.graph, second

    drawn(server, seed=1)
    for seed in (1, 2):
        graph, out = hires(seed)
        assert "this workflow carries" not in client.wait(client.queue(graph, PAGE)).text(out)
    store = Store(server.store)
    (brief,) = store.records()
    record = store.load(brief.file)
    store.remove(brief.file)
    store.put(type(record)(**{**record.__dict__, "recipes": record.recipes[:1]}))
    graph, out = hires(3)
    said = client.wait(client.queue(graph, PAGE)).text(out)
    assert "this workflow carries" not in said and "Learnt" not in said
