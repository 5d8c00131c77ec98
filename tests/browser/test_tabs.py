"""Two workflows open beside each other, whose nodes have the same ids: a run tells the one that it
belongs to, whichever is looked at meanwhile."""

from __future__ import annotations

import pytest

from tests.comfyui.graphs import scene

SAMPLER = "root.nodes.find((n) => n.type === 'StepDistillKSampler')"
INFO = f"{SAMPLER}?.properties.stepdistill_shown?.info ?? ''"
NAME = "return window.app.extensionManager.workflow.activeWorkflow.filename"
QUEUE = """
const heard = (name) => new Promise((done) => {
  window.app.api.addEventListener(name, () => done(true), { once: true })
});
window.ran = heard("execution_success");
const begun = heard("execution_start");
void window.app.queuePrompt(0);
await begun
"""


pytestmark = pytest.mark.usefixtures("emptied")


def opened(page, name: str, cfg: float) -> str:
    """A new workflow with a Few-Step KSampler, of its own name; what its tab is called."""
    s = scene(rows=1, digits="3")
    settings = {"seed": 3, "steps": 6, "cfg": cfg, "denoise": 1.0, "learn": "from my pictures"}
    way = {"model": s.recorded("slow", seconds=0.08), **s.prompts, "latent_image": s.latent}
    s.saved("tabs", samples=s.add("StepDistillKSampler", **way, **settings))
    page.do(f"await window.app.loadApiJson(given, '{name}')", s.graph.prompt)
    page.page.wait_for_timeout(800)
    return page.do(NAME)


def look_at(page, name: str) -> None:
    page.page.get_by_text(name, exact=True).locator("visible=true").first.click()
    page.settled("window.app.extensionManager.workflow.activeWorkflow.filename === given", name)
    page.settled(SAMPLER)
    page.page.wait_for_timeout(600)


def test_a_run_tells_its_own_workflow_alone(page):
    other, own = opened(page, "one", 3.0), opened(page, "two", 5.0)
    assert other != own
    page.close_toasts()
    page.server.client.forget()
    page.do(QUEUE)
    look_at(page, other)
    assert page.page.locator(".sd-progress").count() == 0
    page.do("await window.ran")
    page.page.wait_for_timeout(600)
    assert page.do(f"return {INFO}") == ""
    look_at(page, own)
    page.settled(f"({INFO}).startsWith('Drawn in full')")
    page.card().get_by_text("Last picture: drawn in full").first.wait_for()
    look_at(page, other)
    assert page.do(f"return {INFO}") == ""
    look_at(page, own)
    page.run()  # looked at all the time
    page.settled(f"({INFO}).startsWith('6 steps')")
