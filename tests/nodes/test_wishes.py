"""Wishes to improve: each is fulfilled once, by the page that had it."""

from __future__ import annotations

import pytest

from tests.nodes.pack import module

wishes = module("nodes.few_step.wishes")


@pytest.fixture(autouse=True)
def none_before(monkeypatch):
    for name in ("_calls", "_counts"):
        monkeypatch.setattr(wishes, name, {})


def test_a_wish_is_fulfilled_once_and_of_its_node():
    wishes.wish("5", 90)
    assert [wishes.taken(node) for node in ("6", None, "5", "5")] == [0, 0, 90, 0]


def test_a_wish_waits_for_the_page_that_had_it():
    """Two pages have nodes of the same id."""
    wishes.wish("5", 90, "mine")
    assert wishes.taken("5", "another") == 0 and wishes.taken("5", "mine") == 90
    wishes.wish("5", 30, "mine")
    assert wishes.taken("5") == 30  # a host that does not say whose prompt runs
    assert wishes.count("5") == 2


def test_few_are_kept(monkeypatch):
    monkeypatch.setattr(wishes, "KEPT", 2)
    for node in "123":
        wishes.wish(node, 10)
    assert [wishes.taken(node) for node in "123"] == [0, 10, 10]
