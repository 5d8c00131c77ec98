"""Load Record's list on the page: records in words, the value that is stored stays the name."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.browser.made import made

LABEL = "flow · cfg 3 · 64x64 · 4-8 steps · 2026-11-21 00:00"
OTHER = "other · cfg 3 · 64x64 · 4-8 steps · 2026-11-20 00:00"
NODE = "root.nodes.find((n) => n.type === 'StepDistillLoad')"
WIDGET = f"widget({NODE}, 'name')"
MIDDLE = f"""
const n = {NODE}, w = {WIDGET}, c = window.app.canvas, box = c.canvas.getBoundingClientRect();
const {{ offset, scale }} = c.ds, x = n.pos[0] + n.size[0] / 2, y = n.pos[1] + w.last_y + 10;
return [(x + offset[0]) * scale + box.left, (y + offset[1]) * scale + box.top]
"""


@pytest.fixture
def two(stored, server):
    """The names of the usual record and of another one's."""
    other = Store(server.store).put(made("other", created="2026-11-20T00:00:00Z"))
    return stored, other.removesuffix(".json")


def test_the_list_says_what_an_artist_knows_and_stores_the_name(page, two):
    name, other = two
    page.open()  # a page that has never seen them
    page.load({"1": {"class_type": "StepDistillLoad", "inputs": {"name": name}}})
    if page.vue:
        shown = page.page.get_by_text(LABEL).first
        shown.wait_for()
        shown.click()
    else:
        page.settled(f"{WIDGET}._displayValue === given", LABEL)
        page.page.mouse.click(*page.do(MIDDLE))
    choice = page.page.get_by_text(OTHER, exact=True).last
    choice.wait_for()
    choice.click()
    page.settled(f"{WIDGET}.value === given", other)
    (node,) = page.saved()["nodes"]
    assert node["widgets_values"][0] == other
    prompt = page.do("return (await window.app.graphToPrompt()).output")
    assert prompt["1"]["inputs"]["name"] == other


def test_what_was_stored_meanwhile_is_in_the_list(page, server, two):
    name, other = two
    page.open()
    page.load({"1": {"class_type": "StepDistillLoad", "inputs": {"name": name}}})
    new = Store(server.store).put(made("third", created="2026-11-22T00:00:00Z"))
    new = new.removesuffix(".json")
    assert new not in page.do(f"return {WIDGET}.options.values")
    page.command("Store")  # the panel asks the server
    page.settled(f"{WIDGET}.options.values.includes(given)", new)
    assert page.do(f"return {WIDGET}.value") == name
    page.command("Store")


def test_a_workflow_that_names_a_record_of_another_store_keeps_the_name(page, two):
    page.load({"1": {"class_type": "StepDistillLoad", "inputs": {"name": "elsewhere-1234"}}})
    (node,) = page.saved()["nodes"]
    assert node["widgets_values"][0] == "elsewhere-1234"
    if not page.vue:
        assert page.do(f"return {WIDGET}._displayValue") == "elsewhere-1234"
