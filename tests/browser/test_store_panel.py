"""The store's panel and record files: list, search, details, export, remove; drops on the canvas;
what is refused."""

from __future__ import annotations

import json

import pytest

from scheduler.sources import Sources
from scheduler.store import Store
from tests.browser.made import made
from tests.comfyui.graphs import scene
from tests.sources.made import folder_of

DROP = """
const parts = given.text !== undefined ? [given.text] : [given.head, new Uint8Array(given.size)];
const file = new File(parts, given.name, { type: "application/json" });
const transfer = new DataTransfer(); transfer.items.add(file);
const target = given.on ? document.querySelector(given.on) : window.app.canvas.canvas;
const place = { clientX: 700, clientY: 500 };
const drop = { bubbles: true, cancelable: true, dataTransfer: transfer, ...place };
target.dispatchEvent(new DragEvent("drop", drop))
"""


@pytest.fixture
def panel(page, stored):
    """The open panel's locator."""
    page.close_toasts()
    page.load({"1": {"class_type": "StepDistillFromText", "inputs": {"text": ""}}})
    if page.page.locator(".sd-panel").count() == 0:
        page.command("Store")
    page.page.locator(".sd-panel").wait_for()
    page.page.get_by_role("button", name="Refresh", exact=True).click()
    page.page.locator(".sd-item").first.wait_for()
    yield page.page.locator(".sd-panel")
    page.do("window.app.extensionManager.sidebarTab.toggleSidebarTab('stepdistill')")


def test_list_search_details(page, server, panel):
    Store(server.store).put(made("another model"))
    panel.get_by_role("button", name="Refresh", exact=True).click()
    panel.locator(".sd-item", has_text="another model").wait_for()
    assert panel.locator(".sd-item").count() == 2
    panel.get_by_role("searchbox").fill("another")
    assert panel.locator(".sd-item").count() == 1
    panel.locator(".sd-item").click()
    panel.locator(".sd-card svg").wait_for()
    before = panel.locator(".sd-card svg").inner_html()
    panel.get_by_label("Steps", exact=True).select_option("4")
    page.page.wait_for_function(
        "(before) => document.querySelector('.sd-panel .sd-card svg').innerHTML !== before",
        arg=before,
    )
    panel.get_by_role("searchbox").fill("nothing like that")
    assert "No record matches" in panel.inner_text()
    panel.get_by_role("searchbox").fill("")


def test_what_is_chosen_in_a_long_list_is_seen_without_scrolling(page, server, panel):
    for k in range(40):
        Store(server.store).put(made(f"model {k}"))
    panel.get_by_role("button", name="Refresh", exact=True).click()
    panel.locator(".sd-item").nth(40).wait_for()
    panel.locator(".sd-item").first.click()
    panel.locator(".sd-card svg").wait_for()
    top = panel.locator(".sd-card").bounding_box()["y"]
    assert top + 120 < page.size[1]
    panel.locator(".sd-item").nth(40).scroll_into_view_if_needed()
    assert panel.locator(".sd-card").bounding_box()["y"] == pytest.approx(top, abs=2)


def test_sources_are_listed_as_text_and_asked_nothing(page, server, panel, tmp_path):
    listed = panel.locator(".sd-sources")
    listed.locator("summary").click()
    command = listed.locator("input")
    command.wait_for()
    shown = command.input_value()
    assert f"store source add ADDRESS --folder {server.store}" in shown and "\n" not in shown
    folder = folder_of(tmp_path / "ann", by="<b>Ann</b>")
    source = Sources(server.store).add(str(folder), name="anns-records")
    panel.get_by_role("button", name="Refresh", exact=True).click()
    listed.get_by_text("anns-records").wait_for()
    assert "3 records · by <b>Ann</b>" in listed.inner_text() and listed.locator("b").count() == 0
    assert "Sources of other people's records: 1" in listed.inner_text()
    Sources(server.store).remove(source.name)


def test_export_and_remove_which_asks_first(page, server, panel, stored):
    panel.locator(".sd-item").first.click()
    with page.page.expect_download() as download:
        panel.get_by_role("button", name="Export", exact=True).click()
    assert json.loads(download.value.path().read_text())["stepdistill"] == 2
    panel.get_by_role("button", name="Remove…", exact=True).click()
    asked = page.page.locator(".sd-dialog").inner_text()
    assert panel.locator(".sd-item small").first.inner_text() in asked  # as the list names it
    page.page.get_by_role("button", name="Cancel", exact=True).click()
    assert [brief.file for brief in Store(server.store).records()] == [f"{stored}.json"]
    panel.get_by_role("button", name="Remove…", exact=True).click()
    sure = page.page.locator(".sd-dialog .sd-danger")
    assert sure.inner_text() == "Remove"  # nothing more is asked
    sure.click()
    panel.get_by_text("No records yet").wait_for()
    assert not Store(server.store).records()


def test_import_in_the_panel(page, server, panel):
    page.do(DROP, {"text": made("dropped").to_json(), "name": "dropped.json", "on": ".sd-panel"})
    panel.locator(".sd-item", has_text="dropped").wait_for()
    page.do(
        DROP, {"text": '{"stepdistill": 1, "evil": "<b>"}', "name": "bad.json", "on": ".sd-panel"}
    )
    page.page.get_by_text("This is not a usable record").first.wait_for()
    assert len(Store(server.store).records()) == 2


def test_add_load_record(page, panel, stored):
    panel.locator(".sd-item").first.click()
    panel.get_by_role("button", name="Add Load Record", exact=True).click()
    page.settled(
        "root.nodes.some((n) => n.type === 'StepDistillLoad' && n.widgets[0].value === given)",
        stored,
    )


OVER = """
const boxes = root.nodes.map((n) => [n.pos[0], n.pos[1] - 30, n.pos[0] + n.size[0], n.pos[1] + n.size[1]]);
return boxes.some((a, k) =>
  boxes.slice(k + 1).some((b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]))
"""


def test_an_added_load_record_lies_beside_the_others_and_shows_its_record(page, panel, stored):
    sampler = "root.nodes.find((n) => n.type === 'KSampler')"
    s = scene()
    s.ksampler()
    page.load(s.graph.prompt)
    page.do(
        "const c = window.app.canvas, box = c.canvas.getBoundingClientRect(), d = c.ds; "
        f"{sampler}.pos = [box.width / 2 / d.scale - d.offset[0] - 100, "
        "box.height / 2 / d.scale - d.offset[1] - 60]; c.setDirty(true, true)"
    )
    before = page.do(OVER)
    panel.locator(".sd-item").first.click()
    panel.get_by_role("button", name="Add Load Record", exact=True).click()
    page.settled("root.nodes.some((n) => n.type === 'StepDistillLoad')")
    assert not before and not page.do(OVER)
    node = page.page.locator(".sd-card:not(.sd-panel .sd-card)")
    node.locator(".sd-words", has_text="Recipes:").first.wait_for()


@pytest.mark.parametrize("way", ["Into the store", "Into the workflow"])
def test_a_record_dropped_on_the_canvas_makes_a_ready_node(page, server, stored, way):
    page.load({"1": {"class_type": "StepDistillSave", "inputs": {"filename_prefix": "x"}}})
    page.do(DROP, {"text": made("dropped here").to_json(), "name": "record.json"})
    page.page.get_by_role("button", name=way, exact=True).click()
    kind = "StepDistillLoad" if way == "Into the store" else "StepDistillFromText"
    page.settled("root.nodes.some((n) => n.type === given)", kind)
    page.do(
        "const of = (t) => root.nodes.find((n) => n.type === t); "
        "of(given).connect(0, of('StepDistillSave'), 0)",
        kind,
    )
    page.run()
    page.page.locator(".sd-words", has_text="dropped here").first.wait_for()
    page.undo()


def test_other_files_are_still_the_hosts(page, stored):
    workflow = page.saved()
    workflow["nodes"] = []
    workflow["links"] = []
    page.do(DROP, {"text": json.dumps(workflow), "name": "workflow.json"})
    page.settled("root.nodes.length === 0")


def test_fifty_megabytes_are_refused(page, stored):
    page.close_toasts()
    page.do(DROP, {"head": '{"stepdistill": 1, "x": "', "size": 50_000_000, "name": "huge.json"})
    page.page.get_by_text("This file is too large for a record").first.wait_for()
    page.close_toasts()
