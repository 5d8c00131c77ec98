"""The Few-Step KSampler on the page: no taller than what it replaces where a node is below, its line
of words, and Improve with its price before and what it brought after."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tests.browser.page import FEW
from tests.comfyui.graphs import scene

ALIASES = "return window.LiteGraph.registered_node_types.StepDistillKSampler.nodeData?.search_aliases?.length"
SAMPLER = "root.nodes.find((n) => n.type === 'StepDistillKSampler')"
PLACES = """
const at = { UNETLoader: [0, 100], EmptySD3LatentImage: [0, 420], KSampler: [360, 100] };
const below = { TestPicture: [360, given], SaveImage: [740, 100] };
for (const n of root.nodes) n.pos = { ...at, ...below }[n.type] ?? [0, 260];
const k = root.nodes.find((n) => n.type === "KSampler");
k.setSize([315, k.computeSize()[1]]);
const c = window.app.canvas; c.ds.scale = 1; c.ds.offset = [120, 60]; c.setDirty(true, true)
"""
BELOW_NODE = 'root.nodes.find((n) => n.type === "TestPicture")'
BELOW = f"""
const s = {SAMPLER}, o = {BELOW_NODE};
return o.pos[1] - 30 - (s.pos[1] + s.size[1])
"""
TITLE_END = f"""
const s = {SAMPLER}, c = window.app.canvas, box = c.canvas.getBoundingClientRect();
const {{ offset, scale }} = c.ds, x = s.pos[0] + s.size[0] - 30, y = s.pos[1] - 15;
return [(x + offset[0]) * scale + box.left, (y + offset[1]) * scale + box.top]
"""
GAP_VALUE = f"{SAMPLER}.widgets.at(-1).y - widget({SAMPLER}, 'learn').y - window.LiteGraph.NODE_WIDGET_HEIGHT"
GAP = f"return {GAP_VALUE}"
FIRST = "Last picture: drawn in full, 24 steps, to learn this model."
OURS = (
    "Few-Step KSampler",
    "Distill Schedule",
    "Distilled Sampler",
    "Maker's Sigmas",
    "Distil Pair",
)
TIGHT, ROOMY = 396, 640  # where the node below is; KSampler ends at 362


pytestmark = pytest.mark.usefixtures("emptied")


@pytest.fixture(scope="session")
def loras(server):
    """The files of two small LoRAs that fit the tests' flow model."""
    key = "diffusion_model.joint_blocks.0.x_block.mlp.fc1"
    names = ["light.safetensors", "dark.safetensors"]
    for seed, name in enumerate(names):
        generator = torch.Generator().manual_seed(seed)
        up, down = (torch.randn(shape, generator=generator) for shape in ((512, 4), (4, 128)))
        tensors = {f"{key}.lora_up.weight": 0.05 * up, f"{key}.lora_down.weight": 0.05 * down}
        save_file(tensors, server.base / "models" / "loras" / name)
    return names


def drawing() -> dict:
    """A prompt with a KSampler and what follows it."""
    s = scene(rows=1, digits="3")
    drawn = s.ksampler(steps=20, scheduler="normal")
    s.add("SaveImage", images=s.add("TestPicture", samples=drawn), filename_prefix="few")
    return s.graph.prompt


def swapped(page, below: int) -> None:
    """A KSampler with a node below it, made a Few-Step KSampler by right click."""
    page.close_toasts()
    page.load(drawing())
    page.do(PLACES, below)
    page.page.wait_for_timeout(500)
    page.menu(page.do("return String(root.nodes.find((n) => n.type === 'KSampler').id)"), FEW, None)
    page.settled(SAMPLER)
    page.page.wait_for_timeout(800)
    page.close_toasts()


def draw(page) -> None:
    page.run()
    page.page.wait_for_timeout(800)


def info(page) -> str:
    return page.do(f"return {SAMPLER}.properties.stepdistill_shown.info")


def test_it_does_not_reach_the_node_below(page):
    swapped(page, TIGHT)
    assert page.do(BELOW) >= 0
    draw(page)
    page.page.get_by_text("From the next picture on: 6 steps").last.wait_for()  # a toast, no card
    draw(page)
    assert page.do(BELOW) >= 0 and not page.card().is_visible()
    assert info(page).startswith("6 steps in place of about ")


BOXES = """
const element = (node) => document.querySelector(`[data-node-id="${node.id}"]`);
const boxes = root.nodes.map((n) => [n.type, element(n).getBoundingClientRect()]);
const of = (type) => boxes.find(([kind]) => kind === type)?.[1];
"""
CLEAR = f"""{BOXES}
const drawn = of("StepDistillKSampler") ?? of("KSampler"), below = of("TestPicture");
return Math.round(below.top - drawn.bottom)
"""


def test_on_the_screen_it_is_as_tall_as_what_it_replaces(page):
    """Of a Vue node: its badge, what is folded under it, and its inputs all count."""
    if not page.vue:
        pytest.skip("classic nodes have no elements to measure")
    page.load(drawing())
    page.do(PLACES, ROOMY)
    page.page.wait_for_timeout(500)
    page.do(f"{BELOW_NODE}.pos = [360, given]", ROOMY - page.do(CLEAR) + 20)
    page.page.wait_for_timeout(500)
    assert page.do(CLEAR) == 20
    page.menu(page.do("return String(root.nodes.find((n) => n.type === 'KSampler').id)"), FEW, None)
    page.settled(SAMPLER)
    page.page.wait_for_timeout(800)
    assert page.do(CLEAR) >= 20
    draw(page)
    assert page.do(CLEAR) >= 12  # its line of words has its own margins


def test_its_input_for_a_record_is_there_once_a_record_is(page):
    names = f"{SAMPLER}.inputs.map((i) => i.name)"
    page.load(drawing())
    page.command("Use")
    page.settled(SAMPLER)
    page.page.wait_for_timeout(500)
    assert "record" not in page.do(f"return {names}")
    page.do(
        "root.add(LiteGraph.createNode('StepDistillFromText'));"
        f"root.nodes.at(-1).connect(0, {SAMPLER}, 'record')"
    )
    page.settled(f"{SAMPLER}.inputs.find((i) => i.name === 'record')?.link != null")
    page.load_workflow(page.saved())
    page.settled(f"{SAMPLER}.inputs.find((i) => i.name === 'record')?.link != null")
    prompt = page.do("return (await window.app.graphToPrompt()).output")
    (node,) = (n for n in prompt.values() if n["class_type"] == "StepDistillKSampler")
    assert isinstance(node["inputs"]["record"], list)
    page.load(prompt)
    page.settled(f"{SAMPLER}.inputs.find((i) => i.name === 'record')?.link != null")


def test_the_newest_recipe_is_chosen_in_the_menu_of_a_pictures_own_workflow(page):
    recipe = f"widget({SAMPLER}, 'recipe').value"
    item = "Draw with the newest recipe"
    page.load(drawing())
    page.command("Use")
    page.settled(SAMPLER)
    page.page.wait_for_timeout(500)
    page.close_toasts()
    node = page.do(f"return String({SAMPLER}.id)")
    page.do("root.extra = { ...root.extra, stepdistill_records: [] }")
    page.menu(node, item)
    page.settled(f"{recipe} === 'newest'")
    page.load_workflow(page.saved())
    page.settled(f"{recipe} === 'newest'")
    if page.vue:  # what is not the usual is seen
        page.page.locator(f"[data-node-id='{node}']").get_by_text("newest").first.wait_for()
    page.do("delete root.extra.stepdistill_records")
    page.menu(node, "Draw with the picture's own recipe")
    page.settled(f"{recipe} === 'as saved'")


def test_improve_stands_in_the_title_where_there_is_no_room_below(page):
    swapped(page, TIGHT)
    box = page.page.get_by_role("dialog", name="Improve the recipe")
    if page.vue:
        draw(page)
        button = page.card().get_by_role("button", name="Improve…")
        top = page.page.locator(
            f"[data-node-id='{page.do(f'return {SAMPLER}.id')}']"
        ).bounding_box()
        assert 0 <= button.bounding_box()["y"] - top["y"] < 30  # of the title
        button.click()
        box.get_by_role("button", name="Cancel").click()
        return
    shown = f"{SAMPLER}.title_buttons.find((b) => b.name === 'stepdistill_improve').visible"
    assert not page.do(f"return {shown}")  # nothing is there to improve
    draw(page)
    page.settled(shown)
    x, y = page.do(TITLE_END)
    page.page.mouse.click(x, y)
    box.get_by_role("button", name="Cancel").click()
    page.do(f"{BELOW_NODE}.pos[1] += 300")
    draw(page)
    assert not page.do(f"return {shown}") and page.card().is_visible()


def test_it_grows_as_far_as_there_is_room(page):
    swapped(page, ROOMY)
    draw(page)
    assert page.do(BELOW) >= 0
    if page.vue and not page.card().count():
        pytest.skip("this front end's Vue nodes show no widgets of extensions")
    if not page.vue:  # no empty row before the card, for what hides until Show Advanced
        assert 0 <= page.do(GAP) < 12
        page.do(f"{SAMPLER}.showAdvanced = true; window.app.canvas.setDirty(true, true)")
        page.settled(f"({GAP_VALUE}) > 20")
        page.do(f"{SAMPLER}.showAdvanced = false; window.app.canvas.setDirty(true, true)")
        page.settled(f"({GAP_VALUE}) < 12")
    line = page.card().locator(".sd-name")
    assert line.inner_text() == FIRST
    assert line.get_attribute("title") == info(page)
    assert page.card().locator(".sd-words").inner_text().startswith("From the next picture on")


def test_its_line_is_cut_between_words_in_a_narrow_node(page):
    swapped(page, ROOMY)
    draw(page)
    if page.vue and not page.card().count():
        pytest.skip("this front end's Vue nodes show no widgets of extensions")
    whole = info(page)
    first = FIRST
    line = page.card().locator(".sd-name")
    page.do(f"{SAMPLER}.setSize([230, {SAMPLER}.size[1]]); window.app.canvas.setDirty(true, true)")
    line.get_by_text("…").or_(line).first.wait_for()
    page.page.wait_for_timeout(500)
    said = line.inner_text()
    assert line.get_attribute("title") == whole
    assert said == first or (said.endswith(" …") and f"{said[:-2]}" in first)
    if said != first:
        assert first[len(said) - 2] in " ,."  # the end of a word
    assert not line.evaluate(
        "(e) => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1"
    )


def test_its_line_is_there_again_when_the_workflow_is_opened(page):
    swapped(page, ROOMY)
    draw(page)
    said = page.card().locator(".sd-name").inner_text()
    page.load_workflow(page.saved())
    line = page.card().locator(".sd-name")
    line.wait_for()
    assert line.inner_text() == said and page.do(BELOW) >= 0
    button = f"{SAMPLER}.title_buttons?.find((b) => b.name === 'stepdistill_improve')?.visible"
    assert not page.do(f"return {button}")


def test_a_pictures_file_does_not_carry_what_the_picture_before_was_drawn_with(page):
    swapped(page, ROOMY)
    draw(page)
    before = info(page)
    assert page.saved()["nodes"]  # the workflow itself keeps it
    draw(page)
    assert info(page) != before
    history = page.server.client.get("/history?max_items=1")
    (run,) = history.values()
    nodes = run["prompt"][3]["extra_pnginfo"]["workflow"]["nodes"]
    (sampler,) = (node for node in nodes if node["type"] == "StepDistillKSampler")
    assert "stepdistill_shown" not in sampler["properties"]
    assert page.do(f"return Boolean({SAMPLER}.properties.stepdistill_shown)")


def test_what_it_becomes_is_no_taller_than_it_needs(page):
    swapped(page, ROOMY)
    page.do(f"window.before = {SAMPLER}.size[1]")
    draw(page)
    assert page.card().is_visible()
    page.command("PutBack")
    sampler = "root.nodes.find((n) => n.type === 'KSampler')"
    page.settled(f"{sampler} && {sampler}.size[1] < {sampler}.computeSize()[1] + 3")


def test_its_card_says_what_the_next_picture_will_be(page):
    swapped(page, ROOMY)
    draw(page)
    ahead = page.card().locator(".sd-next")
    ahead.get_by_text("Next picture: 6 steps.").wait_for()
    page.do(f"widget({SAMPLER}, 'cfg').value = 8; widget({SAMPLER}, 'cfg').callback?.(8)")
    ahead.get_by_text("drawn in full, 24 steps, to learn it at cfg 8: at most").wait_for()
    assert page.do(BELOW) >= 0


KNOWN = "Next picture: 6 steps."
SAYS = f"[...document.querySelectorAll('.sd-next')].some((e) => e.textContent === '{KNOWN}')"
CHOOSE = """
const [kind, name, value] = given;
const changed = widget(root.nodes.find((n) => n.type === kind), name);
changed.value = value; changed.callback?.(value)
"""


def styled(page, lora: str) -> None:
    """A Few-Step KSampler with a LoRA's node before it, room below."""
    page.close_toasts()
    s = scene(rows=1, digits="3")
    model = s.add("LoraLoaderModelOnly", model=s.model, lora_name=lora, strength_model=1.0)
    settings = {"seed": 3, "steps": 6, "cfg": 3.0, "denoise": 1.0, "learn": "from my pictures"}
    out = s.add("StepDistillKSampler", model=model, **s.prompts, latent_image=s.latent, **settings)
    s.add("SaveImage", images=s.add("TestPicture", samples=out), filename_prefix="styled")
    page.load(s.graph.prompt)


@pytest.mark.parametrize(
    "changed",
    [
        ("LoraLoaderModelOnly", "lora_name", "dark.safetensors"),
        ("UNETLoader", "unet_name", "eps.safetensors"),
    ],
    ids=["lora", "checkpoint behind it"],
)
def test_what_it_says_of_the_next_picture_is_of_the_model_that_is_chosen(page, loras, changed):
    styled(page, loras[0])
    draw(page)
    page.settled(SAYS)
    page.do(CHOOSE, changed)
    page.settled(f"!{SAYS}")


TOLD = "window.app.api.dispatchEvent(new CustomEvent(given, { detail: { prompt_id: 'none' } }))"
ASK = f"widget({SAMPLER}, 'seed').callback?.(widget({SAMPLER}, 'seed').value)"


def test_while_a_picture_is_drawn_nothing_is_said_of_the_next(page):
    """What is known changes meanwhile: a run is kept before its recipe is."""
    swapped(page, ROOMY)
    draw(page)
    page.settled(SAYS)
    page.do(TOLD, "execution_start")
    page.settled(f"!{SAYS}")
    page.do(ASK)
    page.page.wait_for_timeout(1200)
    assert not page.do(f"return {SAYS}")
    page.do(TOLD, "execution_success")
    page.settled(SAYS)


def test_what_it_became_and_is_again_tells_of_no_picture(page):
    swapped(page, ROOMY)
    draw(page)
    page.command("PutBack")
    sampler = "root.nodes.find((n) => n.type === 'KSampler')"
    page.settled(sampler)
    page.page.wait_for_timeout(500)
    assert not page.do(f"return {sampler}.properties.stepdistill_shown")
    if page.vue:  # nor does it wear our badge
        node = page.page.locator(f"[data-node-id='{page.do(f'return {sampler}.id')}']")
        assert "stepdistill" not in node.inner_text()
    page.undo()
    page.settled(SAMPLER)
    if page.vue:
        page.page.wait_for_timeout(500)
        node = page.page.locator(f"[data-node-id='{page.do(f'return {SAMPLER}.id')}']")
        assert "stepdistill" in node.inner_text()  # the badge is there where it belongs


def test_it_is_not_offered_few_steps_again_and_toasts_name_it_by_its_title(page):
    swapped(page, ROOMY)
    x, y = page.place(page.do(f"return String({SAMPLER}.id)"))
    page.page.mouse.click(x, y, button="right")
    entry = page.page.get_by_text("StepDistill", exact=True).last
    back = page.page.get_by_text("Put back", exact=True).last
    page.open_submenu(entry, back)
    assert page.page.get_by_text("Few steps", exact=True).count() == 0
    back.click()
    toasts = page.page.locator(".p-toast, [data-toast-kind]")  # of newer pages
    toasts.get_by_text("Few-Step KSampler").last.wait_for()
    assert toasts.get_by_text("StepDistillKSampler").count() == 0


def test_the_host_says_nothing_twice(page):
    swapped(page, ROOMY)
    draw(page)
    names = page.do(f"return {SAMPLER}.widgets.map((w) => w.name)")
    assert not [name for name in names if "preview" in name]


def test_improve_says_its_price_and_what_it_brought(page):
    swapped(page, ROOMY)
    draw(page)
    page.command("Improve")
    box = page.page.get_by_role("dialog", name="Improve the recipe")
    box.get_by_text("as many model calls as 17 pictures of 6 steps, about").wait_for()
    box.get_by_role("button", name="Cancel").click()
    draw(page)
    assert "model calls" not in info(page).split(".")[0]  # nothing was spent
    page.command("Improve")
    box.get_by_role("button", name="Improve and draw").click()
    brought = page.page.get_by_text("model calls went into a better recipe").last
    brought.wait_for(timeout=60_000)  # a hundred calls on a slow machine
    page.settled(f"{SAMPLER}.properties.stepdistill_shown.info.includes('model calls')")


def test_improve_from_the_node_and_from_the_panel(page):
    swapped(page, ROOMY)
    node = page.do(f"return String({SAMPLER}.id)")
    box = page.page.get_by_role("dialog", name="Improve the recipe")
    page.menu(node, "Improve the recipe (StepDistill)…", None)
    box.get_by_role("button", name="Cancel").click()
    page.command("Store")
    panel = page.page.locator(".sd-panel")
    panel.get_by_role("button", name="Improve…", exact=True).click()
    box.get_by_role("button", name="Improve and draw").click()
    page.page.get_by_text("There is no recipe of this model to improve yet").last.wait_for()
    page.do("window.app.extensionManager.sidebarTab.toggleSidebarTab('stepdistill')")


def test_improve_without_such_a_node(page):
    page.close_toasts()
    page.load({"1": {"class_type": "StepDistillFromText", "inputs": {"text": ""}}})
    page.command("Improve")
    page.page.get_by_text("There is no Few-Step KSampler here").last.wait_for()


@pytest.mark.parametrize("words", ["few steps", "faster", "turbo"])
def test_of_ours_a_search_finds_it_first(page, words):
    if not page.do(ALIASES):
        pytest.skip("this host's search knows names alone")
    page.load({"1": {"class_type": "StepDistillFromText", "inputs": {"text": ""}}})
    page.page.mouse.dblclick(*page.empty_place())
    box = page.page.locator("[role=dialog] input, .comfy-vue-node-search-container input").first
    box.wait_for()
    box.fill(words)
    found = page.page.locator("[role=dialog], .comfy-vue-node-search-container, [role=listbox]")
    found.get_by_text("Few-Step KSampler").first.wait_for()
    page.page.wait_for_timeout(600)
    told = "\n".join(found.all_inner_texts())
    page.page.keyboard.press("Escape")
    ours = {name: told.find(name) for name in OURS if name in told}
    assert ours["Few-Step KSampler"] == min(ours.values()), ours


def test_the_templates_stand_in_their_order(page):
    lists = page.do("return await window.app.api.getWorkflowTemplates()")
    (names,) = (found for pack, found in lists.items() if pack == "comfyui-stepdistill")
    assert names == sorted(names) and names[0] == "0_few_steps"
