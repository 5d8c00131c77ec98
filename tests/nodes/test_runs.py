"""What runs: the sampler function on its own sigmas and on others, and Apply's wrapper around a run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.samplers.query_offsets import with_offsets
from tests.nodes import host
from tests.nodes.pack import module
from tests.nodes.test_lookup import gram, model, record_of, store  # noqa: F401

draw, wrapper, applied, issued, lookup = (
    module("nodes.dropdowns.sampler_function"),
    module("nodes.dropdowns.apply_wrapper"),
    module("nodes.dropdowns.apply_mark"),
    module("nodes.dropdowns.issued_schedules"),
    module("nodes.lookup"),
)
NOISE = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(3))


class Guider:
    """A guider whose model pulls towards a constant: D depends on x and sigma."""

    def __init__(self, model):  # noqa: F811
        self.model_patcher, self.cfg, self.conds = model, 3.0, {"positive": [{}]}
        self.model_options, self.asked = {"transformer_options": {}}, []

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        self.asked.append(float(timestep[0]))
        return answer(x, timestep)

    def __call__(self, x, timestep, model_options=None, seed=None):
        wrappers = (
            self.model_options["transformer_options"].get("wrappers", {}).get("predict_noise", {})
        )
        for function in (each for entry in wrappers.values() for each in entry):
            return function(self.predict_noise, x, timestep, model_options, seed)
        return self.predict_noise(x, timestep, model_options, seed)


def answer(x, sigma):
    return torch.tanh(x * 0.3) + 0.2 * sigma.reshape(-1, 1, 1, 1) ** 0.5


@pytest.fixture
def comfy(monkeypatch):
    return host.comfy(monkeypatch)


@pytest.fixture
def guider(comfy, store, model):  # noqa: F811
    store.put(record_of(model))
    return Guider(model.clone())


def run(function, guider, sigmas, **more):
    """A sampler function as KSAMPLER calls it."""
    inner = SimpleNamespace(inner_model=guider)

    def asked(x, sigma, **extra):
        assert extra == {"seed": 5}
        return guider(x, sigma)

    holder = type(
        "X0",
        (),
        {
            "inner_model": guider,
            "__call__": lambda self, x, sigma, **extra: asked(x, sigma, **extra),
        },
    )()
    assert inner.inner_model is holder.inner_model
    return function(holder, NOISE.clone(), sigmas, extra_args={"seed": 5}, disable=True, **more)


def test_the_sampler_runs_its_recipe_with_callbacks(guider):
    recipe = lookup.find(guider.model_patcher, "distilled", 3).recipe
    heard = []
    drawn = run(draw.sample_distilled, guider, torch.tensor(recipe.sigmas), callback=heard.append)
    assert torch.allclose(drawn, run_recipe(answer, NOISE, recipe, "flow"), atol=1e-6)
    assert (
        [each["i"] for each in heard] == [0, 1, 2]
        and heard[1]["denoised"].shape == NOISE.shape
        and "sigma_hat" in heard[0]
    )
    assert len(guider.asked) == 3


def test_the_bound_sampler_needs_no_lookup(guider, monkeypatch):
    found = lookup.find(guider.model_patcher, "distilled", 3)
    monkeypatch.setattr(draw, "find", None)
    function = draw.bound(found)
    assert function.__name__ == "sample_distilled"
    drawn = run(function, guider, torch.tensor(found.recipe.sigmas))
    assert torch.allclose(drawn, run_recipe(answer, NOISE, found.recipe, "flow"), atol=1e-6)


@pytest.mark.parametrize(
    "sigmas", [[1.0, 0.6, 0.2, 0.0], [1.0, 0.75, 0.35], [0.75, 0.35, 0.0], [1.0, 0.0]]
)
@pytest.mark.parametrize("kind", ["bound", "dropdown"])
def test_other_sigmas_run_as_dpmpp_2m_and_are_not_touched(guider, sigmas, kind, caplog):
    caplog.set_level("INFO")
    function = (
        draw.bound(lookup.find(guider.model_patcher, "distilled", 3))
        if kind == "bound"
        else draw.sample_distilled
    )
    given = torch.tensor(sigmas)
    name, used = run(function, guider, given)
    assert name == "dpmpp_2m" and used is given and used.tolist() == given.tolist()


def test_our_own_schedule_brings_the_recipe_with_it(guider):
    """scheduler `distilled` without knowledge of the sampler: as many steps from the same start,
    all of it ours."""
    recipe = lookup.find(guider.model_patcher, "distilled", 3).recipe
    drawn = run(draw.sample_distilled, guider, issued.issue([1.0, 0.8, 0.5, 0.0], 3))
    assert torch.allclose(drawn, run_recipe(answer, NOISE, recipe, "flow"), atol=1e-6)


def test_a_failed_lookup_does_not_end_the_run(guider, monkeypatch, caplog):
    monkeypatch.setattr(draw, "find", lambda *_, **__: 1 / 0)
    assert run(draw.sample_distilled, guider, torch.tensor([1.0, 0.75, 0.35, 0.0]))[0] == "dpmpp_2m"
    assert "ZeroDivisionError" in caplog.text


def sampler(name="sample_euler"):
    function = lambda *_: None  # noqa: E731
    function.__name__ = name
    return SimpleNamespace(sampler_function=function)


def test_names_of_samplers():
    names = {
        "sample_euler": "euler",
        "sample_unipc": "uni_pc",
        "sample_unipc_bh2": "uni_pc_bh2",
        "dpm_adaptive_function": None,
    }
    assert {key: wrapper.sampler_name(sampler(key)) for key in names} == names
    assert wrapper.sampler_name(object()) is None


def outer(guider, sigmas, kind="sample_euler", noise=NOISE):
    """A run through the wrapper that runs the library's Euler; (sigmas that ran, what was asked,
    the result)."""

    def execute(noise, latent, sampler, sigmas, *rest, **named):
        assert rest == ("mask",) and named == {"seed": 1, "latent_shapes": [1]}
        return sigmas, sample(lambda x, s: guider(x, s), noise, sigmas.double(), "euler")

    execute.class_obj = guider
    guider.asked.clear()
    ran, drawn = wrapper.outer_sample(
        execute, noise, None, sampler(kind), sigmas, "mask", seed=1, latent_shapes=[1]
    )
    return ran, list(guider.asked), drawn


def apply(guider, **settings):
    applied.mark(guider.model_patcher, applied.Applied(**settings))
    return issued.issue([1.0, 0.9, 0.6, 0.0], 3)


def test_the_recipe_takes_the_schedules_place_offsets_and_all(guider):
    sigmas = apply(guider)
    ran, asked, drawn = outer(guider, sigmas)
    recipe = lookup.find(guider.model_patcher, "euler", 3).recipe
    assert (
        recipe.offsets
        and np.allclose(ran, recipe.sigmas, rtol=1e-6)
        and not np.allclose(asked[1:], recipe.sigmas[1:-1], rtol=1e-2)
    )
    expected = sample(
        with_offsets(answer, recipe.sigmas, recipe.offsets, "flow"), NOISE, recipe.sigmas, "euler"
    )
    assert torch.allclose(drawn, expected, atol=1e-6)
    assert not guider.model_options["transformer_options"]["wrappers"][
        "predict_noise"
    ]  # and nothing is left behind


def test_without_offsets_the_schedule_alone(guider):
    sigmas = apply(guider, offsets=False)
    ran, asked, _ = outer(guider, sigmas)
    assert np.allclose(ran, [1.0, 0.8, 0.5, 0.0], rtol=1e-6) and np.allclose(asked, ran[:-1])


def test_without_the_hosts_hook_no_offsets_are_taken(guider, comfy):
    sigmas = apply(guider)
    del comfy.extension.WrappersMP.PREDICT_NOISE
    assert np.allclose(outer(guider, sigmas)[0], [1.0, 0.8, 0.5, 0.0], rtol=1e-6)


@pytest.mark.parametrize("cut", ["foreign", "head", "unnamed", "goes on"])
def test_what_is_left_alone(guider, cut):
    sigmas, kind, noise = apply(guider), "sample_euler", NOISE
    if cut == "foreign":
        sigmas = torch.tensor([1.0, 0.9, 0.6, 0.0])
    elif cut == "head":
        sigmas = sigmas[:3]
    elif cut == "unnamed":
        kind = "dpm_adaptive_function"
    else:
        sigmas, noise = sigmas[1:], torch.zeros_like(NOISE)
    assert wrapper.plan(guider, noise, sampler(kind), sigmas) is None


def test_a_slice_is_a_denoise(guider, store, gram, model):  # noqa: F811
    store.put(replace(record_of(model), gram=gram))
    apply(guider)
    sigmas = issued.issue([1.0, 0.9, 0.8, 0.6, 0.4, 0.2, 0.0], 6)
    planned = wrapper.plan(guider, NOISE, sampler(), sigmas[-4:])
    assert planned.found.recipe.steps == 3 and planned.sigmas[0] == pytest.approx(
        planned.found.table.percent_to_sigma(0.5)
    )
    known = issued.issue([1.0, 0.95, 0.66, 0.3, 0.1, 0.0], 3, 0.66)
    assert float(wrapper.plan(guider, NOISE, sampler(), known[-4:]).sigmas[0]) == pytest.approx(
        0.66
    )


def test_a_fault_in_the_wrapper_leaves_the_run_as_it_was(guider, monkeypatch, caplog):
    sigmas = apply(guider)
    monkeypatch.setattr(wrapper, "find", lambda *_, **__: 1 / 0)
    assert outer(guider, sigmas)[0] is sigmas and "ZeroDivisionError" in caplog.text


def test_the_hook_is_taken_away_when_the_run_fails(guider):
    def execute(*_, **__):
        raise KeyboardInterrupt

    execute.class_obj = guider
    with pytest.raises(KeyboardInterrupt):
        wrapper.outer_sample(execute, NOISE, None, sampler(), apply(guider))
    assert not guider.model_options["transformer_options"]["wrappers"]["predict_noise"]


def test_the_nodes_themselves(guider, comfy, model):  # noqa: F811
    comfy.samplers.KSAMPLER = lambda function: SimpleNamespace(sampler_function=function)
    pack = module("nodes").NODE_CLASS_MAPPINGS
    sigmas = pack["StepDistillSigmas"]().make(model, "euler", 3, 1.0, "stock")
    assert sigmas["result"][0].tolist() == pytest.approx([1.0, 0.8, 0.5, 0.0]) and sigmas["ui"][
        "text"
    ] == [sigmas["result"][1]]
    made = pack["StepDistillSampler"]().make(model, 3, 1.0, "error")
    assert (
        wrapper.sampler_name(made["result"][0]) == "distilled"
        and made["ui"]["stepdistill"][0]["steps"] == 3
    )
    out, info = pack["StepDistillApply"]().make(model, True)["result"]
    assert (
        out is not model
        and "euler 3 steps" in info
        and out.wrappers["outer_sample"]["stepdistill"] == [wrapper.outer_sample]
    )
    again = pack["StepDistillApply"]().make(out, False)["result"][0]
    assert (
        len(again.wrappers["outer_sample"]["stepdistill"]) == 1
        and applied.applied_of(again).offsets is False
    )
    assert applied.applied_of(model) == applied.Applied(None, False)
    for cls in (pack["StepDistillSigmas"], pack["StepDistillSampler"], pack["StepDistillApply"]):
        inputs = cls.INPUT_TYPES()
        assert all(spec[1]["tooltip"] for each in inputs.values() for spec in each.values())
        assert cls.IS_CHANGED() == module("nodes.host.store").revision() and len(
            cls.RETURN_TYPES
        ) == len(cls.RETURN_NAMES)
