"""Pictures opened in the page draw the same where the store is empty: those that the page queued, and
those of the API."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from scheduler.store import Store
from tests.comfyui.graphs import scene

OPEN = """
const bytes = Uint8Array.from(atob(given), (letter) => letter.charCodeAt(0));
await window.app.handleFile(new File([bytes], "picture.png", { type: "image/png" }))
"""


def graph(prefix):
    s = scene(rows=1, digits="3")
    drawn = s.ksampler(sampler_name="distilled", steps=6)
    s.add("TestSave", name="opened", samples=drawn)
    s.add("SaveImage", images=s.add("TestPicture", samples=drawn), filename_prefix=prefix)
    return s.graph


@pytest.mark.parametrize("way", ["page", "api"])
def test_an_opened_picture_draws_the_same_with_an_empty_store(page, server, stored, way):
    store = Store(server.store)
    store.remove(stored)
    s = scene(rows=1, digits="3")
    s.distill(max_steps=6)
    server.client.run(s.graph)
    (name,) = [brief.file for brief in store.records()]
    prefix = f"{way}-{'vue' if page.vue else 'classic'}"
    page.load(graph(prefix).prompt)
    if way == "page":
        page.run()
    else:
        server.client.forget()
        server.client.run(graph(prefix))
    drawn = server.array("opened.samples")
    (picture,) = server.output.glob(f"{prefix}_*.png")
    store.remove(name)
    page.load({"1": {"class_type": "EmptyImage", "inputs": {}}})
    page.do(OPEN, base64.b64encode(picture.read_bytes()).decode())
    page.settled("chosen().length === 1")
    page.page.wait_for_timeout(500)
    assert len(page.saved()["extra"]["stepdistill_records"]) == 1
    page.run()
    assert np.array_equal(server.array("opened.samples"), drawn)
