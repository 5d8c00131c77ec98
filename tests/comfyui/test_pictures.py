"""Pictures carry the record that they were drawn with, in the file itself, and draw the same on a
server whose store is empty."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

from tests.comfyui.graphs import CFG, scene
from tests.comfyui.server import Server

PAGE = {"nodes": [], "links": [], "extra": {"ds": {"scale": 1}}}


@pytest.fixture(scope="module")
def elsewhere():
    """Another server, whose store is empty."""
    with Server(os.environ["COMFYUI_PATH"]) as started:
        yield started


def bare(s, name, seed):
    return s.ksampler(sampler_name="distilled", seed=seed)


def applied(s, name, seed):
    model = s.add("StepDistillApply", model=s.model, use_offsets=True)
    return s.ksampler(model, seed=seed)


def sigmas(s, name, seed):
    made = s.add(
        "StepDistillSigmas",
        model=s.model,
        sampler_name="euler",
        steps=6,
        denoise=1.0,
        if_missing="stock",
    )
    return s.custom(made, "euler", seed=seed)


def sampler(s, name, seed):
    made = s.add("StepDistillSampler", model=s.model, steps=6, denoise=1.0, if_missing="stock")
    return s.custom(made[1], made, seed=seed)


def loaded(s, name, seed):
    record = s.add("StepDistillLoad", name=name)
    model = s.add("StepDistillApply", model=s.model, use_offsets=True, record=record)
    return s.ksampler(model, seed=seed)


def few(s, name, seed):
    return s.add(
        "StepDistillKSampler",
        model=s.model,
        **s.prompts,
        latent_image=s.latent,
        seed=seed,
        steps=6,
        cfg=CFG,
        denoise=1.0,
        learn="off",
    )


WAYS = (bare, applied, sigmas, sampler, loaded, few)


def graph(way, record, prefix, seed=5):
    s = scene(rows=1, digits="3")
    drawn = way(s, record, seed)
    s.add("TestSave", name="drawn", samples=drawn)
    s.add("SaveImage", images=s.add("TestPicture", samples=drawn), filename_prefix=prefix)
    return s.graph


def texts(server, prefix):
    """The texts in the newest picture of a name."""
    with Image.open(max(server.output.glob(f"{prefix}_*.png"))) as picture:
        return {name: json.loads(text) for name, text in picture.text.items()}


def carried(found):
    holder = found["workflow"]["extra"] if "workflow" in found else found
    return holder.get("stepdistill_records", {})


def opened(server, found):
    """Queue what stands in a picture, as the page does."""
    rest = {name: data for name, data in found.items() if name != "prompt"}
    data = {"prompt": found["prompt"], "extra_data": {"extra_pnginfo": rest}}
    return server.client.wait(server.client.post("/prompt", data)["prompt_id"])


@pytest.mark.parametrize("page", [PAGE, None], ids=["page", "api"])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_draws_the_same_where_the_store_is_empty(
    server, client, flow, elsewhere, way, page
):
    client.forget()
    prefix = f"{way.__name__}-{'page' if page else 'api'}"
    client.wait(client.queue(graph(way, flow.name, prefix), page))
    found = texts(server, prefix)
    (data,) = carried(found).values()
    assert data["model"]["fingerprint"] == flow.record.model.fingerprint
    if page:
        assert found["workflow"]["extra"]["ds"] == {"scale": 1}
    opened(elsewhere, found)
    assert np.array_equal(server.array("drawn.samples"), elsewhere.array("drawn.samples"))
    assert carried(texts(elsewhere, prefix)) == carried(found)


@pytest.mark.parametrize("way", WAYS)
def test_pictures_of_nodes_that_were_cached_carry_it_too(server, client, flow, way):
    client.forget()
    prefix = f"{way.__name__}-cached"
    first = client.queue(graph(way, flow.name, prefix), PAGE)
    waiting = client.queue(graph(way, flow.name, f"{prefix}-waiting", seed=6), PAGE)
    client.wait(first)
    client.wait(waiting)
    client.wait(client.queue(graph(way, flow.name, f"{prefix}-seed", seed=7), PAGE))
    client.wait(client.queue(graph(way, flow.name, f"{prefix}-name", seed=7), PAGE))
    names = (prefix, f"{prefix}-waiting", f"{prefix}-seed", f"{prefix}-name")
    assert [len(carried(texts(server, name))) for name in names] == [1, 1, 1, 1]


def test_the_bare_dropdown_runs_again_when_the_store_has_changed(server, client, flow):
    client.forget()
    drawn = graph(bare, flow.name, "changes")
    client.run(drawn)
    with_record = server.array("drawn.samples")
    assert "2" not in client.run(drawn).ran  # nothing has changed: all from the cache
    for file in server.store.glob(f"{flow.name}.*"):
        file.unlink()
    client.run(drawn)
    assert not np.array_equal(server.array("drawn.samples"), with_record)
    assert not carried(texts(server, "changes"))
