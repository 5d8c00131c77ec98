"""The card on our nodes: plots, hover, scale, size, theme, what the workflow saved, progress;
hostile texts stay texts."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.browser.made import made
from tests.comfyui.graphs import scene

WATCH = """
window.seen = [];
const look = () =>
  document.querySelectorAll(".sd-progress").forEach((part) => window.seen.push(part.innerText));
new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
"""


def load_node(page, name: str) -> None:
    """A workflow with Load Record and Save Record."""
    record = {"class_type": "StepDistillLoad", "inputs": {"name": name}}
    save = {
        "class_type": "StepDistillSave",
        "inputs": {"record": ["1", 0], "filename_prefix": "browser/record"},
    }
    page.load({"1": record, "2": save})


@pytest.fixture(autouse=True)
def shows_widgets(page, stored):
    """The first Vue nodes (front ends before 1.28) show no widgets of extensions at all, whatever
    their kind."""
    load_node(page, stored)
    if page.vue and not page.card().count():
        pytest.skip("this front end's Vue nodes show no widgets of extensions")


@pytest.fixture
def loaded(page, stored):
    """A run of Load Record; the card's locator."""
    load_node(page, stored)
    page.run()
    page.card().locator("svg").wait_for()
    return page.card()


def picture(card) -> str:
    """Everything that is drawn, as text."""
    return card.locator("svg").inner_html()


def press(card, name: str) -> None:
    """A button of the card, whatever the canvas has over it."""
    card.get_by_role("button", name=name, exact=True).evaluate("(button) => button.click()")


def test_a_run_draws_both_plots(loaded):
    assert (
        "euler" in loaded.locator(".sd-name").inner_text()
        or "dpmpp_2m" in loaded.locator(".sd-name").inner_text()
    )
    press(loaded, "Schedule")
    assert (
        loaded.locator(".sd-line.sd-ours").count() == 1
        and loaded.locator(".sd-line.sd-stock").count() == 1
    )
    assert "stock: simple" in loaded.locator(".sd-foot").inner_text()
    press(loaded, "Error by steps")
    assert (
        loaded.locator("circle.sd-pick").count() == 1
        and "best stock" in loaded.locator(".sd-foot").inner_text()
    )


def test_words_of_evidence(loaded):
    assert (
        "0.67 of the error of the best stock choice (simple)"
        in loaded.locator(".sd-words").inner_text()
    )


def test_another_record_draws_other_pixels(page, server, loaded):
    press(loaded, "Schedule")
    before = loaded.locator(".sd-plot").screenshot()
    name = Store(server.store).put(made("other", bend=0.7)).removesuffix(".json")
    load_node(page, name)
    page.run()
    page.card().locator("svg").wait_for()
    press(page.card(), "Schedule")
    assert page.card().locator(".sd-plot").screenshot() != before


def test_the_scale_and_hover(page, loaded):
    press(loaded, "Schedule")
    press(loaded, "Linear")
    linear = picture(loaded)
    press(loaded, "Log")
    assert picture(loaded) != linear
    box = loaded.locator(".sd-plot").bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    loaded.locator(".sd-hair").wait_for(state="attached")
    assert (
        "step 3" in loaded.locator(".sd-foot").inner_text()
        and "σ" in loaded.locator(".sd-foot").inner_text()
    )


def test_it_grows_with_its_node(page, loaded):
    before = loaded.locator("svg").get_attribute("viewBox")
    page.do(
        "const n = root.nodes.find((n) => n.type === 'StepDistillLoad'); "
        "n.setSize([n.size[0] + 120, n.size[1] + 90])"
    )
    page.do("window.app.canvas.setDirty(true, true)")
    page.page.wait_for_function(
        "(before) => document.querySelector('.sd-card svg').getAttribute('viewBox') !== before",
        arg=before,
    )


def test_what_was_saved_is_drawn_without_a_run(page, loaded):
    drawn, workflow = loaded.locator(".sd-words").inner_text(), page.saved()
    assert all(len(str(node.get("properties", {}))) < 8000 for node in workflow["nodes"])
    page.open()
    page.load_workflow(workflow)
    page.card().locator("svg").wait_for()
    assert page.card().locator(".sd-words").inner_text() == drawn


def test_themes_differ_and_follow(page, loaded):
    dark = loaded.locator(".sd-plot").screenshot()
    page.do("await window.app.extensionManager.setting.set('Comfy.ColorPalette', 'light')")
    page.page.wait_for_function("document.querySelector('.sd-card').classList.contains('sd-light')")
    light = loaded.locator(".sd-plot").screenshot()
    page.do("await window.app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")
    page.page.wait_for_function(
        "!document.querySelector('.sd-card').classList.contains('sd-light')"
    )
    assert light != dark


def test_a_text_with_more_below_fades_and_is_whole_when_pointed_at(page, loaded):
    words = loaded.locator(".sd-words")
    cut = words.evaluate("(e) => e.scrollHeight > e.clientHeight + 2")
    assert words.evaluate("(e) => e.classList.contains('sd-more')") == cut
    words.evaluate("(e) => (e.textContent = 'A line.\\n'.repeat(30))")
    words.evaluate("(e) => e.dispatchEvent(new Event('scroll'))")
    assert words.evaluate("(e) => getComputedStyle(e).maskImage").startswith("linear-gradient")


def test_save_record_has_no_empty_card(page, loaded):
    at = "root.nodes.find((n) => n.type === 'StepDistillSave')"
    assert page.do(f"return {at}.size[1] - {at}.computeSize()[1]") < 30
    assert page.card(1).locator(".sd-head").inner_text()


def test_hostile_texts_are_shown_as_texts(page, server):
    name = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
    stored = Store(server.store).put(made(name)).removesuffix(".json")
    load_node(page, stored)
    page.run()
    card = page.card()
    card.locator("svg").wait_for()
    assert (
        "<img src=x" in card.locator(".sd-words").inner_text()
        and card.locator("img, script").count() == 0
    )
    page.command("Store")
    row = page.page.locator(".sd-item", has_text="<script>").first
    row.click()
    page.page.locator(".sd-facts", has_text="<script>").wait_for()
    assert (
        page.page.locator(".sd-panel img, .sd-panel script").count() == 0
        and page.do("return window.pwned ?? null") is None
    )
    page.command("Store")
    Store(server.store).remove(f"{stored}.json")


def test_a_hostile_payload_in_a_workflow_draws_nothing_wild(page, stored):
    load_node(page, stored)
    workflow = page.saved()
    bad = {
        "sigmas": [1, "<b>", None],
        "stock": {"name": "<b>x</b>", "sigmas": [1e308, 0]},
        "info": "<b>bold</b>",
    }
    bad["curve"] = {"steps": [1, -4, 1e99]}
    for node in workflow["nodes"]:
        node["properties"]["stepdistill_shown"] = (
            bad if node["type"] == "StepDistillLoad" else "nothing"
        )
    page.load_workflow(workflow)
    page.settled("document.querySelector('.sd-words')?.textContent === '<b>bold</b>'")
    assert page.page.locator(".sd-card b").count() == 0


def test_progress_while_distilling(page, server, stored):
    s = scene()
    made_record = s.distill(max_steps=6)
    s.add("TestSave", name="progress", text=made_record[2])
    page.load(s.graph.prompt)
    page.do(WATCH)
    page.run()
    seen = page.do("return window.seen")
    assert any("model calls" in each for each in seen) and any("left" in each for each in seen)
    assert (
        any("teacher" in each for each in seen) and page.page.locator(".sd-progress").count() == 0
    )
    page.card().locator("svg").wait_for()


def test_a_node_inside_a_subgraph_shows_its_run_too(page, stored):
    load_node(page, stored)
    page.do(
        "const c = window.app.canvas; c.deselectAll(); "
        "c.select(root.nodes.find((n) => n.type === 'StepDistillLoad'))"
    )
    page.do("window.app.canvas.graph.convertToSubgraph(window.app.canvas.selectedItems)")
    page.run()
    page.settled(
        "all(root).find((n) => n.type === 'StepDistillLoad').properties.stepdistill_shown?.sigmas.length > 3"
    )
    page.do("window.app.canvas.setGraph(root.nodes.find((n) => n.subgraph).subgraph)")
    page.page.locator(".sd-card svg").locator("visible=true").first.wait_for()
    page.do("window.app.canvas.setGraph(root)")
