"""What Apply Distilled Schedule says before anything runs: which record, where it was found, and only
the query offsets that will be used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.nodes import host
from tests.nodes.made import EULER, OFFSETS, recipe
from tests.nodes.pack import module
from tests.nodes.test_lookup import record_of

expected, downstream = module("nodes.expected"), module("nodes.host.downstream")
running_prompt, lookup = module("nodes.host.running_prompt"), module("nodes.lookup")
queued = module("nodes.server.queued")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return module("nodes.host.store").store()


@pytest.fixture(scope="module")
def model():
    return host.patcher(file="tiny.safetensors")


def said(model, record=None, offsets=True, runs=()):
    card, info = expected.expected(model, record, offsets, runs)
    assert card["info"] == info
    return card["source"], info


def at_cfg(model, cfg, created, *recipes):
    """A record of a model, made at a cfg."""
    record = record_of(model, *recipes)
    under = replace(record.conditions, cfg=cfg)
    return replace(record, conditions=under, provenance=record.provenance | {"created": created})


@pytest.fixture
def two(store, model):
    """Records of one model at cfg 3 and, the newer, at cfg 7."""
    store.put(at_cfg(model, 3.0, "2026-11-20T00:00:00Z", distilled(), recipe("euler", EULER)))
    store.put(at_cfg(model, 7.0, "2026-11-21T00:00:00Z", distilled(), recipe("euler", EULER)))


def run(cfg=None, **more):
    whole = {"sampler": "euler", "scheduler": "distilled", "steps": 3, "denoise": 1.0} | more
    return downstream.Run("KSampler", downstream.Under(cfg), **whole)


def distilled():
    rows = [[0.0] * 4, [0.3, 0.0, 0.02, -0.01], [0.2, 0.0, 0.0, 0.0]]
    return recipe("distilled", offsets=OFFSETS, coefficients=rows)


def test_offsets_are_promised_to_samplers_that_have_them(store, model):
    store.put(record_of(model))
    assert "4 steps" not in said(model)[1]
    assert "), with query offsets for euler." in said(model)[1]
    assert "), without query offsets." in said(model, offsets=False)[1]


@pytest.mark.parametrize(
    "recipes",
    [
        lambda: [distilled()],  # the only one: euler runs a stock schedule
        lambda: [distilled(), recipe("euler", EULER)],
        lambda: [distilled(), recipe("euler", offsets=OFFSETS, choice="beta")],
    ],
    ids=["distilled alone", "without offsets", "stock has won"],
)
def test_no_offsets_are_promised_that_nobody_gets(store, model, recipes):
    store.put(record_of(model, *recipes()))
    assert "offsets" not in said(model)[1]


def test_where_the_record_was_found(store, model):
    source, info = said(model)
    assert source == "stock" and "until you distil one" in info
    record = record_of(model)
    assert said(model, record)[0] == "record"
    store.put(record)
    assert said(model)[0] in ("exact", "nearest")  # the badge: from the store


def sampler(cfg, scheduler="distilled", model=("2", 0), **more):
    inputs = {"model": list(model), "cfg": cfg, "steps": 3, "sampler_name": "euler"}
    inputs |= {
        "scheduler": scheduler,
        "denoise": 1.0,
        "positive": ["8", 0],
        "latent_image": ["9", 0],
    }
    return {"class_type": "KSampler", "inputs": inputs | more}


def prompt_of(*samplers):
    """Apply (2) with these samplers after it (10, 11, ...)."""
    prompt = {
        "2": {"class_type": "StepDistillApply", "inputs": {"model": ["1", 0]}},
        "8": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["7", 0], "guidance": 3.5}},
        "9": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 512, "height": 768}},
    }
    return prompt | {str(10 + k): each for k, each in enumerate(samplers)}


def runs_in(prompt, node="2"):
    entry = prompt[node]
    asking = running_prompt.RunningNode(prompt, node, entry["class_type"], entry["inputs"])
    return downstream.runs_after(asking)


def test_what_the_prompt_says_of_the_run_after_it():
    (found,) = runs_in(prompt_of(sampler(3.0)))
    assert found.under == downstream.Under(3.0, 3.5, (None, 96, 64))
    assert (found.sampler, found.scheduler, found.steps) == ("euler", "distilled", 3)
    assert found.denoise == 1.0 and not found.changed


def test_a_few_step_ksampler_after_it_chooses_for_itself(two, model):
    few = {"class_type": "StepDistillKSampler", "inputs": {"model": ["3", 0]}}
    prompt = prompt_of() | {"10": few}
    prompt["3"] = {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["2", 0]}}
    asking = running_prompt.RunningNode(prompt, "2", "StepDistillApply", {})
    assert downstream.few_steps_after(asking) and not downstream.runs_after(asking)
    alone = running_prompt.RunningNode(prompt_of(sampler(3.0)), "2", "StepDistillApply", {})
    assert not downstream.few_steps_after(alone) and not downstream.few_steps_after(None)
    card, info = expected.expected(model, None, True, (), True)
    assert info == card["info"] == expected.CHOOSES and card["source"] == "undecided"
    card, info = expected.expected(model, None, True, [run(3.0)], True)
    assert info == card["info"] and info.endswith(expected.CHOOSES) and "Made at cfg 3" in info


def test_a_number_that_another_node_holds_and_one_that_nobody_knows():
    prompt = prompt_of(sampler(["20", 0]), sampler(["21", 0]))
    prompt["20"] = {"class_type": "PrimitiveFloat", "inputs": {"value": 4.5}}
    prompt["21"] = {"class_type": "Expression", "inputs": {"text": "a + b"}}
    assert [each.under.cfg for each in runs_in(prompt)] == [4.5, None]


def test_through_a_guider_and_a_node_that_changes_the_model():
    prompt = prompt_of()
    prompt["3"] = {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["2", 0]}}
    prompt["4"] = {
        "class_type": "CFGGuider",
        "inputs": {"model": ["3", 0], "cfg": 2.0, "positive": ["8", 0]},
    }
    prompt["5"] = {
        "class_type": "BasicScheduler",
        "inputs": {"model": ["2", 0], "scheduler": "distilled", "steps": 4, "denoise": 0.5},
    }
    prompt["6"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}}
    ways = {"guider": ["4", 0], "sigmas": ["5", 0], "sampler": ["6", 0], "latent_image": ["9", 0]}
    prompt["12"] = {"class_type": "SamplerCustomAdvanced", "inputs": ways}
    (found,) = runs_in(prompt)
    assert found.under.cfg == 2.0 and found.sampler == "dpmpp_2m" and found.scheduler == "distilled"
    assert found.changed  # by the LoRA between
    prompt["4"]["inputs"]["model"] = ["2", 0]
    assert not runs_in(prompt)[0].changed


@pytest.mark.parametrize("cfg, made", [(3.0, "cfg 3"), (7.0, "cfg 7")])
def test_the_card_names_the_record_that_the_run_gets(two, model, cfg, made):
    source, info = said(model, runs=[run(cfg)])
    ran = lookup.find(model, "euler", 3, cfg=cfg)
    assert made in info and "differs" not in info
    assert info == module("scheduler.lookup.words").info(ran) and source == ran.source


@pytest.mark.parametrize(
    "runs", [[], [run(None)], [run(3.0), run(7.0)], [run(3.0, changed=True)]], ids=str
)
def test_where_the_run_is_not_known_no_record_is_named_for_it(two, model, runs):
    source, info = said(model, runs=runs)
    assert source == "undecided" and "cfg 3" in info and "cfg 7" in info
    assert "said here once it has run" in info


def test_the_only_record_is_named_and_that_the_cfg_is_not_known(store, model):
    store.put(at_cfg(model, 7.0, "2026-11-21T00:00:00Z"))
    assert "not known here yet" in said(model, runs=[run(None)])[1]
    assert "for cfg 7, you use 3" in said(model, runs=[run(3.0)])[1]


def test_where_no_sampler_after_it_has_the_entry(two, model):
    source, info = said(model, runs=[run(3.0, scheduler="karras")])
    assert source == "stock" and "KSampler: 'karras'" in info and "Choose 'distilled' there" in info


def test_another_cfg_after_apply_lets_it_look_again(store):
    def marks(*samplers):
        data = queued.queued({"prompt": prompt_of(*samplers)})
        return data["prompt"]["2"]["inputs"].get(queued.INPUT)

    assert marks(sampler(3.0)) != marks(sampler(7.0))
    assert marks(sampler(3.0)) == marks(sampler(3.0, seed=5))
    # one of several that changes does not draw the others again
    assert marks(sampler(3.0), sampler(7.0)) == marks(sampler(3.0), sampler(4.0))
