"""The harness itself: the test nodes and the stock loaders do what the other tests rely on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.comfyui import expected
from tests.comfyui.client import Failed, Refused
from tests.comfyui.graphs import scene, video


@pytest.mark.parametrize("kind", ["flow", "eps"])
@pytest.mark.parametrize("loader", ["UNETLoader", "CheckpointLoaderSimple"])
def test_stock_loaders_and_samplers_agree_with_the_library(server, client, kind, loader):
    s, name = scene(kind), f"plain-{kind}-{loader}"
    model = s.model if loader == "UNETLoader" else s.add(loader, ckpt_name=f"{kind}.safetensors")
    s.ksampler(s.recorded(name, model=model), name, steps=4, scheduler="simple")
    client.run(s.graph)
    (run,) = server.runs(name)
    assert (
        run["sampler"] == "sample_euler"
        and len(run["sigmas"]) == 5
        and run["asked"] == run["sigmas"][:-1]
        and run["rows"] == [4] * 4
    )
    found = expected.model_latents(kind, server.array(f"{name}.samples"))
    assert expected.apart(found, expected.plain(kind, run["sigmas"], "euler")) < 1e-5


def test_errors_come_back_as_errors(client):
    s = scene(digits="12")
    s.ksampler(name="bad", scheduler="simple")
    with pytest.raises(Failed, match="digits 0 to 9") as failed:
        client.run(s.graph)
    assert failed.value.type == "TestDigits"
    s = scene()
    s.ksampler(name="bad", scheduler="no such")
    with pytest.raises(Refused, match="value_not_in_list"):
        client.run(s.graph)


def test_a_tiny_wan_has_five_dimensional_latents(server, client):
    s = video(seed=1)
    s.ksampler(name="wan", steps=2, scheduler="simple")
    client.run(s.graph)
    found = server.array("wan.samples")
    assert found.shape == (1, 16, 2, 8, 8) and np.isfinite(found).all() and 0.05 < found.std() < 20


def test_websocket_messages_arrive(client):
    s = scene()
    s.ksampler(name="events", scheduler="simple", seed=77)
    with client.events() as events:
        prompt_id = client.queue(s.graph)
        kinds = {message["type"] for message in events.until_done(prompt_id)}
    assert {"execution_start", "executing", "execution_success"} <= kinds
