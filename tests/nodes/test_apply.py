"""What Apply Distilled Schedule says before anything runs: which record, where it was found, and only
the query offsets that will be used."""

from __future__ import annotations

import pytest

from tests.nodes import host
from tests.nodes.made import EULER, OFFSETS, recipe
from tests.nodes.pack import module
from tests.nodes.test_lookup import record_of

lookup, card = module("nodes.lookup"), module("nodes.page.card_data")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return module("nodes.host.store").store()


@pytest.fixture(scope="module")
def model():
    return host.patcher(file="tiny.safetensors")


def said(model, record=None, offsets=True):
    match, info = lookup.described_source(model, record, offsets)
    return card.of_match(match, info)["source"], info


def distilled():
    rows = [[0.0] * 4, [0.3, 0.0, 0.02, -0.01], [0.2, 0.0, 0.0, 0.0]]
    return recipe("distilled", offsets=OFFSETS, coefficients=rows)


def test_offsets_are_promised_to_samplers_that_have_them(store, model):
    store.put(record_of(model))
    assert "4 steps" not in said(model)[1]
    assert "), with query offsets for euler." in said(model)[1]
    assert "), without query offsets." in said(model, offsets=False)[1]


@pytest.mark.parametrize(
    "recipes",
    [
        lambda: [distilled()],  # the only one: euler runs a stock schedule
        lambda: [distilled(), recipe("euler", EULER)],
        lambda: [distilled(), recipe("euler", offsets=OFFSETS, choice="beta")],
    ],
    ids=["distilled alone", "without offsets", "stock has won"],
)
def test_no_offsets_are_promised_that_nobody_gets(store, model, recipes):
    store.put(record_of(model, *recipes()))
    assert "offsets" not in said(model)[1]


def test_where_the_record_was_found(store, model):
    source, info = said(model)
    assert source == "stock" and "until you distil one" in info
    record = record_of(model)
    assert said(model, record)[0] == "record"
    store.put(record)
    assert said(model)[0] in ("exact", "nearest")  # the badge: from the store
