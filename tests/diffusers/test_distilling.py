"""Distilling through a pipeline's own call: its answers, its cost, and the store that the UIs use."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

from scheduler import distill
from scheduler.diffusers import (
    StepDistillScheduler,
    asking,
    distill_pipeline,
    facts_of_pipeline,
    key_of_pipeline,
)
from scheduler.diffusers.asking import denoiser_of, run_in_pipeline
from scheduler.diffusers.facts import layout_for, noise_of_pipeline
from scheduler.diffusers.weights import model_of
from scheduler.errors import BudgetError, DenoiserError, Stopped
from scheduler.lookup.match import EXACT
from scheduler.rows import noise_for
from scheduler.store import Store
from tests.diffusers import made
from tests.diffusers.cases import NAMES, case

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import


def prompts_of(call):
    """(prompts, the rest of a call) as distill_pipeline takes them."""
    rest = {name: value for name, value in call.items() if name != "prompt"}
    return call.get("prompt"), rest


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_answers_as_its_network_does(name):
    """At whatever latents and noise level it is asked, and for no more calls than are asked."""
    pipe, call, reference = case(name)
    stock, evaluated = pipe.scheduler, made.counted(pipe)
    noise = noise_of_pipeline(pipe)
    levels = [noise.table.sigma_max, noise.table.sigma_max * 0.4, 0.21]

    def work(denoising):
        layout = layout_for(pipe, call, denoising.own)
        ask = denoiser_of(denoising, layout)
        x = noise_for(layout.shape, 1, 0, torch.device("cpu"))
        answers = [ask(x * level, torch.full((1,), level)) for level in levels]
        return layout, x, answers

    layout, x, answers = run_in_pipeline(pipe, noise, work, call, 1)
    evaluations = len(reference.inputs) * (len(levels) + (noise.process == "flow"))
    assert evaluated() == evaluations
    for level, answer in zip(levels, answers, strict=True):
        expected = reference.denoise(layout.packed(x * level), torch.full((1,), level))
        error = (layout.packed(answer) - expected).abs().max() / expected.abs().max()
        assert error < 1e-5
    assert pipe.scheduler is stock


def test_layouts_turn_back():
    pipe, call, _ = case("qwen")
    layout = layout_for(pipe, call, (16, 16))
    x = torch.randn(3, *layout.shape)
    assert layout.shape == (4, 1, 8, 8)
    assert torch.equal(layout.unpacked(layout.packed(x)), x)
    packed = pipe._pack_latents(x[:, :, 0].unsqueeze(1), 3, 4, 8, 8)
    assert torch.equal(layout.packed(x), packed)


@pytest.mark.parametrize("name", ["sd", "flux"])
def test_the_record_is_the_librarys_own(name):
    pipe, call, reference = case(name)
    prompts, rest = prompts_of(call)
    record = distill_pipeline(pipe, prompts, 4, store=False, **rest)
    facts = facts_of_pipeline(pipe)
    layout = layout_for(pipe, call, (16, 16) if name == "flux" else (4, 8, 8))

    def denoise(x, sigma):
        return layout.unpacked(reference.denoise(layout.packed(x), sigma))

    about = facts.sigma_max, facts.sigma_min, facts.process
    plain = distill(denoise, layout.shape, *about, steps=4, conditions=record.conditions)
    here, there = record.recipe("distilled", 4), plain.recipe("distilled", 4)
    assert here.choice == there.choice
    assert here.sigmas == pytest.approx(there.sigmas, rel=2e-3)
    assert record.model == plain.model and record.conditions == plain.conditions


def test_rows_have_their_own_prompts():
    pipe = made.sd()
    noise = noise_of_pipeline(pipe)

    def ask(prompts, rows):
        def work(denoising):
            x = noise_for((4, 8, 8), 1, 0, torch.device("cpu")).expand(rows, -1, -1, -1)
            return denoising.denoise(x * 3, torch.full((rows,), 3.0))

        call = {"prompt": prompts, "guidance_scale": 4.0}
        return run_in_pipeline(pipe, noise, work, call, len(prompts))

    both = ask(made.PROMPTS, 3)  # the third row begins anew with the first prompt
    one, other = (ask([prompt], 1) for prompt in made.PROMPTS)
    assert torch.allclose(both[0], one[0], atol=1e-4)
    assert torch.allclose(both[1], other[0], atol=1e-4)
    assert torch.allclose(both[2], one[0], atol=1e-4)
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_negative_prompt_is_one_for_each():
    pipe = made.sd()
    record = distill_pipeline(
        pipe, made.PROMPTS, 3, store=False, negative_prompt="grey", guidance_scale=2.0
    )
    assert record.conditions.prompts == 2 and record.conditions.cfg == 2.0


@pytest.mark.parametrize("name", ["sd", "flux"])
def test_a_long_distillation_begins_the_pipeline_again(monkeypatch, name):
    pipe, call, _ = case(name)
    prompts, rest = prompts_of(call)
    whole = distill_pipeline(pipe, prompts, 3, store=False, **rest)
    monkeypatch.setattr(asking, "MOST_CALLS", 7)
    parts = distill_pipeline(pipe, prompts, 3, store=False, **rest)
    assert parts.recipes == whole.recipes


def test_the_store_is_shared_with_the_uis(tmp_path):
    """Found again without a call; and a record that a UI made for the same file is found here."""
    pipe = made.sd()
    store = Store(tmp_path)
    first = distill_pipeline(pipe, "a fox", 4, store=store, guidance_scale=3.0)
    evaluated = made.counted(pipe)
    again = distill_pipeline(pipe, "a harbour", 4, store=tmp_path, guidance_scale=3.1)
    assert evaluated() == 0 and again == first
    key = key_of_pipeline(pipe, "distilled", guidance_scale=3.0)
    assert store.lookup(key).kind == EXACT
    other = distill_pipeline(pipe, "a fox", 4, store=store, guidance_scale=7.5)
    assert evaluated() > 0 and other != first
    assert len(store.records()) == 2


def test_what_the_store_has_of_another_cfg_is_among_the_starts(tmp_path, monkeypatch):
    from scheduler.diffusers import distilling

    begun, distil = [], distilling.distill

    def listening(*given, starts, **options):
        begun.append(starts)
        return distil(*given, starts=starts, **options)

    monkeypatch.setattr(distilling, "distill", listening)
    pipe = made.sd()
    for cfg, store in ((3.0, tmp_path), (7.5, tmp_path), (7.5, False)):
        distill_pipeline(pipe, "a fox", 4, store=store, again=True, guidance_scale=cfg)
    first = Store(tmp_path).lookup(key_of_pipeline(pipe, "distilled", guidance_scale=3.0)).record
    ours = tuple(each for each in first.recipes if each.choice.ours)
    assert begun == [(), ours, ()]


def test_other_steps_are_distilled_and_again_means_again(tmp_path):
    pipe = made.sd()
    about = {"store": tmp_path, "guidance_scale": 3.0}
    distill_pipeline(pipe, "a fox", 4, **about)
    evaluated = made.counted(pipe)
    distill_pipeline(pipe, "a fox", 3, **about)
    spent = evaluated()
    assert spent > 0
    distill_pipeline(pipe, "a fox", 3, again=True, **about)
    assert evaluated() == 2 * spent


def test_more_effort_is_not_served_by_less(tmp_path):
    pipe = made.sd()
    about = {"store": tmp_path, "guidance_scale": 3.0}
    first = distill_pipeline(pipe, "a fox", 3, **about)
    evaluated = made.counted(pipe)
    more = distill_pipeline(pipe, "a fox", 3, budget=150, **about)
    spent = evaluated()
    assert spent > 0 and more != first
    assert distill_pipeline(pipe, "a fox", 3, **about) == more and evaluated() == spent


def test_ctrl_c_keeps_the_first_recipe(tmp_path):
    """The pipeline comes back as it was, the error is the user's own, and the store has the record."""
    pipe = made.sd()
    stock = pipe.scheduler
    heard = []

    def stop(*_):
        if heard:
            raise KeyboardInterrupt

    model_of(pipe).register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        distill_pipeline(
            pipe, "a fox", 4, store=tmp_path, guidance_scale=3.0, on_record=heard.append
        )
    assert pipe.scheduler is stock
    assert len(Store(tmp_path).records()) == 1


def test_a_stop_asked_for_is_the_librarys():
    pipe = made.sd()
    with pytest.raises(Stopped):
        distill_pipeline(pipe, "a fox", 4, store=False, should_stop=lambda: True)
    assert len(pipe("a fox", num_inference_steps=2, output_type="latent")[0]) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_offloaded_models_are_let_go(monkeypatch, fails):
    """As at the end of every call of a pipeline, though this one is unwound."""
    pipe = made.sd()
    freed = []
    monkeypatch.setattr(pipe, "maybe_free_model_hooks", lambda: freed.append(0))
    about = {"store": False, "guidance_scale": 3.0}
    if fails:
        with pytest.raises(Stopped):
            distill_pipeline(pipe, "a fox", 3, should_stop=lambda: True, **about)
    else:
        distill_pipeline(pipe, "a fox", 3, **about)
    assert freed == [0]


def test_what_goes_wrong_inside_is_said():
    pipe = made.sd()
    with pytest.raises(BudgetError):
        distill_pipeline(pipe, "a fox", 4, budget=1, store=False)
    with pytest.raises(BudgetError, match="prompt"):
        distill_pipeline(pipe, [], 4, store=False)
    with pytest.raises(DenoiserError, match="output_type"):
        distill_pipeline(pipe, "a fox", 4, store=False, output_type="pil")
    text = made.text()
    with pytest.raises(TypeError, match="no_such_argument"):
        distill_pipeline(made.flux(), None, 4, store=False, no_such_argument=1, **text)


def test_a_recipe_gains_in_the_pipeline():
    """End to end: six steps of ours are nearer to a fine run than the stock scheduler's six."""
    pipe = made.sd()
    call = {"prompt": "a fox", "guidance_scale": 3.0, "output_type": "latent"}
    noise = noise_for((4, 8, 8), 1, 77, torch.device("cpu"))
    stock = pipe.scheduler

    def draw(steps):
        return pipe(**call, latents=noise, num_inference_steps=steps)[0]

    record = distill_pipeline(pipe, made.PROMPTS, 6, store=False, guidance_scale=3.0)
    fine, plain = draw(120), draw(6)
    pipe.scheduler = StepDistillScheduler.from_record(record, stock)
    ours = draw(6)
    assert (ours - fine).square().mean() < 0.25 * (plain - fine).square().mean()
