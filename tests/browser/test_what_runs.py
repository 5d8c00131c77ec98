"""What is named is what runs: Apply's card before and after a run, the records that Bake offers, and
what Bake makes of a Few-Step KSampler."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.comfyui.graphs import scene
from tests.comfyui.test_what_runs import made

APPLY = "root.nodes.find((n) => n.type === 'StepDistillApply')"
INFO = f"{APPLY}.properties.stepdistill_shown?.info ?? ''"
SET_CFG = "for (const n of root.nodes) { const w = widget(n, 'cfg'); if (w) w.value = given }"


@pytest.fixture(autouse=True)
def two(server):
    """Records of the flow checkpoint at cfg 3 and, the newer, at cfg 7."""
    store = Store(server.store)
    emptied(store)
    store.put(made(3.0, "2026-11-20T00:00:00Z"))
    store.put(made(7.0, "2026-11-21T00:00:00Z"))
    yield store
    emptied(store)


def emptied(store: Store) -> None:
    for brief in store.records():
        store.remove(brief.file)
    store.clear_recordings()


def applied(*cfgs: float) -> dict:
    s = scene(rows=1, digits="3")
    apply = s.add("StepDistillApply", model=s.model, use_offsets=True)
    for k, cfg in enumerate(cfgs):
        s.ksampler(apply, f"card-{k}", cfg=cfg)
    return s.graph.prompt


def test_applys_card_names_the_record_that_ran_and_follows_the_cfg(page):
    page.load(applied(3.0))
    page.run()
    page.settled(f"({INFO}).includes('cfg 3')")
    words = page.card().locator(".sd-words")
    assert page.card().locator(".sd-name").inner_text().startswith("Last run: ")
    assert "cfg 3" in words.inner_text() and "cfg 7" not in words.inner_text()
    page.do(SET_CFG, 7)
    page.run()
    page.settled(f"({INFO}).includes('cfg 7')")
    words.get_by_text("cfg 7").wait_for()
    assert "cfg 3" not in words.inner_text()


def test_with_two_samplers_the_card_says_which_each_ran(page):
    page.load(applied(3.0, 7.0))
    page.run()
    page.settled(f"({INFO}).includes('cfg 3') && ({INFO}).includes('cfg 7')")
    assert page.do(f"return {INFO}").count("Distilled for flow") == 2


@pytest.mark.parametrize("cfg", [3.0, 7.0])
def test_bake_offers_the_record_that_fits_first(page, cfg):
    s = scene(rows=1, digits="3")
    s.ksampler(cfg=cfg, scheduler="normal", name="baking")
    page.load(s.graph.prompt)
    page.command("Bake")
    dialog = page.page.locator(".sd-dialog")
    rows = dialog.locator(".sd-choice:has(input[name=sd-record])")
    rows.first.wait_for()
    assert f"cfg {cfg:g}" in rows.nth(0).inner_text() and "Fits" in rows.nth(0).inner_text()
    assert rows.nth(0).locator("input").is_checked()
    assert f"for cfg {10 - cfg:g}, you use {cfg:g}" in rows.nth(1).inner_text()
    page.page.keyboard.press("Escape")


def test_a_record_of_another_model_is_not_chosen_already(page, two):
    s = scene("eps", rows=1, digits="3")
    s.ksampler(scheduler="normal", name="baking")
    page.load(s.graph.prompt)
    before = page.saved()["nodes"]
    page.command("Bake")
    dialog = page.page.locator(".sd-dialog")
    dialog.get_by_text("Made for another model.").first.wait_for()
    assert dialog.locator("input[name=sd-record]:checked").count() == 0
    dialog.locator(".sd-main").click()
    assert page.saved()["nodes"] == before


def test_after_the_one_node_way_bake_makes_core_nodes_and_says_what_is_lost(page, two):
    emptied(two)
    s = scene(rows=1, digits="3")
    settings = {"seed": 3, "steps": 6, "cfg": 3.0, "denoise": 1.0, "learn": "from my pictures"}
    way = {"model": s.model, **s.prompts, "latent_image": s.latent}
    s.saved("learnt", samples=s.add("StepDistillKSampler", **way, **settings))
    page.load(s.graph.prompt)
    page.run()
    page.command("Bake")
    dialog = page.page.locator(".sd-dialog")
    dialog.get_by_text(
        "Core's nodes cannot carry the recipe itself"
    ).first.wait_for()  # said before
    dialog.locator(".sd-main").click()
    told = page.page.get_by_text("coefficients stay behind").last
    told.wait_for()
    page.page.keyboard.press("Escape")
    kind = (
        "SamplerCustom"
        if page.do("return 'ManualSigmas' in window.LiteGraph.registered_node_types")
        else "KSampler"
    )
    page.settled("root.nodes.some((n) => n.type === given)", kind)
    assert "StepDistillKSampler" not in page.kinds()
    if kind == "KSampler":
        page.run()
    page.command("PutBack")
    page.settled("root.nodes.some((n) => n.type === 'StepDistillKSampler')")
