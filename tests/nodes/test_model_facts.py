"""Who a MODEL is: the same as its file, whatever is baked into it; its patches and noise apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scheduler.checkpoints.load import BUNDLED
from scheduler.fingerprint import fingerprint_file, fingerprint_tensors
from scheduler.sigmas import STOCK, flow_table, sd_table, stock_schedule
from tests.nodes import host
from tests.nodes.pack import module

identity, weights, noise, errors = (
    module("nodes.host.model_facts"),
    module("nodes.host.weights"),
    module("nodes.host.model_sampling"),
    module("scheduler.errors"),
)


class Adapter:
    """One of the host's LoRA adapters."""

    name = "lora"

    def __init__(self, keys, *weights):
        self.loaded_keys, self.weights = keys, weights


def matrices(model, count=6):
    return [
        name
        for name, value in model.model.state_dict().items()
        if value.dim() == 2 and name.endswith("weight")
    ][:count]


def lora(model, seed, strength=0.5):
    keys, generator = set(), torch.Generator().manual_seed(seed)
    shapes = {key: model.model.state_dict()[key].shape for key in matrices(model)}
    model.add_patches(
        {
            key: Adapter(
                keys,
                torch.randn(shape[0], 2, generator=generator),
                torch.randn(2, shape[1], generator=generator),
                1.0,
                None,
            )
            for key, shape in shapes.items()
        },
        strength,
    )
    return model


@pytest.mark.parametrize("kind", ["flow", "eps"])
def test_live_weights_are_known_as_their_file(kind):
    facts = identity.facts_of(host.patcher(kind))
    assert facts.fingerprint.id == fingerprint_file(BUNDLED[kind]).id
    assert (facts.process, facts.prediction) == (
        ("flow", "flow") if kind == "flow" else ("ve", "eps")
    )
    assert facts.shift == (3.0 if kind == "flow" else None) and facts.patches == ()


def test_baked_loras_change_the_patches_and_not_the_fingerprint():
    model = lora(host.patcher(), 1)
    weights = model.model.state_dict()
    with torch.no_grad():
        for key in matrices(model):
            model.backup[key] = SimpleNamespace(weight=weights[key].clone())
            weights[key].add_(1.0)
    facts = identity.facts_of(model)
    assert facts.fingerprint.id == fingerprint_file(BUNDLED["flow"]).id
    (patch,) = facts.patches
    assert patch["name"].startswith("lora-") and patch["strength"] == 0.5
    assert identity.facts_of(model.clone()).patches == facts.patches


def test_a_lora_is_named_by_its_numbers():
    names = [
        identity.facts_of(lora(host.patcher(), seed, strength)).patches[0]
        for seed, strength in ((1, 0.5), (1, 0.8), (2, 0.5))
    ]
    assert names[0]["name"] == names[1]["name"] != names[2]["name"]
    assert [each["strength"] for each in names] == [0.5, 0.8, 0.5]
    both = identity.facts_of(lora(lora(host.patcher(), 1), 2))
    assert len(both.patches) == 2


def test_plain_differences_and_merges_are_patches_too():
    model = host.patcher()
    key = matrices(model)[0]
    model.add_patches({key: ("diff", (torch.ones(2, 2),))}, 1.0)
    model.add_patches({key: [(torch.ones(4, 4), lambda weight: weight)]}, 0.3)
    model.add_patches({key: ("model_as_lora", (torch.ones(2, 2),))}, 0.25)
    assert [
        (each["name"].split("-")[0], each["strength"]) for each in identity.facts_of(model).patches
    ] == [
        ("lora", 1.0),
        ("merge", 0.3),
        ("weights", 0.25),
    ]


def test_hooks_of_other_nodes_are_named_and_ours_are_not():
    model = host.patcher()

    def rescale_cfg(arguments):
        return arguments

    model.model_options["sampler_cfg_function"] = rescale_cfg
    model.model_options["transformer_options"]["patches"] = {"attn2_patch": [Adapter(None)]}
    model.add_wrapper_with_key("outer_sample", "stepdistill", print)
    model.add_wrapper_with_key("apply_model", "teacache", print)
    names = [each["name"] for each in identity.facts_of(model).patches]
    assert (
        len(names) == 3 and names[0] == "attn2_patch: Adapter" and names[2] == "wrapper: teacache"
    )
    assert (
        names[1].startswith("sampler_cfg_function: ")
        and names[1].endswith("rescale_cfg")
        and "0x" not in "".join(names)
    )


def test_weights_are_asked_once(monkeypatch):
    asked = []
    monkeypatch.setattr(identity, "fingerprint_of", lambda model: asked.append(model))
    model = host.patcher()
    for each in (model, model.clone(), lora(model.clone(), 3)):
        identity.facts_of(each)
    assert len(asked) == 1


def test_the_name_is_the_loaders_file_else_the_kind_of_model():
    assert (
        identity.facts_of(host.patcher(file="C:\\models\\flux1-schnell.safetensors")).name
        == "flux1-schnell"
    )
    assert identity.facts_of(host.patcher()).name == "Config"
    assert (
        identity.advice_of(host.patcher(file="/models/sdxl_lightning_4step.safetensors")).family
        == "sdxl-lightning"
    )
    assert identity.advice_of(host.patcher()) is None


@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
def test_the_table_is_the_models_own_clock_and_all(shift):
    table = noise.noise_of(host.sampling(shift=shift)).table
    for name in STOCK:
        assert np.allclose(
            stock_schedule(name, table, 7), stock_schedule(name, flow_table(shift), 7), rtol=1e-5
        )
    assert table.percent_to_sigma(0.5) == pytest.approx(flow_table(shift).percent_to_sigma(0.5))
    assert table.percent_to_sigma(0) == 1.0 and table.percent_to_sigma(1) == 0.0


def test_discrete_tables_even_with_repeated_ends():
    table = noise.noise_of(host.sampling(host.ModelSamplingDiscrete, host.V_PREDICTION, ties=True))
    assert (table.process, table.prediction, table.shift) == ("ve", "v", None)
    assert table.table.percent_to_sigma(0.4) == pytest.approx(
        sd_table().percent_to_sigma(0.4), rel=2e-2
    )
    assert len(stock_schedule("karras", table.table, 9)) == 10


def test_fluxs_mu_is_a_shift_by_its_exponential():
    flux = type("ModelSamplingFlux", (host.ModelSamplingDiscreteFlow,), {})
    assert noise.noise_of(host.sampling(flux, shift=1.15)).shift == pytest.approx(np.exp(1.15))


def test_a_clock_that_takes_one_number_at_a_time():
    class Picky(host.ModelSamplingDiscreteFlow):
        def sigma(self, timestep):
            return (
                super().sigma(timestep)
                if timestep.ndim == 0 or len(timestep) > 500
                else self.refuse()
            )

        def refuse(self):
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    assert np.allclose(
        noise.noise_of(host.sampling(Picky)).table.sigma(np.array([500.0, 1000.0])), [0.75, 1.0]
    )


def test_what_is_not_sampled_in_steps_is_refused():
    other = type("IMG_TO_IMG", (), {})
    with pytest.raises(errors.SigmaRangeError, match="has no schedule to distil"):
        identity.facts_of(host.patcher(sampled=host.sampling(prediction=other)))


def test_guidance_keys_and_conditions():
    assert identity.guidance_of([[torch.zeros(1), {"guidance": 3.5}]]) == 3.5
    assert identity.guidance_of([{"guidance": torch.tensor(2.0)}]) == 2.0
    assert (
        identity.guidance_of([[torch.zeros(1), {}]]) is None and identity.guidance_of(None) is None
    )
    facts = identity.facts_of(lora(host.patcher(), 1))
    key = facts.key(cfg=4.0, latent_shape=torch.Size((16, 8, 8)), sampler="euler")
    assert (
        key.latent_shape == (16, 8, 8) and key.patches == facts.patches and key.sampler == "euler"
    )
    record = module("scheduler.record")
    conditions = facts.conditions(facts.key(cfg=4.0, latent_shape=(16, 8, 8)))
    made = record.Record(
        record.Model.of(conditions, "flow", facts.sigma_min, 1.0),
        conditions,
        None,
        (),
        {},
        {"version": "1", "created": record.now(), "model_calls": 0},
    )
    assert record.Record.from_json(made.to_json()).model.samples == facts.fingerprint.samples


class Sized(torch.nn.Module):
    """A layer whose state tells its size alone, and of one that is never there, as GGUF's loader
    makes them."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(64.0).reshape(8, 8), requires_grad=False)

    def state_dict(self, *_, **__):
        empty = torch.empty(8, 8, device="meta")
        return {"weight": empty, "temp.weight": empty}


def test_weights_whose_state_has_no_numbers_are_known_by_their_parameters():
    network = Sized()
    model = host.Patcher(type("Model", (), {"diffusion_model": network})())
    found = weights.original_weights(model)
    assert list(found) == ["diffusion_model.weight"]
    assert weights.fingerprint_of(model).id == fingerprint_tensors({"weight": network.weight}).id


def test_a_shift_that_is_set_in_place_is_seen(monkeypatch):
    """And one that stands as it stood is not looked through again."""
    model = host.patcher()
    before = identity.facts_of(model)
    sampling = model.get_model_object("model_sampling")
    sampling.__init__(shift=1.5)
    after = identity.facts_of(model)
    assert (before.shift, after.shift) == (3.0, 1.5)
    assert after.table.sigmas[500] < before.table.sigmas[500]
    monkeypatch.setattr(identity, "noise_of", None)
    assert identity.facts_of(model).table is after.table
