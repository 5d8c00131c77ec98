"""Use distilled schedule, Bake, Put back: by right-click, on a selection, in subgraphs, on the
whole workflow; undo takes each back."""

from __future__ import annotations

import pytest

from tests.comfyui.graphs import scene

SELECT = """
const c = window.app.canvas;
c.deselectAll();
for (const n of c.graph.nodes) if (given.includes(String(n.id))) c.select(n)
"""
CONVERT = """
const c = window.app.canvas;
c.deselectAll();
c.select(find(given));
c.graph.convertToSubgraph(c.selectedItems)
"""
KSAMPLERS = (
    "all(root).filter((n) => n.type === 'KSampler')"
    ".map((n) => widget(n, 'scheduler').value).sort().join() === given"
)


def two_samplers() -> dict:
    """A prompt with two KSamplers: 5 with karras, 7 with beta."""
    s = scene()
    s.ksampler(name="a", scheduler="karras")
    s.ksampler(name="b", scheduler="beta", sampler_name="dpmpp_2m")
    return s.graph.prompt


@pytest.fixture
def samplers(page, stored):
    """The two, loaded; their ids."""
    page.close_toasts()
    page.load(two_samplers())
    first, second = page.schedulers()
    return first, second


def wait(page, *values: str) -> None:
    """Until the schedulers are these."""
    page.settled(
        "JSON.stringify(chosen().map(([, value]) => value)) === JSON.stringify(given)", list(values)
    )


def select(page, *ids: str) -> None:
    page.do(SELECT, list(ids))


def test_right_click_swap_undo_redo(page, samplers):
    before = page.saved()
    page.menu(samplers[0], "Use distilled schedule")
    wait(page, "distilled", "beta")
    page.undo()
    wait(page, "karras", "beta")
    after = page.saved()
    assert [node["widgets_values"] for node in after["nodes"]] == [
        node["widgets_values"] for node in before["nodes"]
    ]
    assert [node["pos"] for node in after["nodes"]] == [node["pos"] for node in before["nodes"]]
    page.menu(samplers[0], "Use distilled schedule")
    wait(page, "distilled", "beta")
    page.menu(samplers[0], "Put back")
    wait(page, "karras", "beta")


def test_the_prompt_has_what_the_page_shows(page, samplers):
    page.command("Use")
    wait(page, "distilled", "distilled")
    prompt = page.do("return (await window.app.graphToPrompt()).output")
    assert [
        node["inputs"]["scheduler"] for node in prompt.values() if node["class_type"] == "KSampler"
    ] == ["distilled"] * 2


def test_a_selection(page, samplers):
    select(page, *samplers)
    page.command("Use")
    wait(page, "distilled", "distilled")
    page.undo()
    wait(page, "karras", "beta")
    select(page, samplers[1])
    page.command("Use")
    wait(page, "karras", "distilled")


def test_right_click_on_the_empty_canvas(page, samplers):
    select(page)
    page.page.mouse.click(*page.empty_place(), button="right")
    entry = page.page.get_by_text("StepDistill: whole workflow", exact=True).last
    entry.hover()
    entry.click()
    page.page.get_by_text("Use distilled schedule", exact=True).last.click()
    wait(page, "distilled", "distilled")


def test_inside_a_subgraph(page, samplers):
    page.do(CONVERT, samplers[0])
    page.settled("root.nodes.some((n) => n.subgraph)")
    outer = page.do("return String(root.nodes.find((n) => n.subgraph).id)")
    assert sorted(page.schedulers().values()) == ["beta", "karras"]
    page.menu(outer, "Use distilled schedule")
    page.settled(KSAMPLERS, "beta,distilled")
    page.do("window.app.canvas.setGraph(root.nodes.find((n) => n.subgraph).subgraph)")
    page.page.wait_for_timeout(500)
    page.command("PutBack")
    page.settled(KSAMPLERS, "beta,karras")
    assert page.do("return window.app.canvas.graph !== root")  # still looking into the subgraph
    page.do("window.app.canvas.setGraph(root)")


def test_carried_in_the_workflow(page, samplers, stored):
    page.command("UseRecord")
    page.page.locator(".sd-dialog .sd-main").click()
    page.settled("root.nodes.some((n) => n.type === 'StepDistillApply')")
    assert {"StepDistillFromText", "StepDistillApply"} <= set(page.kinds())
    prompt = page.do("return (await window.app.graphToPrompt()).output")
    text = next(
        node["inputs"]["text"]
        for node in prompt.values()
        if node["class_type"] == "StepDistillFromText"
    )
    assert '"stepdistill"' in text
    page.page.keyboard.press("Escape")
    page.command("PutBack")
    wait(page, "karras", "beta")
    page.settled("!root.nodes.some((n) => n.type.startsWith('StepDistill'))")


def test_baking(page, samplers, stored):
    manual = page.do("return 'ManualSigmas' in window.LiteGraph.registered_node_types")
    page.command("Bake")
    dialog = page.page.locator(".sd-dialog")
    dialog.wait_for()
    assert ("no ManualSigmas" in dialog.inner_text()) is not manual
    dialog.locator(".sd-main").click()
    if manual:
        page.settled("root.nodes.filter((n) => n.type === 'ManualSigmas').length === 2")
        assert page.kinds().count("SamplerCustom") == 2 and "KSampler" not in page.kinds()
    else:
        wait(page, "simple", "simple")
    page.undo()
    wait(page, "karras", "beta")


def test_what_is_left_is_named_with_its_reason(page, stored):
    s = scene()
    s.ksampler(name="a", scheduler="karras", sampler_name="dpm_adaptive")
    s.ksampler(name="b", scheduler="beta")
    page.load(s.graph.prompt)
    page.command("Use")
    dialog = page.page.locator(".sd-dialog")
    dialog.wait_for()
    assert (
        "dpm_adaptive chooses its own steps" in dialog.inner_text()
        and "1 node changed" in dialog.inner_text()
    )
    page.page.keyboard.press("Escape")
    wait(page, "karras", "distilled")


def test_several_selected(page, samplers):
    """By right-click on one of them; Vue nodes' own menu asks no extension then, so that the tool
    box over the selection has a button."""
    select(page, *samplers)
    page.page.wait_for_timeout(400)
    if page.vue:
        button = page.page.locator(".selection-toolbox .pi-bolt, .pi-bolt").first
        if not button.count():
            pytest.skip("this front end's tool box has no buttons of extensions with Vue nodes")
        button.click()
    else:
        page.menu(samplers[0], "Use distilled schedule", "StepDistill: 2 selected nodes")
    wait(page, "distilled", "distilled")
