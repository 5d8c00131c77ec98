"""Few steps, Bake, Put back: by right-click, on a selection, in subgraphs, on the whole workflow;
undo takes each back."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.browser.made import with_few_steps
from tests.browser.page import FEW
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
FIXED = """
const seeds = (n) => n.widgets?.filter((w) => w.name === "control_after_generate") ?? [];
for (const w of all(root).flatMap(seeds)) w.value = "fixed"
"""
SAMPLERS = (
    "all(root).filter((n) => /KSampler$/.test(n.type))"
    ".map((n) => n.type + widget(n, 'steps').value).sort().join() === given"
)
BOTH, FIRST, NONE = (
    "StepDistillKSampler6,StepDistillKSampler6",
    "KSampler20,StepDistillKSampler6",
    "KSampler20,KSampler20",
)


# Pairs of nodes of which one lies on the other, and what is left of or above all that was there.
BOXES = """
const box = (n) => [n.pos[0], n.pos[1] - 30, n.pos[0] + n.size[0], n.pos[1] + n.size[1]];
const meets = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
const added = root.nodes.filter((n) => n.type === "StepDistillFromText");
"""
LIES_OVER = f"""{BOXES}
const under = (a) => root.nodes.filter((b) => a !== b && meets(box(a), box(b)));
return added.flatMap((a) => under(a).map((b) => [a.type, b.type, ...box(a), ...box(b)]))
"""
BEFORE_ALL = f"""{BOXES}
const others = root.nodes.filter((n) => !added.includes(n)).map(box);
const least = (k) => Math.min(...others.map((b) => b[k]));
return added.map(box).filter((b) => b[0] < least(0) || b[1] < least(1))
"""


@pytest.fixture
def stored(stored, server):
    """A record with recipes for few steps; its name in the store."""
    store = Store(server.store)
    store.remove(stored)
    return store.put(with_few_steps()).removesuffix(".json")


def two_samplers(steps: int = 20) -> dict:
    """A prompt with two KSamplers: 5 with karras, 7 with beta."""
    s = scene()
    s.ksampler(name="a", scheduler="karras", steps=steps)
    s.ksampler(name="b", scheduler="beta", sampler_name="dpmpp_2m", steps=steps)
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
    page.menu(samplers[0], FEW, None)
    page.settled(SAMPLERS, FIRST)
    toast = page.page.get_by_text("20 steps of euler -> 6 steps, same error; -70 % time").last
    toast.wait_for()
    page.undo()
    page.settled(SAMPLERS, NONE)
    after = page.saved()
    for what in ("widgets_values", "pos", "size", "type"):
        assert [node[what] for node in after["nodes"]] == [node[what] for node in before["nodes"]]
    page.menu(samplers[0], FEW, None)
    page.settled(SAMPLERS, FIRST)
    changed = next(node for node in page.saved()["nodes"] if str(node["id"]) == samplers[0])
    was = next(node for node in before["nodes"] if str(node["id"]) == samplers[0])
    assert changed["pos"] == was["pos"] and changed["size"][0] >= was["size"][0]
    page.menu(samplers[0], "Put back")
    page.settled(SAMPLERS, NONE)
    assert sorted(map(str, page.saved()["links"])) == sorted(map(str, before["links"]))


def test_what_the_page_shows_is_what_runs(page, samplers):
    page.command("Use")
    page.settled(SAMPLERS, BOTH)
    prompt = page.do("return (await window.app.graphToPrompt()).output")
    found = [node for node in prompt.values() if node["class_type"] == "StepDistillKSampler"]
    assert [(node["inputs"]["steps"], node["inputs"]["learn"]) for node in found] == [
        (6, "from my pictures")
    ] * 2
    page.run()
    page.card().wait_for()


def test_a_selection(page, samplers):
    select(page, *samplers)
    page.command("Use")
    page.settled(SAMPLERS, BOTH)
    page.page.get_by_text(
        "2 nodes changed"
    ).last.wait_for()  # the page undoes nothing while it loads
    page.undo()
    page.settled(SAMPLERS, NONE)
    select(page, samplers[1])
    page.command("Use")
    page.settled(SAMPLERS, FIRST)
    assert samplers[1] not in page.schedulers()


def test_one_undo_takes_a_swap_back_whatever_was_clicked_and_run_since(page, samplers):
    page.do(FIXED)  # a seed that a run changes is a step of the page's own
    page.command("Use")
    page.settled(SAMPLERS, BOTH)
    page.page.get_by_text("2 nodes changed").last.wait_for()
    page.page.mouse.click(*page.empty_place())  # where the page looks for changes
    page.run()
    page.card().wait_for()
    page.page.mouse.click(*page.empty_place())
    page.undo()
    page.settled(SAMPLERS, NONE)


def test_right_click_on_the_empty_canvas(page, samplers):
    select(page)
    page.page.mouse.click(*page.empty_place(), button="right")
    entry = page.page.get_by_text("StepDistill: whole workflow", exact=True).last
    item = page.page.get_by_text("Few steps", exact=True).last
    page.open_submenu(entry, item)
    item.click()
    page.settled(SAMPLERS, BOTH)


def test_inside_a_subgraph(page, samplers):
    page.do(CONVERT, samplers[0])
    page.settled("root.nodes.some((n) => n.subgraph)")
    outer = page.do("return String(root.nodes.find((n) => n.subgraph).id)")
    assert sorted(page.schedulers().values()) == ["beta", "karras"]
    page.menu(outer, FEW, None)
    page.settled(SAMPLERS, FIRST)
    page.do("window.app.canvas.setGraph(root.nodes.find((n) => n.subgraph).subgraph)")
    page.page.wait_for_timeout(500)
    page.command("PutBack")
    page.settled(SAMPLERS, NONE)
    assert page.do("return window.app.canvas.graph !== root")  # still looking into the subgraph
    page.do("window.app.canvas.setGraph(root)")


def test_where_nothing_is_gained_nothing_is_changed_and_the_reason_is_told(page, stored):
    s = scene()
    s.ksampler(name="a", scheduler="karras", steps=60)
    page.load(s.graph.prompt)
    before = page.saved()
    page.command("Use")
    dialog = page.page.locator(".sd-dialog")
    dialog.wait_for()
    told = dialog.inner_text()
    assert "Nothing was changed" in told and "8 steps do what 28 of stock's do" in told
    page.page.keyboard.press("Escape")
    assert page.saved()["nodes"] == before["nodes"]


def test_on_an_empty_store_it_says_that_it_learns(page, server, stored):
    Store(server.store).remove(stored)
    s = scene()
    s.ksampler(name="a", scheduler="karras", steps=20)
    page.close_toasts()
    page.load(s.graph.prompt)
    page.command("Use")
    page.settled(SAMPLERS, "StepDistillKSampler6")
    page.page.get_by_text("nothing is known of this model yet").last.wait_for()


def test_carried_in_the_workflow(page, samplers, stored):
    page.command("UseRecord")
    page.page.locator(".sd-dialog .sd-main").click()
    page.settled(SAMPLERS, BOTH)
    assert page.kinds().count("StepDistillFromText") == 1
    prompt = page.do("return (await window.app.graphToPrompt()).output")
    text = next(
        node["inputs"]["text"]
        for node in prompt.values()
        if node["class_type"] == "StepDistillFromText"
    )
    assert '"stepdistill"' in text
    page.page.keyboard.press("Escape")
    for _ in range(2):  # before a run, and grown by one
        page.page.wait_for_timeout(600)
        assert page.do(LIES_OVER) == [] and page.do(BEFORE_ALL) == []
        page.run()
    page.command("PutBack")
    page.settled(SAMPLERS, NONE)
    page.settled("!root.nodes.some((n) => n.type.startsWith('StepDistill'))")


def test_baking(page, samplers, stored):
    page.load(two_samplers(6))  # which the record has
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
    s.ksampler(name="b", scheduler="beta", steps=20)
    page.load(s.graph.prompt)
    page.command("Use")
    dialog = page.page.locator(".sd-dialog")
    dialog.wait_for()
    assert (
        "dpm_adaptive chooses its own steps" in dialog.inner_text()
        and "1 node changed" in dialog.inner_text()
    )
    page.page.keyboard.press("Escape")
    page.settled(SAMPLERS, "KSampler6,StepDistillKSampler6")


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
        page.menu(samplers[0], "Few steps", "StepDistill: 2 selected nodes")
    page.settled(SAMPLERS, BOTH)


def test_two_samplers_of_one_picture_are_told_which_node_serves(page, stored):
    s = scene()
    other = s.add("UNETLoader", unet_name="eps.safetensors", weight_dtype="default")
    settings = {"noise_seed": 1, "steps": 20, "cfg": 3.0, "sampler_name": "euler"}
    settings |= {"scheduler": "simple", **s.prompts}
    leaves = {"start_at_step": 0, "end_at_step": 10, "return_with_leftover_noise": "enable"}
    goes_on = {"start_at_step": 10, "end_at_step": 20, "return_with_leftover_noise": "disable"}
    first = s.add(
        "KSamplerAdvanced", model=s.model, add_noise="enable", latent_image=s.latent,
        **settings, **leaves,
    )  # fmt: skip
    second = s.add(
        "KSamplerAdvanced", model=other, add_noise="disable", latent_image=first,
        **settings, **goes_on,
    )  # fmt: skip
    s.saved("pair", samples=second)
    page.load(s.graph.prompt)
    node = page.do(
        "return String(root.nodes.find((n) => n.type === 'KSamplerAdvanced' "
        "&& widget(n, 'add_noise').value === 'enable').id)"
    )
    page.menu(node, FEW, None)
    told = page.page.locator(".sd-dialog").inner_text()
    assert "Few-Step KSampler (Pair) in the place of both" in told
    assert page.kinds().count("KSamplerAdvanced") == 2
    page.page.keyboard.press("Escape")


def test_the_makers_own_sigmas(page, stored):
    page.close_toasts()
    s = scene()
    lora = "Qwen-Image-Lightning-4steps-V1.0.safetensors"
    model = s.add("LoraLoaderModelOnly", model=s.model, lora_name=lora, strength_model=1.0)
    s.ksampler(model, name="turbo", scheduler="simple", steps=4, cfg=1.0)
    page.load(s.graph.prompt)
    (node,) = page.schedulers()
    page.menu(node, "The maker's own sigmas (Turbo, Lightning, …)")
    if page.do("return 'ManualSigmas' in window.LiteGraph.registered_node_types"):
        page.settled("root.nodes.some((n) => n.type === 'ManualSigmas')")
        sigmas = page.do(
            "return widget(root.nodes.find((n) => n.type === 'ManualSigmas'), 'sigmas').value"
        )
        assert len(sigmas.split(",")) == 5 and "KSampler" not in page.kinds()
        page.page.get_by_text("1 node changed").last.wait_for()
        page.undo()
        page.settled("root.nodes.some((n) => n.type === 'KSampler')")
    else:
        page.page.get_by_text("The maker's sigmas cannot run here.").last.wait_for()
        assert "KSampler" in page.kinds()


def test_bake_offers_nothing_that_cannot_be_baked(page, stored, server):
    """A Few-Step KSampler at the bend: there is no number of steps to bake."""
    s = scene(rows=1)
    settings = {"seed": 3, "steps": 0, "cfg": 3.0, "denoise": 1.0, "learn": "off"}
    s.add("StepDistillKSampler", model=s.model, **s.prompts, latent_image=s.latent, **settings)
    page.close_toasts()
    page.load(s.graph.prompt)
    page.command("Bake")
    page.page.get_by_text("Its steps are 0").last.wait_for()
    assert page.page.locator(".sd-dialog").count() == 0


def test_put_back_is_not_offered_where_nothing_was_before(page, stored):
    s = scene(rows=1)
    settings = {"seed": 3, "steps": 6, "cfg": 3.0, "denoise": 1.0, "learn": "off"}
    s.add("StepDistillKSampler", model=s.model, **s.prompts, latent_image=s.latent, **settings)
    page.close_toasts()
    page.load(s.graph.prompt)
    node = page.do("return String(root.nodes.find((n) => n.type === 'StepDistillKSampler').id)")
    page.page.mouse.click(*page.place(node), button="right")
    entry = page.page.get_by_text("StepDistill", exact=True).last
    page.open_submenu(entry, page.page.get_by_text("Bake into core nodes…", exact=True).last)
    assert page.page.get_by_text("Put back", exact=True).count() == 0
    page.page.keyboard.press("Escape")
    page.command("PutBack")
    page.page.get_by_text("put a KSampler in its place").last.wait_for()
    page.page.keyboard.press("Escape")
