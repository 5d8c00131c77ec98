"""The dropdown entries: registration, the schedule for what the asking node will cut away, and that
nothing is ever raised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.nodes import host
from tests.nodes.made import recipe
from tests.nodes.pack import module
from tests.nodes.test_lookup import gram, model, record_of, store, usual  # noqa: F401

dropdown, cutting, issued, widgets, applied, prompt = (
    module("nodes.dropdowns.register"),
    module("scheduler.lookup.cutting"),
    module("nodes.dropdowns.issued_schedules"),
    module("nodes.host.asking_node"),
    module("nodes.dropdowns.apply_mark"),
    module("nodes.host.running_prompt"),
)


@pytest.fixture
def comfy(monkeypatch):
    return host.comfy(monkeypatch)


@pytest.fixture
def node(monkeypatch):
    """Sets which node runs."""

    def runs(kind="KSampler", others=None, **inputs):
        running = prompt.RunningNode(
            {"7": {"class_type": kind, "inputs": inputs}, **(others or {})}, "7", kind, inputs
        )
        monkeypatch.setattr(prompt, "running_node", lambda: running)
        return running

    return runs


def test_registration_is_in_place_and_once(comfy):
    names = (
        comfy.samplers.SCHEDULER_NAMES,
        comfy.samplers.SAMPLER_NAMES,
        comfy.samplers.KSAMPLER_NAMES,
    )
    assert dropdown.register() and dropdown.register()
    assert names[0] is comfy.samplers.SCHEDULER_NAMES and all(
        each.count("distilled") == 1 for each in names
    )
    assert comfy.samplers.SCHEDULER_HANDLERS["distilled"][0] is dropdown.distilled_scheduler
    assert comfy.sampling.sample_distilled.__name__ == "sample_distilled"


def test_the_setting_keeps_them_out(comfy, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_DROPDOWNS", "0")
    assert not dropdown.register() and "distilled" not in comfy.samplers.SCHEDULER_NAMES


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 20, 999])
def test_whatever_happens_there_are_so_many_sigmas(comfy, store, model, steps, caplog):  # noqa: F811
    for sampled in (
        model.model.model_sampling,
        host.sampling(host.ModelSamplingDiscrete, host.EPS),
        host.sampling(prediction=type("X", (), {})),
    ):
        held = host.Patcher(model.model)  # the model is found through this variable
        held.add_object_patch("model_sampling", sampled)
        sigmas = dropdown.distilled_scheduler(sampled, steps)
        assert sigmas.dtype == torch.float32 and len(sigmas) == steps + 1 and sigmas[-1] == 0


def test_a_fault_of_ours_is_a_warning(comfy, store, model, monkeypatch, caplog):  # noqa: F811
    def broken(*_, **__):
        raise KeyError("oops")

    monkeypatch.setattr(module("nodes.lookup"), "find", broken)
    sigmas = dropdown.distilled_scheduler(model.get_model_object("model_sampling"), 5)
    assert torch.equal(sigmas, host.simple_scheduler(model.model.model_sampling, 5))
    assert "KeyError" in caplog.text and "simple" in caplog.text


def test_the_model_is_found_by_identity(model):  # noqa: F811
    other = host.patcher("eps")

    def asks(holder):
        return applied.model_of(model.get_model_object("model_sampling"))

    class Sampler:
        def __init__(self):
            self.model = model.clone()

    assert asks(Sampler()).model is model.model
    sampling = host.sampling()
    assert applied.model_of(sampling) is None and other is not None


def test_the_mark_goes_along_with_clones_and_with_the_noise(model):  # noqa: F811
    clone = model.clone()
    given = applied.Applied(None, True)
    applied.mark(clone, given)
    marked = clone.get_model_object("model_sampling")
    assert (
        marked is not model.get_model_object("model_sampling")
        and marked.sigmas is model.model.model_sampling.sigmas
    )
    assert applied.applied_of(clone.clone()) is given and applied.applied_of(model, marked) is given
    assert applied.applied_of(model) == applied.Applied(None, False)
    assert module("nodes.host.model_facts").facts_of(clone).sigma_max == 1.0


@pytest.mark.parametrize("drops", [True, False])
@pytest.mark.parametrize(("asked", "start"), [(3, 1.0), (9, 0.6)])
def test_what_the_host_takes_away_is_filled(drops, asked, start):
    own = [start, 0.4, 0.2, 0.0]
    whole = cutting.filled(own, asked + drops, drops, 1.0)
    assert len(whole) == asked + drops + 1 and (np.diff(whole) < 0).all() and whole[0] == 1.0
    kept = whole[:-2] + whole[-1:] if drops else whole
    assert kept[-4:] == own


def test_widgets_explain_the_number_of_steps(comfy, node):
    def use(asked, **inputs):
        return widgets.use_of(node(**inputs), asked)

    assert use(6, sampler_name="euler", steps=6, denoise=1.0, cfg=4.5) == widgets.Use(
        "euler", 6, 1.0, False, 4.5
    )
    assert use(12, sampler_name="euler", steps=6, denoise=0.5) == widgets.Use("euler", 6, 0.5)
    assert use(13, sampler_name="uni_pc", steps=6, denoise=0.5) == widgets.Use(
        "uni_pc", 6, 0.5, True
    )
    assert use(7, sampler_name="uni_pc", steps=6, denoise=1.0) == widgets.Use(
        "uni_pc", 6, 1.0, True
    )
    assert use(8, sampler_name="uni_pc", steps=8) == widgets.Use(
        "uni_pc", 8
    )  # a node that drops nothing
    assert use(6, sampler_name="euler", steps=["3", 0], denoise=0.5) == widgets.Use(
        "euler", 6
    )  # steps come by a link
    assert use(6, sampler_name="no such", steps=6) == widgets.Use(None, 6)
    assert widgets.use_of(None, 5) == widgets.Use(None, 5)


def test_the_sampler_that_sigmas_are_for(comfy, node):
    custom = {
        "class_type": "SamplerCustomAdvanced",
        "inputs": {"sigmas": ["7", 0], "sampler": ["9", 0]},
    }
    for select, name in (
        ({"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}}, "dpmpp_2m"),
        ({"class_type": "StepDistillSampler", "inputs": {"steps": 6}}, "distilled"),
        ({"class_type": "SamplerLMS", "inputs": {}}, None),
    ):
        running = node(
            "BasicScheduler",
            {"8": custom, "9": select},
            steps=6,
            denoise=1.0,
            scheduler="distilled",
        )
        assert widgets.use_of(running, 6).sampler == name


def test_names_upstream_of_a_node(node):
    others = {
        "1": {
            "class_type": "CheckpointLoaderSimple",
            "inputs": {"ckpt_name": "sd\\anime.safetensors"},
        },
        "2": {
            "class_type": "LoraLoader",
            "inputs": {"model": ["1", 0], "clip": ["1", 1], "lora_name": "x/lcm-lora.safetensors"},
        },
        "3": {
            "class_type": "LoraLoader",
            "inputs": {"model": ["3", 0], "lora_name": "loop.safetensors"},
        },
    }
    assert prompt.model_names(node("KSampler", others, model=["2", 0])) == ("anime", ("lcm-lora",))
    assert prompt.model_names(node("KSampler", others, model=["3", 0])) == (None, ("loop",))
    assert prompt.model_names(None) == (None, ())


def test_issued_schedules_are_known_whole_dropped_and_from_their_end():
    sigmas = issued.issue([1.0, 0.83, 0.55, 0.31, 0.17, 0.0], 5)
    whole, dropped = (
        issued.recognised(sigmas),
        issued.recognised(torch.cat([sigmas[:-2], sigmas[-1:]])),
    )
    assert (
        whole.whole and whole.steps == 5 and dropped.whole and (dropped.steps, dropped.of) == (4, 4)
    )
    tail = issued.recognised(sigmas[-4:])
    assert not tail.whole and (tail.steps, tail.of) == (3, 5)
    assert issued.recognised(sigmas[:3]) is None and issued.recognised(torch.tensor([])) is None


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_a_stock_schedule_is_never_taken_for_ours(steps):
    stock = host.simple_scheduler(host.sampling(), steps)
    ours = issued.issue(stock.tolist(), steps)
    assert issued.recognised(stock) is None and issued.recognised(ours).whole
    assert torch.allclose(ours, stock, rtol=1e-6) and (ours[:-1] > ours[1:]).all()


def test_the_schedule_is_for_the_sampler_and_the_denoise_on_the_node(
    comfy,
    store,  # noqa: F811
    model,  # noqa: F811
    gram,  # noqa: F811
    node,
):
    store.put(replace(record_of(model, *usual(), recipe("euler", [1.0, 0.5, 0.0])), gram=gram))
    held = model.clone()
    sampling = held.get_model_object("model_sampling")
    node(sampler_name="dpmpp_2m", steps=3, denoise=1.0, cfg=3.0)
    assert torch.allclose(
        dropdown.distilled_scheduler(sampling, 3), torch.tensor([1.0, 0.85, 0.4, 0.0]), rtol=1e-6
    )
    node(sampler_name="uni_pc", steps=2, denoise=1.0)
    assert len(dropdown.distilled_scheduler(sampling, 3)) == 4
    node(sampler_name="euler", steps=4, denoise=0.5)
    sigmas = dropdown.distilled_scheduler(sampling, 8)
    assert len(sigmas) == 9 and sigmas[0] == 1 and sigmas[-5] == pytest.approx(0.75, rel=1e-5)
    assert issued.recognised(sigmas[-5:]).issued.start == pytest.approx(0.75)
    node()
    assert torch.allclose(
        dropdown.distilled_scheduler(sampling, 3), torch.tensor([1.0, 0.8, 0.5, 0.0]), rtol=1e-6
    )  # the default: euler


def test_where_nothing_serves_what_stood_there_before_runs(comfy, store, model, monkeypatch):  # noqa: F811
    """As the page's workflow remembers it, in the graph and in subgraphs."""
    inside = {
        "id": 7,
        "type": "KSampler",
        "properties": {"stepdistill": {"was": {"scheduler": "karras"}}},
    }
    for name, graph in (
        ("7", {"nodes": [inside]}),
        ("12:7", {"nodes": [], "definitions": {"subgraphs": [{"nodes": [inside]}]}}),
    ):
        node = prompt.RunningNode({}, name, "KSampler", {})
        extra = {"extra_pnginfo": {"workflow": graph}}
        monkeypatch.setattr(prompt, "running_extra", lambda extra=extra: extra)
        assert prompt.scheduler_before(node) == "karras"
        found = module("nodes.lookup").find(model, "euler", 9, before=prompt.scheduler_before(node))
        assert found.stand_in.origin == "before" and found.recipe.choice.schedule == "karras"
    for broken in (None, {}, {"nodes": [3]}, {"nodes": [inside | {"properties": []}]}):
        monkeypatch.setattr(
            prompt, "running_extra", lambda b=broken: {"extra_pnginfo": {"workflow": b}}
        )
        assert prompt.scheduler_before(prompt.RunningNode({}, "7", "KSampler", {})) is None
