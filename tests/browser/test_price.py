"""The cards of Distill Schedule and Compare Schedules before a run: the price, or what is missing, where no
price would be true; and what a run that was stopped has kept."""

from __future__ import annotations

import pytest

from tests.comfyui.graphs import scene

NODE = "root.nodes.find((n) => n.type === 'StepDistillDistill')"
LOADER = "root.nodes.find((n) => n.type === 'UNETLoader')"
MODEL_SLOT = f"{NODE}.inputs.findIndex((i) => i.name === 'model')"


@pytest.fixture
def note(page):
    """The words on the card of a Distill Schedule node that is whole."""
    s = scene(rows=1)
    s.distill(max_steps=6)
    page.load(s.graph.prompt)
    found = page.card().locator(".sd-note")
    if page.vue and not page.card().count():
        pytest.skip("this front end's Vue nodes show no widgets of extensions")
    found.get_by_text("model calls").or_(found).first.wait_for()
    page.page.wait_for_function(
        "document.querySelector('.sd-note')?.textContent.includes('model calls')"
    )
    return found


def says(page, words: str) -> None:
    page.page.wait_for_function(
        "(words) => document.querySelector('.sd-note')?.textContent.includes(words)", arg=words
    )


def test_without_a_model_it_says_so_and_names_no_price(page, note):
    page.do(f"{NODE}.disconnectInput({MODEL_SLOT})")
    says(page, "No model is connected")
    assert "model calls" not in note.inner_text()
    page.do(f"{LOADER}.connect(0, {NODE}, {MODEL_SLOT})")
    says(page, "model calls")


def test_a_model_file_that_is_not_there(page, note):
    page.do(f"widget({LOADER}, 'unet_name').value = 'gone.safetensors'")
    page.do(f"widget({NODE}, 'max_steps').callback?.(6)")
    says(page, "The model file gone.safetensors is not in ComfyUI's models folder")
    assert "pictures of" not in note.inner_text()


def test_improve_names_no_price_without_a_model(page, note):
    page.close_toasts()
    s = scene(rows=1)
    settings = {"seed": 3, "steps": 6, "cfg": 3.0, "denoise": 1.0, "learn": "off"}
    s.add("StepDistillKSampler", model=s.model, **s.prompts, latent_image=s.latent, **settings)
    page.load(s.graph.prompt)
    page.do(
        "const n = root.nodes.find((n) => n.type === 'StepDistillKSampler'); n.disconnectInput(0)"
    )
    page.command("Improve")
    page.page.get_by_text("No model is connected").last.wait_for()
    assert page.page.locator(".sd-dialog").count() == 0


def test_compare_says_the_price_that_it_then_pays_at_most(page, note):
    s = scene(rows=1)
    settings = {"cfg": 3.0, "sampler_name": "euler", "steps": "2, 3", "seeds": 1, "noise_seed": 0}
    settings |= {"schedulers": "simple", "latent_image": s.latent, **s.prompts}
    s.add("StepDistillCompare", model=s.model, **settings)
    page.load(s.graph.prompt)
    says(page, "At most 105 model calls")
    page.do(
        "const n = root.nodes.find((n) => n.type === 'StepDistillCompare');"
        "widget(n, 'seeds').value = 2; widget(n, 'seeds').callback?.(2)"
    )
    says(page, "At most 210 model calls")
    page.run()
    page.page.locator(".sd-card .sd-head").first.wait_for()
    assert "210 model calls" in page.server.log()


def test_what_a_stopped_distillation_kept_is_said_until_something_is_changed(page, note):
    s = scene(rows=1)
    s.distill(s.recorded("slow", 0.05), max_steps=6)
    page.load(s.graph.prompt)
    says(page, "At most")
    page.do("await window.app.queuePrompt(0)")
    page.page.locator(".sd-track").first.wait_for()
    page.page.wait_for_timeout(3000)
    page.do("await window.app.api.interrupt()")
    says(page, "What is finished is kept")
    texts = page.do(f"return {NODE}.widgets.map((w) => String(w.value)).join()")
    assert "Distilling" not in texts and "Distilling" not in note.inner_text()
    page.do(f"widget({NODE}, 'max_steps').value = 7; widget({NODE}, 'max_steps').callback?.(7)")
    says(page, "At most")
