"""Whether a kept run is there that a node of a workflow may learn from before its first picture."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.nodes.made import EULER, recipe, record
from tests.nodes.pack import module
from tests.workflow_graphs import plain

of_files = module("nodes.server.records_of_files")
Key = module("scheduler.lookup.key").Key
KEPT = replace(Key.of(record(recipe("euler", EULER))), cfg=7.0, latent_shape=(4, 64, 64))


@pytest.fixture
def kept(monkeypatch):
    """Asks with one kept run of a key in the store, of a model of this name."""
    monkeypatch.setattr(of_files, "_files", lambda names: [])  # no model file is at hand

    def asked(key=KEPT, title="photo", **changed) -> bool:
        listed = [SimpleNamespace(key=key, title=title)]
        host = module("nodes.host.store")
        monkeypatch.setattr(host, "store", lambda: SimpleNamespace(list_recordings=lambda: listed))
        graph = plain(**changed)
        empty = graph.add("EmptyLatentImage", [512, 512, 1], sockets=([], ["LATENT"]))
        graph.link(empty, 2, "latent_image")
        document = module("scheduler.workflow").parse(json.dumps(graph.data))
        sites = module("scheduler.workflow.sites").survey(document).sites
        return of_files.run_kept(module("scheduler.workflow.facts").facts_of(document, sites[0]))

    return asked


def test_a_run_of_the_model_at_its_cfg_and_size(kept):
    assert kept()


def test_not_at_another_cfg_size_model_or_with_loras(kept):
    assert not kept(cfg=3.0) and not kept(file="other.safetensors")
    assert not kept(replace(KEPT, latent_shape=(4, 128, 128)))
    assert not kept(replace(KEPT, patches=({"name": "style", "strength": 1.0},)))
