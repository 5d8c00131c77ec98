"""What Load Record's list calls records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.nodes.made import recipe, record
from tests.nodes.pack import module

labels, routes = module("nodes.page.record_labels"), module("nodes.server.routes")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path))
    return module("nodes.host.store").store()


def kept(store, cfg: float, created: str = "2026-11-21T08:05:33Z", name: str = "photo") -> str:
    made = record(name=name)
    under = replace(made.conditions, cfg=cfg, latent_shape=(16, 128, 128), name=name)
    provenance = made.provenance | {"created": created}
    return store.put(replace(made, conditions=under, provenance=provenance)).removesuffix(".json")


def test_model_cfg_size_steps_and_date(store):
    name = kept(store, 7.0)
    found = routes.labels({})["labels"]
    assert found == {name: "photo · cfg 7 · 1024x1024 · 3 steps · 2026-11-21 08:05"}


def test_the_list_is_as_the_node_would_give_it_now(store):
    load = module("nodes.records.load").StepDistillLoad
    assert routes.labels({})["names"][0].startswith("(no records yet")
    name = kept(store, 7.0)
    found = routes.labels({})["names"]
    assert found[0] == name and len(found) > 1  # the published tables
    assert found == load.INPUT_TYPES()["required"]["name"][0]


def test_only_the_steps_that_there_are_are_named(store):
    curves = [[1 - k / steps for k in range(steps + 1)] for steps in (8, 6)]
    made = record(*(recipe("distilled", each) for each in curves))
    name = store.put(made).removesuffix(".json")
    assert " · 6, 8 steps · " in routes.labels({})["labels"][name]
    (listed,) = routes.records({})["records"]
    assert listed["steps_words"] == "6, 8 steps"
    (brief,) = store.records()
    assert (
        replace(brief, step_counts=()).steps_words == "6-8 steps"
    )  # a source's, whose list is short


def test_no_two_are_called_the_same(store):
    kept(store, 7.0)
    (brief,) = store.records()
    found = labels.labels_of([brief, replace(brief, file="photo-abcdef.json")])
    assert len(set(found.values())) == 2
    assert found["photo-abcdef"].endswith("08:05 · abcdef")
